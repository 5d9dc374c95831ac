"""How orders a second, CPU and memory go with the number of orders in flight."""

from bench.harness.bench import certmill_run

NAME = "scaling"
FEW = 10  # certificates of the run whose memory is the program's own


def rows(bench):
    for challenge in bench.scale.challenges:
        base = bench.row("scaling-base", {"challenge": challenge, "in_flight": FEW},
                         lambda c=challenge: _measure(bench, c, FEW, FEW))
        if base is None:
            continue
        for in_flight, orders in (*bench.scale.scaling, *bench.scale.growing):
            row = bench.row(NAME, {"challenge": challenge, "in_flight": in_flight,
                                   "orders": orders},
                            lambda c=challenge, f=in_flight, n=orders: _measure(bench, c, f, n))
            if row is not None:
                more_kib = row["peak_kib"] - base["peak_kib"]
                yield {**row, "order_kib": more_kib / in_flight if in_flight > FEW else None,
                       "growing": (in_flight, orders) not in bench.scale.scaling}


def _measure(bench, challenge, in_flight, orders):
    folder = bench.folder(f"scaling-{challenge}-{in_flight}-{orders}")
    with bench.start_ca(folder, challenge) as ca:
        return certmill_run(bench, folder, ca, challenge, in_flight, [None] * orders)
