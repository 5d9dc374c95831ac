"""Profiles must mean to certmill what they mean to the AWS CLI: a table of environments and files,
resolved by certmill and by the session of the AWS CLI itself; and what STS says of them."""

import functools
import json
import os
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness.aws import ACCOUNT, AWS_CLI, REPOSITORY, Aws  # noqa: E402
from harness.case import Case  # noqa: E402
from harness.certmill import Started, environment, program  # noqa: E402

KEYS = "aws_access_key_id = AKID{0}\naws_secret_access_key = secret{0}\n"
KEYS_A, KEYS_B, KEYS_C = (KEYS.format(name) for name in "ABC")
ENV_KEYS = {"AWS_ACCESS_KEY_ID": "AKIDENV", "AWS_SECRET_ACCESS_KEY": "secretENV"}
WEST, EAST = "region = eu-west-1\n", "region = us-east-1\n"
ROLE = "role_arn = arn:aws:iam::1:role/{0}\n"
REGION = {"AWS_REGION": "us-west-2"}
SERVICES = ("acm", "route53", "s3", "sts")

# name: (environment, ~/.aws/config, ~/.aws/credentials, profile named by an option or None)
TABLE = {
    "nothing at all": ({}, None, None, None),
    "the default profile": ({}, f"[default]\n{WEST}", f"[default]\n{KEYS_A}", None),
    "a named profile": ({}, f"[profile b]\n{WEST}", f"[b]\n{KEYS_B}", "b"),
    "credentials go before config": ({}, f"[profile b]\n{WEST}{KEYS_B}", f"[b]\n{KEYS_C}", "b"),
    "a region in the credentials file": ({}, f"[default]\n{WEST}", f"[default]\n{EAST}", None),
    "keys in the config file alone": ({}, f"[default]\n{KEYS_A}{WEST}", None, None),
    "keys of the environment": (ENV_KEYS, f"[default]\n{WEST}", f"[default]\n{KEYS_A}", None),
    "a session token": ({**ENV_KEYS, "AWS_SESSION_TOKEN": "T"}, None, None, None),
    "the token's old name": ({**ENV_KEYS, "AWS_SESSION_TOKEN": "T", "AWS_SECURITY_TOKEN": "O"},
                             None, None, None),
    "a token in the file": ({}, None, f"[default]\n{KEYS_A}aws_session_token = tok/en+=\n", None),
    "an option goes before the environment's keys":
        (ENV_KEYS, f"[profile b]\n{WEST}", f"[b]\n{KEYS_B}", "b"),
    "AWS_PROFILE does not": ({**ENV_KEYS, "AWS_PROFILE": "b"}, f"[profile b]\n{WEST}",
                             f"[b]\n{KEYS_B}", None),
    "AWS_PROFILE": ({"AWS_PROFILE": "b"}, f"[default]\n{EAST}[profile b]\n{WEST}",
                    f"[default]\n{KEYS_A}[b]\n{KEYS_B}", None),
    "AWS_DEFAULT_PROFILE": ({"AWS_DEFAULT_PROFILE": "b"}, None, f"[b]\n{KEYS_B}", None),
    "AWS_PROFILE goes before it": ({"AWS_PROFILE": "a", "AWS_DEFAULT_PROFILE": "b"}, None,
                                   f"[a]\n{KEYS_A}[b]\n{KEYS_B}", None),
    "a profile that is not there": ({}, f"[default]\n{WEST}", None, "b"),
    "AWS_PROFILE that is not there": ({"AWS_PROFILE": "b"}, f"[default]\n{WEST}", None, None),
    "a section without the word profile": ({}, f"[b]\n{WEST}", None, "b"),
    "the word profile in credentials": ({}, None, f"[profile b]\n{KEYS_B}", "b"),
    "AWS_REGION": (REGION, f"[default]\n{WEST}", None, None),
    "AWS_REGION goes first": ({**REGION, "AWS_DEFAULT_REGION": "sa-east-1"}, None, None, None),
    "AWS_DEFAULT_REGION": ({"AWS_DEFAULT_REGION": "sa-east-1"}, f"[default]\n{WEST}", None, None),
    "quotes in a section's name": ({}, f"[profile \"two words\"]\n{WEST}",
                                   f"[two words]\n{KEYS_B}", "two words"),
    "two words without quotes": ({}, f"[profile two words]\n{WEST}", None, "two words"),
    "default with the word profile": ({}, f"[default]\n{EAST}[profile default]\n{WEST}{KEYS_A}",
                                      None, None),
    "the same the other way round": ({}, f"[profile default]\n{WEST}{KEYS_A}[default]\n{EAST}",
                                     None, None),
    "comments and blanks": ({}, "# a\n\n[default] # b\n ; c\n  region  =  eu-west-1  \n"
                                "\n  output: json # d\n", f"[default]\n{KEYS_A}", None),
    "a comment behind a value is part of it": ({}, None, "[default]\naws_access_key_id = AKID#1\n"
                                               "aws_secret_access_key = a#b;c\n", None),
    "capital letters": ({}, "[default]\nREGION = eu-west-1\nAWS_Access_Key_Id = AKID\n"
                        "aws_SECRET_access_key = x\n", None, None),
    "line ends of Windows": ({}, "[default]\r\nregion = eu-west-1\r\n",
                             "[default]\r\n" + KEYS_A.replace("\n", "\r\n"), None),
    "tabs and nested values": ({}, "[default]\ns3 =\n\tendpoint_url = http://no\n"
                                   "\tmax_concurrent_requests = 20\nregion = eu-west-1\n", None,
                               None),
    "a secret without its key": ({}, f"[default]\n{WEST}{KEYS_A}",
                                 "[default]\naws_secret_access_key = x\n", None),
    "a key without its secret": ({}, None, "[default]\naws_access_key_id = AKID\n", None),
    "half a pair in the environment": ({"AWS_ACCESS_KEY_ID": "AKID"}, None, f"[default]\n{KEYS_A}",
                                       None),
    "a secret alone in the environment": ({"AWS_SECRET_ACCESS_KEY": "x"}, None,
                                          f"[default]\n{KEYS_A}", None),
    "a file that is none": ({}, "region = eu-west-1\n", None, None),
    "a line that is none": ({}, "[default]\nregion\n", None, None),
    "other files": ({"AWS_CONFIG_FILE": "~/other", "AWS_SHARED_CREDENTIALS_FILE": "$HOME/other2"},
                    None, None, None),
    "no files": ({"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"},
                 f"[default]\n{WEST}", f"[default]\n{KEYS_A}", None),
    "a process": ({}, "[default]\ncredential_process = sh -c 'echo \"$0\"' \"{\\\"Version\\\": 1, "
                      "\\\"AccessKeyId\\\": \\\"AKIDP\\\", \\\"SecretAccessKey\\\": \\\"s\\\"}\"\n",
                  None, None),
    "keys of the credentials file go before the process":
        ({}, "[default]\ncredential_process = false\n", f"[default]\n{KEYS_A}", None),
    "the process goes before keys beside it":
        ({}, "[default]\ncredential_process = echo '{\"Version\": 1, \"AccessKeyId\": \"AKIDP\", "
             f"\"SecretAccessKey\": \"s\"}}'\n{KEYS_B}", None, None),
    "a process that fails": ({}, "[default]\ncredential_process = false\n", None, None),
    "a role": ({}, f"[profile b]\n{ROLE.format('b')}source_profile = a\n{WEST}",
               f"[a]\n{KEYS_A}", "b"),
    "a role in the default profile": ({}, f"[default]\n{ROLE.format('b')}source_profile = a\n"
                                      f"{WEST}", f"[a]\n{KEYS_A}", None),
    "the environment's keys go before a role":
        (ENV_KEYS, f"[default]\n{ROLE.format('b')}source_profile = a\n", f"[a]\n{KEYS_A}", None),
    "a role goes before keys": ({}, f"[profile b]\n{ROLE.format('b')}source_profile = a\n",
                                f"[a]\n{KEYS_A}[b]\n{KEYS_B}", "b"),
    "a role of its own keys": ({}, f"[profile b]\n{ROLE.format('b')}source_profile = b\n",
                               f"[b]\n{KEYS_B}", "b"),
    "a role by itself": ({}, f"[profile b]\n{ROLE.format('b')}source_profile = b\n", None, "b"),
    "a role on a role": ({}, f"[profile b]\n{ROLE.format('b')}source_profile = c\n"
                             f"[profile c]\n{ROLE.format('c')}source_profile = a\n",
                         f"[a]\n{KEYS_A}", "b"),
    "a role without a source": ({}, f"[profile b]\n{ROLE.format('b')}", None, "b"),
    "a role with two sources": ({}, f"[profile b]\n{ROLE.format('b')}source_profile = a\n"
                                    "credential_source = Environment\n", f"[a]\n{KEYS_A}", "b"),
    "a role of nobody": ({}, f"[profile b]\n{ROLE.format('b')}source_profile = x\n", None, "b"),
    "a role of an unknown source":
        ({}, f"[profile b]\n{ROLE.format('b')}credential_source = Somewhere\n", None, "b"),
    "a web identity": ({}, f"[profile b]\n{ROLE.format('b')}web_identity_token_file = /t\n", None,
                       "b"),
    "a web identity of the environment":
        ({"AWS_WEB_IDENTITY_TOKEN_FILE": "/t", "AWS_ROLE_ARN": "arn:aws:iam::1:role/pod"},
         f"[default]\n{WEST}", f"[default]\n{KEYS_A}", None),
    "which an option puts aside":
        ({"AWS_WEB_IDENTITY_TOKEN_FILE": "/t", "AWS_ROLE_ARN": "arn:aws:iam::1:role/pod"},
         f"[profile b]\n{WEST}", f"[b]\n{KEYS_B}", "b"),
    "a web identity without a role": ({"AWS_WEB_IDENTITY_TOKEN_FILE": "/t"}, None, None, None),
    "an endpoint": ({}, f"[default]\n{WEST}endpoint_url = http://localhost:1\n", None, None),
    "an endpoint of the environment": ({**REGION, "AWS_ENDPOINT_URL": "http://env"},
                                       "[default]\nendpoint_url = http://file\n", None, None),
    "endpoints by service":
        ({**REGION, "AWS_ENDPOINT_URL": "http://all", "AWS_ENDPOINT_URL_ROUTE_53": "http://r53",
          "AWS_ENDPOINT_URL_S3": "http://s3"}, None, None, None),
    "a services section":
        (REGION, "[default]\nservices = dev\nendpoint_url = http://all\n[services dev]\n"
                 "s3 =\n  endpoint_url = http://s3\nroute_53 =\n  endpoint_url = http://r53\n",
         None, None),
    "an environment that goes before it":
        ({**REGION, "AWS_ENDPOINT_URL": "http://env"},
         "[default]\nservices = dev\n[services dev]\ns3 =\n  endpoint_url = http://s3\n", None,
         None),
    "a services section that is not there": (REGION, "[default]\nservices = dev\n", None, None),
    "endpoints that are ignored":
        ({**REGION, "AWS_ENDPOINT_URL": "http://env", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
         "[default]\nendpoint_url = http://file\n", None, None),
    "endpoints that the file ignores":
        ({**REGION, "AWS_ENDPOINT_URL": "http://env"},
         "[default]\nignore_configured_endpoint_urls = True\n", None, None),
    "FIPS": ({**REGION, "AWS_USE_FIPS_ENDPOINT": "true"}, None, None, None),
    "FIPS in GovCloud": ({"AWS_REGION": "us-gov-west-1"}, "[default]\nuse_fips_endpoint = true\n",
                         None, None),
    "dualstack": ({**REGION, "AWS_USE_DUALSTACK_ENDPOINT": "true"}, None, None, None),
    "FIPS and dualstack": (REGION, "[default]\nuse_fips_endpoint=true\nuse_dualstack_endpoint=true\n",
                           None, None),
    "China": ({"AWS_REGION": "cn-north-1"}, None, None, None),
    "GovCloud": ({"AWS_REGION": "us-gov-east-1"}, None, None, None),
}
# Newer than the botocore that is compared with: Route 53 over IPv6.
NOT_COMPARED = {("dualstack", "route53"), ("FIPS and dualstack", "route53")}


@functools.lru_cache(maxsize=None)
def aws_cli_folder():
    done = subprocess.run([REPOSITORY / "tests/packages/awscli"], capture_output=True, text=True,
                          timeout=300, check=True)
    return done.stdout.strip()


def resolver():
    return os.path.join(os.path.dirname(program()), "test_aws_profile")


class ProfilesTest(Case):
    deadline_s = 300

    def home(self, name, config, credentials):
        folder = self.folder / "".join(c if c.isalnum() else "_" for c in name)
        (folder / ".aws").mkdir(parents=True)
        for file, text in (("config", config), ("credentials", credentials)):
            if text is not None:
                (folder / ".aws" / file).write_bytes(text.encode())
        (folder / "other").write_text(f"[default]\n{WEST}")
        (folder / "other2").write_text(f"[default]\n{KEYS_C}")
        return folder

    @staticmethod
    def by_certmill(env, profile):
        done = subprocess.run([resolver(), "--resolve", *([profile] if profile else [])],
                              capture_output=True, text=True, timeout=60, env=environment(env))
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        return json.loads(done.stdout)

    @staticmethod
    def by_aws(cases):
        """The answers to all of [(env, profile)], by one process."""
        lines = "".join(json.dumps({"env": environment(env), "profile": profile}) + "\n"
                        for env, profile in cases)
        done = subprocess.run(
            ["/usr/bin/python3", REPOSITORY / "tests/harness/aws_session.py"], input=lines,
            capture_output=True, text=True, timeout=250,
            env=environment({"PYTHONPATH": aws_cli_folder(), "PYTHONDONTWRITEBYTECODE": "1"}))
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def compare(self, name, ours, theirs):
        if "error" in theirs:
            self.assertTrue("error" in ours or not ours["usable"], f"{ours}\n{theirs}")
            return
        self.assertNotIn("error", ours)
        self.assertEqual(ours["region"], theirs["region"])
        self.assertEqual(ours["key"], theirs["key"])
        if ours["region"] is None:
            return  # AWS's CLI makes up an endpoint for some services
        for service in SERVICES:
            if (name, service) not in NOT_COMPARED:
                self.assertEqual(ours["endpoints"][service], theirs["endpoints"][service], service)

    def test_profiles_mean_what_they_mean_to_the_aws_cli(self):
        cases = []
        for name, (variables, config, credentials, profile) in TABLE.items():
            env = {"HOME": str(self.home(name, config, credentials)),
                   "AWS_EC2_METADATA_DISABLED": "true", **variables}
            cases.append((env, profile))
        for name, case, theirs in zip(TABLE, cases, self.by_aws(cases), strict=True):
            with self.subTest(name):
                self.compare(name, self.by_certmill(*case), theirs)

    def test_what_aws_configure_writes_is_read(self):
        home = self.home("written", None, None)
        env = {"HOME": str(home), "AWS_EC2_METADATA_DISABLED": "true"}

        def configure(*arguments, data=None):
            done = subprocess.run([AWS_CLI, "configure", *arguments], input=data, text=True,
                                  capture_output=True, timeout=60, env=environment(env))
            self.assertEqual(done.returncode, 0, done.stderr)
        configure(data="AKIDONE\nse/cret+one\neu-west-1\njson\n")
        configure("--profile", "two words", data="AKIDTWO\nsecret\nus-east-2\n\n")
        for key, value in (("aws_access_key_id", "AKIDTHREE"), ("aws_secret_access_key", "a=b#c"),
                           ("aws_session_token", "tok"), ("region", "ap-south-1"),
                           ("s3.addressing_style", "path"), ("s3.max_queue_size", "3")):
            configure("set", key, value, "--profile", "three")
        configure("set", "role_arn", "arn:aws:iam::1:role/r", "--profile", "role")
        configure("set", "source_profile", "three", "--profile", "role")
        keys = {None: ["AKIDONE", "se/cret+one", ""], "two words": ["AKIDTWO", "secret", ""],
                "three": ["AKIDTHREE", "a=b#c", "tok"], "role": "a role"}
        for profile, theirs in zip(keys, self.by_aws([(env, each) for each in keys]), strict=True):
            with self.subTest(profile):
                ours = self.by_certmill(env, profile)
                self.assertEqual(ours["key"], keys[profile])
                self.compare("written", ours, theirs)


class WhoamiTest(Case):
    def setUp(self):
        super().setUp()
        self.aws = Aws(self.folder / "aws")
        self.addCleanup(self.aws.stop)

    def whoami(self, env, *options, code=0):
        run = Started(["aws", "whoami", "--json", *options], self.folder, env).wait(60)
        self.assert_code(run, code)
        for key in self.aws.keys.values():
            self.assertNotIn(key.secret, run.out + run.err)
        return run.json()

    def problem(self, env, *options):
        answers = self.whoami(env, *options, code=1)
        self.assertEqual([each["works"] for each in answers], [False])
        return answers[0]["problem"]

    def test_a_profile_says_who_it_is(self):
        aws = self.aws
        env = aws.profiles(self.folder / "p", {"default": {"region": "eu-west-1"},
                                               "none": {"region": "eu-west-1"}},
                           {"default": {"key": aws.default_key}, "other": {"key": aws.key()}})
        answer, = self.whoami(env)
        self.assertEqual(answer["account"], ACCOUNT)
        self.assertIn("arn:aws:", answer["arn"])
        self.assertEqual(answer["region"], "eu-west-1")
        self.assertEqual(answer["credentials"], f"keys in {self.folder}/p/credentials")
        self.assertEqual(answer["access_key_end"], aws.default_key.key_id[-4:])
        self.assertIsNone(answer["problem"])
        answers = self.whoami(env, "--all", code=1)
        self.assertEqual([(each["profile"], each["works"]) for each in answers],
                         [("default", True), ("none", False), ("other", True)])
        self.assertIn("AWS_EC2_METADATA_DISABLED", answers[1]["problem"])
        text = Started(["aws", "whoami"], self.folder, env).wait(60).out
        self.assertIn(f"account      {ACCOUNT}\n", text)
        aws.assert_signed(self)

    def test_roles_are_assumed(self):
        aws = self.aws
        first, second = (f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in ("first", "second"))
        aws.roles = {first: {"external_id": "a b+c"}, second: {"external_id": None}}
        config = {"base": {"key": aws.default_key, "region": "us-east-1"},
                  "first": {"role_arn": first, "source_profile": "base", "external_id": "a b+c",
                            "region": "eu-west-1", "role_session_name": "fleet"},
                  "second": {"role_arn": second, "source_profile": "first"},
                  "wrong": {"role_arn": first, "source_profile": "base", "external_id": "other"}}
        env = aws.profiles(self.folder / "p", config)
        answer, = self.whoami(env, "--profile", "first")
        self.assertEqual(answer["credentials"], f"role {first}, assumed with profile base")
        self.assertIsNotNone(answer["expires_at"])
        answer, = self.whoami(env, "--profile", "second")
        self.assertEqual(answer["credentials"], f"role {second}, assumed with profile first")
        self.assertEqual(aws.count(operation="AssumeRole"), 3)
        aws.assert_signed(self)
        problem = self.problem(env, "--profile", "wrong")
        self.assertIn(f"assuming the role {first}: STS said AccessDenied", problem)
        self.assertIn("the role's trust policy must name the caller (and its external id)", problem)

    def test_what_is_wrong_is_said(self):
        aws = self.aws
        key = aws.key()
        wrong = dict(aws.env(key), AWS_SECRET_ACCESS_KEY="not-the-secret")
        self.assertIn("secret access key is not that of access key", self.problem(wrong))
        unknown = dict(aws.env(key), AWS_ACCESS_KEY_ID="AKIAUNKNOWNUNKNOWN")
        self.assertIn("AWS does not know access key", self.problem(unknown))
        expired = aws.key(token="session-token", expires_at=1)
        self.assertIn("the keys themselves have expired", self.problem(aws.env(expired)))
        unreachable = dict(aws.env(), AWS_ENDPOINT_URL="http://127.0.0.1:9")
        self.assertIn("127.0.0.1:9", self.problem(unreachable))
        self.assertIn("there is no AWS profile nobody",
                      self.problem(aws.env(), "--profile", "nobody"))

    def test_a_clock_that_is_wrong_is_no_trouble(self):
        self.aws.clock_offset_s = 3600
        role = f"arn:aws:iam::{ACCOUNT}:role/r"
        env = self.aws.profiles(self.folder / "p",
                                {"base": {"key": self.aws.default_key, "region": "us-east-1"},
                                 "r": {"role_arn": role, "source_profile": "base"}})
        answer, = self.whoami(env, "--profile", "r")
        self.assertEqual(answer["account"], ACCOUNT)


if __name__ == "__main__":
    unittest.main()
