"""Certificates made durable a second, and rows of the state, without any network."""

import json

NAME = "store"
BATCHED = 256  # certificates at once

# How, as bench-store calls it (the first is what the others are compared with); how many at once.
WAYS = (("one-by-one-files", 1), ("one-by-one", 1), ("plain", 1), ("ring", 1),
        ("plain", BATCHED), ("ring", BATCHED))
IN_FLIGHT = 1000  # of the state's rows
GATHER_MS = 5  # as in a run with so many in flight


def _count(scale, at_once):
    """One by one is some five times slower; fewer tell as much."""
    return max(1, scale.store_certificates // (1 if at_once > 1 else 5))


def certificates(scale):
    return sum(_count(scale, at_once) for _, at_once in WAYS)


def entries(scale):
    return scale.state_certificates


def rows(bench):
    base = None
    for way, at_once in WAYS:
        count = _count(bench.scale, at_once)
        row = bench.row(NAME, {"way": way, "at_once": at_once},
                        lambda w=way, n=at_once, c=count: _store(bench, w, n, c))
        if row is None:
            continue
        base = base or row
        yield {**row, "ratio": row["per_s"] / base["per_s"] if base["way"] == WAYS[0][0] else None}
    row = bench.row(NAME, {"way": "state", "at_once": IN_FLIGHT}, lambda: _state(bench))
    if row is not None:
        yield row


def _per_second(said, each=1):
    wall_s = max(said["wall_s"], 0.001)  # it is told in milliseconds
    return {"certificates": said["certificates"], "wall_s": wall_s,
            "per_s": each * said["certificates"] / wall_s,
            "cpu_ms": 1000 * said["cpu_s"] / said["certificates"] / each}


def _store(bench, way, at_once, count):
    return _per_second(json.loads(bench.tool(
        "bench-store", "--how", way, "--batch", at_once, "--certificates", count,
        "--folder", bench.folder(f"store-{way}-{at_once}"))))


ROWS_EACH = 3  # order intended, order placed, issued


def _state(bench):
    count = bench.scale.state_certificates
    return _per_second(json.loads(bench.tool(
        "bench-state", bench.folder("state"), count, min(IN_FLIGHT, count), GATHER_MS)), ROWS_EACH)
