"""Revocations that certmill was not told of: it finds them in the CA's list and replaces the
certificates in the same run. The list comes by way of a server of the test's own, that counts who
asks and can spoil what it hands out."""

import base64
import os
import ssl
import sys
import threading
import unittest
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fake.client import Client  # noqa: E402
from harness.case import Case  # noqa: E402
from harness.fleet import Fleet, account, certificate  # noqa: E402
from harness.load_ca import LoadCa  # noqa: E402

COUNT = 20
HOURS_7 = 7 * 3600


class ListServer:
    """Hands out what `answer(path)` gives: (status, body)."""

    def __init__(self):
        self.asked = []
        self.agents = set()
        self.answer = None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append(self.path)
                outer.agents.add(self.headers["User-Agent"])
                status, body = outer.answer(self.path)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def stop(self):
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()


class RevocationTest(Case):
    deadline_s = 300

    def start(self, *options, revocation=None):
        """A fleet whose certificates are issued, and know where their lists are."""
        self.lists = ListServer()
        self.addCleanup(self.lists.stop)
        self.ca = self.start_ca("ca", *options)
        self.lists.answer = lambda path: (200, self.list_of(self.ca, path))
        self.fleet = self.make_fleet(revocation)
        self.assert_code(self.fleet.run(deadline_s=120), 0)
        self.assertEqual(self.lists.asked, [])
        return self.fleet

    def start_ca(self, name, *options):
        ca = LoadCa(self.folder / name, "--prevalidated", "--crl-url-base", self.lists.url,
                    *options)
        self.addCleanup(ca.stop)
        return ca

    def make_fleet(self, revocation):
        path = self.folder / "fleet"
        path.mkdir()
        fleet = Fleet(path, ca_file=self.ca.ca_file)
        fleet.revocation = revocation
        fleet.accounts["ca"] = account(self.ca.directory)
        fleet.defaults = {"account": "ca", "challenge": "none"}
        fleet.certificates = [certificate(f"n{number:02}") for number in range(COUNT)]
        return fleet

    @staticmethod
    def list_of(ca, path):
        context = ssl.create_default_context(cafile=ca.ca_file)
        url = ca.directory.removesuffix("/dir") + path
        with urllib.request.urlopen(url, context=context, timeout=10) as answer:
            return answer.read()

    def revoke(self, name, reason):
        """By the account's key, but without certmill."""
        key = serialization.load_pem_private_key(self.fleet.account_keys()[0].read_bytes(), None)
        pem = (self.fleet.live(name) / "cert.pem").read_bytes()
        der = x509.load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.DER)
        client = Client(self.ca.directory, self.ca.ca_file, key)
        self.addCleanup(client.close)
        self.assertIn(client.register().status, (200, 201))
        text = base64.urlsafe_b64encode(der).rstrip(b"=").decode()
        answer = client.post(client.directory["revokeCert"],
                             {"certificate": text, "reason": reason})
        self.assertEqual(answer.status, 200, answer.body)

    def run_again(self, code=0):
        """What the run told: (its events, itself)."""
        if self.fleet.events.exists():
            self.fleet.events.unlink()
        del self.lists.asked[:]
        run = self.fleet.run(deadline_s=120)
        self.assert_code(run, code)
        return self.fleet.event_list(), run

    @staticmethod
    def named(events, kind):
        return sorted(event["certificate"] for event in events if event["event"] == kind)

    def sequences(self):
        return {entry["name"]: self.fleet.sequence(entry["name"])
                for entry in self.fleet.certificates}

    def age_lists(self, seconds):
        for path in (self.fleet.state / "crl").iterdir():
            then = path.stat().st_mtime - seconds
            os.utime(path, (then, then))

    def check_nothing_due(self, warning):
        """Nothing is replaced; one warning, which says this."""
        events, run = self.run_again()
        self.assertEqual(self.named(events, "issued"), [])
        self.assertEqual(set(self.sequences().values()), {1})
        self.assertEqual(run.err.count("revocation list"), 1, run)
        self.assertRegex(run.err, warning)
        return run

    def test_revoked_ones_are_replaced_in_the_same_run(self):
        fleet = self.start("--intermediates", "2")
        self.revoke("n03", 1)
        self.revoke("n14", 4)
        events, run = self.run_again()
        self.assertEqual(self.named(events, "revoked"), ["n03", "n14"])
        self.assertEqual(self.named(events, "issued"), ["n03", "n14"])
        self.assertEqual({name for name, number in self.sequences().items() if number != 1},
                         {"n03", "n14"})
        reasons = {event["certificate"]: event for event in events if event["event"] == "revoked"}
        self.assertEqual(reasons["n03"]["reason"], "keyCompromise")
        self.assertEqual(reasons["n14"]["reason"], "superseded")
        self.assertTrue(reasons["n03"]["list"].startswith(self.lists.url + "/crl/"))
        self.assertRegex(run.err, r"revoked: n03: keyCompromise on \d{4}-\d\d-\d\dT\S+Z, says http")
        self.assertEqual(sorted(self.lists.asked), ["/crl/0", "/crl/1"])
        self.assertRegex(self.lists.agents.pop(), r"^certmill/\d")
        for path in (fleet.state / "crl").iterdir():
            self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        self.assertEqual((fleet.state / "crl").stat().st_mode & 0o777, 0o700)

        # Within six hours they are not fetched again, then they are.
        events, run = self.run_again()
        self.assertEqual((self.named(events, "issued"), self.lists.asked), ([], []))
        self.revoke("n05", 0)
        self.run_again()
        self.assertEqual(self.sequences()["n05"], 1)
        self.age_lists(HOURS_7)
        events, run = self.run_again()
        self.assertEqual(self.named(events, "issued"), ["n05"])
        self.assertEqual(sorted(self.lists.asked), ["/crl/0", "/crl/1"])

    def test_plan_looks_at_kept_lists_alone(self):
        fleet = self.start()
        self.run_again()
        self.revoke("n07", 1)
        self.assertNotIn("n07", fleet.run(command="plan").out)
        kept, = (fleet.state / "crl").iterdir()
        kept.write_bytes(self.list_of(self.ca, "/crl/0"))
        del self.lists.asked[:]
        plan = fleet.run(command="plan")
        self.assertRegex(plan.out, r"n07\b.*was revoked: keyCompromise on 2")
        self.assertNotIn("n08", plan.out)
        kept.write_bytes(b"damaged")
        self.assertNotIn("n07", fleet.run(command="plan").out)
        self.assertEqual(self.lists.asked, [])
        self.assertEqual(self.sequences()["n07"], 1)

    def test_no_lists_when_the_manifest_says_so(self):
        self.start(revocation={"crl": False})
        self.revoke("n03", 1)
        events, _ = self.run_again()
        self.assertEqual((self.named(events, "issued"), self.lists.asked), ([], []))

    def test_lists_that_cannot_be_used(self):
        self.start()
        self.revoke("n03", 1)
        good = self.list_of(self.ca, "/crl/0")
        other = self.start_ca("other")
        bad = {
            "HTTP status 404": (404, b""),
            "the list is not signed by the certificate's issuer":
                (200, self.list_of(other, "/crl/0")),
            "the list is damaged": (200, good[:-1]),
            "the list is damaged: its outer structure": (200, b"<html>"),
        }
        for warning, answer in bad.items():
            with self.subTest(warning=warning):
                self.lists.answer = lambda path, answer=answer: answer
                self.check_nothing_due(warning)
                self.assertEqual(self.lists.asked, ["/crl/0"])
        self.lists.stop()
        self.check_nothing_due("Failed to connect|refused")

    def test_an_older_list_is_good_until_its_end(self):
        self.start()
        self.run_again()
        self.age_lists(HOURS_7)
        self.lists.answer = lambda path: (503, b"")
        run = self.check_nothing_due("HTTP status 503")
        self.assertIn("the list of an earlier run was used", run.err)


if __name__ == "__main__":
    unittest.main()
