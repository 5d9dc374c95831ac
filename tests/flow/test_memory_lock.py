"""Where memory cannot be locked, certmill says so, and works all the same."""

import resource
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from flow import FlowCase  # noqa: E402


class MemoryLockTest(FlowCase):
    def test_without_locked_memory(self):
        self.start_ca()
        fleet = self.make_fleet(["one"])
        before = resource.getrlimit(resource.RLIMIT_MEMLOCK)
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (0, before[1]))
        try:
            run = fleet.run()
        finally:
            resource.setrlimit(resource.RLIMIT_MEMLOCK, before)
        self.assert_code(run, 0)
        self.check_all_issued(fleet)
        if self.may_lock_anyway():
            self.skipTest("this user may lock memory without a limit")
        self.assertIn("LimitMEMLOCK", run.err)

    @staticmethod
    def may_lock_anyway():
        """CAP_IPC_LOCK, which root has, lifts the limit."""
        status = Path("/proc/self/status").read_text()
        effective = next(line for line in status.splitlines() if line.startswith("CapEff:"))
        return bool(int(effective.split()[1], 16) >> 14 & 1)


if __name__ == "__main__":
    unittest.main()
