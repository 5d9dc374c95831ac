"""The base of every test: a temporary folder, a deadline for the whole test, cleanups."""

import os
import shutil
import signal
import sys
import tempfile
import unittest
from pathlib import Path


class Case(unittest.TestCase):
    """Ends a test that takes longer than `deadline_s`, and keeps its folder when it failed and
    CERTMILL_KEEP is set."""

    deadline_s = 120

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="certmill-test-"))
        self.addCleanup(self._remove_folder)

        def too_late(*_):
            raise TimeoutError(f"{self.id()} took more than {self.deadline_s} s")
        signal.signal(signal.SIGALRM, too_late)
        signal.alarm(self.deadline_s)
        self.addCleanup(signal.alarm, 0)

    def _remove_folder(self):
        if os.environ.get("CERTMILL_KEEP"):
            print(f"kept: {self.folder}", file=sys.stderr)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    def assert_code(self, run, code):
        self.assertEqual(run.code, code, str(run))
