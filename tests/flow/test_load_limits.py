"""certmill against the load CA, with limits on both sides: connections, streams, rates, orders in
flight. All is issued, or parked with the right words. Here workers hand orders to each other and
share what they learn of a rate: made to find races too, see tests/run."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from load import COUNT, LoadCaCase  # noqa: E402
from harness.fleet import certificate  # noqa: E402


class ServerLimitsTest(LoadCaCase):
    def test_connections_and_streams(self):
        ca = self.start_ca()
        for number, limits in enumerate(({"connections-per-address": 1}, {"connections": 3},
                                         {"streams": 2}, {"requests-per-connection": 20})):
            with self.subTest(limits=limits):
                ca.weather({"reset": True, "server": limits})
                figures = self.run_whole(ca, f"fleet{number}", "--workers", number + 1)
                self.assertEqual(figures["acme"]["issued"], COUNT)
                if "requests-per-connection" in limits:
                    self.assertGreater(figures["server"]["connections"], 3 * COUNT / 20)

    def test_workers_without_a_connection(self):
        """The CA lets one connection of an address in: the one worker that has it does the others'
        certificates too."""
        ca = self.start_ca(weather={"server": {"connections-per-address": 1}})
        figures = self.run_whole(ca, "fleet", "--workers", 4, count=40)
        self.assertEqual(figures["acme"]["orders"], 40)
        self.assertGreater(figures["server"]["connections-refused"], 0)

    def test_workers_take_turns_with_a_connection(self):
        """The one connection ends again and again: whose is the next goes on with what another has
        placed."""
        ca = self.start_ca(weather={"server": {"connections-per-address": 1,
                                               "requests-per-connection": 20}})
        self.run_whole(ca, "fleet", "--workers", 2, count=60)

    def test_sessions_are_resumed(self):
        """Of many connections, closed by the CA one after the other, only the first of the worker
        makes a full handshake, but for those that begin before its tickets have come."""
        ca = self.start_ca(weather={"server": {"requests-per-connection": 20}})
        server = self.run_whole(ca, "fleet", "--workers", 1)["server"]
        self.assertGreaterEqual(server["connections"], 3 * COUNT / 20)
        self.assertGreater(server["handshakes-resumed"], 4 * server["handshakes-full"])


class RateLimitsTest(LoadCaCase):
    def test_new_orders_of_an_account(self):
        """The window is longer than the order may wait: what does not fit is parked."""
        ca = self.start_ca(weather={"limits": {
            "new-orders-per-account": {"count": 30, "hours": 3}}})
        fleet = self.make_fleet(ca, "fleet", count=40)
        run = fleet.run(deadline_s=60)
        self.assert_code(run, 3)
        figures = ca.figures()
        self.assertEqual(figures["acme"]["issued"], 30)
        self.assertGreaterEqual(figures["limited"]["new-orders-per-account"], 1)
        reasons = [event["reason"] for event in fleet.event_list() if event["event"] == "parked"]
        self.assertEqual(len(reasons), 10)
        for reason in reasons:
            self.assertIn("rate", reason)

    def test_time_passes_faster(self):
        """Three hours in six seconds: the run waits for the bucket to be refilled."""
        ca = self.start_ca(weather={"limits": {
            "new-orders-per-account": {"count": 30, "hours": 3}, "time-scale": 1800}})
        figures = self.run_whole(ca, "fleet", "--workers", 2, count=60)
        self.assertEqual(figures["acme"]["issued"], 60)
        self.assertGreater(figures["limited"]["new-orders-per-account"], 0)
        # Some 30 were out when the bucket ran dry; from then on they go out as it fills.
        self.assertLess(figures["limited"]["new-orders-per-account"], 60)

    def test_certificates_of_a_domain(self):
        ca = self.start_ca(weather={"limits": {
            "certificates-per-domain": {"count": 10, "hours": 168}}})
        fleet = self.make_fleet(ca, "fleet", count=12)
        fleet.certificates += [certificate("other", ["other.example.net"])]
        run = fleet.run(deadline_s=60)
        self.assert_code(run, 3)
        self.assertEqual(len(fleet.live_names()), 11)
        self.assertIn("other", fleet.live_names())

    def test_requests_a_second(self):
        ca = self.start_ca(weather={"limits": {
            "requests-per-second": {"default": 100, "new-nonce": 20, "new-order": 60}}})
        figures = self.run_whole(ca, "fleet", count=100)
        self.assertEqual(figures["acme"]["issued"], 100)

    def test_the_rate_of_requests_is_learned(self):
        """With no limit set, and more orders under way than the CA lets through: few requests are
        refused, and nobody waits for another's Retry-After."""
        ca = self.start_ca(weather={"limits": {"requests-per-second": {
            "default": {"rate": 250, "burst": 60}, "new-order": {"rate": 300, "burst": 60},
            "new-nonce": {"rate": 20, "burst": 10}}}})
        figures = self.run_whole(ca, "fleet", "--workers", 2, count=500)
        requests = sum(sum(answers.values()) for answers in figures["requests"].values())
        refused = figures["limited"]["requests-per-second"]
        print(f"{refused} of {requests} requests refused, {figures['seconds']:.1f} s")
        self.assertGreater(refused, 0)
        self.assertLess(refused / requests, 0.25)
        self.assertLess(requests / 500, 6)


class InFlightTest(LoadCaCase):
    def test_orders_come_back_one_after_the_other(self):
        """All are placed while the CA works on the first; then all come back, and still no more
        ask it at once than may be in flight."""
        ca = self.start_ca(weather={"latency": {"order": {"fixed-ms": 300}},
                                    "processing": {"fixed-s": 1},
                                    "poll-after": {"seconds": 1}})
        fleet = self.make_fleet(ca, "fleet", count=60)
        fleet.limits["in-flight"] = 5
        self.assert_code(fleet.run("--workers", 1, deadline_s=60), 0)
        self.check_issued(ca, fleet)
        # Nonces are asked for apart from the orders, eight at once at most.
        most = ca.figures()["server"]["requests-most"]
        print(f"{most} requests at once")
        self.assertLessEqual(most, 5 + 8)


if __name__ == "__main__":
    unittest.main()
