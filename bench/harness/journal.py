"""What was measured so far, a JSON line a row, so that an interrupted run goes on where it was.

A row is found again by its section, its parameters, the version of the sources, and the programs
themselves: measured with any other program it is another row."""

import hashlib
import json
import os


def identity(section, parameters, version, programs):
    """The key of a row as text: the same for the same measurement, whatever the order of a dict."""
    return json.dumps({"section": section, "parameters": parameters, "version": version,
                       "programs": programs}, sort_keys=True)


def fingerprint(paths):
    """One short digest of some files, by name and content."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        content = hashlib.sha256(path.read_bytes()).digest() if path.exists() else b"none"
        digest.update(path.name.encode() + b"\0" + content)
    return digest.hexdigest()[:16]


class Journal:
    def __init__(self, path, fresh=False):
        self.path = path
        self._rows = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        if fresh:
            path.unlink(missing_ok=True)
        if path.exists():
            self._read()

    def _read(self):
        for line in self.path.read_bytes().splitlines():
            try:
                kept = json.loads(line)
                self._rows[kept["key"]] = kept["row"]
            except (ValueError, KeyError, TypeError):
                continue  # a line that an interrupted run did not finish

    def find(self, key):
        """The row that was measured, or None."""
        return self._rows.get(key)

    def add(self, key, row):
        self._rows[key] = row
        line = json.dumps({"key": key, "row": row}) + "\n"
        # A line of an earlier run may lack its end.
        with open(self.path, "ab+") as file:
            if file.tell() > 0:
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    line = "\n" + line
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())
