"""What happens before any order: trust, directory, nonce, account; each met with faults."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from flow import PASSING, FakeCa, FlowCase, account  # noqa: E402
from harness.tls import make_server_certificate  # noqa: E402

# An account that was made, in an answer that nothing can be made of.
UNREADABLE = [("newAccount", "invalidJson"), ("newAccount", "wrongShape")]


class AccountsTest(FlowCase):
    deadline_s = 300

    def test_before_any_order(self):
        """Faults while the account is made."""
        number = 0
        for endpoint in ("directory", "newNonce", "newAccount"):
            for fault in PASSING:
                if endpoint != "newAccount" and fault["fault"] in ("badNonce", "retryAfter"):
                    continue
                if (endpoint, fault["fault"]) in UNREADABLE:
                    continue
                number += 1
                with self.subTest(endpoint=endpoint, fault=fault):
                    fleet, run = self.run_case([dict(fault, at=endpoint)], [], number)
                    self.assert_code(run, 0)
                    self.check_fired()
                    self.check_account(fleet)

    def test_unreadable_account(self):
        """An account that was made, in a spoilt answer, is asked for once more."""
        for number, (endpoint, fault) in enumerate(UNREADABLE):
            with self.subTest(fault=fault):
                ca = self.start_ca([{"at": endpoint, "fault": fault}])
                fleet = self.make_fleet(["one"], folder=f"u{number}")
                self.assert_code(fleet.run(), 0)
                self.check_fired()
                self.check_all_issued(fleet)
                ca.stop()

    def test_never_readable_account(self):
        """The run fails and says why; the next one has the same account."""
        self.start_ca([{"at": "newAccount", "fault": "invalidJson", "times": 4}])
        fleet = self.make_fleet(["one"])
        run = fleet.run()
        self.assert_code(run, 1)
        self.assertIn("account ca", run.err)
        self.assertIn("cannot be read", run.err)
        self.assert_code(fleet.run(), 0)
        self.check_all_issued(fleet)

    def test_binding_refused(self):
        """Another key has used the binding: configuration, not one order's fault."""
        self.start_ca()
        fleet = self.make_fleet(["one", "two"])
        self.ca.book.eab_used["kid-1"] = "another key's thumbprint"
        run = fleet.run()
        self.assert_code(run, 1)
        self.assertIn("not awaiting external account binding", run.err)
        self.assertEqual({each[0] for each in self.outcomes(fleet).values()}, {"failed"})
        self.assertEqual(self.ca.book.count("newOrder"), 0)

    def test_account_forgotten(self):
        """The CA lost the account: its orders fail or it is made again, but nothing hangs."""
        self.start_ca()
        fleet = self.make_fleet(["one"])
        self.assert_code(fleet.run(), 0)
        self.ca.options.forget_accounts = True
        self.ca.options.eab_once = False
        run = fleet.run("--force")
        self.assertIn(run.code, (0, 1), str(run))
        if run.code == 1:
            self.assertIn("account", run.err)

    def test_tls(self):
        """HTTPS with --ca-file; without it the CA is not trusted."""
        ca_file, *server = make_server_certificate(self.folder / "tls")
        with FakeCa(tls=server) as self.ca:
            fleet = self.make_fleet(["one"])
            fleet.accounts["ca"] = account(self.ca.directory)
            run = fleet.run()
            self.assert_code(run, 1)
            self.assertEqual(len(self.ca.book.requests), 0)
            fleet.ca_file = ca_file
            self.assert_code(fleet.run(), 0)
            self.check_all_issued(fleet)


if __name__ == "__main__":
    unittest.main()
