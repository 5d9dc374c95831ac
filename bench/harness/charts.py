"""Which charts there are, from the sections' rows: file name -> SVG."""

from bench.harness.svg import Axis, Series, bar_chart, line_chart, rounded

LABELS = {"none": "pre-validated", "http-01": "http-01"}


def charts(result):
    sections = result["sections"]
    note = _note(result)
    scaling = [row for row in sections.get("scaling", []) if not row["growing"]]
    made = {**_scaling(scaling, note),
            "clients.svg": _clients(sections.get("clients", []), note),
            "plan.svg": _plan(sections.get("plan", []), note)}
    return {name: text for name, text in made.items() if text is not None}


def _note(result):
    on = result["machine"]
    return (f"{on['cpu']}, {on['cores']} cores, {on['file_system']}; CA: {result['ca']} on the "
            f"same machine; certmill {result['version']}, {result['date']}")


def _by_challenge(rows, x, y, more=""):
    return [Series(LABELS[challenge] + more,
                   tuple((row[x], row[y]) for row in rows
                         if row["challenge"] == challenge and row.get(y)))
            for challenge in LABELS]


def _scaling(rows, note):
    in_flight = Axis("orders in flight", log=True)
    return {
        "rate.svg": line_chart("Orders a second, CA and client on the same cores", in_flight,
                               Axis("orders a second"),
                               _by_challenge(rows, "in_flight", "orders_per_s"), note),
        "cpu.svg": line_chart("CPU time of certmill an order, P-256", in_flight,
                              Axis("milliseconds"),
                              [*_by_challenge(rows, "in_flight", "cpu_ms"),
                               *_by_challenge(rows, "in_flight", "tmpfs_cpu_ms",
                                              ", files on tmpfs")], note,
                              limits=(("target 0.45", 0.45, 0), ("target 0.8", 0.8, 1))),
        "memory.svg": line_chart("Peak memory of certmill", in_flight, Axis("MiB", log=True),
                                 _by_challenge([{**row, "mib": row["peak_kib"] / 1024}
                                                for row in rows], "in_flight", "mib"), note),
    }


def _clients(rows, note):
    def text(row):
        cost = f"{rounded(row['cpu_ms'])} ms"
        others = row["ratio"] is not None and row["row"] != "certmill"
        return f"{cost}  ({rounded(row['ratio'])} x)" if others else cost
    bars = sorted(((f"{row['row']}, {LABELS[row['challenge']]}", row["cpu_ms"], text(row),
                    row["row"] == "certmill") for row in rows), key=lambda bar: bar[1])
    return bar_chart("CPU time of the client a certificate (less is better)",
                     "ms of user and system time", bars, note)


def _plan(rows, note):
    series = []
    for what, label in (("plan", "plan"), ("run", "run, few due")):
        for has_live, live in ((True, "all live"), (False, "none live")):
            points = tuple((row["entries"], row["cpu_s"]) for row in rows
                           if row["what"] == what and (row["live"] > 0) == has_live)
            if len({entries for entries, _ in points}) > 1:
                series.append(Series(f"{label}, {live}", points))
    return line_chart("CPU time of planning, by entries of the manifest",
                      Axis("entries", log=True), Axis("seconds", log=True), series, note)
