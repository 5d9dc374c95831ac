"""Unmodified certbot, lego and uacme at the load CA: they register, obtain, renew and revoke, every
name is really validated, and OpenSSL takes what they wrote."""

import re
import shutil
import ssl
import subprocess
import sys
import unittest
import urllib.request
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY / "tests"), str(REPOSITORY)]

from bench.peers.webroot import Webroot  # noqa: E402
from harness.case import Case  # noqa: E402
from harness.certmill import Run, environment  # noqa: E402
from harness.check import certificate_names, openssl  # noqa: E402
from harness.load_ca import LoadCa  # noqa: E402
from harness.pebble import Challtestsrv  # noqa: E402
from harness.process import free_ports, kill_group, start  # noqa: E402
from harness.trust import no_system_trust, with_system_trust  # noqa: E402

EMAIL = "ops@example.com"
EAB = ("kid-1", "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W")
WRONG_KEY = "b10lLJs8l1GPIzsLP0s6pMt8O0XVGnfTaCeROxQM0BIt2XrJMDHJZBM5NuQmQJQH"
ALREADY_REVOKED = "alreadyRevoked"

# Sets or clears a TXT record: certbot's hooks tell it in the environment, lego's by arguments.
DNS_HOOK = """#!/usr/bin/python3
import json, os, sys, urllib.request

action, name, value = (sys.argv[1:] + [None, None])[:3]
if name is None:
    name, value = f"_acme-challenge.{{os.environ['CERTBOT_DOMAIN']}}.", \\
        os.environ["CERTBOT_VALIDATION"]
call, body = ("set-txt", {{"host": name, "value": value}}) if action == "present" \\
    else ("clear-txt", {{"host": name}})
urllib.request.urlopen(urllib.request.Request(
    "{management}/" + call, data=json.dumps(body).encode(), method="POST"), timeout=10)
"""


def certificates_of(path):
    """The PEM certificates in a file, the leaf first."""
    return re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n",
                      Path(path).read_text(), re.DOTALL)


class ClientCase(Case):
    """A load CA that validates, its DNS, and how a client is run."""

    deadline_s = 60
    client = None

    @classmethod
    def setUpClass(cls):
        if not shutil.which(cls.client):
            raise unittest.SkipTest(f"no {cls.client}: tests/packages/install test")

    def setUp(self):
        super().setUp()
        self.http_port, self.tls_port = free_ports(2)
        self.home = self.folder / "client"
        self.home.mkdir()
        self.intermediate = self.folder / "intermediate.pem"
        self.env, self.wrapper = {}, []

    def start(self, *options):
        self.dns = self.enterContext(Challtestsrv(self.folder / "dns"))
        hook = self.folder / "dns-hook"
        hook.write_text(DNS_HOOK.format(management=self.dns.management))
        hook.chmod(0o755)
        self.hook = hook
        self.ca = self.enterContext(LoadCa(
            self.folder / "ca", "--http-port", self.http_port, "--tls-port", self.tls_port,
            "--dns", f"127.0.0.1:{self.dns.dns_port}", "--resolve-all-to", "127.0.0.1", *options,
            # lego waits for 5 s when it is not told for how long.
            weather={"poll-after": {"seconds": 1, "form": "seconds"}}))

    def start_bound(self):
        self.start("--eab", ":".join(EAB))

    def attempt(self, *command):
        """Runs the client to its end."""
        log = self.folder / "output.log"
        log.unlink(missing_ok=True)
        process = start([*self.wrapper, self.client, *command], log, cwd=self.home,
                        env=environment({"HOME": str(self.home), "LC_ALL": "C.UTF-8", **self.env}))
        try:
            code = process.wait(30)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"{command}: not within 30 s\n{log.read_text()}") from None
        finally:
            kill_group(process)
        return Run(code, log.read_text(errors="replace"), "", 0)

    def run_client(self, *command):
        run = self.attempt(*command)
        self.assert_code(run, 0)
        return run

    def check(self, chain, key, names):
        """Certificate, chain and key are what was asked for. Gives the serial."""
        _, issuer = certificates_of(chain)
        self.intermediate.write_text(issuer)
        text = openssl("x509", "-in", chain, "-noout", "-text", "-pubkey")
        self.assertEqual(certificate_names(text), sorted(names))
        self.assertIn(openssl("pkey", "-in", key, "-pubout").strip(), text)
        openssl("verify", "-CAfile", self.ca.root, "-untrusted", chain, "-purpose", "sslserver",
                "-verify_hostname", names[0].replace("*", "any"), chain)
        return openssl("x509", "-in", chain, "-noout", "-serial").strip().partition("=")[2]

    def fetch(self, path):
        """What anybody gets from the CA."""
        context = ssl.create_default_context(cafile=self.ca.ca_file)
        url = self.ca.directory.rpartition("/")[0] + path
        with urllib.request.urlopen(url, timeout=10, context=context) as answer:
            return answer.read()

    def check_revoked(self, serial, reason=None):
        """The certificate is on the CA's CRL, which is signed by the intermediate."""
        crl = self.folder / "crl.der"
        crl.write_bytes(self.fetch("/crl/0"))
        openssl("crl", "-inform", "DER", "-in", crl, "-noout", "-CAfile", self.intermediate)
        text = openssl("crl", "-inform", "DER", "-in", crl, "-noout", "-text")
        entries = {each.split(None, 1)[0]: each for each in text.split("Serial Number: ")[1:]}
        self.assertIn(serial, entries)
        if reason:
            self.assertIn(reason, entries[serial])

    def revoked_count(self):
        return self.ca.figures()["acme"]["revoked"]


class CertbotTest(ClientCase):
    client = "certbot"

    def setUp(self):
        super().setUp()
        self.http = ["--standalone", "--http-01-port", self.http_port]

    def start(self, *options):
        super().start(*options)
        self.env = {"REQUESTS_CA_BUNDLE": str(self.ca.ca_file)}
        self.common = ["--non-interactive", "--server", self.ca.directory,
                       *(f"--{each}-dir={self.home / each}" for each in ("config", "work", "logs"))]

    def certbot(self, verb, *options):
        return self.run_client(verb, *self.common, *options)

    def register(self, *options):
        return self.attempt("register", *self.common, "--agree-tos", "--email", EMAIL,
                            "--no-eff-email", *options)

    def lineage(self, name, file):
        return self.home / "config" / "live" / name / file

    def check_lineage(self, name, names):
        return self.check(self.lineage(name, "fullchain.pem"), self.lineage(name, "privkey.pem"),
                          names)

    def test_life(self):
        self.start()
        self.assert_code(self.register(), 0)
        names = ["www.example.com", "example.com"]
        self.certbot("certonly", *self.http, "-d", ",".join(names))
        first = self.check_lineage(names[0], names)
        self.certbot("renew", "--force-renewal", "--no-random-sleep-on-renew")
        second = self.check_lineage(names[0], names)
        self.assertNotEqual(first, second)

        cert = self.lineage(names[0], "cert.pem")
        revoke = ["revoke", *self.common, "--no-delete-after-revoke", "--cert-path", cert,
                  "--reason", "superseded"]
        self.run_client(*revoke)
        self.check_revoked(second, "Superseded")
        again = self.attempt(*revoke)
        self.assertNotEqual(again.code, 0)
        # Its own message is lost: it fails to show the error, which only its log has.
        self.assertIn(ALREADY_REVOKED, self.logs())
        self.assertEqual(self.revoked_count(), 1)

        self.certbot("update_account", "--email", "other@example.com")
        self.assertIn("other@example.com", self.certbot("show_account").out)
        self.certbot("unregister")

    def test_wildcard_and_the_certificates_key(self):
        self.start()
        self.assert_code(self.register(), 0)
        names = ["*.example.org", "example.org"]
        self.certbot("certonly", "--manual", "--preferred-challenges", "dns",
                     "--manual-auth-hook", f"{self.hook} present",
                     "--manual-cleanup-hook", f"{self.hook} cleanup",
                     *(word for name in names for word in ("-d", name)))
        serial = self.check_lineage("example.org", names)
        # Without an account: signed by the certificate's key.
        shutil.rmtree(self.home / "config" / "accounts")
        self.certbot("revoke", "--no-delete-after-revoke", "--reason", "keycompromise",
                     "--cert-path", self.lineage("example.org", "cert.pem"),
                     "--key-path", self.lineage("example.org", "privkey.pem"))
        self.check_revoked(serial, "Key Compromise")

    def test_binding(self):
        self.start_bound()
        refused = self.register()
        self.assertNotEqual(refused.code, 0)
        refused = self.register("--eab-kid", EAB[0], "--eab-hmac-key", WRONG_KEY)
        self.assertNotEqual(refused.code, 0)
        self.assertIn("unauthorized", refused.out + self.logs())
        self.assert_code(self.register("--eab-kid", EAB[0], "--eab-hmac-key", EAB[1]), 0)
        self.certbot("certonly", *self.http, "-d", "bound.example.com")
        self.check_lineage("bound.example.com", ["bound.example.com"])

    def logs(self):
        return "".join(each.read_text() for each in (self.home / "logs").iterdir())

    def test_a_name_that_is_not_ours(self):
        """It really looks: nobody answers the challenge."""
        self.start()
        self.assert_code(self.register(), 0)
        run = self.attempt("certonly", *self.common, "--standalone", "--http-01-port",
                           free_ports(1)[0], "-d", "www.example.net")
        self.assertNotEqual(run.code, 0)
        self.assertIn("Type:   connection", run.out)
        self.assertEqual(self.ca.figures()["acme"]["issued"], 0)


class LegoTest(ClientCase):
    client = "lego"

    def start(self, *options):
        super().start(*options)
        self.env = {"LEGO_CA_CERTIFICATES": str(self.ca.ca_file), "EXEC_PATH": str(self.hook),
                    # It waits so long between the values of one name.
                    "EXEC_SEQUENCE_INTERVAL": "1", "EXEC_POLLING_INTERVAL": "1"}
        self.common = ["--server", self.ca.directory, "--accept-tos", "--email", EMAIL,
                       "--path", self.home / "lego"]
        self.http = ["--http", "--http.port", f"127.0.0.1:{self.http_port}"]
        self.tls = ["--tls", "--tls.port", f"127.0.0.1:{self.tls_port}"]
        self.dns01 = ["--dns", "exec", "--dns.disable-cp",
                      "--dns.resolvers", f"127.0.0.1:{self.dns.dns_port}"]

    def lego(self, names, *options):
        return self.run_client(*self.words(names, *options))

    def words(self, names, *options):
        return [*self.common, *(word for name in names for word in ("--domains", name)), *options]

    def check_names(self, names):
        stem = self.home / "lego" / "certificates" / names[0].replace("*", "_")
        return self.check(f"{stem}.crt", f"{stem}.key", names)

    def test_life(self):
        self.start()
        names = ["www.example.com", "example.com"]
        self.lego(names, *self.http, "run")
        first = self.check_names(names)
        self.lego(names, *self.http, "renew", "--days", "365", "--no-random-sleep")
        second = self.check_names(names)
        self.assertNotEqual(first, second)
        revoke = self.words(names[:1], "revoke", "--keep", "--reason", "4")
        self.run_client(*revoke)
        self.check_revoked(second, "Superseded")
        again = self.attempt(*revoke)
        self.assertNotEqual(again.code, 0)
        self.assertIn(ALREADY_REVOKED, again.out)
        self.assertEqual(self.revoked_count(), 1)

    def test_wildcard_and_tls_alpn(self):
        self.start()
        names = ["*.example.org", "example.org"]
        self.lego(names, *self.dns01, "run")
        self.check_names(names)
        self.lego(["tls.example.com"], *self.tls, "run")
        self.check_names(["tls.example.com"])

    def test_binding(self):
        self.start_bound()
        bound = ["--eab", "--kid", EAB[0], "--hmac"]
        names = ["bound.example.com"]
        refused = self.attempt(*self.words(names, *self.http, *bound, WRONG_KEY, "run"))
        self.assertNotEqual(refused.code, 0)
        self.assertIn("unauthorized", refused.out)
        shutil.rmtree(self.home / "lego")
        self.lego(names, *self.http, *bound, EAB[1], "run")
        self.check_names(names)


class UacmeTest(ClientCase):
    client = "uacme"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        why = no_system_trust()
        if why:
            raise unittest.SkipTest(f"uacme takes only the system's trust, and {why}")

    def start(self, *options):
        super().start(*options)
        folder = self.folder / "webroot"
        self.addCleanup(Webroot(folder, self.http_port).stop)
        self.env = {"UACME_CHALLENGE_PATH": str(folder / ".well-known" / "acme-challenge")}
        self.wrapper = with_system_trust(self.ca.ca_file)
        self.common = ["--acme-url", self.ca.directory, "--confdir", self.home / "uacme", "--yes",
                       "--type", "EC", "--hook", "/usr/share/uacme/uacme.sh"]

    def uacme(self, *words):
        return self.run_client(*self.common, *words)

    def files(self, name):
        folder = self.home / "uacme"
        return folder / name / "cert.pem", folder / "private" / name / "key.pem"

    def test_life(self):
        self.start()
        self.uacme("new", EMAIL)
        names = ["www.example.com", "example.com"]
        self.uacme("issue", *names)
        cert, key = self.files(names[0])
        first = self.check(cert, key, names)
        self.uacme("update", "other@example.com")
        self.uacme("newkey")
        self.uacme("--force", "issue", *names)
        second = self.check(cert, key, names)
        self.assertNotEqual(first, second)

        revoke = [*self.common, "--reason", "4", "revoke", cert]
        self.run_client(*revoke)
        self.check_revoked(second, "Superseded")
        # It moves what it revoked.
        revoked = [each for each in cert.parent.iterdir() if each.name.startswith("revoked")]
        again = self.attempt(*self.common, "revoke", *revoked)
        self.assertNotEqual(again.code, 0)
        self.assertIn(ALREADY_REVOKED, again.out)
        self.assertEqual(self.revoked_count(), 1)
        self.uacme("deactivate")

    def test_the_certificates_key(self):
        self.start()
        self.uacme("new", EMAIL)
        self.uacme("issue", "example.org")
        cert, key = self.files("example.org")
        serial = self.check(cert, key, ["example.org"])
        self.uacme("--reason", "1", "revoke", cert, key)
        self.check_revoked(serial, "Key Compromise")

    def test_binding(self):
        self.start_bound()
        refused = self.attempt(*self.common, "--eab", f"{EAB[0]}:{WRONG_KEY}", "new", EMAIL)
        self.assertNotEqual(refused.code, 0)
        self.assertIn("unauthorized", refused.out)
        self.uacme("--eab", ":".join(EAB), "new", EMAIL)
        self.uacme("issue", "bound.example.com")
        self.check(*self.files("bound.example.com"), ["bound.example.com"])


del ClientCase  # it is no test of its own

if __name__ == "__main__":
    unittest.main()
