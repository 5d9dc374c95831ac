"""Fleets of dear keys: the network must hide behind the making of keys.

The floor of a fleet's time is what its keys cost, spread over the cores. RSA key generation is a
search, whose length differs from key to key: the cost of a few dozen keys is known to some 10 %
only (uncertainty). So the floor is taken twice: from keys made before the run by the same code
(expected_s), and from the CPU time that the run itself took, in which keys are all but a thousandth
(floor_s)."""

import json
import math
import os
from collections import Counter

from bench.harness.bench import certmill_run

NAME = "keys"
IN_FLIGHT = 1000
KEYS_MIN, KEYS_MAX = 8, 5000

RSA_2048 = {"type": "RSA", "size": 2048}
RSA_3072 = {"type": "RSA", "size": 3072}
RSA_4096 = {"type": "RSA", "size": 4096}
P256 = {"type": "ECDSA", "size": 256}
P384 = {"type": "ECDSA", "size": 384}

# Of a hundred certificates. The mixed fleet is a guess at a company's: new services on P-256, many
# of old on RSA-2048, and the few longer keys that rules ask for.
FLEETS = {
    "RSA-2048": ((RSA_2048, 100),),
    "RSA-4096": ((RSA_4096, 100),),
    "mixed": ((P256, 55), (P384, 5), (RSA_2048, 33), (RSA_3072, 4), (RSA_4096, 3)),
}


def certificates(scale):
    return KEYS_MAX * len(scale.fleets)


def key_name(key):
    return f"{key['type']}-{key['size']}"


def weights_text(fleet):
    return ", ".join(f"{share} % {key_name(key)}" for key, share in FLEETS[fleet])


def spread(weights, count):
    """So many keys in the weights' shares, evenly mixed, the same in every run."""
    credit = [0.0] * len(weights)
    keys = []
    for _ in range(count):
        for i, (_, share) in enumerate(weights):
            credit[i] += share / 100
        chosen = max(range(len(weights)), key=credit.__getitem__)
        credit[chosen] -= 1
        keys.append(weights[chosen][0])
    return keys


def rows(bench):
    costs = {}
    for fleet in bench.scale.fleets:
        for key, _ in FLEETS[fleet]:
            name = key_name(key)
            if name not in costs:
                costs[name] = bench.row("keygen", {"key": name, "cpu_s": bench.scale.keys_cpu_s},
                                        lambda k=key: _cost(bench, k))
        if all(costs[key_name(key)] for key, _ in FLEETS[fleet]):
            row = bench.row(NAME, {"fleet": fleet, "cpu_s_wanted": bench.scale.keys_cpu_s},
                            lambda f=fleet: _measure(bench, f, costs))
            if row is not None:
                yield row


def _keygen(bench, key, count):
    """CPU seconds of that many keys, made on all cores, and the standard deviation of one."""
    said = json.loads(bench.tool("bench-keygen", key["type"], key["size"], count, os.cpu_count()))
    return said["cpu_s"], said["key_sd_s"]


def _cost(bench, key):
    """What one key costs: the mean of as many as half of the wanted CPU time pays for."""
    probe = os.cpu_count()
    each_s = max(_keygen(bench, key, probe)[0] / probe, 1e-6)
    count = max(2 * probe, min(KEYS_MAX, int(bench.scale.keys_cpu_s / 2 / each_s)))
    cpu_s, sd_s = _keygen(bench, key, count)
    return {"keys": count, "key_cpu_s": cpu_s / count, "key_sd_s": sd_s}


def uncertainty(costs, keys):
    """One standard error of (the keys' time / what is expected of them), as a share. `costs`: name ->
    {keys, key_cpu_s, key_sd_s}; `keys`: name -> how many of them the run makes."""
    expected_s = sum(count * costs[name]["key_cpu_s"] for name, count in keys.items())
    variance = sum(costs[name]["key_sd_s"] ** 2 * (count + count**2 / costs[name]["keys"])
                   for name, count in keys.items())
    return math.sqrt(variance) / expected_s


def _measure(bench, fleet, costs):
    weights = FLEETS[fleet]
    each_s = sum(share / 100 * costs[key_name(key)]["key_cpu_s"] for key, share in weights)
    keys = spread(weights, max(KEYS_MIN, min(KEYS_MAX, int(bench.scale.keys_cpu_s / each_s))))
    expected_cpu_s = sum(costs[key_name(key)]["key_cpu_s"] for key in keys)
    folder = bench.folder(f"keys-{fleet}")
    with bench.start_ca(folder, "none") as ca:
        row = certmill_run(bench, folder, ca, "none", IN_FLIGHT, keys)
    cores = os.cpu_count()
    expected_s, floor_s = expected_cpu_s / cores, row["cpu_s"] / cores
    counts = Counter(key_name(key) for key in keys)
    return {**row, "uncertainty": uncertainty(costs, counts),
            "key_cpu_ms": 1000 * expected_cpu_s / len(keys), "expected_s": expected_s,
            "floor_s": floor_s, "over_expected": row["wall_s"] / expected_s - 1,
            "over_floor": row["wall_s"] / floor_s - 1}
