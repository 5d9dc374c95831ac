"""The machine and the software that figures depend on."""

import os
import platform
import subprocess
from pathlib import Path

_LIBRARIES = ("libcurl4", "libssl3", "libnghttp2-14", "liburing2", "libsqlite3-0")


def _field(path, name, separator):
    for line in Path(path).read_text(encoding="utf-8", errors="replace").splitlines():
        if line.split(separator)[0].strip() == name:
            return line.split(separator, 1)[1].strip().strip('"')
    return "unknown"


def package_version(package):
    done = subprocess.run(["dpkg-query", "--show", "--showformat=${Version}", package],
                          capture_output=True, text=True, timeout=10)
    return done.stdout.strip() or "unknown"


def file_system(folder):
    """The file system that holds the folder: its type, and of ext4 whether it has a journal, on
    which the cost of fsync and of making files depends."""
    best = ("", "unknown")
    for entry in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
        _, point, kind, *_ = entry.split()
        inside = folder.is_relative_to(point.replace("\\040", " "))
        if inside and len(point) >= len(best[0]):
            best = (point, kind)
    kind, journal = best[1], has_journal(folder) if best[1] == "ext4" else None
    return kind if journal is None else f"{kind} with{'' if journal else 'out'} a journal"


def has_journal(folder):
    """Of ext4; None: the kernel does not tell."""
    number = os.stat(folder).st_dev
    device = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}").resolve().name
    try:
        return Path(f"/sys/fs/ext4/{device}/journal_task").read_text().strip() != "<none>"
    except OSError:
        return None


def describe(folder):
    memory_kib = int(_field("/proc/meminfo", "MemTotal", ":").split()[0])
    return {"cpu": _field("/proc/cpuinfo", "model name", ":"), "cores": os.cpu_count(),
            "memory_gib": round(memory_kib / 2**20, 1), "kernel": platform.release(),
            "system": _field("/etc/os-release", "PRETTY_NAME", "="),
            "file_system": file_system(Path(folder).resolve()),
            "load_before": round(os.getloadavg()[0], 2),
            "libraries": {name: package_version(name) for name in _LIBRARIES}}


def source_version(repository):
    """By git: the commit, and whether anything differs from it."""
    done = subprocess.run(["git", "-C", repository, "describe", "--always", "--dirty", "--tags"],
                          capture_output=True, text=True, timeout=20)
    return done.stdout.strip() or "unknown"
