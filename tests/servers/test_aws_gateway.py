"""The gateway in front of moto must take what the real AWS CLI sends, and refuse what AWS would."""

import base64
import datetime
import http.client
import json
import re
import sys
import time
import unittest
import urllib.error
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from botocore.auth import S3SigV4Auth, SigV4Auth  # noqa: E402
from botocore.awsrequest import AWSRequest  # noqa: E402
from botocore.credentials import Credentials  # noqa: E402
from cryptography import x509  # noqa: E402
from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec  # noqa: E402

from harness.aws import ACCOUNT, Aws  # noqa: E402
from harness.case import Case  # noqa: E402


class TwiceEncoding(S3SigV4Auth):
    """Right for every service but S3."""

    def _normalize_url_path(self, path):
        return SigV4Auth._normalize_url_path(self, path)


class GatewayTest(Case):
    def setUp(self):
        super().setUp()
        self.aws = Aws(self.folder / "aws")
        self.addCleanup(self.aws.stop)

    def call(self, operation, body, key=None, region="us-east-1", url=None, service="acm", spoil=None):
        """One ACM call signed by botocore; returns (status, parsed body)."""
        key = key or self.aws.default_key
        request = AWSRequest("POST", (url or self.aws.url) + "/", data=json.dumps(body).encode(),
                             headers={"Content-Type": "application/x-amz-json-1.1",
                                      "X-Amz-Target": f"CertificateManager.{operation}"})
        SigV4Auth(Credentials(key.key_id, key.secret, key.token or None), service,
                  region).add_auth(request)
        headers = dict(request.headers.items())
        if spoil:
            spoil(headers)
        try:
            with urllib.request.urlopen(urllib.request.Request(
                    request.url, request.data, headers, method="POST"), timeout=10) as answer:
                return answer.status, json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as answer:
            return answer.code, json.loads(answer.read())

    def test_what_the_aws_cli_sends_is_taken(self):
        aws = self.aws
        aws.cli("s3", "mb", "s3://accounts")
        aws.cli("s3", "cp", "-", "s3://accounts/a folder/b+c ä.yaml", data="Accounts: {}")
        self.assertIn("Accounts", aws.cli("s3", "cp", "s3://accounts/a folder/b+c ä.yaml", "-"))
        self.assertEqual(aws.cli("sts", "get-caller-identity")["Account"], ACCOUNT)
        zone = aws.cli("route53", "create-hosted-zone", "--name", "example.com",
                       "--caller-reference", "1")["HostedZone"]["Id"].rpartition("/")[2]
        aws.behaviour.pending = 1
        batch = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": {
            "Name": "_acme-challenge.example.com", "Type": "TXT", "TTL": 60,
            "ResourceRecords": [{"Value": '"a"'}, {"Value": '"b"'}]}}]}
        change = aws.cli("route53", "change-resource-record-sets", "--hosted-zone-id", zone,
                         "--change-batch", json.dumps(batch))["ChangeInfo"]
        states = [change["Status"]] + [
            aws.cli("route53", "get-change", "--id", change["Id"])["ChangeInfo"]["Status"]
            for _ in range(2)]
        self.assertEqual(states, ["PENDING", "PENDING", "INSYNC"])
        self.assertEqual(aws.cli("acm", "list-certificates"), {"CertificateSummaryList": []})
        tls = aws.cli("sts", "get-caller-identity", env=aws.env(tls=True))
        self.assertEqual(tls["Account"], ACCOUNT)
        aws.assert_signed(self)
        self.assertTrue(aws.called(service="sts", https=True))
        self.assertTrue(all(call.outcome == "ok" for call in aws.calls), aws.calls)

    def test_accounts_are_apart_and_roles_lead_from_one_to_the_other(self):
        aws = self.aws
        other = aws.key("999988887777", "ops")
        role = "arn:aws:iam::111122223333:role/certmill"
        aws.roles = {role: {"trusted": {"999988887777"}, "external_id": "xyz"}}
        env = aws.profiles(self.folder / "home", {
            "ops": {"region": "us-east-1", "key": other},
            "cross": {"region": "eu-west-1", "role_arn": role, "source_profile": "ops",
                      "external_id": "xyz"},
            "stranger": {"region": "eu-west-1", "role_arn": role, "source_profile": "ops"}})
        # This CLI knows no AWS_ENDPOINT_URL, so that --endpoint-url goes for STS as well.
        whoami = aws.cli("sts", "get-caller-identity", "--profile", "ops", env=env)
        self.assertEqual(whoami["Account"], "999988887777")
        made = aws.cli("sts", "assume-role", "--role-arn", role, "--role-session-name", "session",
                       "--external-id", "xyz", "--profile", "ops", env=env)["Credentials"]
        assumed = aws.assumed_keys()
        self.assertEqual([made["AccessKeyId"]], [key.key_id for key in assumed])
        self.assertEqual(aws.cli("acm", "list-certificates", env=aws.env(assumed[0])),
                         {"CertificateSummaryList": []})
        self.assertEqual(aws.called(operation="ListCertificates")[0].account, "111122223333")
        refused = aws.cli("sts", "assume-role", "--role-arn", role, "--role-session-name", "session",
                          "--profile", "ops", env=env, check=False)
        self.assertIn("is not authorized to perform: sts:AssumeRole", refused.stderr)
        aws.expire(assumed[0])
        late = aws.cli("acm", "list-certificates", env=aws.env(assumed[0]), check=False)
        self.assertIn("ExpiredTokenException", late.stderr)
        aws.assert_signed(self)

    def test_wrong_signatures_are_refused(self):
        key = self.aws.default_key
        wrong = type(key)(key.key_id, "wrong", key.account, key.arn)
        self.assertEqual(self.call("ListCertificates", {})[0], 200)

        def without_target(headers):
            headers["Authorization"] = headers["Authorization"].replace(";x-amz-target", "")

        def without_any(headers):
            del headers["Authorization"]

        def other_body(headers):
            headers["X-Amz-Target"] = "CertificateManager.DeleteCertificate"
        for what, code, more in (
                ("secret", "InvalidSignatureException", {"key": wrong}),
                ("unsigned header", "InvalidSignatureException", {"spoil": without_target}),
                ("no signature", "MissingAuthenticationTokenException", {"spoil": without_any}),
                ("changed", "InvalidSignatureException", {"spoil": other_body}),
                ("service", "InvalidSignatureException", {"service": "s3"}),
                ("region", "InvalidSignatureException",
                 {"url": self.aws.listen(region="eu-west-1").url})):
            with self.subTest(what):
                before = len(self.aws.bad_signatures)
                status, body = self.call("ListCertificates", {}, **more)
                self.assertEqual((status, body["__type"]), (400, code))
                self.assertEqual(len(self.aws.bad_signatures), before + 1)
        with self.assertRaises(AssertionError):
            self.aws.assert_signed(self)

    def get(self, path, signer=S3SigV4Auth, spoil=None):
        """The status of a GET of S3, whose path is signed and sent as it stands."""
        key = self.aws.default_key
        request = AWSRequest("GET", self.aws.url + path)
        signer(Credentials(key.key_id, key.secret), "s3", "us-east-1").add_auth(request)
        headers = dict(request.headers.items())
        if spoil:
            spoil(headers)
        connection = http.client.HTTPConnection(self.aws.url.partition("//")[2], timeout=10)
        try:
            connection.request("GET", path, headers=headers)
            return connection.getresponse().status
        finally:
            connection.close()

    def test_paths_count_as_s3_encodes_them(self):
        self.aws.cli("s3", "mb", "s3://accounts")
        self.aws.cli("s3", "cp", "-", "s3://accounts/a+b c", data="x")

        def without_hash(headers):
            del headers["X-Amz-Content-SHA256"]

        def tomorrow(headers):
            headers["Authorization"] = re.sub(r"/\d{8}/", "/20991231/", headers["Authorization"])
        self.assertEqual(self.get("/accounts/a%2Bb%20c"), 200)
        for path, more in (("/accounts/a+b%20c", {}), ("/accounts/a%2bb%20c", {}),
                           ("/accounts/a%2Bb%20c", {"signer": TwiceEncoding}),
                           ("/accounts/a%2Bb%20c", {"spoil": without_hash}),
                           ("/accounts/a%2Bb%20c", {"spoil": tomorrow}),
                           ("/accounts/a%2Bb%20c?x=a+b", {})):
            with self.subTest(path=path, **more):
                self.assertIn(self.get(path, **more), (400, 403))

    def test_the_clock_counts(self):
        for offset_s, words in ((16 * 60, "Signature expired"), (-16 * 60, "not yet current")):
            self.aws.clock_offset_s = offset_s
            status, body = self.call("ListCertificates", {})
            self.assertEqual((status, body["__type"]), (400, "InvalidSignatureException"))
            self.assertIn(words, body["message"])
        self.aws.assert_signed(self)  # a clock is no wrong signature

    def test_faults_quotas_and_permissions(self):
        aws = self.aws
        fault = aws.fault("throttle", service="acm", count=1)
        self.assertEqual(self.call("ListCertificates", {}),
                         (400, {"__type": "ThrottlingException", "message": "Rate exceeded"}))
        self.assertEqual(self.call("ListCertificates", {})[0], 200)
        self.assertEqual(fault.hits, 1)
        aws.fault("cut-before", operation="ListCertificates", region="eu-west-1", count=1)
        with self.assertRaises((urllib.error.URLError, ConnectionError)):
            self.call("ListCertificates", {}, region="eu-west-1")
        aws.quota("acm", "ListCertificates", per_second=0.001, burst=2)
        answers = [self.call("ListCertificates", {})[0] for _ in range(3)]
        self.assertEqual(answers, [200, 200, 400])
        self.assertEqual(self.call("ListCertificates", {}, region="eu-central-1")[0], 200)
        poor = aws.key(user="poor", allowed={"acm:ListCertificates"})
        status, body = self.call("DescribeCertificate", {"CertificateArn": "arn:x"}, poor)
        self.assertEqual((status, body["__type"]), (400, "AccessDeniedException"))
        self.assertIn("user/poor is not authorized to perform: acm:DescribeCertificate on resource: "
                      "arn:x", body["message"])
        down = aws.listen(region="us-east-1")
        self.assertEqual(self.call("ListTagsForCertificate", {"CertificateArn": "a"},
                                   url=down.url)[0], 400)
        down.down()
        with self.assertRaises(urllib.error.URLError):
            self.call("ListCertificates", {}, url=down.url)
        down.up()
        self.assertEqual(self.call("ListCertificates", {}, url=down.url)[0], 400)  # the quota
        silent = aws.fault("silent", operation="ListTagsForCertificate", count=1)
        begin = time.monotonic()
        aws.fault("slow", operation="ListTagsForCertificate", seconds=0.01, count=1)
        silent.release()
        self.call("ListTagsForCertificate", {"CertificateArn": "a"})
        self.assertGreater(time.monotonic(), begin)

    def certificate(self, names, common_name=None):
        """(leaf, chain, key) as ImportCertificate takes them; without a common name, as most CAs
        issue them today."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.timezone.utc)
        ca_key = ec.generate_private_key(ec.SECP256R1())
        ca_name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Test CA")])

        def sign(subject, public_key, *extensions):
            builder = x509.CertificateBuilder(
                issuer_name=ca_name, subject_name=subject, public_key=public_key,
                serial_number=x509.random_serial_number(), not_valid_before=now,
                not_valid_after=now + datetime.timedelta(days=9))
            for extension in extensions:
                builder = builder.add_extension(extension, False)
            return builder.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)]
                            if common_name else [])
        leaf = sign(subject, key.public_key(),
                    x509.SubjectAlternativeName([x509.DNSName(name) for name in names]))
        pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                serialization.NoEncryption())
        return [base64.b64encode(each).decode()
                for each in (leaf, sign(ca_name, ca_key.public_key()), pem)]

    def test_acm_is_as_documented_where_moto_is_not(self):
        leaf, chain, key = self.certificate(["a.example", "b.example"])
        body = {"Certificate": leaf, "CertificateChain": chain, "PrivateKey": key}
        status, made = self.call("ImportCertificate", body)
        self.assertEqual(status, 200, made)
        arn = made["CertificateArn"]
        self.assertEqual(self.call("ImportCertificate", {**body, "CertificateArn": arn})[1], made)
        again = self.call("ImportCertificate", {**body, "CertificateArn": arn,
                                                "Tags": [{"Key": "a", "Value": "b"}]})
        self.assertEqual((again[0], again[1]["__type"]), (400, "ValidationException"))
        _, _, other_key = self.certificate(["a.example"])
        for wrong in ({"PrivateKey": other_key}, {"CertificateChain": leaf},
                      {"PrivateKey": base64.b64encode(b"x" * 6000).decode()}):
            status, refused = self.call("ImportCertificate", {**body, **wrong})
            self.assertEqual((status, refused["__type"]), (400, "ValidationException"))
        detail = self.call("DescribeCertificate", {"CertificateArn": arn})[1]["Certificate"]
        self.assertEqual((detail["DomainName"], detail["KeyAlgorithm"], detail["Type"]),
                         ("a.example", "EC_prime256v1", "IMPORTED"))
        self.assertRegex(detail["Serial"], "^([0-9a-f]{2}:)+[0-9a-f]{2}$")
        self.assertEqual(self.call("ListCertificates", {})[1], {"CertificateSummaryList": []})
        for _ in range(4):
            self.call("ImportCertificate", body)
        self.aws.behaviour.page_size = 2
        asked, arns = {"Includes": {"keyTypes": ["EC_prime256v1"]}}, []
        for _ in range(3):
            page = self.call("ListCertificates", asked)[1]
            arns += [row["CertificateArn"] for row in page["CertificateSummaryList"]]
            asked["NextToken"] = page.get("NextToken")
        self.assertIsNone(asked["NextToken"])
        self.assertEqual(len(set(arns)), 5)
        self.assertNotIn(key, str(self.aws.calls))
        self.aws.assert_signed(self)


if __name__ == "__main__":
    unittest.main()
