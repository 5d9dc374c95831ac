"""Runs a program by bench/measure.c, which tells what it alone cost."""

import os
import statistics
import subprocess
from dataclasses import dataclass
from pathlib import Path

from harness.certmill import environment
from harness.process import kill_group, start


class Failed(Exception):
    """What was to be measured did not do its work: the row does not count."""


@dataclass(frozen=True)
class Figures:
    """Of all processes together, one after the other; the memory is the largest one's."""

    wall_s: float
    user_s: float
    system_s: float
    peak_kib: int

    @property
    def cpu_s(self):
        return self.user_s + self.system_s

    def cpu_ms(self, count):
        """Of each of so many, for a row."""
        return {"cpu_ms": 1000 * self.cpu_s / count, "user_ms": 1000 * self.user_s / count,
                "system_ms": 1000 * self.system_s / count}


def run(command, folder, *, deadline_s, env=None, output="output.log", codes=(0,)):
    """Runs one command to its end, its output in folder/`output`; raises Failed."""
    log = Path(folder) / output
    process = start(command, log, env=environment({"LC_ALL": "C.UTF-8", **(env or {})}),
                    cwd=folder)
    try:
        code = process.wait(max(1, deadline_s))
    except subprocess.TimeoutExpired:
        raise Failed(f"{command[0]}: not done within {deadline_s:.0f} s\n{_end(log)}") from None
    finally:
        kill_group(process)
    if code not in codes:
        raise Failed(f"{command[0]}: exit code {code}\n{_end(log)}")
    return log


def _end(log):
    return log.read_text(errors="replace")[-2000:] if log.exists() else ""


def measured(measure, commands, folder, *, wrapper=(), **options):
    """Runs the commands, each under `measure`; gives their Figures and the last one's log."""
    results = Path(folder) / "measured"
    results.unlink(missing_ok=True)
    log = None
    # Else what the row before wrote is still on its way to the disk, and this one pays for it.
    os.sync()
    for command in commands:
        log = run([*wrapper, measure, results, *command], folder, **options)
    lines = [[int(each) for each in line.split()] for line in results.read_text().splitlines()]
    wall_us, user_us, system_us, peak_kib, _ = zip(*lines)
    return Figures(sum(wall_us) / 1e6, sum(user_us) / 1e6, sum(system_us) / 1e6,
                   max(peak_kib)), log


def medians(rows):
    """The median of each number over rows with the same keys; what is the same in all, or no
    number, is the first row's."""
    def middle(key, value):
        values = [row[key] for row in rows]
        same = all(each == value for each in values)
        return value if same or not isinstance(value, (int, float)) else statistics.median(values)
    return {key: middle(key, value) for key, value in rows[0].items()}
