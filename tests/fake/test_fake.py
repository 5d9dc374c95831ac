"""The fake CA by itself: it must be right before it may be wrong on purpose."""

import http.client
import json
import subprocess
import sys
import unittest
import urllib.request
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from fake.ca import FakeCa  # noqa: E402
from fake.client import Client, make_csr  # noqa: E402
from harness.case import Case  # noqa: E402
from harness.check import openssl  # noqa: E402
from harness.tls import make_server_certificate  # noqa: E402

EAB = {"kid-1": "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"}


class FakeCaTest(Case):
    def start(self, rules=(), **options):
        ca = FakeCa(rules, **options)
        self.addCleanup(ca.stop)
        client = Client(ca.directory)
        self.addCleanup(client.close)
        return ca, client

    def test_issues_over_tls(self):
        ca_file, *server = make_server_certificate(self.folder / "tls")
        with FakeCa(tls=server, alternate_chain=True) as ca:
            client = Client(ca.directory, ca_file=ca_file)
            self.assertEqual(client.register().status, 201)
            names = ["a.example.com", "*.b.example.com"]
            order = client.new_order(names)
            self.assertEqual((order.status, order.json()["status"]), (201, "ready"))
            done = client.finalize(order.json(), make_csr(names)).json()
            self.assertEqual(done["status"], "valid")
            chain = client.post(done["certificate"])
            self.assertIn('rel="alternate"', chain.headers.get_all("Link")[0])
            client.close()
            (self.folder / "chain.pem").write_bytes(chain.body)
            (self.folder / "root.pem").write_text(ca.root_pem)
            openssl("verify", "-CAfile", self.folder / "root.pem", "-untrusted",
                    self.folder / "chain.pem", self.folder / "chain.pem")
            self.assertEqual(ca.book.violations, [])
            self.assertEqual([len(each) for each in ca.book.orders_by_names().values()], [1])

    def test_challenges_then_processing(self):
        _, client = self.start(authorizations="pending", processing_polls=1, retry_after=3,
                               validation_polls=1)
        client.register()
        answer = client.new_order(["a.example.com"])
        url, order = answer.headers["Location"], answer.json()
        self.assertEqual(order["status"], "pending")
        early = client.finalize(order, make_csr(["a.example.com"]))
        self.assertEqual((early.status, early.problem), (403, "orderNotReady"))
        authorization = client.post(order["authorizations"][0]).json()
        challenge = authorization["challenges"][0]
        self.assertEqual(client.post(challenge["url"], {}).json()["status"], "processing")
        self.assertEqual(client.post(order["authorizations"][0]).json()["status"], "valid")
        self.assertEqual(client.post(url).json()["status"], "ready")
        done = client.finalize(order, make_csr(["a.example.com"]))
        self.assertEqual(done.json()["status"], "processing")
        self.assertEqual(done.headers["Retry-After"], "3")
        self.assertEqual(client.post(url).json()["status"], "valid")

    def test_refuses_bad_requests(self):
        ca, client = self.start(blocked=("*.blocked.example",))
        client.register()

        def spoil(jws):
            jws["payload"] = jws["payload"][:-4] + "AAAA"
        url = client.directory["newOrder"]
        payload = {"identifiers": [{"type": "dns", "value": "a.example.com"}]}
        self.assertEqual(client.post(url, payload, change=spoil).problem, "malformed")
        nonce = client.nonce
        self.assertEqual(client.post(url, payload).status, 201)
        client.nonce = nonce
        self.assertEqual(client.post(url, payload).problem, "badNonce")
        self.assertEqual(client.post(url, payload, with_jwk=True).problem, "malformed")
        self.assertEqual(client.new_order(["x.blocked.example"]).problem, "rejectedIdentifier")
        order = client.new_order(["a.example.com"]).json()
        other = client.finalize(order, make_csr(["b.example.com"]))
        self.assertEqual(other.problem, "badCSR")
        self.assertEqual(len(ca.book.violations), 4)

    def test_repeats_are_told_from_replays(self):
        """The same bytes again are the transport's doing; a spent nonce under another signature is
        the client's."""
        ca, client = self.start()
        client.register()
        url = client.directory["newOrder"]
        payload = {"identifiers": [{"type": "dns", "value": "a.example.com"}]}
        nonce = client.nonce
        sent = json.dumps(client.sign(url, payload, nonce, False))
        headers = {"Content-Type": "application/jose+json"}
        self.assertEqual(client.request("POST", url, sent, headers).status, 201)
        self.assertEqual(client.request("POST", url, sent, headers).problem, "badNonce")
        self.assertEqual((ca.book.repeats, ca.book.violations), (["newOrder"], []))
        client.nonce = nonce
        self.assertEqual(client.post(url, payload).problem, "badNonce")
        self.assertEqual(len(ca.book.violations), 1)
        self.assertEqual(len(ca.book.orders), 1)

    def test_binding_makes_one_account(self):
        ca, client = self.start(eab=EAB)
        kid, key = next(iter(EAB.items()))
        self.assertEqual(client.register().problem, "externalAccountRequired")
        wrong = key[:-4] + "AAAA"
        self.assertEqual(client.register((kid, wrong)).problem, "unauthorized")
        self.assertEqual(client.register((kid, key)).status, 201)
        self.assertEqual(client.register((kid, key)).status, 200)
        other = Client(ca.directory)
        self.addCleanup(other.close)
        self.assertEqual(other.register(onlyReturnExisting=True).problem, "accountDoesNotExist")
        self.assertEqual(other.register((kid, key)).problem, "unauthorized")
        self.assertEqual(len(ca.book.accounts), 1)

    def test_orders_list_in_pages(self):
        _, client = self.start(orders_per_page=2)
        account = client.register().json()
        urls = [client.new_order([f"{n}.example.com"]).headers["Location"] for n in range(5)]
        found, url = [], account["orders"]
        while url:
            page = client.post(url)
            found += page.json()["orders"]
            more = [link for link in page.headers.get_all("Link") if 'rel="next"' in link]
            url = more[0].partition("<")[2].partition(">")[0] if more else None
        self.assertEqual(found, urls)

    def test_each_fault(self):
        names = ["a.example.com"]
        ca, client = self.start()
        client.register()

        def order(rule):
            ca.set_rules([dict(rule, at="newOrder")])
            return client.new_order(names)
        self.assertEqual(order({"fault": "badNonce"}).problem, "badNonce")
        limited = order({"fault": "rateLimited", "retry_after": {"date": 2}})
        self.assertEqual((limited.status, limited.problem), (429, "rateLimited"))
        self.assertRegex(limited.headers["Retry-After"], r"^\w{3}, \d\d \w{3} \d{4} .* GMT$")
        busy = order({"fault": "unavailable", "retry_after": 1})
        self.assertEqual((busy.status, busy.headers["Retry-After"]), (503, "1"))
        self.assertEqual(order({"fault": "html500"}).headers["Content-Type"], "text/html")
        self.assertEqual(order({"fault": "problem", "status": 403, "type": "caa"}).problem, "caa")
        with self.assertRaises(ConnectionResetError):
            order({"fault": "reset"})
        self.assertEqual(len(ca.book.orders), 0)

        with self.assertRaises((http.client.RemoteDisconnected, ConnectionResetError)):
            order({"fault": "lost"})
        with self.assertRaises(http.client.IncompleteRead):
            order({"fault": "truncated"})
        self.assertEqual(len(ca.book.orders), 2)
        for fault in ("invalidJson", "oversized"):
            answer = order({"fault": fault, "bytes": 100000})
            self.assertEqual(int(answer.headers["Content-Length"]), len(answer.body))
        self.assertIsInstance(order({"fault": "wrongShape"}).json(), list)
        self.assertEqual(order({"fault": "status", "status": 204}).status, 204)
        self.assertNotIn("Location", order({"fault": "noLocation"}).headers)
        self.assertIn("Location", order({"fault": "noNonce"}).headers)
        self.assertIsNone(client.nonce)
        self.assertEqual(order({"fault": "retryAfter", "retry_after": 7}).headers["Retry-After"],
                         "7")
        self.assertEqual(order({"fault": "pendingAgain"}).json()["status"], "pending")
        invalid = order({"fault": "orderInvalid"}).json()
        self.assertEqual((invalid["status"], "error" in invalid), ("invalid", True))

    def test_rules_select(self):
        ca, client = self.start([
            {"at": "newOrder", "name": "b*", "fault": "html500"},
            {"at": "finalize", "state": "ready", "per_order": True, "fault": "orderNotReady"},
            {"at": "order", "nth": 2, "times": 2, "fault": "unavailable"}])
        client.register()
        csr = make_csr(["a.example.com"])
        for _ in range(2):
            answer = client.new_order(["a.example.com"])
            self.assertEqual(client.finalize(answer.json(), csr).problem, "orderNotReady")
            self.assertEqual(client.finalize(answer.json(), csr).json()["status"], "valid")
        statuses = [client.post(answer.headers["Location"]).status for _ in range(4)]
        self.assertEqual(statuses, [200, 503, 503, 200])
        self.assertEqual([rule.fired for rule in ca.acme.script.rules], [0, 2, 2])
        self.assertEqual(client.new_order(["b.example.com"]).status, 500)

    def test_as_a_program(self):
        script = self.folder / "script.json"
        script.write_text(json.dumps({"rules": [{"at": "newOrder", "fault": "badNonce"}]}))
        process = subprocess.Popen(
            [sys.executable, TESTS / "fake" / "ca.py", "--script", script, "--print-port"],
            stdout=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        said = json.loads(process.stdout.readline())
        client = Client(said["directory"])
        self.addCleanup(client.close)
        client.register()
        self.assertEqual(client.new_order(["a.example.com"]).problem, "badNonce")
        control = f"http://127.0.0.1:{said['control_port']}"
        with urllib.request.urlopen(f"{control}/records") as answer:
            seen = json.load(answer)
        self.assertEqual([each["endpoint"] for each in seen["requests"]],
                         ["directory", "newNonce", "newAccount", "newOrder"])
        self.assertEqual(seen["requests"][-1]["fault"], "badNonce")


if __name__ == "__main__":
    unittest.main()
