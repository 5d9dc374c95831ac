"""What the flow tests share: the fake CA, a fleet over it, and what must hold after every run."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fake.ca import FakeCa  # noqa: E402
from harness.case import Case  # noqa: E402
from harness.fleet import Fleet, account, certificate  # noqa: E402
from harness.pair import Pair  # noqa: E402
from harness.process import free_ports  # noqa: E402

EAB = ("kid-1", "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W")

# Faults that strike once at one endpoint. The order must be issued all the same, with one order and
# one key at the CA.
PASSING = [
    {"fault": "badNonce"},
    {"fault": "badNonce", "times": 3},
    {"fault": "rateLimited", "retry_after": 1},
    {"fault": "rateLimited", "retry_after": {"date": 1}},
    {"fault": "unavailable", "retry_after": 1},
    {"fault": "unavailable"},
    {"fault": "html500"},
    {"fault": "reset"},
    {"fault": "lost"},
    {"fault": "truncated"},
    {"fault": "slow", "seconds": 0.3},
    {"fault": "invalidJson"},
    {"fault": "wrongShape"},
    {"fault": "noNonce"},
    {"fault": "retryAfter", "retry_after": 1},
]


class FlowCase(Case):
    def start_ca(self, rules=(), seed=1, **options):
        """A fake CA that wants an external account binding, for the rest of the test."""
        self.ca = FakeCa(rules, seed, eab={EAB[0]: EAB[1]}, **options)
        self.addCleanup(self.ca.stop)
        return self.ca

    def make_fleet(self, names, challenge="none", folder="fleet", **more):
        """A fleet at the CA with one certificate a name, NAME.example.com."""
        path = self.folder / folder
        path.mkdir()
        fleet = Fleet(path)
        fleet.accounts["ca"] = account(self.ca.directory, EAB)
        fleet.defaults = {"account": "ca", "challenge": challenge}
        if challenge == "http-01":
            fleet.solvers["http-01"] = {"listen": f"127.0.0.1:{free_ports(1)[0]}"}
        fleet.limits["order-timeout-seconds"] = 60
        fleet.certificates = [certificate(name, **more) for name in names]
        return fleet

    def outcomes(self, fleet):
        """name -> the last of "issued", "failed", "parked" in the events, with its reason."""
        found = {}
        for event in fleet.event_list():
            if event["event"] in ("issued", "failed", "parked"):
                found[event["certificate"]] = (event["event"], event.get("reason", ""))
        return found

    def check_issued(self, fleet, entry, orders=1):
        """The live pair is whole and is what the CA issued by its latest order; no order, and no
        key, more than needed."""
        pair = Pair(fleet.live(entry["name"]))
        names = tuple(sorted(entry["domains"]))
        self.assertEqual(pair.names, names)
        placed = self.ca.book.orders_by_names().get(names, [])
        self.assertEqual(len(placed), orders, f"orders for {names}")
        self.assertEqual(len(placed[-1].keys), 1, f"keys for {names}")
        self.assertEqual(placed[-1].keys[0], pair.key_hash)
        self.assertEqual(placed[-1].serial, pair.serial)

    def check_all_issued(self, fleet, orders=1):
        for entry in fleet.certificates:
            self.check_issued(fleet, entry, orders)
        self.check_account(fleet)

    def check_account(self, fleet):
        """One account, one key, nothing against the protocol, nothing repeated that acts."""
        self.assertEqual(len(self.ca.book.accounts), 1)
        self.assertEqual(len(fleet.account_keys()), 1)
        self.assertEqual(self.ca.book.violations, [])
        self.assertFalse({"newOrder", "finalize"} & set(self.ca.book.repeats))

    def run_case(self, rules, names, number, limits=None, **options):
        """One run over one certificate an endpoint, and a bystander."""
        ca = self.start_ca(rules, authorizations="pending", processing_polls=1, **options)
        fleet = self.make_fleet([*names, "bystander"], challenge="http-01", folder=f"f{number}")
        fleet.limits.update(limits or {})
        try:
            run = fleet.run(deadline_s=90)
        finally:
            ca.stop()
        self.check_issued(fleet, fleet.certificates[-1])
        return fleet, run

    def check_fired(self):
        for rule in self.ca.acme.script.rules:
            self.assertGreater(rule.fired, 0, f"never met: {rule.text}")
