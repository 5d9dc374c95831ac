"""What somebody with the connector's habits does: accounts file in S3, enroll, list, renew by ARN,
revoke; and adopting what is in ACM already."""

import json
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness.aws import ACCOUNT, Aws  # noqa: E402
from harness.case import Case  # noqa: E402
from harness.certmill import Started  # noqa: E402
from harness.check import openssl  # noqa: E402
from harness.fleet import Fleet, account, certificate  # noqa: E402
from harness.load_ca import LoadCa  # noqa: E402

REGION = "us-east-1"
OTHER = ("aws_account_1", "222222222222", "ca-central-1")


class AwsConnectorCase(Case):
    deadline_s = 300

    def setUp(self):
        super().setUp()
        self.aws = Aws(self.folder / "aws")
        self.addCleanup(self.aws.stop)
        self.ca = LoadCa(self.folder / "ca")
        self.addCleanup(self.ca.stop)
        self.state = self.folder / "state"
        self.env = self.aws.profiles(self.folder / "home", {
            "default": {"key": self.aws.key(ACCOUNT), "region": REGION},
            OTHER[0]: {"key": self.aws.key(OTHER[1]), "region": OTHER[2]}})

    def certmill(self, *arguments, ca=True, code=0):
        options = ["--state", self.state] + (["--ca-file", self.ca.ca_file] if ca else [])
        run = Started([*arguments, *options], self.folder, env=self.env).wait(60)
        self.assert_code(run, code)
        return run

    def serial(self, name):
        text = openssl("x509", "-in", self.state / "live" / name / "cert.pem", "-noout", "-serial")
        return text.strip().removeprefix("serial=").lower().lstrip("0")

    def held(self, arn, profile="default", region=REGION):
        """The serial that ACM holds under the ARN, by the AWS CLI."""
        detail = self.aws.cli("acm", "describe-certificate", "--certificate-arn", arn,
                              "--profile", profile, "--region", region, env=self.env)
        return detail["Certificate"]["Serial"].replace(":", "").lower().lstrip("0")

    def arns(self, profile="default", region=REGION):
        rows = self.aws.cli("acm", "list-certificates", "--includes", "keyTypes=EC_prime256v1",
                            "--profile", profile, "--region", region, env=self.env)
        return [row["CertificateArn"] for row in rows["CertificateSummaryList"]]

    def imports(self):
        return self.aws.count(service="acm", operation="ImportCertificate", outcome="ok")


class ConnectorTest(AwsConnectorCase):
    def test_a_certificate_s_whole_life(self):
        file = self.folder / "acme_accounts.yaml"
        file.write_text(json.dumps({"accounts": {"scm_demo": [account(self.ca.directory)]}}))
        self.aws.cli("s3", "mb", "s3://acme-accounts", env=self.env)
        self.aws.cli("s3", "cp", file, "s3://acme-accounts/acme_accounts.yaml", env=self.env)
        file.unlink()

        self.certmill("enroll", "--accounts", "s3://acme-accounts/acme_accounts.yaml", "--account",
                      "scm_demo", "--domains", "www.example.com,example.com")
        arn, = self.arns()
        self.assertEqual(self.held(arn), self.serial("www.example.com"))
        row, = self.certmill("list", "--account", "scm_demo", "--json", ca=False).json()
        self.assertEqual((row["names"], row["status"]), (["www.example.com", "example.com"], "issued"))
        self.assertEqual([place["arn"] for place in row["imports"]], [arn])
        self.assertIn(arn, self.certmill("status", "www.example.com", ca=False).out)

        self.certmill("renew", "--arn", arn)
        self.assertEqual((self.imports(), self.arns()), (2, [arn]))
        self.assertEqual(self.held(arn), self.serial("www.example.com"))

        # A second account, under an ARN that is there already.
        other = "other.example.com"
        self.certmill("enroll", "--account", "scm_demo", "--domains", other, "--profile", OTHER[0])
        ours, = self.arns(OTHER[0], OTHER[2])
        files = self.state / "live" / other
        theirs = self.aws.cli("acm", "import-certificate", "--certificate",
                              f"fileb://{files / 'cert.pem'}", "--private-key",
                              f"fileb://{files / 'privkey.pem'}", "--profile", OTHER[0], "--region",
                              OTHER[2], env=self.env)["CertificateArn"]
        self.certmill("enroll", "--account", "scm_demo", "--domains", other, "--name", "again",
                      "--profile", OTHER[0], "--arn", theirs)
        self.assertEqual(self.held(theirs, OTHER[0], OTHER[2]), self.serial("again"))
        self.assertEqual(sorted(self.arns(OTHER[0], OTHER[2])), sorted([ours, theirs]))

        run = self.certmill("renew", "--name", "www", code=2)
        self.assertIn("name the manifest if another one has it", run.err)

        revoked = self.serial("www.example.com")
        self.certmill("revoke", "--arn", arn)
        self.assertEqual(self.held(arn), revoked)
        self.certmill("renew")
        self.assertNotEqual(self.serial("www.example.com"), revoked)
        self.assertEqual(self.held(arn), self.serial("www.example.com"))

        # Two certificates never take turns in one ARN.
        run = self.certmill("enroll", "--account", "scm_demo", "--domains", other, "--name", "third",
                            "--profile", OTHER[0], "--arn", ours, code=1)
        self.assertIn(f"is what {other} is imported to", run.err)
        self.assertEqual(self.held(ours, OTHER[0], OTHER[2]), self.serial(other))
        self.aws.assert_signed(self)

    def test_a_mistake_in_the_profile_writes_nothing(self):
        file = self.folder / "acme_accounts.yaml"
        file.write_text(json.dumps({"accounts": {"scm_demo": [account(self.ca.directory)]}}))
        run = self.certmill("enroll", "--accounts", file, "--account", "scm_demo", "--domains",
                            "www.example.com", "--profile", "aws_acount_1", code=2)
        self.assertIn(OTHER[0], run.err)
        self.assertFalse((self.state / "enrolled.yaml").exists())
        run = self.certmill("enroll", "--accounts", file, "--account", "scm_demo", "--domains",
                            "www.example.com", "--challenge", "dns-01", code=2)
        self.assertIn("solvers.dns-01.route53", run.err)
        self.assertIn("enrolled.yaml is not written yet", run.err)
        self.assertFalse((self.state / "enrolled.yaml").exists())
        self.assertEqual(self.ca.figures()["acme"]["issued"], 0)


class AdoptTest(AwsConnectorCase):
    def fleet(self, folder, names, profiles=("default",)):
        path = self.folder / folder
        path.mkdir()
        fleet = Fleet(path, self.ca.ca_file)
        fleet.accounts["demo"] = account(self.ca.directory)
        fleet.defaults |= {"account": "demo",
                           "deploy": [{"acm": {"profile": profile}} for profile in profiles]}
        fleet.certificates = [certificate(name) for name in names]
        fleet.aws = {"imports-per-second": 100}
        return fleet

    def outcomes(self, fleet, code=0):
        run = fleet.start("--json", command="adopt", env=self.env).wait(60)
        self.assert_code(run, code)
        return {(row["name"], row["profile"]): (row["outcome"], row["arn"]) for row in run.json()}

    def test_what_is_there_is_linked(self):
        """A state folder that is lost, and imports by hand: the ARNs are found again."""
        first = self.fleet("first", ["a", "b"])
        self.assert_code(first.run(env=self.env), 0)
        before = sorted(self.arns())
        self.aws.behaviour.page_size = 1

        second = self.fleet("second", ["a", "b", "c"], ("default", OTHER[0]))
        found = self.outcomes(second)
        self.assertEqual({key: outcome for key, (outcome, _) in found.items()}, {
            ("a", "default"): "linked", ("b", "default"): "linked", ("c", "default"): "nothing-found",
            ("a", OTHER[0]): "nothing-found", ("b", OTHER[0]): "nothing-found",
            ("c", OTHER[0]): "nothing-found"})
        self.assertEqual(sorted(arn for _, arn in found.values() if arn), before)
        self.assertEqual(self.outcomes(second)["a", "default"][0], "known")
        self.aws.behaviour.page_size = 1000
        self.assert_code(second.run(env=self.env), 0)
        self.assertEqual(len(self.arns()), 3)
        self.assertLessEqual(set(before), set(self.arns()))
        self.assertEqual(self.held(found["a", "default"][1]),
                         openssl("x509", "-in", second.live("a") / "cert.pem", "-noout", "-serial")
                         .strip().removeprefix("serial=").lower().lstrip("0"))
        self.aws.assert_signed(self)

    def test_what_does_not_decide_is_left_to_the_operator(self):
        for folder in ("first", "second"):
            self.assert_code(self.fleet(folder, ["a"]).run(env=self.env), 0)
        third = self.fleet("third", ["a"])
        self.assertEqual(self.outcomes(third, code=1)["a", "default"][0], "ambiguous")
        run = third.start(command="adopt", env=self.env).wait(60)
        self.assertIn("2 certificates there have these names", run.out)
        third.defaults["deploy"] = [{"acm": {"arn": self.arns()[0]}}]
        self.assertEqual(self.outcomes(third)["a", None], ("known", self.arns()[0]))

    def test_one_certificate_is_linked_to_one_entry(self):
        """Two entries with the same names never take turns in one ARN."""
        self.assert_code(self.fleet("first", ["a"]).run(env=self.env), 0)
        second = self.fleet("second", ["a"])
        second.certificates.append(certificate("twin") | {
            "domains": second.certificates[0]["domains"]})
        self.assertEqual({outcome for outcome, _ in self.outcomes(second, code=1).values()},
                         {"shared"})
        second.certificates[0]["deploy"] = [{"acm": {"arn": self.arns()[0]}}]
        self.assertEqual(self.outcomes(second)["twin", "default"], ("nothing-found", None))
        self.assert_code(second.run(env=self.env), 0)
        self.assertEqual(len(self.arns()), 2)
        again = second.run(env=self.env)
        self.assert_code(again, 0)
        self.assertNotIn("holds another certificate", again.out + again.err)

    def test_one_account_that_refuses_fails_alone(self):
        self.assert_code(self.fleet("first", ["a"]).run(env=self.env), 0)
        self.aws.fault("deny", service="acm", operation="ListCertificates", account=OTHER[1])
        second = self.fleet("second", ["a"], ("default", OTHER[0]))
        found = self.outcomes(second, code=1)
        self.assertEqual((found["a", "default"][0], found["a", OTHER[0]][0]), ("linked", "failed"))
        run = second.start(command="adopt", env=self.env).wait(60)
        self.assertIn("acm:ListCertificates", run.out)


if __name__ == "__main__":
    unittest.main()
