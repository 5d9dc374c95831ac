"""How cost grows, from the rows of the other sections: nothing is measured here."""

from bench.harness import fit

NAME = "growth"


def rows(sections):
    """`sections`: name -> rows. A row for each kind of growth of which there are three points."""
    scaling = sections.get("scaling", [])
    for challenge in sorted({row["challenge"] for row in scaling}):
        mine = [row for row in scaling if row["challenge"] == challenge]
        fixed = {row["in_flight"] for row in mine if row["growing"]}
        yield from _row(f"CPU, {challenge}", "orders", "s",
                        [(row["orders"], row["cpu_s"]) for row in mine
                         if row["in_flight"] in fixed])
        # With few in flight a wake-up serves one order only: dearer, and no part of any growth.
        main = [row for row in mine if not row["growing"] and row["order_kib"] is not None]
        yield from _row(f"CPU an order, {challenge}", "in flight", "ms",
                        [(row["in_flight"], row["cpu_ms"]) for row in main])
        # The manifest's entries are a part of it; each point has more of both.
        yield from _row(f"memory above a small run's, {challenge}", "in flight", "MiB",
                        [(row["in_flight"], row["order_kib"] * row["in_flight"] / 1024)
                         for row in main])
    plan = sections.get("plan", [])
    for what in ("plan", "run"):
        mine = [row for row in plan if row["what"] == what]
        for has_live, label in ((True, "all with live certificates"), (False, "none live")):
            of_kind = [row for row in mine if (row["live"] > 0) == has_live]
            yield from _row(f"{what}: CPU, {label}", "entries", "s",
                            [(row["entries"], row["cpu_s"]) for row in of_kind])
            yield from _row(f"{what}: memory, {label}", "entries", "MiB",
                            [(row["entries"], row["peak_mib"]) for row in of_kind])


def _row(what, of, unit, points):
    grown = fit.growth(points)
    if grown is not None:
        yield {"what": what, "of": of, "unit": unit, **grown}
