"""certmill against the load CA: fleets in every kind of weather. Whatever the weather does, all is
issued; and a seed gives the same weather twice."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from load import COUNT, LoadCaCase  # noqa: E402
from harness.load_ca import LoadCa  # noqa: E402
from harness.process import free_ports  # noqa: E402

# The share of requests that meet the fault. A reset, or a connection that breaks off, takes all
# requests of its connection with it.
FAULTS = {"bad-nonce": 0.1, "429": 0.05, "500": 0.05, "503": 0.05, "reset": 0.02,
          "reset-unheard": 0.02, "truncate": 0.05, "goaway": 0.1, "broken-json": 0.05, "wrong-type": 0.05, "not-utf8": 0.05, "empty": 0.05}


class CalmTest(LoadCaCase):
    def test_prevalidated(self):
        ca = self.start_ca()
        figures = self.run_whole(ca, "fleet")
        self.assertEqual(figures["acme"]["issued"], COUNT)
        self.assertEqual(figures["requests"]["new-order"], {"201": COUNT})
        self.assertEqual(figures["faults"], {})
        self.assertEqual(figures["acme"]["nonces-refused"], 0)
        code, words = ca.end()
        self.assertEqual(code, 0)
        self.assertRegex(words, rf"certmill-ca: {COUNT} certificates, \d+ requests, \d")

    def test_http_01(self):
        port = free_ports(1)[0]
        ca = self.start_ca("--http-port", port, "--resolve-all-to", "127.0.0.1")
        fleet = self.make_fleet(ca, "fleet", challenge="http-01")
        fleet.solvers["http-01"] = {"listen": f"127.0.0.1:{port}"}
        self.assert_code(fleet.run(deadline_s=120), 0)
        self.check_issued(ca, fleet)
        self.assertEqual(ca.figures()["requests"]["challenge"], {"200": COUNT})

    def test_tls_alpn_01(self):
        port = free_ports(1)[0]
        ca = self.start_ca("--tls-port", port, "--resolve-all-to", "127.0.0.1")
        fleet = self.make_fleet(ca, "fleet", challenge="tls-alpn-01")
        fleet.solvers["tls-alpn-01"] = {"listen": f"127.0.0.1:{port}"}
        self.assert_code(fleet.run(deadline_s=120), 0)
        self.check_issued(ca, fleet)

    def test_other_ways_to_serve(self):
        for number, options in enumerate((["--http1-only"], ["--key", "rsa-2048"],
                                          ["--intermediates", "3", "--chain-with-root"])):
            with self.subTest(options=options):
                with LoadCa(self.folder / f"ca{number}", "--prevalidated", *options,
                            threads=2) as ca:
                    figures = self.run_whole(ca, f"fleet{number}", count=40)
                    self.assertEqual(figures["acme"]["issued"], 40)
                    if "--http1-only" in options:
                        self.assertEqual(figures["server"]["requests-http2"], 0)


class FaultTest(LoadCaCase):
    def test_each_fault(self):
        ca = self.start_ca()
        for fault, rate in FAULTS.items():
            with self.subTest(fault=fault):
                ca.weather({"reset": True, "faults": {"default": {fault: rate}}})
                figures = self.run_whole(ca, fault)
                self.assertGreaterEqual(figures["acme"]["issued"], COUNT)
                dealt = sum(kinds.get(fault, 0) for kinds in figures["faults"].values())
                self.assertGreater(dealt, COUNT * rate / 2, figures)
                print(f"{fault}: {dealt} dealt, {figures['acme']['orders']} orders, "
                      f"{figures['seconds']:.1f} s")

    def test_oversized_answers(self):
        """An answer over the ceiling is asked for again, and what may have been done is looked for:
        no certificate and no order is lost by it."""
        ca = self.start_ca("--prevalidated", "--orders-list",
                           weather={"faults": {"default": {"oversized": 0.05}}})
        figures = self.run_whole(ca, "fleet")
        self.assertEqual(figures["acme"]["orders"], COUNT)
        for endpoint in ("new-order", "finalize", "certificate"):
            self.assertGreater(figures["faults"][endpoint]["oversized"], 0, endpoint)

    def test_always_oversized(self):
        """One that is always too large fails its certificates with these words; once it is not any
        more, the next run goes on with their orders."""
        ca = self.start_ca(weather={"faults": {"certificate": {"oversized": 1}}})
        fleet = self.make_fleet(ca, "fleet", count=10)
        run = fleet.run(deadline_s=60)
        self.assert_code(run, 1)
        self.assertEqual(fleet.live_names(), [])
        self.assertIn("the answer is larger than it may be", run.err)
        ca.weather({"reset": True})
        self.assert_code(fleet.run(deadline_s=60), 0)
        self.check_issued(ca, fleet)
        self.assertEqual(ca.figures()["acme"]["orders"], 10)

    def test_silence(self):
        """Answers that never come: the orders are parked when their time is over, and the next run
        goes on with them. What was asked for was done all the same."""
        ca = self.start_ca(weather={"faults": {"finalize": {"silence": 0.05}}})
        fleet = self.make_fleet(ca, "fleet")
        fleet.limits["order-timeout-seconds"] = 4
        self.assert_code(fleet.run(deadline_s=60), 3)
        dealt = ca.figures()["faults"]["finalize"]["silence"]
        self.assertEqual(len(fleet.live_names()), COUNT - dealt)
        ca.weather({"reset": True})
        self.assert_code(fleet.run(deadline_s=60), 0)
        self.check_issued(ca, fleet)
        self.assertEqual(ca.figures()["acme"]["orders"], COUNT)

    def test_all_faults_together(self):
        rates = {fault: rate / 3 for fault, rate in FAULTS.items()}
        ca = self.start_ca("--always-valid", weather={"faults": {"default": rates}}, threads=2)
        fleet = self.make_fleet(ca, "fleet", challenge="http-01")
        fleet.solvers["http-01"] = {"listen": f"127.0.0.1:{free_ports(1)[0]}"}
        self.assert_code(fleet.run(deadline_s=200), 0)
        self.check_issued(ca, fleet)

    def test_the_same_seed_is_the_same_weather(self):
        """Only faults that leave the connection as it is, on requests that each order sends once:
        what else is asked depends on time."""
        endpoints = ("new-order", "finalize", "certificate")
        faults = {"429": 0.05, "503": 0.05, "truncate": 0.05, "broken-json": 0.05}
        seen = []
        for number in range(2):
            with LoadCa(self.folder / f"ca{number}", seed=11, weather={
                    "faults": {endpoint: faults for endpoint in endpoints}}) as ca:
                figures = self.run_whole(ca, f"fleet{number}")
                seen.append({endpoint: figures["faults"][endpoint] for endpoint in endpoints})
        self.assertEqual(seen[0], seen[1])


class SlowTest(LoadCaCase):
    def test_latency_and_processing(self):
        ca = self.start_ca(weather={
            "latency": {"default": {"lognormal-ms": {"median": 20, "sigma": 1, "max": 500}}},
            "processing": {"lognormal-s": {"median": 1, "sigma": 0.5, "max": 3}},
            "poll-after": {"seconds": 1, "form": "mixed"}})
        figures = self.run_whole(ca, "fleet")
        self.assertEqual(figures["acme"]["issued"], COUNT)
        self.assertEqual(figures["acme"]["orders"], COUNT)
        # Every order was at least once found to be processing.
        self.assertGreaterEqual(sum(figures["requests"]["order"].values()), COUNT)
        self.assertGreater(figures["server"]["requests-most"], 10)

    def test_hours_of_processing(self):
        ca = self.start_ca(weather={"processing": {"fixed-h": 2}})
        fleet = self.make_fleet(ca, "fleet", count=20)
        fleet.limits["order-timeout-seconds"] = 3
        run = fleet.run(deadline_s=60)
        self.assert_code(run, 3)
        self.assertEqual(fleet.live_names(), [])
        self.assertEqual(ca.figures()["acme"]["orders"], 20)
        self.assertIn("not done within the time for an order", run.err)

    def test_validation_takes_time(self):
        port = free_ports(1)[0]
        ca = self.start_ca("--http-port", port, "--resolve-all-to", "127.0.0.1",
                           weather={"validation": {"fixed-ms": 700}})
        fleet = self.make_fleet(ca, "fleet", count=50, challenge="http-01")
        fleet.solvers["http-01"] = {"listen": f"127.0.0.1:{port}"}
        self.assert_code(fleet.run(deadline_s=60), 0)
        self.check_issued(ca, fleet)


class ControlTest(LoadCaCase):
    def test_words_for_what_is_wrong(self):
        ca = self.start_ca()
        with self.assertRaisesRegex(ValueError, "400 weather: fautls: unknown, did you mean"):
            ca.weather({"fautls": {}})
        with self.assertRaisesRegex(ValueError, "404"):
            ca.call("/wether")
        self.assertEqual(ca.call("/roots/0"), ca.ca_file.read_bytes())
        self.assertIn(b"POST /weather", ca.call("/"))


if __name__ == "__main__":
    unittest.main()
