"""How much is measured: the same sections, in four sizes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    name: str
    # Of measuring: what is not measured by then is left for the next start. Removing the files of
    # 100,000 certificates comes on top of it.
    limit_s: int
    # Orders in flight, and how many orders then: enough for two seconds of CPU where that is cheap.
    scaling: tuple
    # At the same number in flight, other numbers of orders: what a run of more orders costs.
    growing: tuple
    challenges: tuple
    # At the realistic CA: places in flight, for how many seconds there are orders for them, and for
    # how many there are for the limits.
    realistic_in_flight: int
    realistic_places_s: float
    realistic_s: float
    fleets: tuple  # of keys.FLEETS
    keys_cpu_s: float  # of key generation for each fleet
    clients: tuple  # beside certmill, by the names of bench/peers
    rounds: int
    serial_certificates: int  # for clients that do one after the other
    concurrent_certificates: int
    store_certificates: int
    state_certificates: int
    plan: tuple  # (entries of the manifest, how many of them have live certificates)


ALL_FLEETS = ("RSA-2048", "RSA-4096", "mixed")
USUAL_CLIENTS = ("go", "lego", "certbot", "uacme")

DEFAULT = Scale(
    name="default", limit_s=12 * 60,
    scaling=((1, 100), (10, 600), (100, 3000), (1000, 8000), (10000, 20000)),
    growing=((1000, 2000), (1000, 4000)),
    challenges=("none", "http-01"),
    realistic_in_flight=50, realistic_places_s=40, realistic_s=24,
    fleets=ALL_FLEETS, keys_cpu_s=45,
    clients=USUAL_CLIENTS, rounds=3, serial_certificates=6, concurrent_certificates=2000,
    store_certificates=3000, state_certificates=200000,
    plan=((10000, 10000), (30000, 30000), (100000, 100000), (10000, 0), (100000, 0),
          (1000000, 0)))

QUICK = Scale(
    name="quick", limit_s=95,
    scaling=((1, 10), (10, 100), (100, 500), (1000, 1500)),
    growing=(),
    challenges=("none", "http-01"),
    realistic_in_flight=50, realistic_places_s=4, realistic_s=3,
    fleets=("RSA-2048", "RSA-4096"), keys_cpu_s=6,
    clients=USUAL_CLIENTS, rounds=1, serial_certificates=1, concurrent_certificates=300,
    store_certificates=300, state_certificates=30000,
    plan=((1000, 1000), (3000, 3000), (10000, 10000), (10000, 0), (100000, 0), (1000000, 0)))

FULL = Scale(
    name="full", limit_s=6 * 3600,
    scaling=((1, 1000), (10, 5000), (100, 10000), (1000, 20000), (10000, 50000)),
    growing=((1000, 2000), (1000, 5000), (1000, 10000), (1000, 50000), (1000, 100000)),
    challenges=("none", "http-01"),
    realistic_in_flight=50, realistic_places_s=120, realistic_s=60,
    fleets=ALL_FLEETS, keys_cpu_s=240,
    clients=(*USUAL_CLIENTS, "dehydrated"), rounds=5, serial_certificates=20,
    concurrent_certificates=10000,
    store_certificates=20000, state_certificates=1000000,
    plan=((10000, 10000), (100000, 100000), (1000000, 1000000), (10000, 0), (100000, 0),
          (1000000, 0)))

# For the tests: seconds, and certmill alone.
TINY = Scale(
    name="tiny", limit_s=200,
    scaling=((1, 5), (10, 10)),
    growing=((10, 20), (10, 40)),
    challenges=("none", "http-01"),
    realistic_in_flight=10, realistic_places_s=0.2, realistic_s=0.2,
    fleets=("RSA-2048",), keys_cpu_s=0.2,
    clients=(), rounds=1, serial_certificates=2, concurrent_certificates=10,
    store_certificates=10, state_certificates=100,
    plan=((10, 10), (100, 100)))
