"""A CA as far away and as slow as a public one: which share of the possible rate is reached.

Possible is what follows from the CA alone, whatever the client costs. All are lower bounds of the
time, so that 100 % may be out of reach; the share is never more.

    places in flight  An order holds its place while a request of it is under way, and while a name
                      of it is validated; while the CA issues, certmill gives the place to another.
                      So F places give F / (round trips * 50 ms + validation) orders a second.
    new orders        The bucket at once, then what flows into it; then the last order's own time.
    requests          The same for all requests that share a bucket.

Before that there are two round trips: the directory and a nonce."""

from bench.harness.bench import certmill_run

NAME = "realistic"
LATENCY_S, PROCESSING_S = 0.05, 2.0
START_TRIPS = 2
# One after the other, at the least: newOrder, [authorization, challenge, authorization,] finalize,
# order, certificate.
TRIPS = {"none": 4, "http-01": 7}
TRIPS_TO_FINALIZE = {"none": 2, "http-01": 5}
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
    """How long an order holds a place, in both parts together."""
    return TRIPS[challenge] * LATENCY_S + VALIDATION_S[challenge]


def possible_places(challenge, in_flight, orders):
    """What the orders hold the places for; or until the last gets one, when all before it are as
    far as finalize, and what it then has before it."""
    first_s = TRIPS_TO_FINALIZE[challenge] * LATENCY_S + VALIDATION_S[challenge]
    last_begins_s = max(0, orders / in_flight - 1) * first_s
    return START_TRIPS * LATENCY_S + max(orders / in_flight * place_s(challenge),
                                         last_begins_s + order_s(challenge))


def possible_orders(challenge, orders, burst, per_s):
    return START_TRIPS * LATENCY_S + max(0, orders - burst) / per_s + order_s(challenge)


def possible_requests(challenge, requests, burst, per_s):
    return START_TRIPS * LATENCY_S + max((requests - burst) / per_s, order_s(challenge))


def cases(scale):
    """(what, challenge, in flight, orders, limits, possible seconds, the formula in numbers)"""
    in_flight, seconds = scale.realistic_in_flight, scale.realistic_s
    for challenge in scale.challenges:
        orders = max(1, int(in_flight / place_s(challenge) * scale.realistic_places_s))
        formula = f"{TRIPS[challenge]} x {LATENCY_S} s"
        if VALIDATION_S[challenge]:
            formula += f" + {VALIDATION_S[challenge]:.0f} s"
        yield ("places in flight", challenge, in_flight, orders, None,
               possible_places(challenge, in_flight, orders), f"{in_flight} / ({formula})")
    per_s = ACCOUNT_ORDERS / (ACCOUNT_HOURS * 3600 / TIME_SCALE)
    count = int(ACCOUNT_ORDERS + per_s * seconds)
    yield ("new orders of an account", "none", MANY, count,
           {"new-orders-per-account": {"count": ACCOUNT_ORDERS, "hours": ACCOUNT_HOURS},
            "time-scale": TIME_SCALE},
           possible_orders("none", count, ACCOUNT_ORDERS, per_s),
           f"{ACCOUNT_ORDERS} at once, then {per_s:.0f} a second "
           f"({ACCOUNT_ORDERS} in {ACCOUNT_HOURS} h, {TIME_SCALE} times faster)")
    shared = TRIPS["none"] - 1  # finalize, order, certificate
    count = int((REQUESTS_BURST + REQUESTS * seconds) / shared)
    yield ("requests of an address", "none", MANY, count, {"lets-encrypt": True, **NO_LIMITS},
           possible_requests("none", shared * count, REQUESTS_BURST, REQUESTS),
           f"{REQUESTS_BURST} requests at once, then {REQUESTS} a second; {shared} an order")


def rows(bench):
    for what, challenge, in_flight, orders, limits, possible_s, formula in cases(bench.scale):
        parameters = {"what": what, "challenge": challenge, "in_flight": in_flight}
        row = bench.row(NAME, parameters,
                        lambda c=challenge, f=in_flight, n=orders, li=limits:
                        _measure(bench, c, f, n, li))
        if row is not None:
            yield {**row, "possible_s": possible_s, "possible_per_s": orders / possible_s,
                   "share": possible_s / row["wall_s"], "formula": formula}


def _measure(bench, challenge, in_flight, orders, limits):
    folder = bench.folder(f"realistic-{challenge}-{in_flight}")
    weather = {**WEATHER, **({"limits": limits} if limits else {})}
    with bench.start_ca(folder, challenge, weather) as ca:
        return certmill_run(bench, folder, ca, challenge, in_flight, [None] * orders)
