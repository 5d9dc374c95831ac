"""How orders a second, CPU and memory go with the number of orders in flight. Some rows are measured
once more with all files in memory: the difference is what the disk's file system costs."""

from bench.harness.bench import certmill_run
from bench.harness.work import Tmpfs

NAME = "scaling"
FEW = 10  # certificates of the run whose memory is the program's own
OF_TMPFS = ("cpu_ms", "user_ms", "system_ms", "orders_per_s")


def certificates(scale):
    return len(scale.challenges) * (FEW + sum(orders for _, orders in
                                              (*scale.scaling, *scale.growing)))


def rows(bench):
    for challenge in bench.scale.challenges:
        base = bench.row("scaling-base", {"challenge": challenge, "in_flight": FEW},
                         lambda c=challenge: _measure(bench, c, FEW, FEW))
        if base is None:
            continue
        for in_flight, orders in (*bench.scale.scaling, *bench.scale.growing):
            growing = (in_flight, orders) not in bench.scale.scaling
            parameters = {"challenge": challenge, "in_flight": in_flight, "orders": orders}
            row = bench.row(NAME, parameters,
                            lambda c=challenge, f=in_flight, n=orders: _measure(bench, c, f, n))
            if row is None:
                continue
            memory = None
            if in_flight in bench.scale.tmpfs and not growing:
                memory = _in_memory(bench, parameters)
            more_kib = row["peak_kib"] - base["peak_kib"]
            yield {**row, "order_kib": more_kib / in_flight if in_flight > FEW else None,
                   "growing": growing, "file_system": bench.file_system,
                   **{f"tmpfs_{key}": memory and memory[key] for key in OF_TMPFS},
                   "disk_share": memory and 1 - memory["cpu_ms"] / row["cpu_ms"]}


def _in_memory(bench, parameters):
    if bench.file_system == "tmpfs":
        return None  # all of it is
    if reason := Tmpfs().lacks(parameters["orders"]):
        bench.left_out.append(f"scaling, files on tmpfs, orders {parameters['orders']}: {reason}")
        return None
    return bench.row(NAME, {**parameters, "files": "tmpfs"}, lambda: _measure_in_memory(
        bench, parameters["challenge"], parameters["in_flight"], parameters["orders"]))


def _measure_in_memory(bench, challenge, in_flight, orders):
    with Tmpfs() as folder:
        return _measure(bench, challenge, in_flight, orders, folder)


def _measure(bench, challenge, in_flight, orders, folder=None):
    folder = folder or bench.folder(f"scaling-{challenge}-{in_flight}-{orders}")
    with bench.start_ca(folder, challenge) as ca:
        return certmill_run(bench, folder, ca, challenge, in_flight, [None] * orders)
