"""Every endpoint that an order visits, met with every fault."""

import sys
import unittest
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1])]

from fake.faults import FAULTS, PROCESSED  # noqa: E402
from flow import PASSING, FlowCase  # noqa: E402

# Where an order with a challenge goes, in this order.
ENDPOINTS = ("newOrder", "authorization", "challenge", "finalize", "order", "certificate")

# Where a spoilt answer does not matter in the end, for the CA did the work, and its other resources
# tell so: the account's list of orders, the authorization, the order.
TOLD_ELSEWHERE = ("newOrder", "challenge", "finalize")

# Answers that nothing can be made of for ever, at one endpoint of one order.
LASTING = [
    {"fault": "html500"},
    {"fault": "wrongShape"},
    {"fault": "oversized"},
    {"fault": "lost"},
    {"fault": "badNonce"},
]

# Refusals of one order: the problem type, and words of the CA that the operator must see.
REFUSALS = [
    ("newOrder", {"fault": "problem", "status": 400, "type": "rejectedIdentifier",
                  "detail": "forbidden by policy"}, "forbidden by policy"),
    ("newOrder", {"fault": "problem", "status": 403, "type": "unauthorized",
                  "detail": "not for this account"}, "not for this account"),
    ("finalize", {"fault": "problem", "status": 400, "type": "badCSR",
                  "detail": "key too ordinary"}, "key too ordinary"),
    ("finalize", {"fault": "orderInvalid", "detail": "CAA forbids it"}, "CAA forbids it"),
    ("order", {"fault": "orderInvalid", "detail": "CAA forbids that"}, "CAA forbids that"),
    ("challenge", {"fault": "authorizationInvalid", "detail": "wrong token there"},
     "wrong token there"),
    ("certificate", {"fault": "problem", "status": 404, "type": "madeUpType",
                     "detail": "lost in the archive"}, "lost in the archive"),
]


def name_of(endpoint):
    return endpoint.lower()


def at_each_endpoint(fault):
    return [dict(fault, at=endpoint, name=f"{name_of(endpoint)}.example.com")
            for endpoint in ENDPOINTS]


class OrdersTest(FlowCase):
    deadline_s = 500

    def test_passing_faults(self):
        for number, fault in enumerate(PASSING):
            with self.subTest(fault=fault):
                fleet, run = self.run_case(at_each_endpoint(fault), map(name_of, ENDPOINTS), number)
                self.assert_code(run, 0)
                self.check_all_issued(fleet)
                self.check_fired()

    def test_lasting_faults(self):
        """The orders that cannot go on end as failed or parked, in good time, and harm nobody."""
        for number, fault in enumerate(LASTING):
            with self.subTest(fault=fault):
                rules = at_each_endpoint(dict(fault, times=0))
                fleet, run = self.run_case(rules, map(name_of, ENDPOINTS), number,
                                           {"order-timeout-seconds": 8})
                self.assertIn(run.code, (1, 3), str(run))
                self.check_fired()
                outcomes = self.outcomes(fleet)
                done = ["bystander"]
                for endpoint, entry in zip(ENDPOINTS, fleet.certificates):
                    with self.subTest(endpoint=endpoint):
                        how, reason = outcomes[entry["name"]]
                        if FAULTS[fault["fault"]] == PROCESSED and endpoint in TOLD_ELSEWHERE:
                            done.append(entry["name"])
                            self.assertEqual(how, "issued", reason)
                            self.check_issued(fleet, entry)
                            continue
                        self.assertIn(how, ("failed", "parked"))
                        self.assertNotEqual(reason, "")
                        self.assertIn(entry["name"], run.err)
                self.assertEqual(fleet.live_names(), sorted(done))

    def test_refusals(self):
        for number, (endpoint, fault, words) in enumerate(REFUSALS):
            with self.subTest(endpoint=endpoint, fault=fault):
                rule = dict(fault, at=endpoint, name="refused.example.com", times=0)
                fleet, run = self.run_case([rule], ["refused"], number)
                self.assert_code(run, 1)
                how, reason = self.outcomes(fleet)["refused"]
                self.assertEqual(how, "failed")
                self.assertIn(words, reason)
                self.assertIn(words, run.err)
                self.assertEqual(fleet.live_names(), ["bystander"])

    def test_turns(self):
        """Answers that are allowed, though not what one waits for."""
        rules = [
            {"at": "finalize", "fault": "orderNotReady", "times": 2, "name": "notready.*"},
            {"at": "order", "fault": "pendingAgain", "times": 2, "name": "pending.*"},
            {"at": "finalize", "fault": "processing", "polls": 3, "name": "processing.*"},
        ]
        fleet, run = self.run_case(rules, ["notready", "pending", "processing"], 0,
                                   finalize_location=False, validation_polls=2, retry_after=1)
        self.assert_code(run, 0)
        self.check_fired()
        for entry in fleet.certificates:
            self.check_issued(fleet, entry)

    def test_prevalidated_without_challenges(self):
        self.start_ca(list_challenges=False)
        fleet = self.make_fleet(["one", "two"])
        self.assert_code(fleet.run(), 0)
        self.check_all_issued(fleet)
        self.assertEqual(self.ca.book.count("challenge"), 0)

    def test_http_01_is_answered(self):
        """The fake CA fetches the answers for real."""
        port_fleet = self.start_ca(authorizations="pending")
        fleet = self.make_fleet(["one", "two"], challenge="http-01")
        port = int(fleet.solvers["http-01"]["listen"].rpartition(":")[2])
        port_fleet.options.http_port = port
        run = fleet.run()
        self.assert_code(run, 0)
        self.check_all_issued(fleet)


if __name__ == "__main__":
    unittest.main()
