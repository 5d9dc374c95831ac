"""bench/aws from its start to its tables, with a few imports at a rate that takes no time."""

import json
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness.case import Case  # noqa: E402
from harness.certmill import environment, program  # noqa: E402

REPOSITORY = Path(__file__).resolve().parents[2]


class BenchAwsTest(Case):
    def test_a_small_fleet(self):
        done = subprocess.run(
            [REPOSITORY / "bench/aws", "--certificates", "2", "--per-second", "50", "--out",
             self.folder / "out"], capture_output=True, text=True, timeout=100,
            env=environment({"CERTMILL": program()}))
        # How far off so short a run is says nothing.
        if done.returncode != 0:
            self.assertIn("bench: a forecast is off by", done.stderr)
        result = json.loads((self.folder / "out/result.json").read_text())
        self.assertEqual([row["imports"] for row in result["rows"]], [24] + 12 * [2])
        self.assertTrue(all(row["measured_s"] > 0 for row in result["rows"]))
        self.assertIn("account-4  us-east-1", done.stdout)
        self.assertIn("| lane | account-1 |", (self.folder / "out/result.md").read_text())


if __name__ == "__main__":
    unittest.main()
