"""bench/keygen in small: one key of RSA-2048 by OpenSSL, and a few by each other way."""

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
class KeygenTest(Case):
    deadline_s = 50

    def keygen(self, *options):
        return subprocess.run([REPOSITORY / "bench/keygen", "--out", self.folder, *options],
                              cwd="/", text=True, timeout=45, stdin=subprocess.DEVNULL,
                              capture_output=True, env={**os.environ, "CERTMILL": program()})

    def test_one_key_of_each(self):
        done = self.keygen("--keys", "1", "--only", "RSA-2048,P-384")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        result = json.loads((self.folder / "result.json").read_text())
        rows = {(row["key"], row["way"]): row for row in result["rows"]}
        for way in (("RSA-2048", "portable"), ("RSA-2048", "openssl"), ("P-384", "auto"),
                    ("P-384", "openssl")):
            self.assertIn(way, rows)
        for row in rows.values():
            self.assertGreater(row["median_ms"], 0)
            self.assertGreater(row["ratio"], 0)
        self.assertEqual(rows["RSA-2048", "portable"]["by"], "portable")
        self.assertEqual(rows["RSA-2048", "openssl"]["keys"], 1)
        # Each way is in the result, or it is said why not.
        self.assertEqual(len(rows) + len(result["left_out"]), 8, result["left_out"])
        self.assertIn("| P-384 | auto |", (self.folder / "result.md").read_text())
        ElementTree.parse(self.folder / "keygen.svg")

    def test_what_there_is_not(self):
        for options in (["--only", "RSA-1024"], ["--keys", "0"], ["--keys", "1", "--quick"]):
            self.assertEqual(self.keygen(*options).returncode, 2, options)


if __name__ == "__main__":
    unittest.main()
