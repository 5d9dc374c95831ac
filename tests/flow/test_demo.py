"""bench/demo, the README's first command: packages, build, the load CA, a fleet, in one go."""

import os
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness.case import Case  # noqa: E402

REPOSITORY = Path(__file__).resolve().parents[2]


@unittest.skipIf(os.environ.get("CERTMILL_SANITIZE"), "it builds and runs the release program")
class DemoTest(Case):
    deadline_s = 300

    def test_a_few_certificates(self):
        done = subprocess.run([REPOSITORY / "bench/demo", "8"], cwd="/", text=True, timeout=280,
                              stdin=subprocess.DEVNULL, capture_output=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("8 of 8 certificates issued", done.stdout + done.stderr)
        live = REPOSITORY / "bench/out/demo/state/live"
        self.assertEqual(len(list(live.iterdir())), 8)


if __name__ == "__main__":
    unittest.main()
