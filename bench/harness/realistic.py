"""A CA as far away and as slow as a public one: which share of the possible rate is reached.

Possible is what follows from the CA alone, whatever the client costs; each row says it in a line:

    places in flight  An order holds its place while a request of it is under way; while the CA
                      validates its names or issues, certmill gives the place to another. So F
                      places give F / (round trips x 50 ms) orders a second.
    new orders        The bucket at once, then what flows into it.
    requests          The same for all requests that share a bucket.

Besides that a run has a start and an end that no client can fill: two round trips before the first
order (the directory and a nonce), and what the last order has still before it when its turn has
come. Where others can go on meanwhile (a client may begin all orders first, and so have work while
the last one is issued), that is not taken off: so it is a lower bound of the time, and the share is
never more than 100 %. The long rows are long enough that start and end are less than 5 % of them."""

from dataclasses import dataclass

from bench.harness.bench import certmill_run

NAME = "realistic"
LATENCY_S, PROCESSING_S = 0.05, 2.0
START_TRIPS = 2
# One after the other, at the least: newOrder, [authorization, challenge, authorization,] finalize,
# order, certificate.
TRIPS = {"none": 4, "http-01": 7}
TRIPS_TO_WAIT = {"none": 2, "http-01": 3}  # for the certificate, for the validation
# Retry-After, obeyed: of the challenge, and of the order after finalize.
VALIDATION_S = {"none": 0.0, "http-01": PROCESSING_S}

WEATHER = {"latency": {"default": {"fixed-ms": int(1000 * LATENCY_S)}},
           "processing": {"fixed-s": PROCESSING_S},
           "poll-after": {"seconds": int(PROCESSING_S), "form": "seconds"}}
NO_LIMITS = {"new-orders-per-account": None, "certificates-per-domain": None,
             "certificates-per-names": None}

# Let's Encrypt: 300 new orders an account in 3 hours. So many times faster here, to be seen in a
# minute: 300 at once, and then 10 a second.
ACCOUNT_ORDERS, ACCOUNT_HOURS, TIME_SCALE = 300, 3, 360
# Let's Encrypt, of an address: all requests but new orders and nonces share 250 a second, 125 at
# once. Not scaled.
REQUESTS, REQUESTS_BURST = 250, 125
# For the limited cases: more orders under way than the limits let through.
MANY = 1000


def order_s(challenge):
    return TRIPS[challenge] * LATENCY_S + VALIDATION_S[challenge] + PROCESSING_S


def place_s(challenge):
    """How long an order holds a place, in all parts together."""
    return TRIPS[challenge] * LATENCY_S


def certificates(scale):
    return sum(case.orders for case in cases(scale))


@dataclass(frozen=True)
class Case:
    what: str
    challenge: str
    in_flight: int
    orders: int
    limits: object  # of the CA's weather, or None
    possible_per_s: float
    formula: str  # how that is reckoned
    ends_s: float  # start and end, which no client can fill

    @property
    def full_s(self):
        return self.orders / self.possible_per_s

    @property
    def possible_s(self):
        return self.full_s + self.ends_s


START_S = START_TRIPS * LATENCY_S


def places_case(challenge, in_flight, seconds):
    per_s = in_flight / place_s(challenge)
    hold = f"{TRIPS[challenge]} x {LATENCY_S} s"
    orders = max(1, int(per_s * seconds))
    # The last order gets its first place when all before it are as far as the first wait.
    last_begins_s = max(0, orders / in_flight - 1) * \
        TRIPS_TO_WAIT[challenge] * LATENCY_S
    after_s = max(0, last_begins_s + order_s(challenge) - orders / per_s)
    return Case("places in flight", challenge, in_flight, orders, None, per_s,
                f"{in_flight} / ({hold})", START_S + after_s)


def orders_case(challenge, seconds):
    flow = ACCOUNT_ORDERS / (ACCOUNT_HOURS * 3600 / TIME_SCALE)
    count = int(ACCOUNT_ORDERS + max(1, flow * seconds))
    return Case("new orders of an account", challenge, MANY, count,
                {"new-orders-per-account": {"count": ACCOUNT_ORDERS, "hours": ACCOUNT_HOURS},
                 "time-scale": TIME_SCALE},
                count / ((count - ACCOUNT_ORDERS) / flow),
                f"{count} / (({count} - {ACCOUNT_ORDERS} at once) / {flow:g} a second)",
                START_S + order_s(challenge))


def requests_case(challenge, seconds):
    shared = TRIPS[challenge] - 1  # all but newOrder
    count = int((REQUESTS_BURST + REQUESTS * seconds) / shared) + 1
    flow_s = (shared * count - REQUESTS_BURST) / REQUESTS
    return Case("requests of an address", challenge, MANY, count,
                {"lets-encrypt": True, **NO_LIMITS}, count / flow_s,
                f"{count} / (({shared} x {count} - {REQUESTS_BURST} at once) / {REQUESTS} a second)",
                START_S + max(0, order_s(challenge) - flow_s))


def cases(scale):
    for challenge in scale.realistic_challenges:
        yield places_case(challenge, scale.realistic_in_flight, scale.realistic_s)
    yield orders_case("none", scale.realistic_s)
    yield requests_case("none", scale.realistic_s)


def shares(case, wall_s):
    """Of the rate, by the whole time; and of the time, with the start and the end that it needs."""
    return {"share": case.full_s / wall_s, "ends_s": case.ends_s,
            "ends_share": case.ends_s / wall_s, "time_share": case.possible_s / wall_s}


def rows(bench):
    for case in cases(bench.scale):
        row = bench.row(NAME, {"what": case.what, "challenge": case.challenge,
                               "in_flight": case.in_flight},
                        lambda c=case: _measure(bench, c))
        if row is not None:
            yield {**row, "possible_per_s": case.possible_per_s, "formula": case.formula,
                   **shares(case, row["wall_s"])}


def _measure(bench, case):
    folder = bench.folder(f"realistic-{case.challenge}-{case.in_flight}")
    weather = {**WEATHER, **({"limits": case.limits} if case.limits else {})}
    with bench.start_ca(folder, case.challenge, weather) as ca:
        return certmill_run(bench, folder, ca, case.challenge, case.in_flight,
                            [None] * case.orders)
