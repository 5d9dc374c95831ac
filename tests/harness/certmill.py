"""Runs certmill as an operator would, and keeps what came out."""

import json
import os
import re
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from harness.process import die_with_parent, kill_group, track

# A sanitizer's report must not look like one of certmill's own exit codes.
SANITIZER_EXIT = 99
_REPORT = re.compile(r"(ERROR: \w*Sanitizer|WARNING: ThreadSanitizer|runtime error:)")


def environment(extra=None):
    env = {key: value for key, value in os.environ.items()
           if not key.lower().endswith("_proxy") and not key.startswith(("AWS_", "SSL_CERT_"))}
    for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS"):
        env[name] = f"exitcode={SANITIZER_EXIT}:" + env.get(name, "")
    env["UBSAN_OPTIONS"] += ":print_stacktrace=1"
    env.update(extra or {})
    return env


def program(points=False):
    """The binary under test: CERTMILL, or CERTMILL_POINTS with its test points."""
    name = "CERTMILL_POINTS" if points else "CERTMILL"
    path = os.environ.get(name)
    if not path:
        default = Path(__file__).resolve().parents[2] / "build/release/bin"
        path = default / ("certmill-points" if points else "certmill")
    return str(path)


@dataclass
class Run:
    code: int  # the exit code; negative: the signal that ended it
    out: str
    err: str
    seconds: float

    def json(self):
        return json.loads(self.out)

    def __str__(self):
        return f"exit code {self.code} after {self.seconds:.1f} s\n--- stdout\n" \
               f"{self.out[-4000:]}\n--- stderr\n{self.err[-8000:]}"


class Started:
    """A certmill that runs: wait for it, or stop it. Its output goes to files, so that it can
    never block on a full pipe."""

    def __init__(self, arguments, folder, env=None, points=False):
        self.arguments = [program(points), *(str(each) for each in arguments)]
        self.begin = time.monotonic()
        stem = f"run-{time.monotonic_ns()}"
        self.out, self.err = Path(folder) / f"{stem}.out", Path(folder) / f"{stem}.err"
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.process = track(subprocess.Popen(
                self.arguments, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                env=environment(env), cwd=folder, start_new_session=True,
                preexec_fn=die_with_parent))

    @property
    def pid(self):
        return self.process.pid

    def signal(self, number):
        os.kill(self.process.pid, number)

    def kill(self):
        """kill -9 of the process alone, as an out-of-memory killer would."""
        try:
            self.signal(signal.SIGKILL)
        except ProcessLookupError:
            pass
        return self.wait(10)

    def wait(self, deadline_s):
        """Waits for the end. A run that goes on too long or has a sanitizer's report raises."""
        try:
            self.process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            self._stop_late()
            raise TimeoutError(f"{self.arguments} not done within {deadline_s} s\n"
                               f"{self._result()}") from None
        kill_group(self.process)
        run = self._result()
        if run.code == SANITIZER_EXIT or _REPORT.search(run.err):
            raise AssertionError(f"a sanitizer complains: {run}")
        return run

    def _stop_late(self):
        self.signal(signal.SIGTERM)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            pass
        kill_group(self.process)

    def _result(self):
        return Run(self.process.returncode, self.out.read_text(errors="replace"),
                   self.err.read_text(errors="replace"), time.monotonic() - self.begin)


def memory_kib(pid, field="VmRSS"):
    """VmRSS (now) or VmHWM (the peak) of a process, in KiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1])
    raise ValueError(f"no {field} of process {pid}")
