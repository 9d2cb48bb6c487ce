#!/usr/bin/env python3
"""Tests of scripts/bench, on recorded results and programs that are shell scripts: python3 scripts/bench_test.py"""
import contextlib
import importlib.machinery
import importlib.util
import io
import json
import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
import bench_table as table

LOADER = importlib.machinery.SourceFileLoader("bench", str(pathlib.Path(__file__).with_name("bench")))
bench = importlib.util.module_from_spec(importlib.util.spec_from_loader("bench", LOADER))
LOADER.exec_module(bench)

# As the benchmarks have told them in three runs; a result that is not a number is null.
RECORDED = """
{"bench":"rbac","in":"8 roles","of":"boolean","over":null,"unit":"ns","faster":false,"at_most":5.0,"at_least":null,"ours":14.6,"theirs":null,"ratio":null}
{"bench":"rbac","in":"8 roles","of":"decision","over":"Cedar","unit":"ns","faster":true,"at_most":null,"at_least":500.0,"ours":21.2,"theirs":16300.0,"ratio":768.4}
{"bench":"rbac","in":"8 roles","of":"boolean","over":null,"unit":"ns","faster":false,"at_most":5.0,"at_least":null,"ours":4.1,"theirs":null,"ratio":null}
{"bench":"rbac","in":"8 roles","of":"decision","over":"Cedar","unit":"ns","faster":true,"at_most":null,"at_least":500.0,"ours":30.0,"theirs":12000.0,"ratio":400.0}
{"bench":"rbac","in":"8 roles","of":"boolean","over":null,"unit":"ns","faster":false,"at_most":5.0,"at_least":null,"ours":4.8,"theirs":null,"ratio":null}
{"bench":"rbac","in":"8 roles","of":"decision","over":"Cedar","unit":"ns","faster":true,"at_most":null,"at_least":500.0,"ours":22.0,"theirs":11600.0,"ratio":527.3}
"""
BOOLEAN = {"in": "8 roles", "of": "boolean", "at_most": 5}
DECISION = {"in": "8 roles", "of": "decision", "over": "Cedar", "faster": True, "at_least": 500}
RBAC = {"name": "rbac", "crate": "rbac", "rows": [BOOLEAN, DECISION]}
WRITE = {"name": "audit_write", "crate": "audit-chain", "rows": [{"in": "a transaction", "of": "with an entry", "over": "without", "unit": "/s", "at_least": 0.9}]}


def recorded():
    return [json.loads(line) for line in RECORDED.strip().splitlines()]


def summed(row):
    return table.summary(row, [one for one in recorded() if table.key(one) == table.key(row)])


def run_of(*rows, others=0.0, machine="a machine"):
    return {"runs": 3, "machine": machine, "others": others, "load": [0.1, 1.2], "peers": ["cedar-policy 4.14.1"], "rows": {table.key(row): row for row in rows}}


def line_of(text, what):
    return next(line for line in text.splitlines() if f"| {what} |" in line)


class Summaries(unittest.TestCase):
    def test_a_ratio_is_the_median_of_the_runs_with_its_spread(self):
        found = summed(DECISION)
        self.assertEqual((found["ratio"], found["low"], found["high"]), (527.3, 400.0, 768.4))
        self.assertEqual((found["ours"], found["theirs"]), (22.0, 12000.0))

    def test_what_has_no_peer_is_spread_by_its_value(self):
        found = summed(BOOLEAN)
        self.assertEqual((found["ours"], found["low"], found["high"], found["ratio"]), (4.8, 4.1, 14.6, None))

    def test_one_run_that_is_not_a_number_spoils_the_row(self):
        told = [one for one in recorded() if one["of"] == "decision"]
        told[1]["ratio"] = None
        found = table.summary(DECISION, told)
        self.assertIsNone(found["ratio"])
        self.assertEqual(table.verdict(DECISION, found), "missed")

    def test_a_row_that_was_not_told_is_found(self):
        self.assertEqual(table.untold(RBAC, recorded()), [])
        self.assertEqual(table.untold(RBAC, [one for one in recorded() if one["over"]]), [BOOLEAN])


class Verdicts(unittest.TestCase):
    def test_a_bar_is_met_up_to_its_edge_and_missed_beyond(self):
        for row, value, said in [
            (BOOLEAN, 5.0, "met"), (BOOLEAN, 5.001, "missed"),
            (DECISION, 500.0, "met"), (DECISION, 499.9, "missed"),
        ]:
            found = {"ours": value, "ratio": None} if row is BOOLEAN else {"ours": 0.0, "ratio": value}
            self.assertEqual(table.verdict(row, found), said, (row, value))

    def test_the_bar_holds_the_ratio_and_not_what_is_shown_of_it(self):
        row = {"in": "a", "of": "b", "over": "c", "at_most": 1.05}
        found = {"in": "a", "of": "b", "over": "c", "ours": 1.0, "theirs": 1.0, "ratio": 1.054, "low": 1.041, "high": 1.2}
        text = table.render([{"name": "x", "crate": "x", "rows": [row]}], {"x": run_of(found)})
        self.assertTrue(line_of(text, "a: b").endswith("| 1.05 | 1.04 to 1.20 | at most 1.05 | missed |"), text)

    def test_runs_that_do_not_differ_have_no_spread(self):
        found = {"in": "a", "of": "b", "over": None, "ours": 0.0, "theirs": None, "ratio": None, "low": 0.0, "high": 0.0}
        text = table.render([{"name": "x", "crate": "x", "rows": [{"in": "a", "of": "b", "unit": "", "at_most": 0}]}], {"x": run_of(found)})
        self.assertTrue(line_of(text, "a: b").endswith("| 0 |  |  |  | at most 0 | met |"), text)

    def test_without_a_bar_nothing_is_said(self):
        self.assertEqual(table.verdict({"in": "a", "of": "b"}, {"ours": 3.0}), "")


class Tables(unittest.TestCase):
    def test_a_row_has_values_units_ratio_spread_and_verdict(self):
        text = table.render([RBAC], {"rbac": run_of(summed(BOOLEAN), summed(DECISION))})
        self.assertEqual(line_of(text, "8 roles: boolean"), "| `rbac` | 8 roles: boolean | 4.80 ns |  |  | 4.10 ns to 14.6 ns | at most 5 ns | met |")
        self.assertEqual(
            line_of(text, "8 roles: decision"),
            "| `rbac` | 8 roles: decision | 22 ns | Cedar, 12 µs | 527 times the speed | 400 to 768 | at least 500 | met |",
        )

    def test_a_row_that_was_not_measured_is_there_with_its_bar(self):
        text = table.render([RBAC, WRITE], {})
        self.assertIn("| `audit_write` | a transaction: with an entry |  | without |  |  | at least 0.90 | not measured |", text)
        self.assertEqual(text.count("not measured"), 3)

    def test_a_row_says_loaded_above_the_threshold_alone(self):
        for others, said in [(table.LOADED, "met |"), (table.LOADED + 0.01, "met, loaded |"), (None, "met, loaded |")]:
            text = table.render([RBAC], {"rbac": run_of(summed(BOOLEAN), others=others)})
            self.assertTrue(line_of(text, "8 roles: boolean").endswith(said), (others, text))

    def test_the_command_stands_under_the_machine_that_it_was_run_on(self):
        text = table.render([RBAC], {"rbac": run_of(summed(BOOLEAN), machine="AMD EPYC, 2 processors")})
        self.assertIn("AMD EPYC, 2 processors.\n\n| Benchmark | Command |", text)
        self.assertIn("| `rbac` | `scripts/bench --runs 3 rbac` | cedar-policy 4.14.1 | 0.00 | 0.1 to 1.2 |", text)

    def test_the_table_is_replaced_and_the_prose_stays(self):
        document = f"# Head\n{table.BEGIN}old\n{table.END}The missed bars.\n"
        text = table.spliced(document, "new\n")
        self.assertEqual(text, f"# Head\n{table.BEGIN}new\n{table.END}The missed bars.\n")
        self.assertEqual(table.spliced(text, "new\n"), text)
        with self.assertRaises(ValueError):
            table.spliced("# Head\n", "new\n")


class Merges(unittest.TestCase):
    def test_benchmarks_that_were_not_run_keep_their_rows(self):
        before = {"audit_write": run_of(machine="the old one"), "rbac": run_of(machine="the old one")}
        after = table.merged(before, {"rbac": run_of(summed(BOOLEAN), machine="the new one")})
        self.assertEqual(after["audit_write"]["machine"], "the old one")
        self.assertEqual(after["rbac"]["machine"], "the new one")
        self.assertEqual(list(after["rbac"]["rows"]), [table.key(BOOLEAN)])

    def test_what_is_written_is_read_again_and_a_row_that_is_gone_is_dropped(self):
        gone = {"in": "8 roles", "of": "gone", "over": None, "ours": 1.0, "theirs": None, "ratio": None, "low": 1.0, "high": 1.0}
        measured = {"rbac": run_of(summed(BOOLEAN), summed(DECISION), gone), "old": run_of(gone)}
        self.assertEqual(len(table.stale([RBAC, WRITE], measured)), 2)
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "measured.jsonl")
            self.assertEqual(table.read_measured(path), {})
            table.write_measured(path, [RBAC, WRITE], measured)
            again = table.read_measured(path)
        self.assertEqual(table.stale([RBAC, WRITE], again), [])
        self.assertEqual(table.render([RBAC, WRITE], again), table.render([RBAC, WRITE], measured))


class Versions(unittest.TestCase):
    def test_the_version_is_that_which_the_benchmarks_depend_on(self):
        packages = [{"name": "aes-gcm", "version": "0.10.3"}, {"name": "aes-gcm", "version": "0.11.1"}, {"name": "casbin", "version": "2.20.0"}]
        lock = {"package": [*packages, {"name": "stockade-benches", "version": "0.1.0", "dependencies": ["aes-gcm 0.11.1", "casbin"]}]}
        self.assertEqual(table.versions(lock), {"casbin": "2.20.0", "aes-gcm": "0.11.1"})


class Bars(unittest.TestCase):
    def test_sound_rows_have_no_problem(self):
        self.assertEqual(table.problems([{**RBAC, "peers": ["casbin"]}, WRITE], {"rbac", "audit_write"}, {"casbin": "2.20.0"}), [])

    def test_each_mistake_in_the_rows_is_found(self):
        twice = {**RBAC, "rows": [BOOLEAN, BOOLEAN]}
        two_bars = {**RBAC, "rows": [{**BOOLEAN, "at_least": 3}]}
        unit = {**RBAC, "rows": [{**BOOLEAN, "unit": "furlongs"}]}
        needs, peers = {**RBAC, "needs": "luck"}, {**RBAC, "peers": ["unheard"]}
        for bars, programs in [
            ([twice], {"rbac"}), ([two_bars], {"rbac"}), ([unit], {"rbac"}), ([needs], {"rbac"}), ([peers], {"rbac"}),
            ([RBAC, RBAC], {"rbac"}), ([RBAC], {"rbac", "unlisted"}), ([RBAC, WRITE], {"rbac"}),
        ]:
            self.assertEqual(len(table.problems(bars, programs, {})), 1, (bars, programs))


class Runs(unittest.TestCase):
    def run_of(self, script):
        """A run of a program that is this shell script."""
        with tempfile.TemporaryDirectory() as folder:
            program = pathlib.Path(folder, "program")
            program.write_text(f"#!/bin/sh\n{script}\n")
            program.chmod(0o755)
            with contextlib.redirect_stderr(io.StringIO()) as said:
                told, how, failed, passed = bench.run(RBAC, str(program), pathlib.Path(folder), test=False)
        return told, how, failed, said.getvalue()

    def told(self, which):
        return "".join(f"echo '{json.dumps(one)}' >>$STOCKADE_BENCH_RESULTS\n" for one in recorded() if which(one))

    def test_what_a_program_tells_is_read_with_the_versions_and_the_load(self):
        version = "echo 'with-servers: postgres (PostgreSQL) 15.18 (Debian 15.18-1) at 127.0.0.1:1'\n"
        told, how, failed, _ = self.run_of(version + self.told(lambda one: True))
        self.assertEqual((told, failed, how["postgres"]), (recorded(), "", "15.18"))
        self.assertTrue(how["others"] is None or how["others"] >= 0)

    def test_criterion_writes_beside_the_results_and_not_into_the_sources(self):
        _, _, failed, said = self.run_of('echo "to $CRITERION_HOME"; [ "${CRITERION_HOME%/criterion}" != "$CRITERION_HOME" ] || exit 3; exit 4')
        self.assertEqual(failed, "ended with 4")
        self.assertNotIn("to " + str(bench.ROOT), said)

    def test_a_program_that_fails_is_said_with_the_end_of_its_log(self):
        _, _, failed, said = self.run_of(self.told(lambda one: True) + "echo thread main panicked >&2; exit 101")
        self.assertEqual(failed, "ended with 101")
        self.assertIn("thread main panicked", said)

    def test_a_row_that_is_not_told_fails_the_run(self):
        _, _, failed, _ = self.run_of(self.told(lambda one: one["of"] == "boolean"))
        self.assertEqual(failed, "did not tell 8 roles: decision: Cedar")

    def test_what_is_kept_grows_with_the_runs_and_has_the_worst_load(self):
        how = [{"load": (0.1, 0.9), "others": 0.02, "postgres": ""}, {"load": (0.8, 1.3), "others": 0.4, "postgres": ""}]
        one, two = recorded()[:2], recorded()[2:4]
        first = bench.result(RBAC, [(one, how[0])], {})
        both = bench.result({**RBAC, "peers": ["casbin"]}, [(one, how[0]), (two, how[1])], {"casbin": "2.20.0"})
        self.assertEqual((first["runs"], first["others"], first["rows"][table.key(BOOLEAN)]["ours"]), (1, 0.02, 14.6))
        self.assertEqual((both["runs"], both["others"], both["load"], both["peers"]), (2, 0.4, [0.1, 1.3], ["casbin 2.20.0"]))
        self.assertEqual(both["rows"][table.key(DECISION)]["low"], 400.0)

    def test_servers_are_started_where_a_benchmark_needs_them_and_wait_for_the_disk_where_it_says_so(self):
        servers = str(bench.ROOT / "scripts/with-servers")
        there = {"DATABASE_URL": "postgres://", "STOCKADE_DURABLE": "1"}
        for needs, test, started, durable in [
            (None, False, False, False), ("servers", False, True, False), ("durable", False, True, True), ("durable", True, False, False),
        ]:
            command, environment = bench.invocation({"needs": needs}, "program", there, test)
            self.assertEqual((command[0] == servers, "STOCKADE_DURABLE" in environment), (started, durable), (needs, test))
            self.assertEqual(command[-2:], ["program", "--test" if test else "--bench"])
        self.assertEqual(bench.invocation({"needs": "servers"}, "program", {}, True)[0][0], servers)


class Quantities(unittest.TestCase):
    def test_three_digits_count(self):
        for value, unit, shown in [
            (0.62, "ns", "0.62 ns"), (284_300.0, "ns", "284 µs"), (2.8e6, "ns", "2.80 ms"), (1e9, "ns", "1 s"),
            (31_100.4, "/s", "31,100 a second"), (56_623_104, "B", "54 MiB"), (0, "B", "0 bytes"), (2, "%", "2 %"), (None, "ns", "no number"),
        ]:
            self.assertEqual(table.quantity(value, unit), shown)


if __name__ == "__main__":
    unittest.main()
