"""Imports into ACM (moto behind the strict gateway) when calls go wrong, and into what is there."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness.aws import Aws  # noqa: E402
from harness.case import Case  # noqa: E402
from harness.fleet import Fleet, account, certificate  # noqa: E402
from harness.load_ca import LoadCa  # noqa: E402

KEYS = [("ECDSA", 256), ("ECDSA", 384), ("ECDSA", 521), ("RSA", 2048), ("RSA", 3072), ("RSA", 4096)]
KEY_TYPES = "keyTypes=RSA_2048,RSA_3072,RSA_4096,EC_prime256v1,EC_secp384r1,EC_secp521r1"


class AcmTest(Case):
    deadline_s = 300

    def setUp(self):
        super().setUp()
        self.aws = Aws(self.folder / "aws")
        self.addCleanup(self.aws.stop)
        self.ca = LoadCa(self.folder / "ca")
        self.addCleanup(self.ca.stop)
        self.env = self.aws.env()

    def fleet(self, count, *targets, **more):
        fleet = Fleet(self.folder, self.ca.ca_file)
        fleet.accounts["demo"] = account(self.ca.directory)
        fleet.defaults["deploy"] = [{"acm": target} for target in targets or ({"region": "us-east-1"},)]
        fleet.certificates = [certificate(f"c{i}", **more) for i in range(count)]
        fleet.aws = {"imports-per-second": 100}
        return fleet

    def run_fleet(self, fleet, code=0, *options):
        run = fleet.run(*options, env=self.env, deadline_s=120)
        self.assert_code(run, code)
        self.aws.assert_signed(self)
        return run

    def held(self, region="us-east-1"):
        answer = self.aws.cli("acm", "list-certificates", "--includes", KEY_TYPES, "--region", region)
        return {row["DomainName"].partition(".")[0]: row["CertificateArn"]
                for row in answer["CertificateSummaryList"]}

    def check_held(self, fleet, count, region="us-east-1"):
        """Each certificate once, leaf and chain as they are live, with its name as a tag."""
        answer = self.aws.cli("acm", "list-certificates", "--includes", KEY_TYPES, "--region", region)
        self.assertEqual(len(answer["CertificateSummaryList"]), count)
        for name, arn in self.held(region).items():
            content = self.aws.cli("acm", "get-certificate", "--certificate-arn", arn, "--region", region)
            self.assertEqual(content["Certificate"].strip(),
                             (fleet.live(name) / "cert.pem").read_text().strip())
            self.assertTrue(content["CertificateChain"].strip().startswith(
                (fleet.live(name) / "chain.pem").read_text().strip()))
            tags = self.aws.cli("acm", "list-tags-for-certificate", "--certificate-arn", arn,
                                "--region", region)["Tags"]
            self.assertIn({"Key": "certmill:name", "Value": name}, tags)

    def imports(self, **what):
        return self.aws.count(service="acm", operation="ImportCertificate", **what)

    def test_every_kind_of_key(self):
        fleet = self.fleet(0)
        fleet.certificates = [certificate(f"c{i}", key={"type": kind, "size": size})
                              for i, (kind, size) in enumerate(KEYS)]
        run = self.run_fleet(fleet)
        self.check_held(fleet, len(KEYS))
        self.assertEqual(run.err.count("CloudFront does not take"), 2, str(run))

    def test_throttling_slows_and_loses_nothing(self):
        quota = self.aws.quota("acm", "ImportCertificate", per_second=4)
        fleet = self.fleet(6)
        self.run_fleet(fleet)
        self.assertGreater(quota.throttled, 0)
        self.assertEqual(self.imports(outcome="ok"), 6)
        self.check_held(fleet, 6)

    def test_errors_of_the_service_are_repeated(self):
        self.aws.fault("error", service="acm", operation="ImportCertificate", count=2)
        self.aws.fault("unavailable", service="acm", operation="ListCertificates", count=1)
        fleet = self.fleet(3)
        self.run_fleet(fleet)
        self.check_held(fleet, 3)

    def test_an_answer_that_is_lost_makes_no_second_certificate(self):
        self.aws.fault("cut-after", service="acm", operation="ImportCertificate", count=2)
        fleet = self.fleet(4)
        self.run_fleet(fleet)
        self.check_held(fleet, 4)
        self.aws.fault("cut-after", service="acm", operation="ImportCertificate", count=1)
        before = self.held()
        self.run_fleet(fleet, 0, "--force")
        self.assertEqual(self.held(), before)
        self.check_held(fleet, 4)

    def test_a_region_that_does_not_answer_slows_no_other(self):
        silent = self.aws.fault("silent", service="acm", region="eu-west-1")
        fleet = self.fleet(3, {"region": "eu-west-1"}, {"region": "us-east-1"})
        run = fleet.start(env=self.env)
        self.aws.wait_for(3, service="acm", operation="ImportCertificate", region="us-east-1",
                          outcome="ok")
        self.assertEqual(self.imports(region="eu-west-1"), 0)
        silent.release()
        self.assert_code(run.wait(120), 0)
        self.check_held(fleet, 3)
        self.check_held(fleet, 3, "eu-west-1")

    def test_a_quota_that_is_used_up_is_told(self):
        self.aws.fault("reply", service="acm", operation="ImportCertificate", after=1,
                       code="LimitExceededException", status=400,
                       message="You have reached the limit of imported certificates")
        fleet = self.fleet(4)
        run = self.run_fleet(fleet, 1)
        self.assertIn("Service Quotas", run.err)
        self.assertIn("You have reached the limit", run.err)
        self.aws.clear_faults()
        self.run_fleet(fleet)
        self.assertEqual(self.ca.figures()["acme"]["issued"], 4)
        self.check_held(fleet, 4)

    def test_credentials_that_expired_are_told(self):
        key = self.aws.key(token="session", expires_at=1)
        self.env = self.aws.env(key)
        fleet = self.fleet(2)
        run = fleet.run(env=self.env, deadline_s=120)
        self.assert_code(run, 1)
        self.assertIn("ExpiredToken", run.err)
        self.assertEqual(self.imports(), 0)
        self.env = self.aws.env()
        self.run_fleet(fleet)
        self.assertEqual(self.ca.figures()["acme"]["issued"], 2)
        self.check_held(fleet, 2)

    def test_a_certificate_that_is_there_is_taken_over_by_its_arn(self):
        self.run_fleet(self.fleet(1))
        arn = self.held()["c0"]
        fleet = self.fleet(1, {"region": "us-east-1", "arn": arn})
        fleet.state = self.folder / "another"
        self.run_fleet(fleet)
        self.assertEqual(self.held(), {"c0": arn})
        self.check_held(fleet, 1)

    def test_an_arn_that_cannot_be_taken_over_is_told(self):
        issued = self.aws.cli("acm", "request-certificate", "--domain-name", "c0.example.com",
                              "--validation-method", "DNS")["CertificateArn"]
        run = self.run_fleet(self.fleet(1, {"region": "us-east-1", "arn": issued}), 1)
        self.assertIn("AMAZON_ISSUED", run.err)
        gone = issued[:-4] + "0000"
        run = self.run_fleet(self.fleet(1, {"region": "us-east-1", "arn": gone}), 1)
        self.assertIn("is not there: correct `arn`", run.err)
        other = issued.replace("123456789012", "999999999999")
        run = self.run_fleet(self.fleet(1, {"region": "us-east-1", "arn": other}), 1)
        self.assertIn("of account 999999999999", run.err)
        self.assertEqual(self.imports(), 0)


if __name__ == "__main__":
    unittest.main()
