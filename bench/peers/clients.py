"""How each ACME client is driven for a fleet: the way its own manual says, as data.

A client gives phases. A phase is a row of the result: commands that run one after the other, and
where the certificates then are. Every client gets the same directory URL, the same trust (by its
own means, so that HTTPS is checked by all), the same names, P-256 keys, and one webroot."""

import functools
import os
import shlex
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from harness.fleet import Fleet, account, certificate
from harness.trust import no_system_trust, with_system_trust

from bench.harness.machine import package_version

IN_FLIGHT = 64  # of those that do several orders at once
EMAIL = "ops@example.com"
GO_LIBRARY = "golang-golang-x-crypto-dev"
# In which forms the Go client is measured: row -> (name, what it does, its options).
GO_FORMS = {
    "go, as durable": ("go-durable", "four files and three folders fsynced, chain checked", []),
    "go, files only": ("go-files", "two files fsynced, no folder", ["-plain"]),
}
CONCURRENT = ("certmill", *(name for name, _, _ in GO_FORMS.values()))


@dataclass
class Job:
    """What a client has to do, and with what."""

    folder: Path  # its own, empty
    directory: str
    ca_file: Path
    webroot: Path
    names: list
    challenge: str  # "http-01", or "none": the names are authorized already
    in_flight: int  # for those that do several at once

    @property
    def challenges(self):
        return self.webroot / ".well-known" / "acme-challenge"


@dataclass
class Phase:
    row: str
    how: str
    commands: list  # of argument lists, run one after the other
    pair_of: object  # name -> (certificate with its chain, private key)
    setup: list = field(default_factory=list)  # commands before it, not measured: the account
    env: dict = field(default_factory=dict)
    wrapper: list = field(default_factory=list)  # goes before each command, and is not measured


ONE_EACH = "one process a certificate, one after the other"
ONE_FOR_ALL = "one process, one certificate after the other"


class Client:
    name = package = ""
    concurrent = False
    in_flight = 1
    challenges = ("http-01",)

    def missing(self):
        """Why it cannot be measured here; None: it can."""
        return None if shutil.which(self.name) else f"no program {self.name} on this machine"

    def version(self):
        return package_version(self.package)


class Certmill(Client):
    name = package = "certmill"
    concurrent = True
    in_flight = IN_FLIGHT
    challenges = ("none", "http-01")

    def __init__(self, program):
        self.program = program

    def missing(self):
        return None

    def version(self):
        done = subprocess.run([self.program, "--version"], capture_output=True, text=True,
                              timeout=10, check=True)
        return done.stdout.split()[1]

    def phases(self, job):
        fleet = Fleet(job.folder, job.ca_file)
        fleet.accounts["bench"] = account(job.directory, email=EMAIL)
        fleet.defaults = {"account": "bench", "challenge": job.challenge}
        fleet.solvers = {"http-01": {"webroot": str(job.webroot)}}
        fleet.limits["in-flight"] = job.in_flight
        fleet.certificates = [certificate(name, [name]) for name in job.names]
        fleet.write()

        def pair_of(name):
            return fleet.live(name) / "fullchain.pem", fleet.live(name) / "privkey.pem"
        trust = ["--ca-file", job.ca_file]
        return [Phase("certmill", f"one process, {job.in_flight} orders at once",
                      [[self.program, "run", fleet.manifest, *trust, "--progress", "never"]],
                      pair_of,
                      setup=[[self.program, "accounts", "register", fleet.manifest, *trust]])]


class GoProgram:
    """The concurrent Go client of bench/peers/go, built with Debian's packages alone."""

    source = Path(__file__).resolve().parent / "go"

    def __init__(self, folder):
        self._folder = folder

    @functools.cached_property
    def built(self):
        """(program, None) or (None, why not)."""
        if not shutil.which("go"):
            return None, "no program go on this machine"
        if not Path("/usr/share/gocode/src/golang.org/x/crypto/acme").is_dir():
            return None, f"no {GO_LIBRARY} on this machine"
        self._folder.mkdir(parents=True, exist_ok=True)
        program = self._folder / "go-acme"
        env = {**os.environ, "GO111MODULE": "off", "GOFLAGS": "", "GOPATH": "/usr/share/gocode",
               "GOCACHE": str(self._folder / "cache")}
        done = subprocess.run(["go", "build", "-o", program, "."], cwd=self.source, env=env,
                              capture_output=True, text=True, timeout=300)
        if done.returncode != 0:
            return None, f"it does not build: {done.stderr.strip()}"
        return program, None


class GoAcme(Client):
    concurrent = True
    in_flight = IN_FLIGHT
    challenges = ("none", "http-01")

    def __init__(self, program, row):
        self._program, self._row = program, row
        self.name, self._does, self._options = GO_FORMS[row]

    def missing(self):
        return self._program.built[1]

    def version(self):
        done = subprocess.run(["go", "env", "GOVERSION"], capture_output=True, text=True,
                              timeout=20)
        return f"{done.stdout.strip()}, x/crypto {package_version(GO_LIBRARY)}"

    def phases(self, job):
        program, _ = self._program.built
        account_key, names = job.folder / "account.key", job.folder / "names"
        names.write_text("\n".join(job.names) + "\n")
        common = [program, "-directory", job.directory, "-ca-file", job.ca_file,
                  "-account", account_key]
        webroot = ["-webroot", job.webroot] if job.challenge == "http-01" else []

        def pair_of(name):
            live = job.folder / "live" / name
            return (live / "fullchain.pem", live / "privkey.pem") if live.exists() else \
                (job.folder / f"{name}.crt", job.folder / f"{name}.key")
        return [Phase(self._row, f"one process, {job.in_flight} orders at once; {self._does}",
                      [[*common, "-names", names, "-out", job.folder, *webroot,
                        "-concurrency", job.in_flight, *self._options]], pair_of,
                      setup=[[*common, "-register"]])]


class Certbot(Client):
    name = package = "certbot"

    def phases(self, job):
        folders = [f"--{each}-dir={job.folder / each}" for each in ("config", "work", "logs")]
        common = ["--non-interactive", *folders, "--server", job.directory]
        env = {"REQUESTS_CA_BUNDLE": str(job.ca_file)}
        register = ["certbot", "register", *common, "--agree-tos", "--email", EMAIL,
                    "--no-eff-email"]
        first = [["certbot", "certonly", *common,
                  "--key-type", "ecdsa", "--elliptic-curve", "secp256r1",
                  "--webroot", "--webroot-path", job.webroot, "--domain", name]
                 for name in job.names]
        # Its timer waits for up to eight minutes before it renews; that is left out.
        again = ["certbot", "renew", *common, "--force-renewal", "--no-random-sleep-on-renew"]

        def pair_of(name):
            live = job.folder / "config" / "live" / name
            return live / "fullchain.pem", live / "privkey.pem"
        return [Phase("certbot certonly", ONE_EACH, first, pair_of, [register], env),
                Phase("certbot renew", ONE_FOR_ALL, [again], pair_of, env=env)]


class Lego(Client):
    name = package = "lego"

    def phases(self, job):
        # It registers only together with a first certificate.
        register, *commands = [
            ["lego", "--server", job.directory, "--accept-tos", "--email", EMAIL,
             "--path", job.folder, "--key-type", "ec256", "--http",
             "--http.webroot", job.webroot, "--domains", name, "run"]
            for name in ["first.example.com", *job.names]]

        def pair_of(name):
            folder = job.folder / "certificates"
            return folder / f"{name}.crt", folder / f"{name}.key"
        return [Phase("lego", ONE_EACH, commands, pair_of, [register],
                      {"LEGO_CA_CERTIFICATES": str(job.ca_file)})]


class Uacme(Client):
    """Has no option for its trust, so it sees another system trust."""

    name = package = "uacme"
    hook = "/usr/share/uacme/uacme.sh"

    def missing(self):
        if not Path(self.hook).exists():
            return f"no {self.hook} on this machine"
        why = no_system_trust()
        return f"it takes only the system's trust, and {why}" if why else super().missing()

    def phases(self, job):
        common = ["uacme", "--acme-url", job.directory, "--confdir", job.folder,
                  "--type", "EC", "--bits", "256", "--hook", self.hook, "--yes"]
        commands = [[*common, "issue", name] for name in job.names]

        def pair_of(name):
            return job.folder / name / "cert.pem", job.folder / "private" / name / "key.pem"
        return [Phase("uacme", ONE_EACH, commands, pair_of, [[*common, "new", EMAIL]],
                      {"UACME_CHALLENGE_PATH": str(job.challenges)},
                      with_system_trust(job.ca_file))]


class Dehydrated(Client):
    name = package = "dehydrated"

    def phases(self, job):
        settings = {"CA": job.directory, "BASEDIR": job.folder, "WELLKNOWN": job.challenges,
                    "KEY_ALGO": "prime256v1", "CONTACT_EMAIL": EMAIL,
                    "CURL_OPTS": f"--cacert {job.ca_file}"}
        config = job.folder / "config"
        config.write_text("".join(f"{key}={shlex.quote(str(value))}\n"
                                  for key, value in settings.items()))
        (job.folder / "domains.txt").write_text("\n".join(job.names) + "\n")
        common = ["dehydrated", "--config", config]

        def pair_of(name):
            folder = job.folder / "certs" / name
            return folder / "fullchain.pem", folder / "privkey.pem"
        return [Phase("dehydrated", ONE_FOR_ALL, [[*common, "--cron"]], pair_of,
                      [[*common, "--register", "--accept-terms"]])]


def all_clients(bench):
    """All that are known, in the order in which they are shown."""
    program = GoProgram(bench.out / "go")
    return (Certmill(bench.certmill), *(GoAcme(program, row) for row in GO_FORMS), Lego(),
            Certbot(), Uacme(), Dehydrated())
