"""The comparison as text for a terminal, as Markdown and as a chart."""

import html
import math
import os
import platform
import statistics
from pathlib import Path

BEGIN, END = "<!-- compare:begin -->", "<!-- compare:end -->"
_COLUMNS = (("CPU ms", "cpu_ms"), ("peak MiB", "peak_mib"), ("wall s", "wall_s"),
            ("certificates/s", "certificates_per_s"))


def machine():
    """The machine's description, for whoever compares figures of two machines."""
    def lines(path):
        return Path(path).read_text(encoding="utf-8", errors="replace").splitlines()

    def field(path, name, separator):
        found = [line.split(separator, 1)[1].strip() for line in lines(path)
                 if line.split(separator)[0].strip() == name]
        return found[0].strip('"') if found else "unknown"
    memory_kib = field("/proc/meminfo", "MemTotal", ":").split()[0]
    return {"cpu": field("/proc/cpuinfo", "model name", ":"), "cores": os.cpu_count(),
            "memory_gib": round(int(memory_kib) / 2**20, 1), "kernel": platform.release(),
            "system": field("/etc/os-release", "PRETTY_NAME", "="),
            "load_before": os.getloadavg()[0]}


def summarize(row, how, version, rounds):
    """The medians of one row over its rounds."""
    each = [figures.per_certificate() for figures in rounds]
    return {"row": row, "how": how, "version": version, "certificates": rounds[0].certificates,
            "rounds": each,
            "median": {key: statistics.median(one[key] for one in each) for key in each[0]}}


def rounded(value):
    """Three figures that count."""
    if value <= 0:
        return "0"
    return f"{value:.{max(0, 2 - math.floor(math.log10(value)))}f}"


def _cells(row):
    return [row["row"], row["version"], str(row["certificates"]),
            *(rounded(row["median"][key]) for _, key in _COLUMNS)]


def _label(row):
    return f"{row['row']}, {row['certificates']}"


def table(rows):
    """For the terminal."""
    lines = [["client", "version", "certificates", *(title for title, _ in _COLUMNS)],
             *(_cells(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join("  ".join(cell.ljust(width) if i < 2 else cell.rjust(width)
                               for i, (cell, width) in enumerate(zip(line, widths))).rstrip()
                     for line in lines)


def markdown(result):
    lines = ["| client | how it is run | certificates | CPU ms a certificate | peak memory, MiB "
             "| wall s a certificate | certificates/s |",
             "| --- | --- | ---: | ---: | ---: | ---: | ---: |"]
    for row in result["rows"]:
        name, version, *figures = _cells(row)
        lines.append(f"| {name} {version} | {row['how']} | " + " | ".join(figures) + " |")
    return "\n".join(lines) + "\n"


def conditions(result):
    """In words, what was measured and where."""
    on, setup = result["machine"], result["setup"]
    return (f"Medians of {setup['rounds']} interleaved rounds on {on['cpu']}, {on['cores']} cores, "
            f"Linux {on['kernel']}, {on['system']}, {result['date']}; load average before it: "
            f"{on['load_before']:.1f}. The CA is Pebble {result['pebble']} on the same machine: "
            "its HTTPS checked, http-01 by webroot and fetched by the CA, a new P-256 key and one "
            "name a certificate, no nonce refused, no authorization used twice, accounts "
            "registered before. CPU is user and system time of the client and the processes it "
            "started, not of the CA; memory is that of the largest process.")


def readme_section(result):
    return (f"{BEGIN}\n"
            "One certificate costs this much with the ACME clients of Debian, each run as its "
            "manual says; `bench/compare --readme` installs them, measures again, and rewrites "
            "this section:\n\n"
            f"{markdown(result)}\n"
            "![CPU time a certificate by client, as bars](bench/compare.svg)\n\n"
            "The others do one certificate after the other because that is what they do. Wall time "
            "is mostly waiting, and depends on how long a client waits before it looks at an order "
            "again (Pebble asks for a second, and certmill obeys); certmill waits for "
            f"{result['setup']['in_flight']} orders at once here, for more would lock up Pebble, "
            "and for thousands with a real CA. CPU time has no such waiting in it.\n\n"
            f"{conditions(result)}\n{END}")


def write_readme(path, result):
    """Puts the section between its markers."""
    text = path.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise ValueError(f"{path} must have {BEGIN} and {END} once")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    path.write_text(before + readme_section(result) + after, encoding="utf-8")


def chart(result):
    """SVG: a bar a row, CPU ms a certificate, on a logarithmic scale."""
    rows = sorted(result["rows"], key=lambda row: row["median"]["cpu_ms"])
    values = [row["median"]["cpu_ms"] for row in rows]
    low = math.floor(math.log10(min(values)) - 0.05)
    high = max(math.ceil(math.log10(max(values))), low + 1)
    left, top, step, bar, width = 210, 64, 34, 22, 800
    # Room at the right for the value of the longest bar.
    scale = (width - left - 80) / (high - low)
    bottom = top + step * len(rows)

    def x_of(value):
        return left + scale * (math.log10(value) - low)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {bottom + 62}" '
             f'width="{width}" height="{bottom + 62}" font-family="sans-serif" font-size="14" '
             'role="img">',
             "<title>CPU time a certificate by client, in milliseconds, logarithmic scale</title>",
             f'<rect width="{width}" height="{bottom + 62}" fill="#ffffff"/>',
             '<text x="16" y="28" font-size="17" font-weight="bold" fill="#1f2328">'
             "CPU time a certificate, ms (logarithmic scale; less is better)</text>"]
    for power in range(low, high + 1):
        x = x_of(10**power)
        parts += [f'<line x1="{x:.1f}" y1="{top - 10}" x2="{x:.1f}" y2="{bottom}" '
                  'stroke="#d0d7de"/>',
                  f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle" fill="#59636e">'
                  f"{10**power:g}</text>"]
    for i, row in enumerate(rows):
        y, value = top + step * i, values[i]
        colour = "#0969da" if row["row"].startswith("certmill") else "#8c959f"
        middle = y + bar / 2 + 5
        parts += [f'<text x="{left - 10}" y="{middle}" text-anchor="end" fill="#1f2328">'
                  f"{html.escape(_label(row))}</text>",
                  f'<rect x="{left}" y="{y}" width="{max(1, x_of(value) - left):.1f}" '
                  f'height="{bar}" fill="{colour}"/>',
                  f'<text x="{x_of(value) + 6:.1f}" y="{middle}" fill="#1f2328">'
                  f"{rounded(value)}</text>"]
    on = result["machine"]
    note = f"After each name: how many certificates. {on['cpu']}, {on['cores']} cores, " \
           f"Pebble {result['pebble']}, {result['date']}"
    parts += [f'<text x="16" y="{bottom + 48}" font-size="12" fill="#59636e">'
              f"{html.escape(note)}</text>", "</svg>"]
    return "\n".join(parts) + "\n"
