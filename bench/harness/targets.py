"""What certmill promises itself, beside what was measured. A target whose row is not there (another
scale, a client that is missing) is left out."""

from bench.harness.svg import rounded
from bench.peers.clients import GO_FORMS

CORE_CPU_MS = 1000  # of one core in a second


def rows(sections):
    yield from _scaling(sections.get("scaling", []))
    yield from _clients(sections.get("clients", []))
    for row in sections.get("realistic", []):
        yield _target(f"share of the possible rate: {row['what']}, {row['challenge']}",
                      100 * row["time_share"], 95, "%", at_least=True)
    for row in sections.get("keys", []):
        if row["fleet"] == "RSA-4096":
            yield _target("RSA-4096: wall over keys x CPU a key / cores (known to "
                          f"{rounded(100 * row['uncertainty'])} %)", 100 * row["over_expected"], 10,
                          "%")
    for row in sections.get("store", []):
        if row["way"] == "ring" and row["at_once"] > 1 and row["ratio"]:
            yield _target("store: times write+fsync+rename one by one", row["ratio"], 3, "x",
                          at_least=True)
    yield from _plan(sections.get("plan", []))


def _target(what, measured, limit, unit, at_least=False):
    met = measured >= limit if at_least else measured <= limit
    return {"what": what, "measured": measured, "limit": limit, "at_least": at_least,
            "unit": unit, "met": met}


def _scaling(rows_):
    for challenge, limit_ms, label in (("none", 0.45, "pre-validated"),
                                       ("http-01", 0.8, "http-01")):
        mine = [row for row in rows_ if row["challenge"] == challenge]
        if not mine:
            continue
        # With few in flight a wake-up is for one order only; the promise is for a loaded run.
        best = min(mine, key=lambda row: row["cpu_ms"])
        yield _target(f"CPU an order, {label}, at {best['in_flight']:,} in flight, files on "
                      f"{best['file_system']}", best["cpu_ms"], limit_ms, "ms")
        in_memory = [row for row in mine if row["tmpfs_cpu_ms"]]
        if in_memory:
            least = min(in_memory, key=lambda row: row["tmpfs_cpu_ms"])
            yield _target(f"CPU an order, {label}, at {least['in_flight']:,} in flight, files on "
                          "tmpfs", least["tmpfs_cpu_ms"], limit_ms, "ms")
        if challenge == "none":
            yield _target("orders a second of one client core", CORE_CPU_MS / best["cpu_ms"], 1500,
                          "/s", at_least=True)
        for row in mine:
            if row["in_flight"] == 10000 and row["order_kib"] is not None:
                yield _target(f"memory of an order in flight at 10,000, {label}", row["order_kib"],
                              40, "KiB")


# How many times less CPU a certificate certmill is to take.
TIMES_LESS = {**dict.fromkeys(GO_FORMS, 3.5), "lego": 50, "certbot renew": 250,
              "certbot certonly": 250}


def times_less(row):
    """The target of a row of the clients; None: there is none."""
    limit = TIMES_LESS.get(row["row"])
    if limit is None or not row.get("ratio"):
        return None
    return _target(f"times less CPU than {row['row']}, {row['challenge']}", row["ratio"], limit,
                   "x", at_least=True)


def _clients(rows_):
    for client in TIMES_LESS:
        for row in rows_:
            if row["row"] == client and (target := times_less(row)):
                yield target


def _plan(rows_):
    for row in rows_:
        entries = row["entries"]
        if row["what"] == "plan" and entries in (100000, 1000000):
            live = "all live" if row["live"] else "none live"
            yield _target(f"plan of {entries:,}, {live}", row["wall_s"],
                          2 if entries == 100000 else 20, "s")
        if row["what"] == "run" and entries == 1000000:
            live = "all live" if row["live"] else "none live"
            yield _target(f"memory of a run of {entries:,} entries, {live}", row["peak_mib"], 1024,
                          "MiB")
