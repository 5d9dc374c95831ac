"""Rows as tables, for a terminal and for Markdown. A section's columns are data: a title, and how a
row's value is shown."""

import textwrap

from bench.harness import targets
from bench.harness.svg import rounded

CHALLENGES = {"none": "pre-validated", "http-01": "http-01"}


def number(key, factor=1, suffix=""):
    def show(row):
        value = row.get(key)
        return "-" if value is None else rounded(factor * value) + suffix
    return show


def count(key):
    return lambda row: f"{row[key]:,}"


def text(key):
    return lambda row: str(row[key])


def challenge(row):
    return CHALLENGES[row["challenge"]]


def cpu(prefix=""):
    """User and system time apart."""
    def show(row):
        whole, user, system = (row.get(f"{prefix}{each}_ms") for each in ("cpu", "user", "system"))
        if whole is None:
            return "-"
        return f"{rounded(whole)} ({rounded(user)} + {rounded(system)})"
    return show


def _on_disk(rows):
    """A heading that depends on where it was measured."""
    return f"CPU ms an order (user + system), files on {rows[0].get('file_system', 'disk')}"


def _times_less(row):
    target = targets.times_less(row)
    return "-" if target is None else f"{rounded(target['limit'])}: {_verdict(target)}"


def _verdict(row):
    return "met" if row["met"] else "NOT met"


def _limit(row):
    return f"{'at least' if row['at_least'] else 'at most'} {rounded(row['limit'])} {row['unit']}"


def _kept_target(row):
    if row["target"] is None:
        return "-"
    return rounded(row["target"]) + ("" if row["met"] is None else f": {_verdict(row)}")


# Section -> (heading, columns). Left columns are text, the others are numbers.
SECTIONS = {
    "targets": ("What is promised, and what was measured", 1, (
        ("what", text("what")), ("target", _limit),
        ("measured", lambda row: f"{rounded(row['measured'])} {row['unit']}"),
        ("", _verdict))),
    "scaling": ("By orders in flight", 1, (
        ("challenge", challenge), ("in flight", count("in_flight")), ("orders", count("orders")),
        ("orders/s", number("orders_per_s")), (_on_disk, cpu()),
        ("files on tmpfs", cpu("tmpfs_")), ("the disk's share", number("disk_share", 100, " %")),
        ("wall s", number("wall_s")), ("peak MiB", number("peak_kib", 1 / 1024)),
        ("KiB an order in flight", number("order_kib")),
        ("requests an order", number("requests")), ("the CA's CPU ms", number("ca_cpu_ms")))),
    "clients": ("Beside other clients", 4, (
        ("client", text("row")), ("version", text("version")), ("how it is run", text("how")),
        ("challenge", challenge), ("certificates", count("certificates")),
        ("certificates/s", number("per_s")), ("CPU ms a certificate (user + system)", cpu()),
        ("times certmill's", number("ratio")), ("target, at least", _times_less),
        ("peak MiB", number("peak_mib")),
        ("times certmill's", number("memory_ratio")),
        ("requests", number("requests")))),
    "realistic": ("A CA 50 ms away that takes 2 s to issue", 3, (
        ("limited by", text("what")), ("possible, orders/s", text("formula")),
        ("challenge", challenge), ("in flight", count("in_flight")), ("orders", count("orders")),
        ("possible/s", number("possible_per_s")), ("reached/s", number("orders_per_s")),
        ("share", number("share", 100, " %")), ("wall s", number("wall_s")),
        ("of it start and end", number("ends_share", 100, " %")),
        ("share with that counted", number("time_share", 100, " %")),
        ("requests an order", number("requests")))),
    "keys": ("Dear keys", 1, (
        ("fleet", text("fleet")), ("keys", count("orders")),
        ("CPU ms a key", number("key_cpu_ms")), ("keys x CPU / cores, s", number("expected_s")),
        ("the run's CPU / cores, s", number("floor_s")), ("wall s", number("wall_s")),
        ("known to", number("uncertainty", 100, " %")),
        ("over the keys", number("over_expected", 100, " %")),
        ("over its own CPU", number("over_floor", 100, " %")))),
    "keygen": ("Private keys", 3, (
        ("key", text("key")), ("way", text("way")), ("made by", text("by")),
        ("keys", count("keys")), ("CPU ms, median", number("median_ms")),
        ("mean", number("mean_ms")),
        ("times less than OpenSSL, by medians", number("median_ratio")),
        ("by means", number("ratio")), ("known to", number("ratio_error", 100, " %")),
        ("target, at least", _kept_target))),
    "aws": ("Imports into ACM", 3, (
        ("what", text("what")), ("profile", text("profile")), ("region", text("region")),
        ("imports", count("imports")), ("forecast s", number("forecast_s")),
        ("measured s", number("measured_s")), ("the forecast is off by", number("off", 100, " %")))),
    "store": ("Made durable", 1, (
        ("how", text("way")), ("at once", count("at_once")),
        ("a second", number("per_s")), ("CPU ms each", number("cpu_ms")),
        ("times one by one", number("ratio")))),
    "plan": ("Planning", 1, (
        ("what", text("what")), ("entries", count("entries")),
        ("live certificates", count("live")), ("wall s", number("wall_s")),
        ("CPU s", number("cpu_s")), ("peak MiB", number("peak_mib")))),
    "growth": ("How it grows", 2, (
        ("cost", lambda row: f"{row['what']} ({row['unit']})"), ("with", text("of")),
        ("exponent", number("exponent")), ("of the two largest", number("tail")),
        ("R2 of a line", number("r2")), ("farthest from it", number("deviation", 100, " %")),
        ("it is", text("verdict")))),
}


def cells(section, rows):
    _, _, columns = SECTIONS[section]
    head = [title(rows) if callable(title) else title for title, _ in columns]
    return [head, *([show(row) for _, show in columns] for row in rows)]


def terminal(section, rows):
    heading, left, _ = SECTIONS[section]
    head, *body = cells(section, rows)
    # Headings over several lines, for most are longer than what is below them.
    wrapped = [textwrap.wrap(title, max(10, *(len(line[i]) for line in body)),
                             break_long_words=False) for i, title in enumerate(head)]
    depth = max(len(each) for each in wrapped)
    over = zip(*([""] * (depth - len(each)) + each for each in wrapped))
    lines = [*over, *body]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    table = "\n".join("  ".join(cell.ljust(width) if i < left else cell.rjust(width)
                                for i, (cell, width) in enumerate(zip(line, widths))).rstrip()
                      for line in lines)
    return f"{heading}\n\n{table}\n"


def markdown(section, rows):
    _, left, columns = SECTIONS[section]
    head, *body = cells(section, rows)
    rule = ["---" if i < left else "---:" for i in range(len(columns))]
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, rule, *body)) + "\n"
