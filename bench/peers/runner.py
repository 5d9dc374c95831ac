"""Runs the phases of clients against one Pebble a round, and checks what they brought."""

import functools
import gzip
import re
import shutil
import subprocess
import threading
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

from harness.certmill import environment
from harness.pebble import Challtestsrv, Pebble, programs_folder
from harness.process import kill_group, start

from peers.clients import Job

# How each P-256 public key begins in PEM: the base64 of its algorithm identifier.
P256_PUBLIC_KEY = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE"


class Failed(Exception):
    """A client did not do what it was asked for."""


@dataclass
class Figures:
    """What one phase of one client cost, all its processes together."""

    certificates: int
    wall_s: float
    cpu_s: float
    peak_mib: float

    def per_certificate(self):
        return {"cpu_ms": 1000 * self.cpu_s / self.certificates,
                "wall_s": self.wall_s / self.certificates,
                "certificates_per_s": self.certificates / self.wall_s,
                "peak_mib": self.peak_mib}


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class Round:
    """One Pebble, its DNS, and a web server for the challenges that Pebble fetches."""

    def __init__(self, folder, measure):
        self.folder, self.measure = folder, measure
        self.webroot = folder / "webroot"
        (self.webroot / ".well-known" / "acme-challenge").mkdir(parents=True)
        self._stop = []

    def __enter__(self):
        try:
            dns = Challtestsrv(self.folder / "pebble")
            self._stop.append(dns.stop)
            # No authorization is used again, so that every certificate is the same work.
            self.pebble = Pebble(self.folder / "pebble", always_valid=False, authz_reuse=0,
                                 dns_port=dns.dns_port)
            self._stop.append(self.pebble.stop)
            handler = functools.partial(_Quiet, directory=self.webroot)
            web = ThreadingHTTPServer(("127.0.0.1", self.pebble.http_port), handler)
            threading.Thread(target=web.serve_forever, daemon=True).start()
            self._stop += [web.server_close, web.shutdown]
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        while self._stop:
            self._stop.pop()()

    def run(self, client, names, label):
        """Gives (phase, figures) for each phase of the client; raises Failed."""
        folder = self.folder / label
        folder.mkdir()
        job = Job(folder, self.pebble.directory, self.pebble.ca_file, self.webroot, names)
        for phase in client.phases(job):
            for command in phase.setup:
                self._run(phase, folder, command, len(names))
            issued_before = self.pebble.newly_issued()
            figures = self._measure(phase, folder, len(names))
            issued = self.pebble.newly_issued() - issued_before
            if issued != len(names):
                raise Failed(f"{phase.row}: {issued} certificates issued, not {len(names)}")
            for name in names:
                self._check(phase, name)
            yield phase, figures
        shutil.rmtree(folder)

    def _measure(self, phase, folder, count):
        results = folder / "measured"
        results.unlink(missing_ok=True)
        for command in phase.commands:
            self._run(phase, folder, [self.measure, results, *command], count)
        lines = [[int(each) for each in line.split()] for line in results.read_text().splitlines()]
        wall_us, user_us, system_us, peak_kib, _ = zip(*lines)
        return Figures(count, sum(wall_us) / 1e6, (sum(user_us) + sum(system_us)) / 1e6,
                       max(peak_kib) / 1024)

    def _run(self, phase, folder, command, count):
        """Runs one command to its end; raises Failed."""
        log = folder / "output.log"
        env = environment({"HOME": str(folder), "LC_ALL": "C.UTF-8", **phase.env})
        deadline_s = 60 + 10 * count
        process = start([*phase.wrapper, *command], log, env=env, cwd=folder)
        try:
            code = process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            code = f"none within {deadline_s} s"
        finally:
            kill_group(process)
        if code != 0:
            raise Failed(f"{phase.row}: exit code {code}; the end of its output:\n"
                         f"{log.read_text(errors='replace')[-2000:]}")

    def _check(self, phase, name):
        """The certificate is of this CA and name, and its key is P-256 and beside it."""
        chain, key = phase.pair_of(name)
        verify = _openssl("verify", "-CAfile", self.pebble.root, "-untrusted", chain,
                          "-verify_hostname", name, chain)
        public = _openssl("x509", "-in", chain, "-noout", "-pubkey")
        own = _openssl("pkey", "-in", key, "-pubout")
        if not verify or not own or public != own or P256_PUBLIC_KEY not in own:
            raise Failed(f"{phase.row}: {chain} and {key} are no good pair for {name}")


def _openssl(*arguments):
    """Its output; empty when it fails."""
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, timeout=10)
    return done.stdout if done.returncode == 0 else ""


def pebble_version():
    """Of the package, for its binary does not know."""
    changelog = programs_folder().parents[1] / "usr/share/doc/pebble/changelog.Debian.gz"
    with gzip.open(changelog, "rt", encoding="utf-8") as lines:
        return re.search(r"\((.*)\)", lines.readline())[1]
