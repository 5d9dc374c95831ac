"""The load CA beside Pebble: the same requests to both, and the answers compared field by field.
What may differ is listed in pebble_rules.py, each with its reason."""

import fnmatch
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import conversations  # noqa: E402
from conversations import BLOCKED, EAB, Talk  # noqa: E402
from harness.answers import differences  # noqa: E402
from harness.case import Case  # noqa: E402
from harness.load_ca import LoadCa  # noqa: E402
from harness.pebble import Challtestsrv, Pebble  # noqa: E402
from harness.process import free_ports  # noqa: E402
from pebble_rules import RULES, rule_for  # noqa: E402


class PebbleComparison(Case):
    deadline_s = 60

    def compare(self, conversation, eab=False, validates=False):
        pebble_options, options = {"always_valid": True}, ["--always-valid"]
        if validates:
            dns = self.enterContext(Challtestsrv(self.folder / "dns"))
            address = f"127.0.0.1:{dns.dns_port}"
            pebble_options = {"always_valid": False, "dns_port": dns.dns_port}
            options = ["--dns", address, "--http-port", free_ports(1)[0]]
        if eab:
            options += ["--eab", ":".join(EAB)]
        pebble = self.enterContext(Pebble(
            self.folder / "pebble", eab_required=eab, authz_reuse=0, blocked=[BLOCKED],
            alternate_roots=1, **pebble_options))
        load_ca = self.enterContext(LoadCa(
            self.folder / "ca", *options, "--orders-list", "--refuse", BLOCKED,
            "--terms", "data:text/plain,Do%20what%20thou%20wilt",
            weather={"poll-after": {"seconds": 1, "form": "seconds"},
                     "processing": {"fixed-ms": 100}, "validation": {"fixed-ms": 100}}))
        talks = [Talk(load_ca, lambda: load_ca.figures()["acme"]["issued"]),
                 Talk(pebble, pebble.newly_issued)]
        for talk in talks:
            self.addCleanup(talk.close)
            conversation(talk)
        ours, theirs = (talk.steps for talk in talks)
        self.assertEqual(list(ours), list(theirs))
        self.check(conversation.__name__, ours, theirs)

    def check(self, name, ours, theirs):
        wrong, used = [], set()
        for step in ours:
            for field in differences(ours[step], theirs[step]):
                rule = rule_for(name, step, field, ours[step], theirs[step])
                used.add((rule, step))
                if rule is None:
                    wrong.append(f"{step}: {field}: here {ours[step].get(field)}, "
                                 f"Pebble {theirs[step].get(field)}")
        unused = [(rule, step) for rule in RULES if rule.conversation == name
                  for step in fnmatch.filter(ours, rule.step) or [rule.step]
                  if (rule, step) not in used]
        self.assertFalse(wrong, "\n" + "\n".join(wrong))
        self.assertFalse(unused, "allowed, but no difference")

    def test_directory_and_nonces(self):
        self.compare(conversations.directory_and_nonces)

    def test_new_account(self):
        self.compare(conversations.new_account)

    def test_accounts(self):
        self.compare(conversations.accounts)

    def test_bindings(self):
        self.compare(conversations.bindings, eab=True)

    def test_orders(self):
        self.compare(conversations.orders)

    def test_authorizations(self):
        self.compare(conversations.authorizations)

    def test_certificates(self):
        self.compare(conversations.certificates)

    def test_revocation(self):
        self.compare(conversations.revocation)

    def test_key_change(self):
        self.compare(conversations.key_change)

    def test_renewal(self):
        self.compare(conversations.renewal)

    def test_signed_requests(self):
        self.compare(conversations.signed_requests)

    def test_failed_validation(self):
        self.compare(conversations.failed_validation, validates=True)


if __name__ == "__main__":
    unittest.main()
