"""certmill against Pebble: strict, real validation, half of all nonces refused."""

import os
import stat
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness.case import Case  # noqa: E402
from harness.check import check_pair  # noqa: E402
from harness.fleet import Fleet, account, certificate  # noqa: E402
from harness.pebble import EAB_KEYS, Challtestsrv, Pebble  # noqa: E402

# Pebble locks up when an order is read while it is completed, and the more so the more there are.
IN_FLIGHT = 16

# The dns-01 hook: one JSON object a line, each a record to make or to remove. The DNS can only
# clear a whole name, so a name goes when its last value does.
HOOK = """#!/usr/bin/python3
import json, os, sys, urllib.request

def call(name, body):
    urllib.request.urlopen(urllib.request.Request(
        "{management}/" + name, data=json.dumps(body).encode(), method="POST"), timeout=10)

known = {{}}
if os.path.exists("{known}"):
    with open("{known}") as file:
        known = json.load(file)
with open("{log}", "a") as log:
    for line in sys.stdin:
        record = json.loads(line)
        host, value = record["fqdn"].rstrip(".") + ".", record["value"]
        values = known.setdefault(host, [])
        if sys.argv[1] == "present":
            values.append(value)
            call("set-txt", {{"host": host, "value": value}})
        else:
            values.remove(value)
            if not values:
                call("clear-txt", {{"host": host}})
        log.write(sys.argv[1] + " " + host + "\\n")
with open("{known}", "w") as file:
    json.dump(known, file)
"""

KEYS = [("ECDSA", 256), ("ECDSA", 384), ("ECDSA", 521), ("RSA", 2048)]


def key_of(number):
    """All six types; few of those that take long to make."""
    if number % 50 == 7:
        return ("RSA", 4096)
    if number % 25 == 3:
        return ("RSA", 3072)
    return KEYS[number % 4]


def entry_of(number):
    """The manifest entry of certificate `number`: one, two or five names; every tenth a wildcard."""
    base = f"n{number:03}.example.com"
    kind, size = key_of(number)
    more = {"key": {"type": kind, "size": size}}
    if number % 10 == 9:
        return certificate(f"n{number:03}", [f"*.{base}", base], challenge="dns-01", **more)
    names = [base] + [f"{part}.{base}" for part in "abcd"[:(0, 1, 4)[number % 3]]]
    return certificate(f"n{number:03}", names, **more)


class PebbleTest(Case):
    deadline_s = 560

    def start(self, **options):
        self.dns = self.enterContext(Challtestsrv(self.folder / "dns"))
        self.pebble = self.enterContext(
            Pebble(self.folder / "pebble", dns_port=self.dns.dns_port, eab_required=True,
                   always_valid=False, **options))
        fleet = Fleet(self.folder, ca_file=self.pebble.ca_file)
        fleet.accounts["main"] = account(self.pebble.directory, ("kid-1", EAB_KEYS["kid-1"]))
        fleet.defaults = {"account": "main", "challenge": "http-01"}
        fleet.limits = {"in-flight": IN_FLIGHT}
        self.hook_log = self.folder / "hook.log"
        hook = self.folder / "hook"
        hook.write_text(HOOK.format(management=self.dns.management, log=self.hook_log,
                                    known=self.folder / "hook.json"))
        hook.chmod(0o755)
        fleet.solvers = {"http-01": {"listen": f"127.0.0.1:{self.pebble.http_port}"},
                         "tls-alpn-01": {"listen": f"127.0.0.1:{self.pebble.tls_port}"},
                         "dns-01": {"hook": str(hook), "propagation-seconds": 0}}
        return fleet

    def check(self, fleet, entry):
        key = entry.get("key", {"type": "ECDSA", "size": 256})
        check_pair(fleet.live(entry["name"]), self.pebble.root, entry["domains"],
                   (key["type"], key["size"]))

    def test_fleet(self):
        fleet = self.start(nonce_reject=50, authz_reuse=50)
        fleet.certificates = [entry_of(number) for number in range(200)]

        run = fleet.run("--json", deadline_s=300)
        self.assert_code(run, 0)
        self.assertEqual(run.json()["issued"], 200)
        for entry in fleet.certificates:
            self.check(fleet, entry)
        records = self.hook_log.read_text().split("\n")
        made = {line.split()[1] for line in records if line.startswith("present")}
        removed = {line.split()[1] for line in records if line.startswith("cleanup")}
        self.assertEqual(len(made), 20)
        self.assertEqual(made, removed)
        self.check_modes(fleet)

        # The second run: nothing is due, nobody is asked.
        seen = self.pebble.requests_seen()
        run = fleet.run("--json")
        self.assert_code(run, 0)
        self.assertEqual(run.json()["due"], 0)
        self.assertEqual(self.pebble.requests_seen(), seen)

        # One domain more: just this certificate is made anew.
        changed = fleet.certificates[42]
        changed["domains"].append("more.example.com")
        run = fleet.run("--json")
        self.assert_code(run, 0)
        self.assertEqual(run.json()["issued"], 1)
        self.check(fleet, changed)
        sequences = [fleet.sequence(entry["name"]) for entry in fleet.certificates]
        self.assertEqual([number for number, each in enumerate(sequences) if each != 1], [42])
        self.assertEqual(sequences[42], 2)

    def check_modes(self, fleet):
        for path in fleet.account_keys():
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600, path)
        self.assertEqual(len(fleet.account_keys()), 1)
        self.assertEqual(stat.S_IMODE(os.stat(fleet.events).st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(os.stat(fleet.state / "state.db").st_mode), 0o600)

    def test_only_the_bad_ones_fail(self):
        """One account is refused, one domain is blocked: just their certificates fail."""
        fleet = self.start(blocked=["blocked.example"], nonce_reject=5)
        fleet.accounts["wrong"] = account(self.pebble.directory, ("kid-2", EAB_KEYS["kid-3"]))
        fleet.certificates = [entry_of(number) for number in (0, 1, 2, 4, 9)] + [
            certificate("refused", account="wrong"),
            certificate("blocked", ["good.example.com", "www.blocked.example"])]
        run = fleet.run(deadline_s=120)
        self.assert_code(run, 1)
        for entry in fleet.certificates[:5]:
            self.check(fleet, entry)
        failed = {event["certificate"]: event["reason"] for event in fleet.event_list()
                  if event["event"] == "failed"}
        self.assertEqual(sorted(failed), ["blocked", "refused"])
        self.assertIn("www.blocked.example", failed["blocked"])
        self.assertIn("external account binding", failed["refused"])
        self.assertEqual(fleet.live_names(), sorted(entry["name"] for entry in
                                                    fleet.certificates[:5]))

    def test_tls_alpn_01(self):
        """certmill's own TLS server is looked at: host names, an address, and two accounts that
        have the same names validated at the same time."""
        fleet = self.start(nonce_reject=5, authz_reuse=0)
        fleet.defaults["challenge"] = "tls-alpn-01"
        fleet.accounts["other"] = account(self.pebble.directory, ("kid-2", EAB_KEYS["kid-2"]))
        same = [f"n{number}.same.example.com" for number in range(5)]
        fleet.certificates = [certificate(f"alpn{number}", [f"a{number}.example.com",
                                                            f"www.a{number}.example.com"])
                              for number in range(10)] + [
            certificate("address", ["127.0.0.1"]),
            certificate("first", same),
            certificate("second", same[::-1], account="other"),
            certificate("http", ["http.example.com"], challenge="http-01")]
        run = fleet.run("--json", deadline_s=120)
        self.assert_code(run, 0)
        self.assertEqual(run.json()["issued"], len(fleet.certificates))
        for entry in fleet.certificates:
            self.check(fleet, entry)

    def test_renewal_by_force(self):
        """A renewal keeps the old pair in the archive and uses a new key."""
        fleet = self.start(nonce_reject=5, authz_reuse=100)
        fleet.certificates = [entry_of(number) for number in range(3)]
        self.assert_code(fleet.run(), 0)
        before = [(fleet.live(entry["name"]) / "privkey.pem").read_bytes()
                  for entry in fleet.certificates]
        self.assert_code(fleet.run("--force", "--only", "n00[01]"), 0)
        for number, entry in enumerate(fleet.certificates):
            self.check(fleet, entry)
            renewed = number < 2
            self.assertEqual(fleet.sequence(entry["name"]), 2 if renewed else 1)
            key = (fleet.live(entry["name"]) / "privkey.pem").read_bytes()
            self.assertEqual(key != before[number], renewed)
            archived = fleet.state / "archive" / entry["name"] / "1" / "privkey.pem"
            self.assertEqual(archived.read_bytes(), before[number])


if __name__ == "__main__":
    unittest.main()
