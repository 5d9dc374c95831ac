"""1,000 orders at a CA where one answer in seven goes wrong. Made to find races: see tests/run."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from flow import FlowCase  # noqa: E402

COUNT = 1000
FAULTS = [
    {"fault": "badNonce", "probability": 0.04},
    {"fault": "reset", "probability": 0.02},
    {"fault": "lost", "probability": 0.02},
    {"fault": "truncated", "probability": 0.02},
    {"fault": "html500", "probability": 0.01},
    {"fault": "unavailable", "retry_after": 1, "probability": 0.01},
    {"fault": "slow", "seconds": 0.2, "probability": 0.01},
    {"at": ["order", "authorization"], "fault": "invalidJson", "probability": 0.02},
]


class ThousandTest(FlowCase):
    deadline_s = 500

    def test_all_are_issued_once(self):
        self.start_ca([dict({"at": ["authorization", "finalize", "order", "certificate",
                                    "newOrder", "challenge"]}, **fault) for fault in FAULTS],
                      seed=20, authorizations="pending", orders_per_page=200)
        fleet = self.make_fleet([f"n{number:04}" for number in range(COUNT)], challenge="http-01")
        fleet.limits["order-timeout-seconds"] = 300
        run = fleet.run("--workers", "4", "--crypto-threads", "4", deadline_s=400)
        self.assert_code(run, 0)
        fired = sum(rule.fired for rule in self.ca.acme.script.rules)
        self.assertGreater(fired, COUNT / 4)
        self.check_all_issued(fleet)
        print(f"{COUNT} orders, {fired} faults, {len(self.ca.book.requests)} requests, "
              f"{run.seconds:.1f} s")


if __name__ == "__main__":
    unittest.main()
