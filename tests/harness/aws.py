"""AWS for tests: moto (S3, ACM, STS, IAM, Route 53) behind a gateway that is as strict as AWS.

    aws = Aws(folder)                           # moto and the gateway, on free ports
    aws.cli("s3", "mb", "s3://accounts")        # the real AWS CLI, as the default key
    aws.fault("throttle", service="acm", operation="ImportCertificate", count=2)
    run = Started([...], folder, env=aws.env())  # certmill
    aws.assert_signed(self)                     # no request had a wrong signature
    aws.count(service="acm", operation="ImportCertificate", region="eu-west-1")

The gateway (aws_gateway.py) checks the signature, key, token, date, region and service of every
request (aws_signature.py), answers with the services' own error bodies (aws_errors.py), injects
faults and keeps quotas (aws_fault.py), and does what AWS documents and moto leaves out
(aws_behaviour.py, moto_server.py)."""

import functools
import http.client
import json
import os
import re
import secrets
import ssl
import subprocess
import threading
import time
from pathlib import Path
from urllib.parse import parse_qs

from harness.aws_behaviour import Behaviour
from harness.aws_errors import error_answer
from harness.aws_fault import Fault, Quota
from harness.aws_gateway import Gateway, Listener
from harness.aws_signature import Key
from harness.certmill import environment
from harness.process import Server, free_ports, wait_until
from harness.tls import make_server_certificate

REPOSITORY = Path(__file__).resolve().parents[2]
AWS_CLI = "/usr/bin/aws"
ACCOUNT = "123456789012"


@functools.lru_cache(maxsize=None)
def moto_folder():
    """moto's modules; fetches the package when it is not there."""
    script = REPOSITORY / "tests" / "packages" / "moto"
    done = subprocess.run([script], capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        raise RuntimeError(f"{script} failed:\n{done.stderr}")
    return done.stdout.strip()


class Aws(Server):
    """Members that tests read and set:

    url, tls_url, ca_file   where the gateway listens, and the trust for the second
    calls                   Call records (aws_gateway.py), in the order of their ends
    bad_signatures          (call, why) of each request with a missing or wrong signature
    behaviour               paging, PENDING and the like (aws_behaviour.Behaviour)
    clock_offset_s          the services' clock is so much ahead of this machine's
    roles                   role ARN -> dict(external_id=..., trusted={account or user ARN});
                            None: every role can be assumed
    role_seconds            how long assumed credentials are good (DurationSeconds when None)"""

    name = "moto"

    def __init__(self, folder):
        super().__init__(folder)
        self.lock = threading.Lock()
        self.changed = threading.Condition(self.lock)
        self.calls, self.bad_signatures = [], []
        self.faults, self.quotas, self.keys = [], {}, {}
        self.behaviour = Behaviour()
        self.clock_offset_s = 0
        self.roles, self.role_seconds = None, None
        self.stopping = False
        self.listeners = []
        moto_port, = free_ports(1)
        env = dict(environment(), PYTHONPATH=moto_folder(), PYTHONDONTWRITEBYTECODE="1")
        self.launch(["/usr/bin/python3", REPOSITORY / "tests/harness/moto_server.py", moto_port],
                    functools.partial(self._answers, moto_port), deadline_s=60, env=env)
        self.ca_file, certificate, key = make_server_certificate(self.folder / "aws-tls")
        self.trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.trust.load_cert_chain(certificate, key)
        self.gateway = Gateway(self, moto_port)
        self.plain, self.tls = self.listen(), self.listen(tls=True)
        self.url, self.tls_url = self.plain.url, self.tls.url
        self.default_key = self.key(ACCOUNT, "certmill")

    @staticmethod
    def _answers(port):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/moto-api/")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def stop(self):
        self.stopping = True
        for fault in getattr(self, "faults", []):
            fault.release()
        for listener in getattr(self, "listeners", []):
            listener.down()
        super().stop()

    def now(self):
        return time.time() + self.clock_offset_s

    # Where it listens.

    def listen(self, region=None, tls=False):
        """One more port, with .url, .down() and .up(); with a region it is that region's host."""
        listener = Listener(self.gateway, self.trust if tls else None, region)
        self.listeners.append(listener)
        return listener

    # Who may call.

    def key(self, account=ACCOUNT, user="certmill", *, token="", expires_at=0, allowed=None):
        """A new access key of a user of an account, known to the gateway; returns the Key.
        `allowed`: the IAM actions that it may use, all when None."""
        key = Key(f"{'ASIA' if token else 'AKIA'}{secrets.token_hex(8).upper()}",
                  secrets.token_urlsafe(30), account, f"arn:aws:iam::{account}:user/{user}", token,
                  expires_at, allowed)
        with self.lock:
            self.keys[key.key_id] = key
        return key

    def expire(self, key):
        key.expires_at = self.now() - 1

    def assumed_keys(self):
        with self.lock:
            return [key for key in self.keys.values() if ":assumed-role/" in key.arn]

    # What happens to calls.

    def fault(self, kind, **rule):
        fault = Fault(kind, **rule)
        with self.lock:
            self.faults.append(fault)
        return fault

    def clear_faults(self):
        with self.lock:
            faults, self.faults = self.faults, []
        for fault in faults:
            fault.release()

    def quota(self, service, operation, per_second, burst=1):
        """So many calls a second an account and region; the rest is throttled."""
        quota = Quota(per_second, burst)
        with self.lock:
            self.quotas[service, operation] = quota
        return quota

    # What was called.

    def called(self, **what):
        """The calls whose members have these values: called(service="acm", outcome="ok")."""
        with self.lock:
            return [call for call in self.calls
                    if all(getattr(call, name) == value for name, value in what.items())]

    def count(self, **what):
        return len(self.called(**what))

    def wait_for(self, number, deadline_s=30, **what):
        wait_until(lambda: self.count(**what) >= number, deadline_s, f"{number} calls {what}")

    def assert_signed(self, test):
        test.assertEqual([(call.method, call.target, why) for call, why in self.bad_signatures], [])

    # The environment of clients.

    def env(self, key=None, region="us-east-1", tls=False, url=None):
        """For certmill or the CLI: the endpoint, region and credentials (none when key is False)."""
        env = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/nonexistent",
               "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
               "AWS_ENDPOINT_URL": url or (self.tls_url if tls else self.url)}
        if region:
            env["AWS_REGION"] = env["AWS_DEFAULT_REGION"] = region
        if tls:
            env["AWS_CA_BUNDLE"] = str(self.ca_file)
        if key is not False:
            key = key or self.default_key
            env.update(AWS_ACCESS_KEY_ID=key.key_id, AWS_SECRET_ACCESS_KEY=key.secret)
            if key.token:
                env["AWS_SESSION_TOKEN"] = key.token
        return env

    def profiles(self, folder, config, credentials=None, tls=False):
        """Writes `config` and `credentials` ({profile: {name: value}}; a value may be a Key, or a
        dict for a nested section) to a folder, and returns the environment that leads there.
        {"profile": {"key": Key, "region": ...}} in `config` puts the key where it is written."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for name, sections, prefix in (("config", config, "profile "),
                                       ("credentials", credentials or {}, "")):
            text = "".join(_section(profile, members, prefix) for profile, members in sections.items())
            (folder / name).write_text(text)
            (folder / name).chmod(0o600)
        env = self.env(key=False, region=None, tls=tls)
        env.update(AWS_CONFIG_FILE=str(folder / "config"),
                   AWS_SHARED_CREDENTIALS_FILE=str(folder / "credentials"))
        return env

    def cli(self, *arguments, env=None, region="us-east-1", check=True, data=None):
        """Runs the real AWS CLI; returns its JSON (or text) output, or the CompletedProcess when
        check is False. `env`: as from env() or profiles(); the default key otherwise."""
        env = dict(env or self.env(region=region))
        url = env.get("AWS_ENDPOINT_URL", self.url)
        done = subprocess.run(
            [AWS_CLI, "--endpoint-url", url, *(str(each) for each in arguments)],
            capture_output=True, text=True, timeout=60, input=data,
            env=environment({**env, "AWS_PAGER": "", "AWS_DEFAULT_OUTPUT": "json",
                             "AWS_MAX_ATTEMPTS": "1", "HOME": str(self.folder)}))
        if not check:
            return done
        if done.returncode != 0:
            raise RuntimeError(f"aws {arguments}: {done.stderr}")
        try:
            return json.loads(done.stdout)
        except ValueError:
            return done.stdout

    # Used by the gateway.

    def refusal(self, call, request, key):
        """AssumeRole of a role that is not there, or does not trust the caller."""
        if call.operation != "AssumeRole" or self.roles is None:
            return None
        form = _form(request)
        role = self.roles.get(form.get("RoleArn"))
        trusted = role.get("trusted") if role else None
        if role is not None and (trusted is None or key.account in trusted or key.arn in trusted) and \
                role.get("external_id") == form.get("ExternalId"):
            return None
        return error_answer("sts", "denied", f"User: {key.arn} is not authorized to perform: "
                            f"sts:AssumeRole on resource: {form.get('RoleArn')}")

    def learn(self, call, request, status, body):
        """Takes assumed credentials from STS's answer, so that they can be checked."""
        if status != 200 or not call.operation.startswith("AssumeRole"):
            return body
        found = {name: re.search(f"<{name}>([^<]*)</{name}>".encode(), body).group(1).decode()
                 for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")}
        form = _form(request)
        seconds = self.role_seconds or int(form.get("DurationSeconds", 3600))
        expires_at = self.now() + seconds
        role = form["RoleArn"]
        account, name = role.split(":")[4], role.rpartition("/")[2]
        settings = (self.roles or {}).get(role, {})
        key = Key(found["AccessKeyId"], found["SecretAccessKey"], account,
                  f"arn:aws:sts::{account}:assumed-role/{name}/{form.get('RoleSessionName', '')}",
                  found["SessionToken"], expires_at, settings.get("allowed"))
        with self.lock:
            self.keys[key.key_id] = key
        expiration = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(expires_at)).encode()
        return re.sub(rb"<Expiration>[^<]*<", b"<Expiration>" + expiration + b"<", body)


def _form(request):
    return {name: values[0] for name, values in parse_qs(request.body.decode()).items()}


def _section(profile, members, prefix):
    head = profile if profile == "default" or profile.startswith("services ") else prefix + profile
    lines = [f"[{head}]"]
    for name, value in members.items():
        if isinstance(value, Key):
            lines += [f"aws_access_key_id = {value.key_id}", f"aws_secret_access_key = {value.secret}"]
            if value.token:
                lines.append(f"aws_session_token = {value.token}")
        elif isinstance(value, dict):
            lines += [f"{name} =", *(f"    {inner} = {each}" for inner, each in value.items())]
        else:
            lines.append(f"{name} = {value}")
    return "\n".join(lines) + "\n\n"
