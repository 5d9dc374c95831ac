"""The README's AWS section, as an operator does it: its files and all its commands, as they stand, with
the real AWS CLI. certmill's key may do exactly what the policy allows that the section has AWS keep."""

import json
import os
import re
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness.aws import ACCOUNT, AWS_CLI, Aws  # noqa: E402
from harness.case import Case  # noqa: E402
from harness.certmill import environment, program  # noqa: E402
from harness.check import openssl  # noqa: E402
from harness.load_ca import LoadCa  # noqa: E402
from harness.zone_dns import ZoneDns  # noqa: E402

README = (Path(__file__).resolve().parents[2] / "README.md").read_text()
SECTION = re.search(r"^## AWS\n.*?(?=^## )", README, re.MULTILINE | re.DOTALL).group(0)
SHOP = "222222222222"
# Compares a forecast with a run; tests/servers/test_bench_aws.py does that.
ELSEWHERE = {"bench/aws"}

# `aws configure` asks: the answers are in a file. Debian 12's CLI does not know AWS_ENDPOINT_URL.
AWS = """#!/bin/sh
if [ "$1" = configure ]; then
    exec {cli} "$@" <"{answers}/${{3:-default}}"
fi
exec {cli} --endpoint-url "$AWS_ENDPOINT_URL" "$@"
"""
# The state folder of commands without a manifest is the system's.
CERTMILL = """#!/bin/sh
case $1 in
check | aws) exec {program} "$@" ;;
*) exec {program} "$@" --state {state} ;;
esac
"""


def blocks(language, text=SECTION):
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def script(block):
    """A block without comments and what runs elsewhere."""
    lines = [re.sub(r"(^|\s+)#.*", "", line).rstrip() for line in block.splitlines()]
    return "\n".join(line for line in lines if line and line not in ELSEWHERE)


class AwsReadmeTest(Case):
    deadline_s = 240

    def setUp(self):
        super().setUp()
        self.aws = self.enterContext(Aws(self.folder / "aws"))
        self.dns = self.enterContext(ZoneDns(self.aws, [ACCOUNT]))
        self.prod = self.aws.key(ACCOUNT, "certmill", allowed=set())
        self.shop = self.aws.key(SHOP, "certmill", allowed=set())
        self.home, self.state = self.folder / "home", self.folder / "state"
        self.write("aws", AWS.format(cli=AWS_CLI, answers=self.folder / "answers"), "bin", 0o755)
        self.write("certmill", CERTMILL.format(program=program(), state=self.state), "bin", 0o755)
        for profile, key, region in (("default", self.aws.default_key, "us-east-1"),
                                     ("prod", self.prod, "us-east-1"),
                                     ("shop", self.shop, "eu-central-1")):
            self.write(profile, f"{key.key_id}\n{key.secret}\n{region}\njson\n", "answers")
        self.write_files()
        self.env = environment({
            "HOME": str(self.home), "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "AWS_ENDPOINT_URL": self.aws.url, "AWS_EC2_METADATA_DISABLED": "true", "AWS_PAGER": ""})

    def write(self, name, text, folder="home", mode=0o600):
        path = self.folder / folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def write_files(self):
        """What must differ from the operator's: where the CAs are, and the DNS."""
        text = README[README.index("`acme_accounts.yaml`:"):]
        accounts = blocks("yaml", text)[0]
        binding = re.search(r'eab-key: "(.*?)"', accounts).group(1) + ":" + \
            re.search(r'eab-hmac-key: "(.*?)"', accounts).group(1)
        first = self.enterContext(LoadCa(self.folder / "ca", "--prevalidated", "--no-tls", "--eab",
                                         binding, "--eab-once"))
        second = self.enterContext(LoadCa(self.folder / "ca-dns", "--no-tls", "--dns",
                                          self.dns.address))
        here = iter([first.directory, second.directory])
        accounts = re.sub(r'(?<=acme-endpoint: ").*?(?=")', lambda _: next(here), accounts)
        self.write("acme_accounts.yaml", accounts)
        manifest = blocks("yaml")[0]
        solver = "{route53: {profile: prod}}"
        self.assertEqual(manifest.count(solver), 1)
        resolver = f'{{route53: {{profile: prod, resolver: "{self.dns.address}"}}}}'
        self.write("aws.yaml", manifest.replace(solver, resolver))

    def do(self, text):
        done = subprocess.run(["/bin/bash", "-euo", "pipefail", "-c", text], cwd=self.home,
                              env=self.env, text=True, timeout=120, stdin=subprocess.DEVNULL,
                              capture_output=True)
        self.assertEqual(done.returncode, 0, f"{text}:\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def allow(self):
        """What the policy in IAM allows, for prod; what is printed for shop, for shop."""
        rows = self.aws.cli("iam", "list-policies", "--scope", "Local")["Policies"]
        policy, = [row for row in rows if row["PolicyName"] == "certmill"]
        version = self.aws.cli("iam", "get-policy-version", "--policy-arn", policy["Arn"],
                               "--version-id", policy["DefaultVersionId"])
        kept = version["PolicyVersion"]["Document"]
        printed = {profile: json.loads(self.do(f"certmill aws policy aws.yaml --profile {profile}"))
                   for profile in ("prod", "shop")}
        self.assertEqual(kept, printed["prod"])
        self.assertEqual(kept, json.loads(blocks("json")[0]))
        for key, policy in ((self.prod, kept), (self.shop, printed["shop"])):
            key.allowed = {action for statement in policy["Statement"]
                           for action in statement["Action"]}

    def held(self, profile, arn):
        region = arn.split(":")[3]
        key = {"prod": self.aws.key(ACCOUNT), "shop": self.aws.key(SHOP)}[profile]
        detail = self.aws.cli("acm", "describe-certificate", "--certificate-arn", arn,
                              env=self.aws.env(key, region=region))
        return detail["Certificate"]["Serial"].replace(":", "").lower().lstrip("0")

    def check_imports(self, name, count):
        row, = [row for row in json.loads(self.do("certmill list --json")) if row["name"] == name]
        self.assertEqual((row["status"], len(row["imports"])), ("issued", count))
        serial = openssl("x509", "-in", self.state / "live" / name / "cert.pem", "-noout", "-serial")
        serial = serial.strip().removeprefix("serial=").lower().lstrip("0")
        for place in row["imports"]:
            self.assertEqual(self.held(place["profile"], place["arn"]), serial)
        return row

    def test_every_command(self):
        profiles, setup, fleet, single, *rest = [script(block) for block in blocks("sh")]
        self.assertEqual([text for text in rest if text], [])
        self.assertEqual(self.do(profiles).count("PROBLEM"), 0)
        self.do(setup)
        self.allow()
        self.aws.cli("route53", "create-hosted-zone", "--name", "example.com", "--caller-reference", "1")
        self.do(fleet)
        for name in ("www", "wild"):
            self.check_imports(name, 3)
        enroll, _, after = single.partition("\ncertmill list ")
        self.do(enroll)
        arn = self.check_imports("api.example.com", 1)["imports"][0]["arn"]
        self.env["ARN"] = arn
        shown = self.do(f"certmill list {after}")
        self.assertIn(arn, shown)
        self.assertEqual(self.check_imports("api.example.com", 1)["imports"][0]["arn"], arn)
        self.aws.assert_signed(self)
        self.assertEqual([call.operation for call in self.aws.called(outcome="refused")], [])

    def test_commands_within_the_text(self):
        """Their options are those of the command."""
        prose = re.sub(r"^```.*?^```", "", SECTION, flags=re.MULTILINE | re.DOTALL)
        found = re.findall(r"`certmill ([a-z]+)(.*?)`", prose, re.DOTALL)
        self.assertLessEqual({"enroll", "renew", "adopt", "aws"}, {command for command, _ in found})
        for command, more in found:
            text = self.do(f"certmill {command} --help")
            for option in re.findall(r"--[a-z]+(?:-[a-z]+)*", more):
                self.assertIn(f"{option} ", text, f"certmill {command}{more}")


if __name__ == "__main__":
    unittest.main()
