"""What bench/keygen reckons and shows. Measures nothing."""

import json
import sys
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY / "tests"), str(REPOSITORY)]

from bench.harness import keygen, summary, tables  # noqa: E402
from harness.case import Case  # noqa: E402

RSA_2048 = keygen.chosen("RSA-2048")[0]
P384 = keygen.chosen("P-384")[0]
SAID = [{"way": "ifma", "by": "ifma", "ms": [9.0, 10.0, 14.0]},
        {"way": "portable", "by": "portable", "ms": [40.0, 40.0]},
        {"way": "openssl", "by": "openssl", "ms": [200.0, 240.0, 400.0]},
        {"way": "gnutls", "left_out": "built without libgnutls28-dev"}]


def printed(said):
    return "".join(f"{json.dumps(each)}\n" for each in said)


def sample_result(said=tuple(SAID), kind=RSA_2048):
    rows, left_out = keygen.rows(kind, printed(said))
    return {"date": "2026-11-23", "version": "v1", "rows": rows, "left_out": left_out,
            "machine": {"cpu": "A & B <3 GHz>", "kernel": "6.1", "system": "Debian 12",
                        "load_before": 0.25, "libraries": {"libssl3": "3.0.17"}}}


class KindsTest(Case):
    def test_by_name_and_by_bits(self):
        self.assertEqual([kind.name for kind in keygen.chosen("p-384, 2048")],
                         ["RSA-2048", "P-384"])
        self.assertEqual(len(keygen.chosen(",".join(kind.name for kind in keygen.KINDS))), 6)
        for wrong in ("", "RSA", "RSA-1024", "2048,"):
            with self.assertRaises(ValueError):
                keygen.chosen(wrong)

    def test_as_the_program_is_told(self):
        self.assertEqual(RSA_2048.words()[0], "ifma:8")
        self.assertEqual(P384.words(), ["auto:1", "openssl:1", "gnutls:1"])

    def test_every_way_has_a_label(self):
        self.assertEqual({way for kind in keygen.KINDS for way, _ in kind.ways},
                         set(keygen.LABELS))


class RowsTest(Case):
    def test_medians_means_and_ratios(self):
        result = sample_result()
        ifma, portable, openssl = result["rows"]
        self.assertEqual((ifma["key"], ifma["keys"], ifma["by"]), ("RSA-2048", 3, "ifma"))
        self.assertEqual((ifma["median_ms"], ifma["mean_ms"]), (10, 11))
        self.assertEqual((openssl["median_ms"], openssl["mean_ms"]), (240, 280))
        self.assertEqual(ifma["median_ratio"], 24)
        self.assertAlmostEqual(ifma["ratio"], 280 / 11)
        self.assertEqual((portable["median_ratio"], portable["ratio"]), (6, 7))
        self.assertEqual((openssl["ratio"], openssl["ratio_error"]), (1, None))
        self.assertEqual(result["left_out"],
                         ["RSA-2048, GnuTLS: built without libgnutls28-dev"])

    def test_targets_are_by_the_means(self):
        ifma, portable, openssl = sample_result()["rows"]
        self.assertEqual((ifma["target"], ifma["met"]), (25, True))  # 24 by the medians
        self.assertEqual((portable["target"], portable["met"]), (7, True))
        self.assertEqual((openssl["target"], openssl["met"]), (None, None))
        slow = keygen.rows(RSA_2048, printed([{**SAID[1], "ms": [41.0]}, SAID[2]]))[0][0]
        self.assertIs(slow["met"], False)

    def test_how_well_it_is_known(self):
        _, portable, openssl = sample_result()["rows"]
        self.assertEqual(portable["error"], 0)  # all keys cost the same
        # The standard deviation of 200, 240 and 400 is 105.83.
        self.assertAlmostEqual(openssl["error"], 105.830 / 3**0.5 / 280, places=5)
        self.assertAlmostEqual(portable["ratio_error"], openssl["error"])
        one = keygen.rows(RSA_2048, printed([{**SAID[0], "ms": [9.0]}, SAID[2]]))[0][0]
        self.assertIsNone(one["ratio_error"])

    def test_without_openssl(self):
        rows, _ = keygen.rows(RSA_2048, printed(SAID[:1]))
        self.assertEqual((rows[0]["ratio"], rows[0]["target"], rows[0]["met"]), (None, 25, None))
        self.assertEqual(tables.cells("keygen", rows)[1][-4:], ["-", "-", "-", "25.0"])


class ShownTest(Case):
    def test_markdown(self):
        text = keygen.markdown(sample_result(), "charts")
        self.assertIn("| RSA-2048 | ifma | ifma | 3 | 10.0 | 11.0 | 24.0 | 25.5 |", text)
        self.assertIn("25.0: met |", text)
        self.assertIn("RSA-2048, certmill, ifma: 25.5 times, met; ", text)
        self.assertIn("](charts/keygen.svg)", text)
        self.assertIn("Left out: RSA-2048, GnuTLS: built without libgnutls28-dev.", text)
        self.assertIn("libssl3 3.0.17", text)

    def test_nothing_measured(self):
        nothing = sample_result(said=SAID[3:])
        self.assertNotIn("keygen.svg", keygen.markdown(nothing, "."))
        self.assertIsNone(keygen.chart(nothing))

    def test_chart(self):
        words = "".join(ElementTree.fromstring(keygen.chart(sample_result())).itertext())
        self.assertIn("RSA-2048: certmill, portable", words)
        self.assertIn("10.0 ms  (24.0 x less)", words)
        self.assertIn("A & B <3 GHz>", words)

    def test_the_readme_has_its_place(self):
        readme = (REPOSITORY / "README.md").read_text()
        put = summary.put_between(readme, "text", keygen.MARKER)
        end = "<!-- keygen:end -->"
        self.assertIn(f"<!-- keygen:begin -->\ntext\n{end}", put)
        self.assertEqual(put.split(end)[1], readme.split(end)[1])


if __name__ == "__main__":
    unittest.main()
