"""kill -9 at every named point and at random moments: no order twice, no account twice, no half
pair, and the next run goes on."""

import os
import random
import sys
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from flow import FlowCase, Pair  # noqa: E402

# Where certmill can be killed, with the visits at which it is. The account's points come once.
POINTS = [
    ("account-key-durable", (1,)), ("before-new-account", (1,)), ("after-new-account", (1,)),
    ("order-intended", (1, 4)), ("after-new-order", (1, 4)), ("order-placed", (1, 4)),
    ("before-challenge", (1, 4)), ("after-challenge", (1, 4)),
    ("key-durable", (1, 4)), ("before-finalize", (1, 4)), ("after-finalize", (1, 4)),
    ("files-written", (1, 4)), ("before-switch", (1, 4)), ("after-switch", (1, 4)),
    ("before-issued", (1, 4)), ("after-issued", (1, 4)),
]
RANDOM_KILLS = int(os.environ.get("CERTMILL_KILLS", "50"))


class Reader(threading.Thread):
    """Reads all live pairs again and again, as a web server would at any moment."""

    def __init__(self, fleet, allowed):
        super().__init__(daemon=True)
        self._fleet = fleet
        self._allowed = allowed  # name -> the sets of domains that may be live
        self._stop_now = threading.Event()
        self.reads = 0
        self.fault = None

    def run(self):
        try:
            while not self._stop_now.is_set():
                self._read_all()
        except Exception as fault:  # handed over to the test
            self.fault = fault

    def _read_all(self):
        for name in self._fleet.live_names():
            if self._stop_now.wait(0.001):
                return
            # certmill's own temporary names are not for readers.
            if name not in self._allowed:
                continue
            pair = Pair(self._fleet.live(name))
            if pair.names not in self._allowed[name]:
                raise AssertionError(f"live/{name} is for {pair.names}")
            self.reads += 1

    def finish(self):
        self._stop_now.set()
        self.join(30)
        if self.fault is not None:
            raise self.fault


def domains_of(entry):
    return tuple(sorted(entry["domains"]))


class KillTest(FlowCase):
    deadline_s = 560

    def test_at_each_point(self):
        for point, visits in POINTS:
            for visit in visits:
                with self.subTest(point=point, visit=visit):
                    self.kill_at(point, visit)

    def kill_at(self, point, visit):
        ca = self.start_ca(authorizations="pending")
        fleet = self.make_fleet([f"n{number}" for number in range(5)], challenge="http-01",
                                folder=f"{point}-{visit}")
        killed = fleet.run(points=True, env={"CERTMILL_KILL_AT": f"{point}:{visit}"})
        self.assertEqual(killed.code, -9, f"{point}:{visit} was never reached: {killed}")
        for name in fleet.live_names():
            if any(name == entry["name"] for entry in fleet.certificates):
                Pair(fleet.live(name))
        self.assert_code(fleet.run(), 0)
        self.check_all_issued(fleet)
        seen = len(ca.book.requests)
        self.assert_code(fleet.run(), 0)
        self.assertEqual(len(ca.book.requests), seen, "a third run has nothing to do")
        ca.stop()

    def test_at_random_moments(self):
        """Renewals are killed, so that there are live pairs to harm."""
        count = 300
        self.start_ca(orders_per_page=100)
        fleet = self.make_fleet([f"n{number:03}" for number in range(count)])
        self.assert_code(fleet.run(deadline_s=120), 0)
        allowed = {}
        for entry in fleet.certificates:
            before = domains_of(entry)
            entry["domains"] = [*entry["domains"], f"www.{entry['domains'][0]}"]
            allowed[entry["name"]] = (before, domains_of(entry))
        reader = Reader(fleet, allowed)
        reader.start()

        chance = random.Random(7)
        kills = 0
        # Slow enough that the kills find it at work.
        fleet.limits["requests-per-second"] = 150
        while kills < RANDOM_KILLS:
            run = fleet.start()
            time.sleep(chance.uniform(0.02, 0.6))  # the moment of the kill, not a wait
            ended = run.kill()
            fleet.check_no_secret(ended)
            self.assertIn(ended.code, (-9, 0), str(ended))
            if ended.code == 0:
                break
            kills += 1
        fleet.limits["requests-per-second"] = 0
        self.assert_code(fleet.run(deadline_s=120), 0)
        reader.finish()
        print(f"{kills} kills, {reader.reads} reads of live pairs")
        self.assertGreaterEqual(kills, min(RANDOM_KILLS, 25))
        self.assertGreater(reader.reads, count)
        self.check_all_issued(fleet)


if __name__ == "__main__":
    unittest.main()
