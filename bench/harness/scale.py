"""How much is measured: the same sections, in four sizes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    name: str
    # Of measuring: what is not measured by then is left for the next start.
    limit_s: int
    removal_s: int  # that removing the files may take after it
    # Orders in flight, and how many orders then: with less than 300 the program's start and end
    # are a part of each that counts.
    scaling: tuple
    tmpfs: tuple  # in flight: what is measured once more with the files in memory
    # At the same number in flight, other numbers of orders: what a run of more orders costs.
    growing: tuple
    challenges: tuple
    # At the realistic CA: places in flight, and for how many seconds there are orders for them and
    # for the limits.
    realistic_in_flight: int
    realistic_challenges: tuple
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


CHALLENGES = ("none", "http-01")
ALL_FLEETS = ("RSA-2048", "RSA-4096", "mixed")
USUAL_CLIENTS = ("go-durable", "go-files", "lego", "certbot", "uacme")

DEFAULT = Scale(
    name="default", limit_s=13 * 60, removal_s=90,
    scaling=((1, 300), (10, 500), (100, 3000), (1000, 6000), (10000, 16000)),
    tmpfs=(100, 1000),
    growing=((1000, 2000), (1000, 4000)),
    challenges=CHALLENGES,
    realistic_in_flight=50, realistic_challenges=CHALLENGES, realistic_s=45,
    fleets=ALL_FLEETS, keys_cpu_s=30,
    clients=USUAL_CLIENTS, rounds=3, serial_certificates=3, concurrent_certificates=1500,
    store_certificates=2000, state_certificates=200000,
    plan=((10000, 10000), (30000, 30000), (100000, 100000), (10000, 0), (100000, 0),
          (1000000, 0)))

QUICK = Scale(
    name="quick", limit_s=100, removal_s=15,
    scaling=((10, 300), (100, 600), (1000, 2000)),
    tmpfs=(1000,),
    growing=(),
    challenges=CHALLENGES,
    realistic_in_flight=50, realistic_challenges=CHALLENGES, realistic_s=3,
    fleets=("RSA-2048",), keys_cpu_s=6,
    clients=USUAL_CLIENTS, rounds=1, serial_certificates=1, concurrent_certificates=300,
    store_certificates=300, state_certificates=30000,
    plan=((1000, 1000), (3000, 3000), (10000, 10000), (10000, 0), (100000, 0), (1000000, 0)))

FULL = Scale(
    name="full", limit_s=6 * 3600, removal_s=3600,
    scaling=((1, 1000), (10, 5000), (100, 10000), (1000, 20000), (10000, 50000)),
    tmpfs=(100, 1000, 10000),
    growing=((1000, 2000), (1000, 5000), (1000, 10000), (1000, 50000), (1000, 100000)),
    challenges=CHALLENGES,
    realistic_in_flight=50, realistic_challenges=CHALLENGES, realistic_s=120,
    fleets=ALL_FLEETS, keys_cpu_s=240,
    clients=(*USUAL_CLIENTS, "dehydrated"), rounds=5, serial_certificates=20,
    concurrent_certificates=10000,
    store_certificates=20000, state_certificates=1000000,
    plan=((10000, 10000), (100000, 100000), (1000000, 1000000), (10000, 0), (100000, 0),
          (1000000, 0)))

# For the tests: seconds, and certmill alone.
TINY = Scale(
    name="tiny", limit_s=200, removal_s=20,
    scaling=((1, 5), (10, 10)),
    tmpfs=(10,),
    growing=((10, 20),),
    challenges=CHALLENGES,
    realistic_in_flight=10, realistic_challenges=("none",), realistic_s=0.2,
    fleets=("RSA-2048",), keys_cpu_s=0.2,
    clients=(), rounds=1, serial_certificates=2, concurrent_certificates=10,
    store_certificates=10, state_certificates=100,
    plan=((10, 10), (100, 100)))
