"""Whole runs over an ACME server and AWS: many certificates to two accounts and two regions, killed,
refused, interrupted and changed behind certmill's back."""

import datetime
import signal
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cryptography import x509  # noqa: E402
from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec  # noqa: E402
from cryptography.x509.oid import ExtendedKeyUsageOID  # noqa: E402

from harness.aws import Aws  # noqa: E402
from harness.case import Case  # noqa: E402
from harness.certmill import Started  # noqa: E402
from harness.fleet import Fleet, account, certificate  # noqa: E402
from harness.load_ca import LoadCa  # noqa: E402

REGIONS = ("us-east-1", "eu-west-1")
# Those of the load CA's certificates, which an ARN keeps.
USAGES = x509.KeyUsage(True, *[False] * 8)
EXTENDED_USAGES = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH,
                                         ExtendedKeyUsageOID.CLIENT_AUTH])
ACCOUNTS = {"one": "111111111111", "two": "222222222222"}


def other_certificate(folder, domain):
    """Files of a self-signed certificate and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, domain)])
    now = datetime.datetime.now(datetime.timezone.utc)
    signed = (x509.CertificateBuilder().subject_name(name).issuer_name(name)
              .public_key(key.public_key()).serial_number(x509.random_serial_number())
              .not_valid_before(now).not_valid_after(now + datetime.timedelta(days=30))
              .add_extension(x509.SubjectAlternativeName([x509.DNSName(domain)]), False)
              .add_extension(USAGES, True).add_extension(EXTENDED_USAGES, False)
              .sign(key, hashes.SHA256()))
    certificate_file, key_file = folder / "other.pem", folder / "other-key.pem"
    certificate_file.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(key.private_bytes(serialization.Encoding.PEM,
                                           serialization.PrivateFormat.PKCS8,
                                           serialization.NoEncryption()))
    return certificate_file, key_file


class AwsRunTest(Case):
    deadline_s = 300

    def setUp(self):
        super().setUp()
        self.aws = Aws(self.folder / "aws")
        self.addCleanup(self.aws.stop)
        self.ca = LoadCa(self.folder / "ca")
        self.addCleanup(self.ca.stop)
        keys = {profile: self.aws.key(number) for profile, number in ACCOUNTS.items()}
        self.env = self.aws.profiles(self.folder / "home", {
            profile: {"key": key} for profile, key in keys.items()})

    def fleet(self, name, count, hook=True):
        """`count` certificates, each to both regions of both accounts, and a hook for all."""
        folder = self.folder / name
        folder.mkdir()
        fleet = Fleet(folder, self.ca.ca_file)
        fleet.accounts["demo"] = account(self.ca.directory)
        deploy = [{"acm": {"profile": profile, "region": region, "tags": {"fleet": name}}}
                  for profile in ACCOUNTS for region in REGIONS]
        if hook:
            self.hooked = folder / "hooked"
            deploy.append({"hook": {"command": ["/bin/sh", "-c", f"echo called >> {self.hooked}; "
                                                f"cat >> {self.hooked}.names"], "once": True}})
        fleet.defaults["deploy"] = deploy
        fleet.certificates = [certificate(f"{name}-{i}") for i in range(count)]
        fleet.aws = {"imports-per-second": 100}
        return fleet

    def run_fleet(self, fleet, *options, **more):
        return fleet.run(*options, env=self.env, deadline_s=120, **more)

    def held(self, fleet, profile, region):
        """What ACM holds of the fleet, by the AWS CLI: {name: [ARN, ...]}."""
        answer = self.aws.cli("acm", "list-certificates", "--includes", "keyTypes=EC_prime256v1",
                              "--profile", profile, "--region", region, env=self.env)
        held = {entry["name"]: [] for entry in fleet.certificates}
        for row in answer["CertificateSummaryList"]:
            name = row["DomainName"].removesuffix(".example.com")
            if name in held:
                held[name].append(row["CertificateArn"])
        return held

    def check_everywhere(self, fleet):
        """Each certificate stands once in each account and region, with the live content."""
        for profile in ACCOUNTS:
            for region in REGIONS:
                held = self.held(fleet, profile, region)
                self.assertEqual({name: len(arns) for name, arns in held.items()},
                                 {name: 1 for name in held}, f"{profile} {region}")
                name, arns = next(iter(held.items()))
                content = self.aws.cli("acm", "get-certificate", "--certificate-arn", arns[0],
                                       "--profile", profile, "--region", region, env=self.env)
                self.assertEqual(content["Certificate"].strip(),
                                 (fleet.live(name) / "cert.pem").read_text().strip())
        self.aws.assert_signed(self)

    def imports(self, **what):
        return self.aws.count(service="acm", operation="ImportCertificate", **what)

    def issued(self):
        return self.ca.figures()["acme"]["issued"]

    def test_many_certificates_to_all_accounts_and_regions(self):
        fleet = self.fleet("many", 20)
        plan = fleet.start("--json", command="plan", env=self.env).wait(30)
        self.assert_code(plan, 0)
        forecast = plan.json()["forecast"]["imports"]
        self.assertEqual((forecast["count"], forecast["accounts"], forecast["regions"]), (80, 2, 2))
        self.assert_code(fleet.start(command="check", env=self.env).wait(30), 0)
        self.assertEqual(self.aws.calls, [], "plan and check send nothing")

        run = self.run_fleet(fleet, "--json")
        self.assert_code(run, 0)
        self.check_everywhere(fleet)
        summary = run.json()
        self.assertEqual((summary["imported"], summary["deployed"]), (80, 20))
        self.assertEqual(summary["figures"]["imports"]["done"], 80)
        self.assertEqual(self.hooked.read_text(), "called\n")
        self.assertEqual(len((self.hooked.parent / "hooked.names").read_text().splitlines()), 20)
        events = [event for event in fleet.event_list() if event["event"] == "imported"]
        self.assertEqual({event["certificate"]: event["imports"] for event in events},
                         {entry["name"]: 4 for entry in fleet.certificates})
        listed = fleet.start("--json", command="list", env=self.env).wait(30).json()
        self.assertEqual({row["state"] for entry in listed for row in entry["imports"]}, {"imported"})
        self.assertEqual(len({row["arn"] for entry in listed for row in entry["imports"]}), 80)
        status = Started(["status", "many-3", "--state", fleet.state], fleet.folder).wait(30)
        self.assertIn("ACM:          one eu-west-1: arn:aws:acm:eu-west-1:111111111111:", status.out)

        # Nothing is due: ACM is looked at, and no more.
        again = self.run_fleet(fleet)
        self.assert_code(again, 0)
        self.assertIn("no certificate is due", again.err)
        self.assertEqual((self.imports(), self.issued()), (80, 20))
        # Without drift it is not even looked at.
        fleet.aws["drift"] = False
        calls = len(self.aws.calls)
        self.assert_code(self.run_fleet(fleet), 0)
        self.assertEqual(len(self.aws.calls), calls)
        # A renewal goes to the same ARNs.
        before = {(profile, region): self.held(fleet, profile, region)
                  for profile in ACCOUNTS for region in REGIONS}
        self.assert_code(self.run_fleet(fleet, "--force", "--only", "many-0"), 0)
        self.assertEqual((self.imports(), self.issued()), (84, 21))
        self.check_everywhere(fleet)
        self.assertEqual(before, {(profile, region): self.held(fleet, profile, region)
                                  for profile in ACCOUNTS for region in REGIONS})

    def test_a_kill_at_any_point_imports_nothing_twice(self):
        for point in ("after-switch", "before-issued", "after-issued", "acm-intended",
                      "acm-imported"):
            for visit in (1, 4):
                with self.subTest(point=point, visit=visit):
                    fleet = self.fleet(f"{point}-{visit}", 4, hook=False)
                    issued = self.issued()
                    killed = fleet.start(points=True, env={
                        **self.env, "CERTMILL_KILL_AT": f"{point}:{visit}"}).wait(60)
                    self.assertEqual(killed.code, -signal.SIGKILL, str(killed))
                    self.assert_code(self.run_fleet(fleet), 0)
                    self.check_everywhere(fleet)
                    self.assertEqual(self.issued() - issued, 4)

    def test_a_region_that_refuses_fails_alone(self):
        fleet = self.fleet("refused", 5)
        self.aws.fault("deny", service="acm", operation="ImportCertificate", region="eu-west-1",
                       account=ACCOUNTS["two"])
        run = self.run_fleet(fleet, "--json")
        self.assert_code(run, 1)
        summary = run.json()
        self.assertEqual((summary["issued"], summary["deployed"], summary["deploy_failed"]), (5, 0, 5))
        failure = summary["deploy_failures"][0]
        self.assertIn("acm:ImportCertificate", failure["reason"])
        self.assertIn("without issuing", failure["advice"])
        self.assertEqual(self.imports(outcome="ok"), 15)
        plan = fleet.start(command="plan", env=self.env).wait(30)
        self.assertIn("1 ACM target lacks number 1: two eu-west-1", plan.out)

        self.aws.clear_faults()
        requests = self.ca.figures()["requests"]
        self.assert_code(self.run_fleet(fleet), 0)
        self.assertEqual(self.ca.figures()["requests"], requests, "the CA is not asked for anything")
        self.assertEqual(self.imports(outcome="ok"), 20)
        self.assertEqual(self.imports(outcome="ok", region="eu-west-1", account=ACCOUNTS["two"]), 5)
        self.check_everywhere(fleet)

    def test_an_interrupt_leaves_the_rest_to_the_next_run(self):
        fleet = self.fleet("stopped", 3)
        fleet.aws["imports-per-second"] = 0.1
        run = fleet.start(env=self.env)
        self.aws.wait_for(4, service="acm", operation="ImportCertificate", outcome="ok")
        run.signal(signal.SIGINT)
        ended = run.wait(60)
        self.assert_code(ended, 3)
        self.assertIn("not deployed everywhere yet: the next run goes on", ended.err)
        fleet.aws["imports-per-second"] = 100
        self.assert_code(self.run_fleet(fleet), 0)
        self.assertEqual((self.imports(outcome="ok"), self.issued()), (12, 3))
        self.check_everywhere(fleet)

    def test_what_was_changed_in_acm_is_mended(self):
        fleet = self.fleet("drift", 2)
        self.assert_code(self.run_fleet(fleet), 0)
        arn, = self.held(fleet, "one", "us-east-1")["drift-1"]
        other, key = other_certificate(self.folder, "drift-1.example.com")
        self.aws.cli("acm", "import-certificate", "--certificate-arn", arn, "--certificate",
                     f"fileb://{other}", "--private-key", f"fileb://{key}", "--profile", "one",
                     "--region", "us-east-1", env=self.env)
        gone, = self.held(fleet, "two", "eu-west-1")["drift-0"]
        self.aws.cli("acm", "delete-certificate", "--certificate-arn", gone, "--profile", "two",
                     "--region", "eu-west-1", env=self.env)
        run = self.run_fleet(fleet, "--json")
        self.assert_code(run, 0)
        self.assertEqual(run.json()["figures"]["imports"]["repaired"], 2, str(run))
        self.assertEqual(self.issued(), 2)
        self.check_everywhere(fleet)

    def test_what_is_wrong_with_a_profile_shows_before_anything_is_sent(self):
        fleet = self.fleet("wrong", 1)
        fleet.defaults["deploy"].append({"acm": {"profile": "tow", "region": "us-east-1"}})
        for command in ("check", "run"):
            run = fleet.start(command=command, env=self.env).wait(30)
            self.assert_code(run, 2)
            self.assertIn("tow", run.err)
            self.assertIn("two", run.err)
        self.assertEqual((self.aws.calls, self.issued()), ([], 0))


if __name__ == "__main__":
    unittest.main()
