"""What the sections measure with: programs, a CA, folders, the journal, the time left."""

import contextlib
import os
import time
from pathlib import Path

from harness.certmill import program
from harness.check import check_pair
from harness.fleet import Fleet, account, certificate

from bench.harness import work
from bench.harness.ca import BenchCa
from bench.harness.journal import identity
from bench.harness.measure import Failed, measured, run

# Of one row: no client needs that long for what the scales ask, so it hangs.
ROW_LIMIT_S = 1200
EMAIL = "ops@example.com"


class Bench:
    """`folder`: an empty one, for the measured files, on the file system of that name."""

    def __init__(self, scale, out, journal, *, folder, file_system, version, fingerprint,
                 clock=time.monotonic):
        self.scale, self.out, self.journal = scale, Path(out), journal
        self.file_system = file_system
        self._folder = Path(folder)
        self.certmill = Path(program())
        self.programs = self.certmill.parent
        self.version, self.fingerprint = version, fingerprint
        self.failed, self.left_out = [], []
        self._clock, self._begin, self._folders = clock, clock(), 0

    def say(self, text):
        work.say(text)

    @property
    def measure(self):
        return self.programs / "measure"

    def left_s(self):
        """How long the whole run may still take."""
        return self.scale.limit_s - (self._clock() - self._begin)

    def row_limit_s(self):
        return min(ROW_LIMIT_S, max(1, self.left_s()))

    def row(self, section, parameters, measure_row):
        """The row of these parameters: from the journal, or measured now. None when it fails or
        there is no time left for it; both are noted."""
        key = identity(section, {"scale": self.scale.name, "on": self.file_system, **parameters},
                       self.version, self.fingerprint)
        kept = self.journal.find(key)
        if kept is not None:
            return kept
        label = f"{section}: " + ", ".join(f"{k} {v}" for k, v in parameters.items())
        if self.left_s() <= 0:
            self.left_out.append(label)
            return None
        begin, load = self._clock(), round(os.getloadavg()[0], 1)
        try:
            row = {**parameters, **measure_row(), "load_before": load}
        except (Failed, RuntimeError, OSError) as error:  # the CA's too
            if self.left_s() <= 0:
                self.left_out.append(label)
            else:
                self.failed.append(label)
                self.say(f"FAILED {label}\n{error}")
            return None
        self.journal.add(key, row)
        self.say(f"{label} ({self._clock() - begin:.1f} s)")
        return row

    def folder(self, label):
        """A new folder. It stays until the whole run has ended (work.py says why)."""
        self._folders += 1
        path = self._folder / f"{self._folders:03}-{label}"
        path.mkdir(parents=True)
        return path

    @contextlib.contextmanager
    def start_ca(self, folder, challenge, weather=None):
        ca = BenchCa(folder / "ca", challenge, weather)
        try:
            yield ca
        finally:
            ca.stop()

    def tool(self, name, *arguments):
        """Runs one of the small measuring programs; gives the JSON text that it prints."""
        log = run([self.programs / name, *arguments], self.folder(name),
                  deadline_s=self.row_limit_s())
        return log.read_text()


def fleet_of(folder, ca, challenge, in_flight, keys):
    """A fleet of one certificate a key, its account registered before anything is measured."""
    fleet = Fleet(folder, ca.ca_file)
    fleet.accounts["bench"] = account(ca.directory, email=EMAIL)
    fleet.defaults = {"account": "bench", "challenge": challenge}
    fleet.solvers = {"http-01": {"listen": f"127.0.0.1:{ca.http_port}"}}
    fleet.limits["in-flight"] = in_flight
    fleet.certificates = [
        certificate(f"shop-{i:07}", **({} if key is None else {"key": key}))
        for i, key in enumerate(keys)]
    fleet.write()
    return fleet


def certmill_run(bench, folder, ca, challenge, in_flight, keys):
    """Measures one `certmill run` over a new fleet; raises Failed unless all are issued. `keys`:
    one {type, size} a certificate, or None for P-256."""
    fleet = fleet_of(folder, ca, challenge, in_flight, keys)
    trust = ["--ca-file", ca.ca_file]
    run([bench.certmill, "accounts", "register", fleet.manifest, *trust], folder,
        deadline_s=bench.row_limit_s())
    before = ca.spent()
    figures, _ = measured(bench.measure, [[bench.certmill, "run", fleet.manifest, *trust,
                                           "--progress", "never"]],
                          folder, deadline_s=bench.row_limit_s())
    ca_cpu_s, issued, requests = (b - a for a, b in zip(before, ca.spent()))
    count = len(keys)
    if issued != count:
        raise Failed(f"{issued} certificates were issued, not {count}")
    for entry in (fleet.certificates[0], fleet.certificates[-1]):
        try:
            check_pair(fleet.live(entry["name"]), ca.root, entry["domains"])
        except (AssertionError, OSError) as error:
            raise Failed(str(error)) from None
    return {"orders": count, "wall_s": figures.wall_s, "cpu_s": figures.cpu_s,
            "orders_per_s": count / figures.wall_s, **figures.cpu_ms(count),
            "peak_kib": figures.peak_kib, "ca_cpu_ms": 1000 * ca_cpu_s / count,
            "requests": requests / count}
