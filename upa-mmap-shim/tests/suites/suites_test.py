#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""suites_test.py: the driver of other projects' suites hides no difference, and leaves nothing of a test behind."""
import argparse
import contextlib
import io
import os
import pathlib
import tempfile
import threading
import time
import unittest
from unittest import mock

import build
import run
import suites
import verdict


class Verdicts(unittest.TestCase):
    def test_counts_that_an_exit_status_hides_belong_to_the_verdict(self):
        cases = (
            ("Summary:\npassed   3\nfailed   0\nskipped  1\n", "exit 0, passed 3, skipped 1"),
            ("a01 0 TFAIL : no\na01 1 TBROK : no\na01 2 TFAIL : no\n", "exit 0, 2 TFAIL, 1 TBROK"),
            ("TAP version 13\nok 1 a\nok 2 b # SKIP no device\nnot ok 3 c\n", "exit 0, 1 not ok, 1 ok, 1 SKIP"),
            ("[FAIL] maps\n[SKIP]\tno vsyscall\n", "exit 0, 1 [FAIL], 1 [SKIP]"),
            ("FAIL: test_a (x)\nERROR: test_b (x)\nRan 7 tests in 0.1s\n\nFAILED (failures=1, errors=1)\n",
             "exit 0, 1 FAIL, 1 ERROR, Ran 7 tests, FAILED (failures=1, errors=1)"),
            ("Ran 7 tests in 12.3s\n\nOK (skipped=2)\n", "exit 0, Ran 7 tests, OK (skipped=2)"),
            ("--- pass: 3/4, skip: 0/4, fail: 1/4 ---\n", "exit 0, pass: 3/4, skip: 0/4, fail: 1/4"),
            ("[ok]: a (3 ms)\n[err]: b\n[exception]: c\n", "exit 0, 1 [ok], 1 [err], 1 [exception]"),
            ("test a ... ok 3 ms\ntest b ... FAILED 4 ms\n 1 of 2 tests failed.\n",
             "exit 0, 1 FAILED, 1 of 2 tests failed"),
        )
        for output, expected in cases:
            with self.subTest(expected=expected):
                self.assertEqual(verdict.verdict(0, output), expected)

    def test_times_and_addresses_do_not_belong_to_it(self):
        stuck = "info: started\n" + 10 * "warning: process seems to be stuck\n" + "Timed out\n"
        self.assertEqual(verdict.verdict(1, stuck), "stuck, exit 1")
        self.assertEqual(verdict.verdict(1, stuck.replace("stuck\n", "stuck\ngoes on\n")), "exit 1")
        self.assertEqual(verdict.verdict(0, "Ran 7 tests in 0.1s\n0x7f00\npid 3\n"),
                         verdict.verdict(0, "Ran 7 tests in 9.9s\n0x7e00\npid 4\n"))

    def test_passed_is_what_ends_with_0_and_tells_of_no_failure(self):
        for said in ("exit 0", "exit 0, passed 3, skipped 1", "exit 0, pass: 3/3, skip: 0/3, fail: 0/3"):
            self.assertTrue(verdict.is_passed(said), said)
        for said in ("exit 1", "signal SIGKILL", "no end", "exit 0, 1 not ok, 1 ok", "exit 0, 1 [err]",
                     "exit 0, 1 [FAIL]", "exit 0, 2 TFAIL", "exit 0, 1 FAILED"):
            self.assertFalse(verdict.is_passed(said), said)

    def test_crashes_are_told_from_failures(self):
        for said in ("signal SIGSEGV", "signal SIGBUS", "signal SIGABRT, 3 ok", "exit 139", "exit 134, 1 ok"):
            self.assertTrue(verdict.is_crash(said), said)
        for said in ("exit 1", "exit 13", "exit 1390", "signal SIGKILL", "signal SIGTERM", "no end"):
            self.assertFalse(verdict.is_crash(said), said)


class Scripts(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def script(self, text):
        return build.script(self.folder / "test", text)


class Runs(Scripts):
    def run_script(self, text, seconds=20):
        return run.run(self.script(text), dict(os.environ), seconds)

    def test_status_and_output(self):
        self.assertEqual(self.run_script("echo a; echo b >&2; exit 3"), (3, "a\nb\n"))
        self.assertEqual(self.run_script("kill -KILL $$")[0], -9)

    def test_colours_are_taken_away(self):
        self.assertEqual(self.run_script("printf '\\033[0;31m[err]\\033[0m'"), (0, "[err]"))

    def test_has_a_folder_of_its_own_that_is_gone_afterwards(self):
        _, where = self.run_script("touch mine; pwd")
        self.assertFalse(pathlib.Path(where.strip()).exists())
        self.assertNotEqual(where, self.run_script("pwd")[1])

    def test_that_has_no_end_is_ended(self):
        began = time.monotonic()
        status, output = self.run_script("echo $$; while :; do sleep 1; done", seconds=1)
        self.assertIsNone(status)
        self.assertLess(time.monotonic() - began, 15)
        self.assertFalse(pathlib.Path("/proc", output.strip()).exists())

    def test_daemons_are_ended_and_not_waited_for(self):
        began = time.monotonic()
        status, output = self.run_script("setsid sh -c 'echo $$; exec sleep 60' & sleep 1")
        self.assertEqual(status, 0)
        self.assertLess(time.monotonic() - began, 30)
        process = pathlib.Path("/proc", output.strip())
        self.assertTrue(not process.exists() or "zombie" in (process / "status").read_text(), output)

    def test_after_end_all_none_begins_and_none_goes_on(self):
        self.addCleanup(run._stopped.clear)
        began = time.monotonic()
        timer = threading.Timer(1, run.end_all)
        timer.start()
        self.assertEqual(self.run_script("exec sleep 60", seconds=60)[0], -9)
        self.assertLess(time.monotonic() - began, 30)
        with self.assertRaises(run.Stopped):
            self.run_script("true")


class Comparisons(Scripts):
    """$MODE says in which mode a script runs, and $COUNT how often it ran in that mode."""

    def compare(self, text, modes=("libc",)):
        runner = suites.Runner.__new__(suites.Runner)
        runner.kept = self.folder / "differences"
        runner.environments = {mode: os.environ | {"MODE": mode} for mode in ("alone", *suites.MODES)}
        count = f"f={self.folder}/count.$MODE; echo >>$f; COUNT=$(wc -l <$f)\n"
        return runner.compare("suite/test", self.script(count + text), 20, list(modes))

    def test_the_same(self):
        self.assertEqual(self.compare("exit 3"), ("exit 3", []))

    def test_a_difference_is_found_in_its_mode(self):
        self.assertEqual(self.compare("[ $MODE != dl ]", modes=suites.MODES), ("exit 0", [("dl", "exit 1", 3, 3)]))
        self.assertEqual((self.folder / "differences/suite__test.dl").read_text(), "")

    def test_what_it_wrote_is_kept(self):
        self.compare("echo in $MODE; [ $MODE = alone ]")
        self.assertEqual((self.folder / "differences/suite__test.libc").read_text(), "in libc\n")
        self.assertEqual((self.folder / "differences/suite__test.alone").read_text(), "in alone\n")

    def test_what_comes_alone_as_well_is_no_difference(self):
        self.assertEqual(self.compare("[ $MODE = alone ] && [ $COUNT = 1 ]")[1], [])

    def test_once_is_asked_further(self):
        _, found = self.compare("[ $MODE = alone ] || [ $COUNT != 1 ]")
        self.assertEqual(found, [("libc", "exit 1", 1, 9)])
        self.assertEqual(suites.kind_of("exit 1", 1, None), "seldom")

    def test_twice_in_many_is_a_difference(self):
        _, found = self.compare("[ $MODE = alone ] || { [ $COUNT != 1 ] && [ $COUNT != 8 ]; }")
        self.assertEqual(found, [("libc", "exit 1", 2, 9)])
        self.assertEqual(suites.kind_of("exit 1", 2, None), "different")

    def test_a_crash_once_is_a_difference(self):
        _, found = self.compare("[ $MODE = alone ] || [ $COUNT != 1 ] || kill -SEGV $$")
        self.assertEqual(found, [("libc", "signal SIGSEGV", 1, 9)])
        self.assertEqual(suites.kind_of("signal SIGSEGV", 1, None), "different")


class Lists(Scripts):
    def read(self, text):
        path = self.folder / "intended.txt"
        path.write_text(text)
        return suites.read_intended(path)

    def test_intended_differences_have_a_test_a_mode_a_verdict_and_a_reason(self):
        rows = self.read("# a comment\na/b* | dl | exit 1 | why not\n")
        self.assertEqual(suites.intended(rows, "a/bc", "dl", "exit 1"), "why not")
        self.assertIsNone(suites.intended(rows, "a/bc", "libc", "exit 1"))
        self.assertIsNone(suites.intended(rows, "a/c", "dl", "exit 1"))
        self.assertEqual(suites.intended(rows, "a/bc", "dl", "exit 1, 3 not ok"), "why not")
        for said in ("exit 2", "exit 134", "stuck, exit 1", "signal SIGSEGV", suites.NO_END):
            self.assertIsNone(suites.intended(rows, "a/bc", "dl", said))
        self.assertEqual(suites.kind_of("exit 1", 3, "why not"), "intended")
        for line in ("a/b | dl | exit 1", "a/b | dl | | why not", "a/b dl exit 1 why not"):
            with self.assertRaisesRegex(suites.Failure, "line=1"):
                self.read(line + "\n")

    def test_every_line_of_ours_names_a_suite_and_a_mode(self):
        rows = suites.read_intended(suites.HERE / "intended.txt")
        self.assertTrue(rows)
        for test, modes, start, _ in rows:
            self.assertIn(test.split("/")[0], [suite.name for suite in build.SUITES])
            self.assertIn(modes, [*suites.MODES, "*"])
            # Neither a crash nor a hang is ever meant.
            self.assertFalse(verdict.is_crash(start) or start in ("stuck", suites.NO_END))


class Building(Scripts):
    def test_one_at_a_time(self):
        entered = threading.Event()

        def other():
            with build.building(self.folder / "work"):
                entered.set()

        with build.building(self.folder / "work"):
            thread = threading.Thread(target=other)
            thread.start()
            self.assertFalse(entered.wait(0.5))
        thread.join(20)
        self.assertTrue(entered.is_set())

    def test_what_is_in_use_is_replaced_and_not_written_over(self):
        path = self.script("echo old")
        with open(path, encoding="ascii") as in_use:
            self.script("echo new")
            self.assertIn("old", in_use.read())
        self.assertEqual(run.run(path, dict(os.environ), 20), (0, "new\n"))


class LtpLists(Scripts):
    def test_programs_are_called_as_its_lists_say(self):
        (self.folder / "mm").write_text("#DESCRIPTION: a\na01 a\na02 a -i 3\na03 a -i 3 # again\n\nb01 b\n"
                                        "c F=`mktemp $TMPDIR/x.XX`; c $F\n")
        (self.folder / "ipc").write_text("d01 d -x 1\nlonely\n")
        commands = build.Ltp().commands(self.folder)
        self.assertEqual(commands, {"a": ["a", "a -i 3"], "b": ["b"], "c": ["F=`mktemp $TMPDIR/x.XX`; c $F"],
                                    "d": ["d -x 1"]})
        program = build.script(self.folder / "bin" / "a", 'echo "a$*"')
        plain, other = build.Ltp.tests(program, commands["a"], self.folder / "scripts")
        self.assertEqual(plain, program)
        self.assertEqual(other.name, "a_-i_3")
        self.assertEqual(run.run(other, dict(os.environ), 20), (0, "a-i 3\n"))


class Suite(build.Suite):
    def __init__(self, name, reason, programs):
        self.name, self.built = name, (reason, [pathlib.Path(program) for program in programs])

    def build(self, _work, _ltp, wanted):
        self.asked = [wanted(name) for name in ("1", "2")]
        return self.built


class Choices(unittest.TestCase):
    def chosen(self, only, *some, seconds=None):
        options = argparse.Namespace(only=only, work=None, ltp=None, seconds=seconds)
        with mock.patch.object(build, "SUITES", some), contextlib.redirect_stdout(io.StringIO()):
            tests, skipped = suites.chosen(options)
        self.assertEqual({allowed for _, _, allowed in tests}, {seconds or build.Suite.seconds})
        return [name for name, _, _ in tests], skipped

    def test_patterns(self):
        some = (Suite("a", None, ["x/1", "x/2"]), Suite("b", None, ["y/1"]), Suite("c", "no c", []))
        self.assertEqual(self.chosen("*", *some), (["a/1", "a/2", "b/1"], 1))
        self.assertEqual(self.chosen("a/*", *some), (["a/1", "a/2"], 0))
        self.assertEqual(self.chosen("*/1", *some, seconds=7), (["a/1", "b/1"], 1))
        self.assertEqual(self.chosen("a/2", *some), (["a/2"], 0))
        self.assertEqual(some[0].asked, [False, True])
        with self.assertRaisesRegex(suites.Failure, "only=a/3"):
            self.chosen("a/3", *some)

    def test_a_suite_of_which_nothing_is_built_fails(self):
        for only in ("*", "a/*"):
            with self.assertRaisesRegex(suites.Failure, "suite=a"):
                self.chosen(only, Suite("a", None, []))

    def test_mistakes_are_one_line(self):
        for words, what in ((["--modes", "x"], "mode=x"), (["--jobs", "0"], "jobs=0"),
                            (["--ltp", "/nonexistent"], "ltp=/nonexistent"), (["--nonsense"], "--nonsense")):
            said = io.StringIO()
            with contextlib.redirect_stderr(said), self.assertRaises(SystemExit) as end:
                suites.arguments(["--libraries", ".", "--work", ".", *words])
            self.assertEqual(end.exception.code, 2)
            self.assertRegex(said.getvalue(), f"^upa: test --suites: .*{what}.*\n$")


if __name__ == "__main__":
    unittest.main()
