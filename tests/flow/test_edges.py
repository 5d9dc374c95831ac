"""Runs at the edge: servers that say no for long, accounts and keys that are not what they were,
a state that cannot be written, a run that is interrupted."""

import os
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fake.ca import FakeCa  # noqa: E402
from harness.case import Case  # noqa: E402
from harness.certmill import environment, program  # noqa: E402
from harness.fleet import Fleet, account, certificate  # noqa: E402
from harness.pair import Pair  # noqa: E402
from harness.process import free_ports, wait_until  # noqa: E402

OUTCOMES = ("issued", "failed", "parked")


class EdgeCase(Case):
    deadline_s = 120

    def start_ca(self, rules=(), **options):
        ca = FakeCa(rules, **options)
        self.addCleanup(ca.stop)
        return ca

    def make_fleet(self, ca, names, challenge="none", timeout_s=30, **more):
        fleet = Fleet(self.folder)
        fleet.accounts["ca"] = account(ca.directory)
        fleet.defaults = {"account": "ca", "challenge": challenge}
        if challenge == "http-01":
            fleet.solvers["http-01"] = {"listen": f"127.0.0.1:{free_ports(1)[0]}"}
        fleet.limits["order-timeout-seconds"] = timeout_s
        fleet.certificates = [certificate(name, **more) for name in names]
        return fleet

    def outcomes(self, fleet):
        """name -> (how it ended last, why)"""
        return {event["certificate"]: (event["event"], event.get("reason", ""))
                for event in fleet.event_list() if event["event"] in OUTCOMES}

    def check_all(self, fleet, run, code, outcome):
        self.assert_code(run, code)
        ended = self.outcomes(fleet)
        self.assertEqual({name: how for name, (how, _) in ended.items()},
                         {entry["name"]: outcome for entry in fleet.certificates}, str(run))

    def check_orders(self, ca, fleet, count):
        for entry in fleet.certificates:
            placed = ca.book.orders_by_names().get(tuple(sorted(entry["domains"])), [])
            self.assertEqual(len(placed), count, entry["name"])
            pair = Pair(fleet.live(entry["name"]))
            self.assertEqual(placed[-1].serial, pair.serial)

    def run_killed(self, fleet, point):
        run = fleet.run(points=True, env={"CERTMILL_KILL_AT": f"{point}:1"})
        self.assertEqual(run.code, -signal.SIGKILL, str(run))


class LimitsTest(EdgeCase):
    def test_limited_for_an_hour(self):
        """All is parked at once, not a few orders a minute."""
        ca = self.start_ca([{"at": "newOrder", "fault": "rateLimited", "retry_after": 3600,
                             "times": 0}])
        fleet = self.make_fleet(ca, [f"n{number}" for number in range(400)])
        fleet.limits["in-flight"] = 20
        run = fleet.run()
        self.check_all(fleet, run, 3, "parked")
        self.assertLess(ca.book.count("newOrder"), 100)
        ca.set_rules([])
        self.check_all(fleet, fleet.run(), 0, "issued")
        self.check_orders(ca, fleet, 1)

    def test_limited_account_beside_another(self):
        slow = self.start_ca([{"at": "newOrder", "fault": "rateLimited", "retry_after": 3600,
                               "times": 0}])
        quick = self.start_ca()
        fleet = self.make_fleet(slow, [f"n{number}" for number in range(30)])
        fleet.accounts["quick"] = account(quick.directory)
        for entry in fleet.certificates[::2]:
            entry["account"] = "quick"
        run = fleet.run()
        self.assert_code(run, 3)
        for entry in fleet.certificates:
            how = "issued" if "account" in entry else "parked"
            self.assertEqual(self.outcomes(fleet)[entry["name"]][0], how)

    def test_busy_for_a_while(self):
        """A proxy that says 503 in plain text a few times fails no order and places none twice."""
        ca = self.start_ca([{"at": "newOrder", "fault": "unavailable", "times": 6}])
        fleet = self.make_fleet(ca, ["one"], timeout_s=100)
        self.check_all(fleet, fleet.run(deadline_s=110), 0, "issued")
        self.check_orders(ca, fleet, 1)

    def test_refuses_polls_for_long(self):
        """An order that the CA has is parked, and the next run goes on with it."""
        for number, fault in enumerate(({"fault": "unavailable", "retry_after": 3600},
                                        {"fault": "rateLimited", "retry_after": 3600})):
            with self.subTest(fault=fault):
                ca = self.start_ca([dict(fault, at="order", times=0)], processing_polls=1)
                fleet = self.make_fleet(ca, [f"p{number}"])
                fleet.state = self.folder / f"state{number}"
                fleet.events = self.folder / f"events{number}"
                self.check_all(fleet, fleet.run(), 3, "parked")
                ca.set_rules([])
                self.check_all(fleet, fleet.run(), 0, "issued")
                self.check_orders(ca, fleet, 1)


class SilenceTest(EdgeCase):
    def test_no_nonces(self):
        """newNonce answers without one: the account's request ends, and does not hammer."""
        ca = self.start_ca([{"at": "newNonce", "fault": "noNonce", "times": 0}])
        fleet = self.make_fleet(ca, ["one"], timeout_s=4)
        run = fleet.run(deadline_s=60)
        self.check_all(fleet, run, 1, "failed")
        self.assertIn("without a nonce", run.err)
        self.assertLess(ca.book.count("newNonce"), 50)

    def test_nonces_refused_for_an_hour(self):
        ca = self.start_ca([{"at": "newNonce", "fault": "unavailable", "retry_after": 3600,
                             "times": 0}])
        fleet = self.make_fleet(ca, ["one"], timeout_s=4)
        self.check_all(fleet, fleet.run(deadline_s=90), 1, "failed")

    def test_silent_ca_beside_another(self):
        """A CA that accepts requests and says nothing does not hold another one's orders up."""
        silent = self.start_ca([{"at": "newOrder", "fault": "slow", "seconds": 90, "times": 0}])
        quick = self.start_ca()
        fleet = self.make_fleet(silent, [f"n{number}" for number in range(80)])
        fleet.accounts["quick"] = account(quick.directory)
        for entry in fleet.certificates[40:]:
            entry["account"] = "quick"
        started = fleet.start()
        wait_until(lambda: len(fleet.live_names()) == 40, 25, "the other CA's are issued")
        started.kill()

    def test_gone_in_the_middle(self):
        """The CA goes away: what it has is parked, and the rest is not waited for one by one."""
        ca = self.start_ca(processing_polls=2)
        fleet = self.make_fleet(ca, [f"n{number}" for number in range(60)], timeout_s=5)
        fleet.limits["in-flight"] = 3
        started = fleet.start()
        wait_until(lambda: ca.book.count("finalize") >= 3, 30, "three orders are on their way")
        ca.stop()
        run = started.wait(45)
        self.assertIn(run.code, (1, 3), str(run))
        self.assertEqual(len(self.outcomes(fleet)), 60)

    def test_down_from_the_start(self):
        """The open order of a run before stays open, whatever the account's request meets."""
        ca = self.start_ca()
        fleet = self.make_fleet(ca, ["one"])
        self.run_killed(fleet, "order-placed")
        ca.set_rules([{"at": "newAccount", "fault": "problem", "status": 403,
                       "type": "userActionRequired", "detail": "agree first", "times": 0}])
        run = fleet.run()
        self.check_all(fleet, run, 1, "failed")
        self.assertIn("agree first", run.err)
        ca.set_rules([])
        self.check_all(fleet, fleet.run(), 0, "issued")
        self.check_orders(ca, fleet, 1)


class AccountsTest(EdgeCase):
    def test_damaged_account_beside_another(self):
        ca = self.start_ca()
        fleet = self.make_fleet(ca, ["one", "two"])
        fleet.accounts["other"] = account(ca.directory)
        fleet.certificates[1]["account"] = "other"
        self.assert_code(fleet.run(), 0)
        found = list((fleet.state / "accounts").glob("*/other/account.json"))
        found[0].write_text("{")
        run = fleet.run("--force")
        self.assert_code(run, 1)
        ended = self.outcomes(fleet)
        self.assertEqual(ended["one"][0], "issued")
        self.assertEqual(ended["two"][0], "failed")
        self.assertIn("account other", ended["two"][1])

    def test_moved_to_another_ca(self):
        """An order that is open at another CA is not asked of this one."""
        old = self.start_ca(hold_processing=True)
        new = self.start_ca()
        fleet = self.make_fleet(old, ["one"], timeout_s=3)
        self.check_all(fleet, fleet.run(), 3, "parked")
        fleet.accounts["ca"] = account(new.directory)
        self.check_all(fleet, fleet.run(), 0, "issued")
        self.check_orders(new, fleet, 1)
        self.assertEqual(new.book.violations, [])


class KeysTest(EdgeCase):
    def key(self, fleet, name, sequence=1):
        return fleet.state / "archive" / name / str(sequence) / "privkey.pem"

    def test_key_lost_while_processing(self):
        """The CA's certificate is for a key that is gone: a new order, in the same run."""
        for number, change in enumerate(("lost", "damaged")):
            with self.subTest(change=change):
                ca = self.start_ca(hold_processing=True)
                fleet = self.make_fleet(ca, [f"k{number}"], timeout_s=20)
                fleet.accounts["ca"] = account(ca.directory)
                fleet.state = self.folder / f"state{number}"
                fleet.events = self.folder / f"events{number}"
                self.run_killed(fleet, "after-finalize")
                if change == "lost":
                    self.key(fleet, f"k{number}").unlink()
                else:
                    self.key(fleet, f"k{number}").write_text("nonsense\n")
                ca.options.hold_processing = False
                self.check_all(fleet, fleet.run(), 0, "issued")
                self.check_orders(ca, fleet, 2)

    def test_damaged_key_of_a_failed_order(self):
        ca = self.start_ca([{"at": "finalize", "fault": "orderInvalid"}])
        fleet = self.make_fleet(ca, ["one"])
        self.check_all(fleet, fleet.run(), 1, "failed")
        self.key(fleet, "one").write_text("nonsense\n")
        self.check_all(fleet, fleet.run(), 0, "issued")

    def test_switched_but_forgotten_by_the_ca(self):
        """Killed between the switch and the note of it, and the CA has lost the order: a new one,
        in a folder of its own."""
        ca = self.start_ca()
        fleet = self.make_fleet(ca, ["one"])
        self.run_killed(fleet, "after-switch")
        self.assertEqual(fleet.sequence("one"), 1)
        ca.book.orders.clear()
        for each in ca.book.accounts.values():
            each.orders.clear()
        self.check_all(fleet, fleet.run(), 0, "issued")
        self.assertEqual(fleet.sequence("one"), 2)
        self.check_orders(ca, fleet, 1)


class EndsTest(EdgeCase):
    def test_state_cannot_grow(self):
        """No room for the state: the run says so, ends, and harms nothing."""
        ca = self.start_ca()
        fleet = self.make_fleet(ca, [f"n{number}" for number in range(150)])
        fleet.limits["in-flight"] = 10
        fleet.write()
        limited = subprocess.run(
            ["env", "--ignore-signal=XFSZ", "prlimit", "--fsize=200000", program(), "run",
             fleet.manifest, "--progress", "never"],
            env=environment(), cwd=self.folder, capture_output=True, text=True, timeout=60,
            check=False)
        self.assertEqual(limited.returncode, 1, limited.stderr)
        self.assertIn("state", limited.stderr)
        self.assertIn("not tried", limited.stderr)
        self.assert_code(fleet.run(), 0)
        self.assertEqual(len(fleet.live_names()), 150)
        for names, placed in ca.book.orders_by_names().items():
            self.assertEqual(len(placed), 1, names)

    def test_interrupted_while_the_ca_validates(self):
        """The challenge's answer stays until the CA has looked."""
        ca = self.start_ca(authorizations="pending", validation_polls=6)
        fleet = self.make_fleet(ca, ["one"], challenge="http-01")
        started = fleet.start()
        wait_until(lambda: ca.book.count("challenge") == 1, 20, "the challenge is answered")
        started.signal(signal.SIGINT)
        run = started.wait(40)
        self.assertIn(self.outcomes(fleet).get("one", ("",))[0], ("issued", "parked"), str(run))
        order, = ca.book.orders.values()
        self.assertNotEqual(order.status, "pending")
        self.assertIn(fleet.run().code, (0,))
        self.check_orders(ca, fleet, 1)

    def test_interrupted_while_keys_are_made(self):
        """Nobody waits for the keys of orders that are parked: one thread would take minutes."""
        ca = self.start_ca()
        names = [f"n{number}" for number in range(200)]
        fleet = self.make_fleet(ca, names, key={"type": "RSA", "size": 4096})
        started = fleet.start("--crypto", "openssl", "--crypto-threads", "1", "--json")
        wait_until(lambda: ca.book.count("newOrder") == len(names), 30, "all orders are placed")
        started.signal(signal.SIGINT)
        run = started.wait(40)
        self.assert_code(run, 3)
        self.assertLess(run.json()["figures"].get("crypto", {}).get("keys", {})
                        .get("RSA-4096", {}).get("made", 0), len(names))
        ended = self.outcomes(fleet)
        self.assertEqual(set(ended), set(names))
        self.assertIn("parked", {how for how, _ in ended.values()})
        self.assertNotIn("failed", {how for how, _ in ended.values()})
        self.assert_code(fleet.run("--only", "n19*"), 0)
        placed = ca.book.orders_by_names()
        for name in ["n19", *(f"n19{digit}" for digit in range(10))]:
            self.assertTrue(Pair(fleet.live(name)))
            self.assertEqual(len(placed[f"{name}.example.com",]), 1, name)

    def test_interrupted_in_a_hook(self):
        ca = self.start_ca()
        begun = self.folder / "begun"
        hook = ["/bin/sh", "-c", f"echo > {begun}; exec sleep 100"]
        fleet = self.make_fleet(ca, ["one"], deploy=[{"hook": {"command": hook}}])
        started = fleet.start()
        wait_until(begun.exists, 20, "the hook runs")
        wait_until(lambda: self.outcomes(fleet), 20, "it is issued")
        started.signal(signal.SIGTERM)
        run = started.wait(20)
        self.assert_code(run, 3)
        fleet.certificates[0]["deploy"] = [{"hook": {"command": ["/bin/true"]}}]
        again = fleet.run()
        self.assert_code(again, 0)
        self.assertNotIn("not tried", again.err)
        self.assertEqual(ca.book.count("newOrder"), 1)

    def test_port_in_use(self):
        ca = self.start_ca()
        fleet = self.make_fleet(ca, ["one"], challenge="http-01")
        fleet.solvers["http-01"] = {"listen": f"127.0.0.1:{ca.port}"}
        self.assert_code(fleet.run(), 2)
        self.assertEqual(ca.book.requests, [])

    def test_registration_refused(self):
        ca = self.start_ca([{"at": "newAccount", "fault": "problem", "status": 403,
                             "type": "externalAccountRequired", "detail": "bind it", "times": 0}])
        fleet = self.make_fleet(ca, ["one"])
        fleet.write()
        run = subprocess.run([program(), "accounts", "register", fleet.manifest],
                             env=environment(), cwd=self.folder, capture_output=True, text=True,
                             timeout=60, check=False)
        self.assertEqual(run.returncode, 1, run.stderr)
        self.assertIn("bind it", run.stderr)


if __name__ == "__main__":
    unittest.main()
