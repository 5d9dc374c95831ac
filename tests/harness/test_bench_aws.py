"""What bench/aws makes of a forecast and the imports that came of it."""

import sys
import unittest
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parents[1])]

from bench.harness import aws, tables  # noqa: E402


def forecast(seconds, **lanes):
    return {"seconds": seconds, "imports": {"lanes": [
        {"profile": "one", "region": region.replace("_", "-"), "imports": imports, "seconds": lane_s}
        for region, (imports, lane_s) in lanes.items()]}}


class BenchAwsTest(unittest.TestCase):
    def test_each_lane_is_measured_to_its_last_import(self):
        imported = [("one", "us-east-1", 101), ("one", "us-east-1", 110), ("one", "eu-west-1", 105)]
        made = aws.rows(forecast(10, us_east_1=(2, 9), eu_west_1=(1, 5)), imported, 100, 110)
        self.assertEqual([row["measured_s"] for row in made], [10, 10, 5])
        self.assertEqual([row["imports"] for row in made], [3, 2, 1])
        self.assertAlmostEqual(made[0]["off"], 0)
        self.assertAlmostEqual(made[1]["off"], 0.1)
        self.assertTrue(aws.is_met(made))
        self.assertIn("us-east-1", tables.terminal("aws", made))

    def test_a_forecast_that_is_off_either_way_is_told(self):
        for measured, met in ((109, True), (112, False), (92, True), (90, False)):
            made = aws.rows(forecast(100, us_east_1=(1, measured)),
                            [("one", "us-east-1", measured)], 0, measured)
            self.assertIs(aws.is_met(made), met, measured)
            text = aws.markdown({"machine": {"cpu": "C", "kernel": "1"}, "rows": made, "full": True,
                                 "imports_per_second": 1.0, "throttled": 2, "date": "today",
                                 "version": "v"})
            self.assertIn("NOT met" if not met else "off, met", text)
            self.assertIn("bench/aws --full", text)

    def test_a_lane_that_lacks_imports_is_an_error(self):
        with self.assertRaisesRegex(ValueError, "1 imports, not 2"):
            aws.rows(forecast(10, us_east_1=(2, 9)), [("one", "us-east-1", 1)], 0, 10)


if __name__ == "__main__":
    unittest.main()
