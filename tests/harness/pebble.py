"""Pebble (the ACME test server) and pebble-challtestsrv (its DNS), as child processes."""

import functools
import json
import os
import ssl
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

from harness.process import Server, free_ports
from harness.tls import make_server_certificate

# The keys that Pebble's own example configuration uses.
EAB_KEYS = {
    "kid-1": "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W",
    "kid-2": "b10lLJs8l1GPIzsLP0s6pMt8O0XVGnfTaCeROxQM0BIt2XrJMDHJZBM5NuQmQJQH",
    "kid-3": "HjudV5qnbreN-n9WyFSH-t4HXuEx_XFen45zuxY-G1h6fr74V3cUM_dVlwQZBWmc",
}

REPOSITORY = Path(__file__).resolve().parents[2]


@functools.lru_cache(maxsize=None)
def programs_folder():
    """The folder of both programs; fetches the package when it is not there."""
    script = REPOSITORY / "tests" / "packages" / "pebble"
    done = subprocess.run([script], capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        raise RuntimeError(f"{script} failed:\n{done.stderr}")
    return Path(done.stdout.strip())


class Challtestsrv(Server):
    """DNS for Pebble: every name is at 127.0.0.1 unless told otherwise; TXT records by request."""

    name = "pebble-challtestsrv"

    def __init__(self, folder):
        super().__init__(folder)
        self.dns_port, self.management_port = free_ports(2)
        self.management = f"http://127.0.0.1:{self.management_port}"
        self.launch([programs_folder() / "pebble-challtestsrv",
                     "-dns01", f"127.0.0.1:{self.dns_port}",
                     "-management", f"127.0.0.1:{self.management_port}",
                     "-defaultIPv6", "", "-http01", "", "-https01", "", "-tlsalpn01", "",
                     "-doh", ""], self._answers)

    def _answers(self):
        try:
            self.call("clear-txt", {"host": "nobody.example."})
            return True
        except (urllib.error.URLError, ConnectionError):
            return False

    def call(self, name, body):
        """One call of the management interface: "set-txt", "clear-txt", "add-a", ..."""
        request = urllib.request.Request(f"{self.management}/{name}",
                                         data=json.dumps(body).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read()

    def set_address(self, name, address):
        self.call("add-a", {"host": f"{name}.", "addresses": [address]})


class Pebble(Server):
    """A Pebble. The defaults: strict, no nonce refused, no sleeps, no challenge looked at."""

    name = "pebble"

    def __init__(self, folder, *, eab_required=False, nonce_reject=0, authz_reuse=50,
                 always_valid=True, blocked=(), dns_port=None, retry_after=1, strict=True,
                 certificate_seconds=90 * 86400, orders_per_page=None, alternate_roots=0):
        super().__init__(folder)
        self.http_port, self.tls_port, acme_port, management_port = free_ports(4)
        self.directory = f"https://localhost:{acme_port}/dir"
        self.management = f"https://localhost:{management_port}"
        self.ca_file, certificate, key = make_server_certificate(self.folder / "tls")
        self.trust = ssl.create_default_context(cafile=self.ca_file)
        config = {
            "listenAddress": f"127.0.0.1:{acme_port}",
            "managementListenAddress": f"127.0.0.1:{management_port}",
            "certificate": str(certificate), "privateKey": str(key),
            "httpPort": self.http_port, "tlsPort": self.tls_port, "ocspResponderURL": "",
            "externalAccountBindingRequired": eab_required,
            "domainBlocklist": list(blocked),
            "retryAfter": {"authz": retry_after, "order": retry_after},
            "certificateValidityPeriod": certificate_seconds,
        }
        if eab_required:
            config["externalAccountMACKeys"] = EAB_KEYS
        (self.folder / "config.json").write_text(json.dumps({"pebble": config}, indent=2))
        env = dict(os.environ, PEBBLE_WFE_NONCEREJECT=str(nonce_reject), PEBBLE_VA_NOSLEEP="1",
                   PEBBLE_AUTHZREUSE=str(authz_reuse),
                   PEBBLE_ALTERNATE_ROOTS=str(alternate_roots))
        if always_valid:
            env["PEBBLE_VA_ALWAYS_VALID"] = "1"
        if orders_per_page:
            env["PEBBLE_WFE_ORDERS_PER_PAGE"] = str(orders_per_page)
        arguments = [programs_folder() / "pebble", "-config", self.folder / "config.json"]
        if strict:
            arguments.append("-strict")
        if dns_port:
            arguments += ["-dnsserver", f"127.0.0.1:{dns_port}"]
        self.launch(arguments, self._answers, env=env)
        self.root = self.folder / "root.pem"
        self.root.write_bytes(self.get(f"{self.management}/roots/0"))

    def get(self, url):
        with urllib.request.urlopen(url, timeout=10, context=self.trust) as answer:
            return answer.read()

    def _answers(self):
        try:
            return bool(self.get(self.directory))
        except (urllib.error.URLError, ConnectionError):
            return False

    def requests_seen(self):
        """How many requests came to the ACME interface so far, by Pebble's log."""
        return sum(" -> calling handler()" in line for line in self.log.read_text().splitlines())

    def newly_issued(self):
        """How many certificates it made so far, by Pebble's log."""
        return self.log.read_text().count("Issued certificate serial ")
