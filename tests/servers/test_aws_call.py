"""certmill's calls of AWS, by the accounts file on S3: the real AWS CLI makes the bucket and puts
the file there; what can go wrong on the way is made to, and each error says what to do."""

import json
import os
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness.aws import ACCOUNT, Aws  # noqa: E402
from harness.case import Case  # noqa: E402
from harness.certmill import Started  # noqa: E402
from harness.fleet import account  # noqa: E402
from harness.load_ca import LoadCa  # noqa: E402

SECRET_HMAC = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
ACCOUNTS = f"""accounts:
  scm_demo:
    - acme-endpoint: "https://acme.demo.sectigo.com"
      eab-hmac-key: "{SECRET_HMAC}"
      eab-key: "dfd846050852841ffaaf87cfa64b53e1"
      email: ops@example.com
      RenewBeforeDays: 30
      KeyType: RSA
      KeySize: 2048
"""
KEY = "acme accounts/a+b ä%20.yaml"
PASSING = "it cannot be fetched at the moment, which may pass: try again later"
URL = f"s3://connector-accounts/{KEY}"


class S3Case(Case):
    def setUp(self):
        super().setUp()
        self.aws = Aws(self.folder / "aws")
        self.addCleanup(self.aws.stop)
        self.manifest = self.folder / "fleet.yaml"
        self.manifest.write_text("version: 1\ncertificates: []\n")

    def put(self, text=ACCOUNTS, bucket="connector-accounts", key=KEY, region="us-east-1"):
        if not self.aws.called(operation="CreateBucket", target=f"/{bucket}"):
            self.aws.cli("s3", "mb", f"s3://{bucket}", region=region)
        self.aws.cli("s3", "cp", "-", f"s3://{bucket}/{key}", data=text, region=region)

    def list(self, *more, env=None, url=URL):
        arguments = ["accounts", "list", self.manifest, "--state", self.folder / "state", "--json",
                     *more]
        if url:
            arguments += ["--accounts", url]
        run = Started(arguments, self.folder, env=env or self.aws.env()).wait(60)
        for key in self.aws.keys.values():
            for secret in (key.secret, key.token, SECRET_HMAC):
                if secret:
                    self.assertNotIn(secret, run.out + run.err)
        return run

    def assert_refused(self, run, *words):
        self.assert_code(run, 2)
        for word in words:
            self.assertIn(word, run.err)
        self.assertEqual(run.out, "")


class AccountsOnS3Test(S3Case):
    def test_the_file_that_the_cli_wrote_is_read(self):
        self.put()
        etag = self.aws.cli("s3api", "head-object", "--bucket", "connector-accounts", "--key",
                            KEY)["ETag"]
        run = self.list()
        self.assert_code(run, 0)
        account, = run.json()
        self.assertEqual((account["alias"], account["key"], account["file"], account["etag"]),
                         ("scm_demo", "RSA-2048", URL, etag))
        self.manifest.write_text(f"version: 1\naccounts: '{URL}'\ncertificates: []\n")
        by_manifest = self.list(url=None, env=self.aws.env(tls=True))  # trust: AWS_CA_BUNDLE
        self.assertEqual(by_manifest.json(), run.json())
        self.assertTrue(self.aws.called(operation="GetObject", https=True))
        self.aws.assert_signed(self)
        for path in self.folder.rglob("*"):
            if path.is_file() and "aws" not in path.relative_to(self.folder).parts[:1]:
                self.assertNotIn(SECRET_HMAC.encode(), path.read_bytes(), path)

    def test_odd_buckets_and_keys(self):
        for bucket, key in (("my.bucket.example", "k"), ("abc", "a//b/../c"), ("abc", "x?y&z=#")):
            with self.subTest(bucket=bucket, key=key):
                self.put(bucket=bucket, key=key)
                self.assert_code(self.list(url=f"s3://{bucket}/{key}"), 0)
        for url in ("s3://", "s3://bucket", "s3://bucket/", "s3:///key"):
            self.assert_refused(self.list(url=url), "s3://BUCKET/KEY")
        self.aws.assert_signed(self)

    def test_a_profile_with_token_and_one_with_a_role(self):
        self.put()
        key = self.aws.key(token="FwoGZXIvYXdzE/+=token")
        role = f"arn:aws:iam::{ACCOUNT}:role/certmill"
        self.aws.roles = {role: {}}
        env = self.aws.profiles(self.folder / "home", {
            "default": {"region": "eu-west-1"}, "accounts": {"region": "us-east-1", "key": key},
            "role": {"role_arn": role, "source_profile": "accounts", "region": "us-east-1"}})
        self.assert_code(self.list("--profile", "accounts", env=env), 0)
        self.assert_code(self.list("--profile", "role", env=env), 0)
        self.assert_refused(self.list("--profile", "acounts", env=env), "acounts", "accounts")
        users = {call.key_id for call in self.aws.called(operation="GetObject")}
        self.assertEqual(users, {key.key_id, self.aws.assumed_keys()[0].key_id})
        self.aws.assert_signed(self)

    def test_the_buckets_region_is_found(self):
        self.put(region="eu-central-1")
        run = self.list(env=self.aws.env(region="us-east-1"))
        self.assert_code(run, 0)
        gets = [(call.region, call.status) for call in self.aws.called(operation="GetObject")]
        self.assertEqual(gets, [("us-east-1", 301), ("eu-central-1", 200)])
        self.assert_code(self.list(env=self.aws.env(region=None)), 0)
        self.assert_code(self.list("--region", "eu-central-1",
                                   env=self.aws.env(region="us-east-1")), 0)
        self.aws.assert_signed(self)

    def test_a_run_says_that_the_file_has_changed(self):
        self.put()
        command = ["run", self.manifest, "--accounts", URL, "--state", self.folder / "state"]

        def run():
            return Started(command, self.folder, env=self.aws.env()).wait(60)
        first, same = run(), run()
        self.put(ACCOUNTS.replace("30", "20"))
        other = run()
        for each in (first, same, other):
            self.assert_code(each, 0)
        self.assertNotIn("has changed", first.err + same.err)
        self.assertIn(f"{URL} has changed since the last run", other.err)
        kept = json.loads((self.folder / "state" / "accounts.etag").read_text())
        self.assertEqual(kept["file"], URL)


class EnrollTest(S3Case):
    def test_later_runs_fetch_the_file_with_the_profile_of_the_enrolment(self):
        """The default profile may not read it, and a timer gives no --profile."""
        ca = LoadCa(self.folder / "ca")
        self.addCleanup(ca.stop)
        self.put(json.dumps({"accounts": {"scm_demo": [account(ca.directory)]}}))
        env = self.aws.profiles(self.folder / "home", {
            "default": {"region": "us-east-1", "key": self.aws.key(user="poor", allowed=set())},
            "accounts": {"region": "us-east-1", "key": self.aws.default_key},
            "other": {"region": "us-east-1", "key": self.aws.key(user="other", allowed=set())}})
        state = self.folder / "state"

        def certmill(*arguments):
            run = Started([*arguments, "--state", state, "--ca-file", ca.ca_file], self.folder,
                          env=env).wait(60)
            self.assert_code(run, 0)
        enroll = ["enroll", "--account", "scm_demo", "--no-import", "--accounts", URL]
        certmill(*enroll, "--domains", "a.example.com", "--profile", "accounts")
        certmill(*enroll, "--domains", "b.example.com", "--profile", "other")
        certmill("run", state / "enrolled.yaml")
        users = {call.key_id for call in self.aws.called(operation="GetObject")}
        self.assertEqual(users, {self.aws.default_key.key_id})
        for profile, wanted in (("accounts", True), ("other", False)):
            policy = Started(["aws", "policy", state / "enrolled.yaml", "--profile", profile],
                             self.folder, env=env).wait(60)
            self.assertEqual("s3:GetObject" in policy.out, wanted)


class FailuresTest(S3Case):
    def test_what_is_not_there(self):
        self.assert_refused(self.list(), 'there is no bucket "connector-accounts"', "NoSuchBucket")
        self.put()
        self.assert_refused(self.list(url="s3://connector-accounts/none"),
                            'the bucket has no key "none"')
        self.put("accounts: [\n")
        self.assert_refused(self.list(), URL)
        self.put("")
        self.assert_refused(self.list(), URL)
        self.put("#" * (4 * 1024 * 1024 + 1))
        self.assert_refused(self.list(), "4 MiB")

    def test_who_may_not(self):
        self.put()
        aws = self.aws
        poor = aws.key(user="poor", allowed=set())
        self.assert_refused(self.list(env=aws.env(poor)), "add the IAM action s3:GetObject",
                            "user/poor is not authorized to perform: s3:GetObject")
        self.assertEqual(aws.count(operation="GetObject", code="AccessDenied"), 1)
        self.assertEqual(aws.bad_signatures, [])
        env = aws.env()
        wrong = self.list(env={**env, "AWS_SECRET_ACCESS_KEY": "wrong"})
        self.assert_refused(wrong, "the secret access key is not that of access key "
                            + aws.default_key.key_id)
        self.assertEqual(len(aws.bad_signatures), 1)  # not tried again
        unknown = self.list(env={**env, "AWS_ACCESS_KEY_ID": "AKIAUNKNOWN00000000"})
        self.assert_refused(unknown, "AWS does not know access key AKIAUNKNOWN00000000")
        nobody = self.list(env=aws.env(key=False))
        self.assert_refused(nobody, "accounts file")

    def test_expired_credentials_are_fetched_anew_once(self):
        self.put()
        aws = self.aws
        late = aws.key(token="late", expires_at=1)
        run = self.list(env=aws.env(late))
        self.assert_refused(run, "the keys themselves have expired (ExpiredToken, access key " + late.key_id,
                            "the environment has no others: sign in anew")
        self.assertEqual(aws.count(operation="GetObject", code="ExpiredToken"), 1)
        # A role's are: its first ones have already expired.
        role = f"arn:aws:iam::{ACCOUNT}:role/certmill"
        aws.fault("reply", operation="GetObject", code="expired", count=1)
        env = aws.profiles(self.folder / "home", {
            "default": {"region": "us-east-1", "role_arn": role, "source_profile": "base"},
            "base": {"key": aws.default_key}})
        self.assert_code(self.list(env=env), 0)
        self.assertEqual(aws.count(operation="AssumeRole"), 2)
        aws.assert_signed(self)

    def test_a_wrong_clock_is_corrected_by_the_servers(self):
        self.put()
        for minutes, words in ((16, "behind"), (-200, "ahead")):
            self.aws.clock_offset_s = minutes * 60
            before = self.aws.count(operation="GetObject")
            self.assert_code(self.list(), 0)
            codes = [call.code for call in self.aws.called(operation="GetObject")[before:]]
            self.assertEqual(codes, ["RequestTimeTooSkewed", ""])
            self.aws.fault("reply", operation="GetObject", code="RequestTimeTooSkewed",
                           status=403, message="too large")
            self.assert_refused(self.list(), words, "RequestTimeTooSkewed")
            self.aws.clear_faults()
        self.aws.assert_signed(self)

    def test_what_passes_is_waited_for(self):
        self.put()
        for fault in ({"kind": "throttle"}, {"kind": "error"}, {"kind": "unavailable"},
                      {"kind": "cut-before"}, {"kind": "cut-after"},
                      {"kind": "throttle", "headers": {"Retry-After": "1"}},
                      {"kind": "reply", "answer": (502, {}, b"<html>Bad Gateway</html>")}):
            with self.subTest(**fault):
                rule = self.aws.fault(**fault, operation="GetObject", count=1)
                self.assert_code(self.list(), 0)
                self.assertEqual(rule.hits, 1)
        lasting = self.aws.fault("throttle", operation="GetObject")
        self.assert_refused(self.list(), "throttled", "SlowDown", "reduce your request rate",
                            PASSING)
        self.assertEqual(lasting.hits, 4)
        self.aws.clear_faults()
        self.aws.fault("error", operation="GetObject")
        self.assert_refused(self.list(), "HTTP 500 in 4 attempts", "InternalError", PASSING)
        self.aws.assert_signed(self)

    def test_nobody_there(self):
        down = self.aws.listen()
        down.down()
        self.assert_refused(self.list(env=self.aws.env(url=down.url)), "cannot be reached",
                            "nothing was sent", PASSING)
        distrusted = self.aws.env(tls=True)
        del distrusted["AWS_CA_BUNDLE"]
        run = self.list(env=distrusted)
        self.assert_refused(run, "AWS_CA_BUNDLE")
        self.assertNotIn(PASSING, run.err)
        self.assertEqual(self.aws.count(), 0)

    def test_hostile_answers(self):
        for body in (b"<Error><Code>" + b"A" * 9000 + b"</Code>", b"<!DOCTYPE a>", b"{" * 5000,
                     b"\x1b[31m<Error><Code>\x1b</Code></Error>", b"<a>" * 9000):
            self.aws.fault("reply", operation="GetObject", count=1,
                           answer=(400, {"Content-Type": "application/xml"}, body))
            run = self.list()
            self.assert_refused(run, "accounts file")
            self.assertNotIn("\x1b", run.err)
        self.aws.fault("reply", operation="GetObject", answer=(200, {}, b"x" * (9 << 20)))
        self.assert_refused(self.list(), "larger")


if __name__ == "__main__":
    os.umask(0o022)
    unittest.main()
