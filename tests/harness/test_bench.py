"""What bench/run reckons and shows, and how it goes on after an interruption. Measures nothing."""

import os
import re
import sys
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY / "tests"), str(REPOSITORY)]

from bench.harness import (charts, clients, fit, growth, keys, machine, measure,  # noqa: E402
                           plan, realistic, scale, scaling, store, summary, tables, targets, work)
from bench.harness.bench import Bench  # noqa: E402
from bench.harness.journal import Journal, fingerprint, identity  # noqa: E402
from bench.harness.svg import Axis, Series, bar_chart, line_chart, rounded  # noqa: E402
from bench.peers.webroot import Webroot  # noqa: E402
from harness.bench_sample import sample_result, sample_sections  # noqa: E402
from harness.case import Case  # noqa: E402
from harness.process import free_ports  # noqa: E402

BEGIN, END = summary.markers(summary.MARKER)
SVG = "{http://www.w3.org/2000/svg}"


def whole_result():
    sections = sample_sections()
    sections["growth"] = list(growth.rows(sections))
    sections["targets"] = list(targets.rows(sections))
    result = sample_result(sections)
    images = charts.charts(result)
    result["charts"] = sorted(images)
    return result, images


class FitTest(Case):
    def test_a_line(self):
        found = fit.line([(0, 1), (1, 3), (2, 5)])
        self.assertAlmostEqual(found.slope, 2)
        self.assertAlmostEqual(found.intercept, 1)
        self.assertAlmostEqual(found.r2, 1)

    def test_scatter_is_seen(self):
        self.assertLess(fit.line([(0, 0), (1, 5), (2, 0), (3, 5)]).r2, 0.5)

    def test_a_flat_line(self):
        self.assertEqual(fit.line([(0, 4), (1, 4), (2, 4)]), fit.Line(0, 4, 1))

    def test_the_farthest_point(self):
        self.assertAlmostEqual(fit.deviation([(1, 11), (2, 21), (3, 31)]), 0)
        self.assertGreater(fit.deviation([(x, x**1.2) for x in (1e4, 1e5, 1e6)]), 0.1)
        self.assertEqual(fit.deviation([(1, 0), (2, 1)]), float("inf"))

    def test_too_little(self):
        self.assertIsNone(fit.line([(1, 1), (1, 2)]))
        self.assertIsNone(fit.growth([(1, 1), (2, 2)]))
        self.assertIsNone(fit.power([(1, 0), (2, 0), (3, 0)]))

    def test_a_power(self):
        exponent, r2 = fit.power([(x, 3 * x**1.5) for x in (1, 10, 100)])
        self.assertAlmostEqual(exponent, 1.5)
        self.assertAlmostEqual(r2, 1)

    def test_linear_is_said_of_what_is_linear_only(self):
        def verdict(function):
            return fit.growth([(x, function(x)) for x in (1e4, 1e5, 1e6)])["verdict"]
        self.assertEqual(verdict(lambda x: 5e-6 * x), "linear")
        self.assertEqual(verdict(lambda x: 5e-6 * x + 0.1), "linear")
        self.assertEqual(verdict(lambda x: x**1.2), "more than linear")
        self.assertEqual(verdict(lambda x: x * x), "more than linear")
        self.assertEqual(verdict(lambda x: x**0.5), "less than linear")
        self.assertEqual(verdict(lambda x: 7.0), "does not grow")
        # Flat at first, then steep: the straight line alone would not see it.
        steep = fit.growth([(1, 10), (10, 10), (100, 10), (1000, 1000)])
        self.assertEqual(steep["verdict"], "more than linear")
        # A power of nearly 1 on the whole, but no line.
        scattered = fit.growth([(1, 1), (2, 3), (3, 2), (4, 6), (5, 4)])
        self.assertEqual(scattered["verdict"], "not clear")
        # A small program with a large fixed part.
        self.assertEqual(verdict(lambda x: 10 + 3e-5 * x), "linear")
        self.assertIsNone(fit.growth([(1, 1), (2, 2), (2, 3)]))


class JournalTest(Case):
    def setUp(self):
        super().setUp()
        self.path = self.folder / "out" / "rows.jsonl"

    def test_rows_are_found_again(self):
        Journal(self.path).add("one", {"value": 1})
        journal = Journal(self.path)
        self.assertEqual(journal.find("one"), {"value": 1})
        self.assertIsNone(journal.find("two"))

    def test_fresh_forgets(self):
        Journal(self.path).add("one", {})
        self.assertIsNone(Journal(self.path, fresh=True).find("one"))
        self.assertIsNone(Journal(self.path).find("one"))

    def test_a_line_cut_by_the_end_costs_that_row_only(self):
        journal = Journal(self.path)
        journal.add("one", {"value": 1})
        journal.add("two", {"value": 2})
        self.path.write_bytes(self.path.read_bytes()[:-9])
        journal = Journal(self.path)
        self.assertEqual(journal.find("one"), {"value": 1})
        self.assertIsNone(journal.find("two"))
        journal.add("three", {"value": 3})
        self.assertEqual(Journal(self.path).find("three"), {"value": 3})

    def test_lines_that_are_no_rows_are_passed_over(self):
        self.path.parent.mkdir()
        self.path.write_bytes(b'\xff\xfe\n[]\n"text"\n{"key": "one"}\n')
        self.assertIsNone(Journal(self.path).find("one"))

    def test_what_makes_a_row_another(self):
        one = identity("plan", {"a": 1, "b": 2}, "v1", "p1")
        self.assertEqual(one, identity("plan", {"b": 2, "a": 1}, "v1", "p1"))
        for other in (identity("keys", {"a": 1, "b": 2}, "v1", "p1"),
                      identity("plan", {"a": 1, "b": 3}, "v1", "p1"),
                      identity("plan", {"a": 1, "b": 2}, "v2", "p1"),
                      identity("plan", {"a": 1, "b": 2}, "v1", "p2")):
            self.assertNotEqual(one, other)

    def test_the_programs_fingerprint(self):
        program = self.folder / "program"
        program.write_bytes(b"1")
        one = fingerprint([program])
        self.assertEqual(one, fingerprint([program]))
        program.write_bytes(b"2")
        self.assertNotEqual(one, fingerprint([program]))
        program.unlink()
        self.assertNotEqual(one, fingerprint([program]))


class ResumeTest(Case):
    """Bench.row with a clock of its own."""

    def setUp(self):
        super().setUp()
        self.now, self.measured = 0.0, []

    def bench(self, limit_s=100, file_system="ext4 with a journal"):
        bench = Bench(scale.Scale(**{**scale.TINY.__dict__, "limit_s": limit_s}), self.folder,
                      Journal(self.folder / "rows.jsonl"), folder=self.folder,
                      file_system=file_system, version="v", fingerprint="p", clock=lambda: self.now)
        bench.say = lambda text: None
        return bench

    def costs(self, seconds, failure=None):
        def measure_row():
            self.now += seconds
            self.measured.append(seconds)
            if failure:
                raise measure.Failed(failure)
            return {"cost": seconds}
        return measure_row

    def test_a_row_is_measured_once(self):
        first = self.bench().row("plan", {"entries": 5}, self.costs(1))
        self.assertEqual((first["entries"], first["cost"]), (5, 1))
        self.assertEqual(self.bench().row("plan", {"entries": 5}, self.costs(2)), first)
        self.bench().row("plan", {"entries": 6}, self.costs(3))
        self.assertEqual(self.measured, [1, 3])

    def test_on_another_file_system_it_is_another_row(self):
        self.bench().row("plan", {}, self.costs(1))
        self.bench(file_system="xfs").row("plan", {}, self.costs(2))
        self.assertEqual(self.measured, [1, 2])

    def test_what_the_time_does_not_allow_is_left_for_the_next_start(self):
        bench = self.bench(limit_s=10)
        self.assertIsNotNone(bench.row("plan", {"entries": 1}, self.costs(11)))
        self.assertIsNone(bench.row("plan", {"entries": 2}, self.costs(1)))
        # What is there already costs no time.
        self.assertIsNotNone(bench.row("plan", {"entries": 1}, self.costs(1)))
        self.assertEqual(bench.left_out, ["plan: entries 2"])
        self.assertEqual(bench.failed, [])
        self.assertIsNotNone(self.bench(limit_s=10).row("plan", {"entries": 2}, self.costs(1)))

    def test_a_failed_row_is_tried_again(self):
        bench = self.bench()
        self.assertIsNone(bench.row("plan", {}, self.costs(1, "no certificate")))
        self.assertEqual(len(bench.failed), 1)
        self.assertIsNotNone(self.bench().row("plan", {}, self.costs(1)))

    def test_a_row_ended_by_the_time_limit_is_no_failure(self):
        bench = self.bench(limit_s=10)
        self.assertIsNone(bench.row("plan", {}, self.costs(11, "not done within 10 s")))
        self.assertEqual((len(bench.left_out), bench.failed), (1, []))


class ShownTest(Case):
    def test_charts_are_well_formed(self):
        result, images = whole_result()
        self.assertEqual(sorted(images), ["clients.svg", "cpu.svg", "memory.svg", "plan.svg",
                                          "rate.svg"])
        for name, text in images.items():
            root = ElementTree.fromstring(text)
            self.assertEqual(root.tag, f"{SVG}svg", name)
            self.assertTrue(root.find(f"{SVG}title").text, name)
            texts = "".join(each.text or "" for each in root.iter(f"{SVG}text"))
            self.assertIn("A <Processor> & Co", texts, name)
            width, height = (float(root.get(side)) for side in ("width", "height"))
            for each in root.iter():
                for side, end in (("x", width), ("x2", width), ("cx", width), ("y", height),
                                  ("cy", height)):
                    if each.get(side):
                        self.assertTrue(0 <= float(each.get(side)) <= end, (name, each.attrib))

    def test_charts_of_nothing(self):
        self.assertIsNone(line_chart("t", Axis("x"), Axis("y"), [Series("s", ())]))
        self.assertIsNone(bar_chart("t", "ms", []))

    def test_a_chart_of_one_point(self):
        for log in (True, False):
            text = line_chart("t", Axis("x", log), Axis("y", log), [Series("s", ((5, 5),))])
            ElementTree.fromstring(text)
        ElementTree.fromstring(bar_chart("t", "ms", [("a", 3.0, "3 ms", True)]))

    def test_rounded(self):
        for value, text in ((0, "0"), (0.04567, "0.0457"), (1.234, "1.23"), (56.78, "56.8"),
                            (567.8, "568"), (56789.1, "56,789"), (-0.0123, "-0.0123")):
            self.assertEqual(rounded(value), text)

    def test_tables(self):
        result, _ = whole_result()
        for section, rows in result["sections"].items():
            lines = tables.terminal(section, rows).splitlines()
            end = lines[-len(rows):]
            self.assertEqual([line.split()[0] for line in end],
                             [line[0].split()[0] for line in tables.cells(section, rows)[1:]])
            self.assertGreater(len(lines), len(rows) + 2, section)
            marked = tables.markdown(section, rows).splitlines()
            self.assertEqual(len({line.count("|") for line in marked}), 1, section)
        self.assertIn("10,000", tables.terminal("scaling", result["sections"]["scaling"]))

    def test_markdown_and_the_markers(self):
        result, _ = whole_result()
        text = summary.markdown(result, "bench/charts")
        for heading in ("By orders in flight", "Beside other clients", "Planning"):
            self.assertTrue(f"### {heading}\n" in text or f"<summary>{heading}</summary>" in text)
        self.assertEqual(sorted(re.findall(r"\(bench/charts/(.*?)\)", text)), result["charts"])
        self.assertIn("files on ext4 with a journal", text)
        self.assertIn("go, as durable, pre-validated: 4.00 times, met; go, files only, "
                      "pre-validated: 2.00 times, NOT met; go, as durable, http-01: 3.00 times, "
                      "NOT met.", text)
        before, after = "# Title\n\n", "\n\n## Next\n"
        whole = summary.put_between(f"{before}{BEGIN}\nold\n{END}{after}", text)
        self.assertTrue(whole.startswith(before) and whole.endswith(after))
        self.assertNotIn("\nold\n", whole)
        self.assertEqual(summary.put_between(whole, text), whole)
        for wrong in ("", BEGIN, f"{END}{BEGIN}", whole + whole):
            with self.assertRaises(ValueError):
                summary.put_between(wrong, text)

    def test_the_readme_has_the_markers(self):
        readme = (REPOSITORY / "README.md").read_text()
        self.assertIn("text", summary.put_between(readme, "text"))

    def test_a_result_with_little_in_it(self):
        result = sample_result({"growth": [], "targets": [], "store": []})
        result["charts"] = sorted(charts.charts(result))
        self.assertEqual(result["charts"], [])
        self.assertNotIn("###", summary.markdown(result, "."))


class ReckonedTest(Case):
    def test_targets(self):
        found = {row["what"]: row for row in targets.rows(sample_sections())}
        self.assertTrue(found["CPU an order, pre-validated, at 1,000 in flight, files on ext4 with "
                              "a journal"]["met"])
        self.assertTrue(found["CPU an order, http-01, at 1,000 in flight, files on tmpfs"]["met"])
        self.assertFalse(found["times less CPU than lego, http-01"]["met"])
        self.assertTrue(found["times less CPU than go, as durable, none"]["met"])
        self.assertFalse(found["times less CPU than go, files only, none"]["met"])
        self.assertFalse(found["times less CPU than go, as durable, http-01"]["met"])
        self.assertTrue(found["RSA-4096: wall over keys x CPU a key / cores (known to 6.00 %)"]
                        ["met"])
        self.assertTrue(found["plan of 100,000, all live"]["met"])

    def test_growth(self):
        found = {row["what"]: row["verdict"] for row in growth.rows(sample_sections())}
        self.assertEqual(found["plan: CPU, all with live certificates"], "linear")
        self.assertEqual(found["CPU, none"], "linear")
        self.assertEqual(found["CPU an order, none"], "does not grow")
        # One point is no growth.
        self.assertNotIn("plan: CPU, none live", found)

    def test_what_a_slow_ca_allows(self):
        # 10,000 orders in 50 places: 200 times 4 round trips; with http-01 7.
        case = realistic.places_case("none", 50, 40)
        self.assertEqual((case.orders, case.possible_per_s), (10000, 250))
        self.assertAlmostEqual(case.possible_s, 0.1 + 40)
        case = realistic.places_case("http-01", 50, 70.005)
        self.assertEqual(case.orders, 10000)
        self.assertAlmostEqual(case.possible_s, 0.1 + 70)
        # The last 50 of 1,000 begin after 19 times 2 round trips.
        self.assertAlmostEqual(realistic.places_case("none", 50, 4).possible_s, 0.1 + 1.9 + 2.2)
        # No order is quicker than itself.
        self.assertAlmostEqual(realistic.places_case("http-01", 50, 0.05).possible_s,
                               0.1 + 0.35 + 4)
        case = realistic.orders_case("none", 25)
        self.assertEqual((case.orders, case.possible_per_s), (550, 22))
        self.assertAlmostEqual(case.possible_s, 0.1 + 25 + 2.2)
        case = realistic.requests_case("none", 24)
        self.assertEqual(case.orders, 2042)
        self.assertAlmostEqual(case.possible_s, 0.1 + (3 * 2042 - 125) / 250)
        self.assertAlmostEqual(realistic.requests_case("none", 0.1).possible_s, 0.1 + 2.2)

    def test_start_and_end_weigh_little_in_the_long_rows(self):
        for case in realistic.cases(scale.DEFAULT):
            self.assertGreater(case.full_s, 20)
            self.assertLess(case.ends_s / case.possible_s, 0.05)
            self.assertTrue(case.formula)
            found = realistic.shares(case, case.possible_s)
            self.assertAlmostEqual(found["time_share"], 1)
            self.assertAlmostEqual(found["share"] + found["ends_share"], 1)

    def test_how_well_the_cost_of_keys_is_known(self):
        costs = {"RSA-2048": {"keys": 100, "key_cpu_s": 2, "key_sd_s": 1}}
        # Of 100 in the run and 100 measured: the root of two times a tenth of a half.
        self.assertAlmostEqual(keys.uncertainty(costs, {"RSA-2048": 100}), 0.05 * 2**0.5)

    def test_a_mixed_fleet_has_the_shares(self):
        weights = keys.FLEETS["mixed"]
        self.assertEqual(sum(share for _, share in weights), 100)
        fleet = keys.spread(weights, 200)
        for key, share in weights:
            self.assertAlmostEqual(fleet.count(key), 2 * share, delta=1)
        self.assertEqual(fleet[:50], keys.spread(weights, 50))

    def test_medians(self):
        rows = [{"row": "go", "cpu_ms": value, "count": 5} for value in (3, 1, 2)]
        self.assertEqual(measure.medians(rows), {"row": "go", "cpu_ms": 2, "count": 5})

    def test_a_generated_manifest(self):
        text = plan.write_manifest(self.folder, 3).read_text()
        self.assertEqual(len(re.findall(r"^  - name: shop-000000\d$", text, re.MULTILINE)), 3)


class WorkTest(Case):
    def setUp(self):
        super().setUp()
        said = []
        self.said, original, work.say = said, work.say, said.append
        self.addCleanup(setattr, work, "say", original)

    def test_only_what_nobody_uses_is_removed(self):
        (self.folder / "mine").mkdir()
        first, in_use = work.make(self.folder)
        second, other = work.make(self.folder)
        self.assertNotEqual(first, second)
        (first / "file").write_text("text")
        os.close(in_use)
        self.assertIsNone(work.removed_ago_s(self.folder))
        work.remove(self.folder, 10, self.folder)
        self.assertEqual((first.exists(), second.exists()), (False, True))
        self.assertLess(work.removed_ago_s(self.folder), 100)
        os.close(other)
        work.remove(self.folder, 10, self.folder)
        self.assertEqual(sorted(each.name for each in self.folder.iterdir()), ["mine", "removed"])
        self.assertEqual(len(self.said), 2)
        work.remove(self.folder, 10, self.folder)
        self.assertEqual(len(self.said), 2)

    def test_room(self):
        self.assertIsNone(work.too_small(self.folder, 1, 1))
        self.assertIn("are needed", work.too_small(self.folder, 1 << 60, 1))
        few, many = (work.needed([scaling, clients, realistic, store, plan, keys], each)
                     for each in (scale.QUICK, scale.FULL))
        self.assertTrue(all(a < b for a, b in zip(few, many)))

    def test_tmpfs_folders_go_with_their_row(self):
        memory = work.Tmpfs(self.folder)
        self.assertIsNone(memory.lacks(1))
        self.assertIsNotNone(memory.lacks(1 << 40))
        self.assertIsNotNone(work.Tmpfs(self.folder / "none").lacks(1))
        with memory as folder:
            (folder / "file").write_text("text")
            self.assertEqual(work.unused(self.folder), [])
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_the_file_system_is_named(self):
        self.assertEqual(machine.file_system(Path("/proc")), "proc")
        self.assertNotIn(machine.file_system(self.folder), ("", "unknown"))


class WebrootTest(Case):
    def fetch(self, port, path):
        import urllib.error
        import urllib.request
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            return error.code

    def test_it_serves_challenges_alone(self):
        port, = free_ports(1)
        webroot = Webroot(self.folder, port)
        self.addCleanup(webroot.stop)
        folder = self.folder / ".well-known/acme-challenge"
        (folder / "token").write_text("answer")
        (self.folder / "secret").write_text("secret")
        self.assertEqual(self.fetch(port, "/.well-known/acme-challenge/token"), b"answer")
        for path in ("/secret", "/", "/.well-known/acme-challenge/", 
                     "/.well-known/acme-challenge/x",
                     "/.well-known/acme-challenge/../../secret"):
            self.assertEqual(self.fetch(port, path), 404, path)


if __name__ == "__main__":
    unittest.main()
