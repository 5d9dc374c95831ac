"""Every signature that certmill makes must be botocore's: random requests, signed by both."""

import hashlib
import json
import os
import random
import subprocess
import sys
import time
import unittest
from pathlib import Path
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from botocore.auth import S3SigV4Auth, SigV4Auth  # noqa: E402
from botocore.awsrequest import AWSRequest  # noqa: E402
from botocore.credentials import Credentials  # noqa: E402

from harness.case import Case  # noqa: E402
from harness.certmill import program  # noqa: E402

REQUESTS = 2000
PIECES = ["a", "Z", "9", "-", "_", ".", "~", "/", "//", "/./", "/../", "..", " ", "+", "%", "%2F",
          "%zz", "ä", "ሴ", "😀", "=", "&", "?", "#", ":", "@", "!", "*", "'", "(", ")", ",", ";",
          "\\", "\"", "<", "[", "]", "{", "|", "^", "`", "$", "\t"]


class SignTest(Case):
    def random_request(self, rng):
        def text(most):
            return "".join(rng.choice(PIECES) for _ in range(rng.randrange(most)))
        service = rng.choice(["s3", "s3", "acm", "route53", "sts"])
        names = [text(5) for _ in range(3)] + ["prefix"]
        return {
            "method": rng.choice(["GET", "POST", "PUT", "HEAD"]),
            "host": rng.choice(["a.amazonaws.com", "127.0.0.1:8080", "[::1]:443"]),
            "path": rng.choice(["", "/", "/" + text(12), "/" + text(12), "/" + text(3) * 9]),
            "query": [[rng.choice(names), text(6)] for _ in range(rng.randrange(6))],
            "content_type": rng.choice(["", "application/x-amz-json-1.1", " text/xml;   a=b  "]),
            "target": rng.choice([None, "CertificateManager.ImportCertificate"]),
            "body": text(30),
            "service": service,
            "region": rng.choice(["us-east-1", "eu-west-1", "cn-north-1"]),
            "now": rng.randrange(1, 4102444800),
            "key_id": "AKIA" + "".join(rng.choices("ABCDEFGH234567", k=16)),
            "secret": "".join(rng.choices("abcXYZ019+/=", k=rng.randrange(1, 80))),
            "token": rng.choice([None, "FwoG+/=" + text(3).strip() * 40 or None]),
        }

    @staticmethod
    def by_botocore(request):
        """(what goes into the request line, Authorization)"""
        target = quote(request["path"] or "/", safe="/~")
        pairs = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~"))
                       for name, value in request["query"])
        if pairs:
            target += "?" + "&".join(f"{name}={value}" for name, value in pairs)
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(request["now"]))
        body = request["body"].encode()
        headers = {"Host": request["host"], "X-Amz-Date": stamp}
        if request["content_type"]:
            headers["Content-Type"] = request["content_type"]
        if request["target"]:
            headers["X-Amz-Target"] = request["target"]
        if request["token"]:
            headers["X-Amz-Security-Token"] = request["token"]
        if request["service"] == "s3":
            headers["X-Amz-Content-SHA256"] = hashlib.sha256(body).hexdigest()
        again = AWSRequest(request["method"], f"https://{request['host']}{target}", headers, body)
        again.context["timestamp"] = stamp
        kind = S3SigV4Auth if request["service"] == "s3" else SigV4Auth
        signer = kind(Credentials(request["key_id"], request["secret"], request["token"]),
                      request["service"], request["region"])
        signature = signer.signature(
            signer.string_to_sign(again, signer.canonical_request(again)), again)
        signer._inject_signature_to_request(again, signature)
        return target, again.headers["Authorization"]

    def test_signatures_are_botocores(self):
        rng = random.Random(4)
        requests = [self.random_request(rng) for _ in range(REQUESTS)]
        signer = os.path.join(os.path.dirname(program()), "test_aws_sign")
        done = subprocess.run([signer, "--sign"], capture_output=True, text=True, timeout=60,
                              input="".join(json.dumps(each) + "\n" for each in requests))
        self.assertEqual(done.returncode, 0, done.stderr)
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual(len(answers), REQUESTS)
        for request, answer in zip(requests, answers):
            target, authorization = self.by_botocore(request)
            self.assertEqual((answer["target"], answer["authorization"]), (target, authorization),
                             request)


if __name__ == "__main__":
    unittest.main()
