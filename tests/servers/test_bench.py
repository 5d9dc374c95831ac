"""bench/run in small: every section measures something, and a second start measures nothing."""

import json
import os
import subprocess
import sys
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness.case import Case  # noqa: E402
from harness.certmill import program  # noqa: E402

REPOSITORY = Path(__file__).resolve().parents[2]


@unittest.skipIf(os.environ.get("CERTMILL_SANITIZE"), "it measures the release programs")
class BenchTest(Case):
    deadline_s = 300

    def bench(self, *options):
        done = subprocess.run([REPOSITORY / "bench/run", "--tiny", "--out", self.folder, *options],
                              cwd="/", text=True, timeout=250, stdin=subprocess.DEVNULL,
                              capture_output=True, env={**os.environ, "CERTMILL": program()})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done

    def test_every_section(self):
        self.bench()
        result = json.loads((self.folder / "result.json").read_text())
        self.assertEqual((result["failed"], result["left_out"]), ([], []))
        sections = result["sections"]
        self.assertEqual(sorted(sections), ["clients", "growth", "keys", "plan", "realistic",
                                            "scaling", "store", "targets"])
        rows = {(row["challenge"], row["in_flight"]): row for row in sections["scaling"]
                if not row["growing"]}
        self.assertEqual(sorted(rows), [("http-01", 1), ("http-01", 10), ("none", 1),
                                        ("none", 10)])
        for row in rows.values():
            self.assertGreater(row["cpu_ms"], 0)
            self.assertAlmostEqual(row["user_ms"] + row["system_ms"], row["cpu_ms"])
            self.assertGreater(row["ca_cpu_ms"], 0)
            self.assertGreaterEqual(row["requests"], 3)
        self.assertGreater(rows["http-01", 10]["requests"], rows["none", 10]["requests"])
        self.assertEqual({(row["row"], row["challenge"]) for row in sections["clients"]},
                         {("certmill", "none"), ("certmill", "http-01")})
        in_memory = [row for row in sections["scaling"] if row["tmpfs_cpu_ms"]]
        self.assertEqual(len(in_memory), 2 if os.access("/dev/shm", os.W_OK) else 0)
        self.assertEqual(len(sections["store"]), 7)
        self.assertEqual(len(sections["plan"]), 4)
        self.assertTrue(sections["targets"])
        for name in result["charts"]:
            ElementTree.parse(self.folder / name)
        self.assertIn("<summary>By orders in flight</summary>", (self.folder / "result.md").read_text())
        self.assertEqual(list(self.folder.glob("certmill-bench-*")), [])

        # All is in the journal now. (In a work tree that is edited meanwhile it is not.)
        journal = (self.folder / "rows.jsonl").read_text()
        again = self.bench()
        self.assertEqual((self.folder / "rows.jsonl").read_text(), journal)
        self.assertNotIn(" s)\n", again.stderr)


if __name__ == "__main__":
    unittest.main()
