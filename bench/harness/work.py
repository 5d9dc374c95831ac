"""Where the measured files go: a new folder for each start, that stays until all is measured.

ext4 without a journal looks, for each inode that it makes, at those that were deleted in the last
five minutes: a folder removed between two rows makes the later one's system time three to five times
dearer. So nothing is removed on a disk before the end, and then all at once."""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PREFIX = "certmill-bench-"
TMPFS = Path("/dev/shm")
RECENT_S = 300  # that ext4 without a journal may remember a deleted inode
# What one certificate takes at most: four files and two folders of a block each, its rows in the
# state, its part of the manifest and of the logs.
CERTIFICATE_BYTES, CERTIFICATE_INODES = 32 << 10, 8
ENTRY_BYTES = 1 << 10  # of a manifest, and of rows of the state without files
SPARE_BYTES, SPARE_INODES = 1 << 30, 10000


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def make(parent):
    """A new folder, and the descriptor by which it is known to be in use until that is closed."""
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return folder, descriptor


def unused(parent):
    """The folders that earlier starts left there and no running one uses."""
    found = []
    for folder in sorted(parent.glob(f"{PREFIX}*")):
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            continue  # removed meanwhile, or somebody else's
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            found.append(folder)
        except BlockingIOError:
            pass
        finally:
            os.close(descriptor)
    return found


def remove(parent, limit_s, out):
    """Removes all unused folders, in the foreground, and notes in `out` when. What takes longer than
    the limit is left for the end of the next start."""
    folders = unused(parent)
    if not folders:
        return
    say(f"removes the files that were measured with, in {parent}")
    try:
        subprocess.run(["rm", "-rf", *folders], timeout=limit_s, stderr=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        say(f"that takes more than {limit_s:.0f} s: the next start removes the rest at its end, or "
            f"you do: rm -rf {parent}/{PREFIX}*")
    (out / "removed").touch()


def removed_ago_s(out):
    """How long ago a start with this output removed files; None: not lately."""
    try:
        ago_s = time.time() - (out / "removed").stat().st_mtime
    except OSError:
        return None
    return ago_s if 0 <= ago_s < RECENT_S else None


def needed(modules, scale):
    """(bytes, inodes) that the sections' files take together."""
    certificates = sum(module.certificates(scale) for module in modules)
    entries = sum(module.entries(scale) for module in modules if hasattr(module, "entries"))
    return (certificates * CERTIFICATE_BYTES + entries * ENTRY_BYTES + SPARE_BYTES,
            certificates * CERTIFICATE_INODES + SPARE_INODES)


def gib(size):
    return f"{size / 2**30:.1f} GiB"


def too_small(folder, size, inodes):
    """What the file system lacks, in words; None: it has room for so much."""
    usage = os.statvfs(folder)
    free = usage.f_bavail * usage.f_frsize
    if free < size:
        return f"{gib(size)} are needed in {folder}, and {gib(free)} are free"
    # Some file systems have no table of inodes: they say 0.
    if usage.f_files and usage.f_favail < inodes:
        return f"{inodes:,} inodes are needed in {folder}, and {usage.f_favail:,} are free"
    return None


def _memory_available():
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) << 10
    return 0


class Tmpfs:
    """Folders in memory, one a row, removed with the row: there that costs the next one nothing,
    and what they hold is memory."""

    def __init__(self, parent=TMPFS):
        self._parent = parent

    def lacks(self, certificates):
        """Why so many certificates have no room there; None: they have."""
        size = certificates * CERTIFICATE_BYTES
        if not os.access(self._parent, os.W_OK):
            return f"no {self._parent} to write to"
        if 2 * size > _memory_available():
            return f"{gib(2 * size)} of memory would have to be free"
        return too_small(self._parent, size, certificates * CERTIFICATE_INODES)

    def __enter__(self):
        for folder in unused(self._parent):  # of a start that was killed
            shutil.rmtree(folder, ignore_errors=True)
        self._folder, self._descriptor = make(self._parent)
        return self._folder

    def __exit__(self, *_):
        shutil.rmtree(self._folder, ignore_errors=True)
        os.close(self._descriptor)
