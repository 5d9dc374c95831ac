"""The calls without a manifest of the operator's own: enroll, renew, revoke, list --account."""

import json
import os
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness.case import Case  # noqa: E402
from harness.certmill import Started  # noqa: E402
from harness.check import check_pair, openssl  # noqa: E402
from harness.fleet import account  # noqa: E402
from harness.load_ca import LoadCa  # noqa: E402
from harness.pair import Pair  # noqa: E402


class ConnectorCase(Case):
    def setUp(self):
        super().setUp()
        self.ca = LoadCa(self.folder / "ca")
        self.addCleanup(self.ca.stop)
        self.state = self.folder / "state"
        self.accounts = self.folder / "acme_accounts.yaml"
        self.accounts.write_text(json.dumps({"accounts": {
            "scm_demo": [account(self.ca.directory)], "other": [account(self.ca.directory)]}}))
        os.chmod(self.accounts, 0o600)

    def certmill(self, *arguments, ca=True, code=0):
        options = ["--state", self.state] + (["--ca-file", self.ca.ca_file] if ca else [])
        run = Started([*arguments, *options], self.folder).wait(60)
        self.assert_code(run, code)
        return run

    def enroll(self, domains, *options, code=0, accounts=True, alias="scm_demo"):
        given = ["--accounts", self.accounts.name] if accounts else []
        return self.certmill("enroll", "--account", alias, "--domains", domains, "--no-import",
                             *given, *options, code=code)

    def enrolled(self):
        return (self.state / "enrolled.yaml").read_text()

    def live(self, name):
        return self.state / "live" / name

    def serial(self, name):
        return openssl("x509", "-in", self.live(name) / "cert.pem", "-noout", "-serial")


class EnrollTest(ConnectorCase):
    def test_enroll(self):
        """A certificate from nothing but the accounts file; a second one beside it, with less to
        say; both are a manifest's like any other."""
        self.enroll("www.example.com,example.com")
        check_pair(self.live("www.example.com"), self.ca.root, ["www.example.com", "example.com"],
                   key=("ECDSA", 256))
        self.enroll("*.example.org", "--key", "RSA-2048", accounts=False, alias="other")
        check_pair(self.live("_wildcard.example.org"), self.ca.root, ["*.example.org"],
                   key=("RSA", 2048))
        manifest = self.state / "enrolled.yaml"
        self.assertEqual(manifest.stat().st_mode & 0o777, 0o600)
        self.assertIn(str(self.accounts), manifest.read_text())
        plan = self.certmill("plan", manifest, "--json", ca=False).json()
        self.assertEqual(plan["due"], [])
        listed = self.certmill("list", "--account", "other", "--json", ca=False).json()
        self.assertEqual([row["name"] for row in listed], ["_wildcard.example.org"])
        self.assertIn("no such certificate of this account",
                      self.certmill("list", "--account", "nobody", ca=False).out)

    def test_enroll_again(self):
        """The same again orders nothing; other names order anew under the same name."""
        self.enroll("a.example.com", "--name", "one")
        first = self.serial("one")
        self.enroll("a.example.com", "--name", "one")
        self.assertEqual(self.serial("one"), first)
        self.enroll("a.example.com, b.example.com", "--name", "one")
        self.assertNotEqual(self.serial("one"), first)
        self.assertEqual(Pair(self.live("one")).names, ("a.example.com", "b.example.com"))
        self.assertEqual(self.enrolled().count("name: one"), 1)

    def test_a_name_by_default_replaces_nothing(self):
        """The first domain names both: the second is another certificate, or a change."""
        self.enroll("a.example.com,b.example.com")
        first = self.serial("a.example.com")
        run = self.enroll("a.example.com", code=2)
        self.assertIn("--name a.example.com", run.err)
        self.enroll("A.example.com, b.example.com")
        self.assertEqual(self.serial("a.example.com"), first)
        self.enroll("a.example.com", "--name", "alone")
        self.assertEqual(Pair(self.live("alone")).names, ("a.example.com",))

    def test_what_the_operator_added_stays(self):
        self.enroll("a.example.com")
        text = self.enrolled()
        (self.state / "enrolled.yaml").write_text(text + "limits: {in-flight: 7}\n")
        self.enroll("b.example.com", accounts=False)
        self.assertIn("in-flight: 7", self.enrolled())
        self.assertIn("a.example.com", self.enrolled())

    def test_mistakes_write_nothing(self):
        for arguments, words in (
                (("www..example.com",), "--domains"),
                (("www.example.com", "--name", "../x"), "--name"),
                (("www.example.com,-x-.example.com",), "-x-.example.com")):
            with self.subTest(arguments=arguments):
                self.assertIn(words, self.enroll(*arguments, code=2).err)
                self.assertFalse((self.state / "enrolled.yaml").exists())
        run = self.enroll("www.example.com", alias="scm_dem", code=2)
        self.assertIn("scm_demo", run.err)
        self.assertIn("--accounts is missing",
                      self.enroll("www.example.com", accounts=False, code=2).err)
        self.assertFalse((self.state / "enrolled.yaml").exists())

    def test_other_accounts_file(self):
        self.enroll("a.example.com")
        other = self.folder / "other.yaml"
        other.write_text(self.accounts.read_text())
        run = self.enroll("b.example.com", "--accounts", other, accounts=False, code=2)
        self.assertIn(str(self.accounts), run.err)
        self.assertNotIn("b.example.com", self.enrolled())

    def test_damaged_file(self):
        self.enroll("a.example.com")
        (self.state / "enrolled.yaml").write_text("version: 1\ncertificates: [\n")
        run = self.enroll("b.example.com", code=2)
        self.assertRegex(run.err, r"enrolled.yaml: line \d+")
        self.assertEqual(self.enrolled(), "version: 1\ncertificates: [\n")

    def test_refused_is_not_kept(self):
        """What the CA never issued would fail in every later run."""
        self.enroll("a.example.com")
        self.ca.stop()
        self.ca = LoadCa(self.folder / "strict", "--resolve-all-to", "127.0.0.1")
        self.addCleanup(self.ca.stop)
        self.accounts.write_text(json.dumps({"accounts": {
            "scm_demo": [account(self.ca.directory)]}}))
        run = self.enroll("b.example.com", code=1)
        self.assertIn("was not enrolled", run.err)
        self.assertNotIn("b.example.com", self.enrolled())
        self.assertIn("a.example.com", self.enrolled())


class RenewTest(ConnectorCase):
    def test_renew(self):
        self.certmill("renew", code=2)
        self.enroll("a.example.com")
        self.enroll("b.example.com")
        first = self.serial("a.example.com"), self.serial("b.example.com")
        self.certmill("renew")
        self.assertEqual((self.serial("a.example.com"), self.serial("b.example.com")), first)
        self.certmill("renew", "--name", "a.example.com")
        self.assertNotEqual(self.serial("a.example.com"), first[0])
        self.assertEqual(self.serial("b.example.com"), first[1])
        run = self.certmill("renew", "--name", "a.example.co", code=2)
        self.assertIn("a.example.com", run.err)
        run = self.certmill("renew", "--arn", "arn:aws:acm:us-east-1:1:certificate/x", code=2)
        self.assertIn("adopt", run.err)


class RevokeTest(ConnectorCase):
    def test_revoke(self):
        """The CA has it on its list, the next run replaces it, and the one after does nothing."""
        self.enroll("a.example.com")
        self.enroll("b.example.com")
        revoked = self.serial("a.example.com")
        run = self.certmill("revoke", "--name", "a.example.com", "--reason", "keycompromise")
        self.assertIn("a.example.com is revoked", run.out)
        self.assertEqual(self.ca.figures()["acme"]["revoked"], 1)
        run = self.certmill("revoke", "--name", "a.example.com")
        self.assertIn("was revoked before", run.out)
        plan = self.certmill("plan", self.state / "enrolled.yaml", "--json", ca=False).json()
        self.assertEqual([(item["name"], item["reason"]) for item in plan["due"]],
                         [("a.example.com", "revoked")])
        self.certmill("renew")
        self.assertNotEqual(self.serial("a.example.com"), revoked)
        plan = self.certmill("plan", self.state / "enrolled.yaml", "--json", ca=False).json()
        self.assertEqual(plan["due"], [])

    def test_refused(self):
        self.enroll("a.example.com")
        self.certmill("revoke", "--name", "a.example.com", "--reason", "boredom", code=2)
        self.certmill("revoke", code=2)
        manifest = self.state / "enrolled.yaml"
        manifest.write_text(manifest.read_text().replace("scm_demo", "other"))
        run = self.certmill("revoke", "--name", "a.example.com", code=1)
        self.assertIn("was not revoked", run.err)
        self.assertIn("not associated with account", run.err)
        plan = self.certmill("plan", self.state / "enrolled.yaml", "--json", ca=False).json()
        self.assertEqual(plan["due"], [])


if __name__ == "__main__":
    unittest.main()
