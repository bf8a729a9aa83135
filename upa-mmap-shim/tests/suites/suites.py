#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""suites.py: test suites that other people wrote, run with and without UPA, verdict by verdict.

Each test program runs alone (with prime.c only) and in each mode of the preloaded library. What it says must be the
same. A test whose verdict differs is repeated, alone and in that mode: it counts as a difference if the mode's verdict
came at least twice and never alone, or once if it is a crash. intended.txt lists the differences that are meant, with
their reasons.

Nothing of the suites is in this repository. LTP and its Open POSIX suite come from a checkout that the caller names,
all others from Debian's packages.
"""
import argparse
import collections
import concurrent.futures
import fnmatch
import os
import pathlib
import signal
import sys

import build
import run
import verdict

HERE = pathlib.Path(__file__).resolve().parent
REPEATS = 3
# A verdict that came once in the first three runs: that many more decide.
MORE_REPEATS = 6
MODES = {
    "libc": (["libupa_mmap.so"], {}),
    "dl": (["libupa_mmap.so", "libupa_malloc.so"], {}),
    "strict": (["libupa_mmap.so"], {"UPA_STRICT": "1"}),
}
NO_END = "no end"
# From worst to best: what a test of several modes counts as.
KINDS = ("different", "seldom", "intended", "same")


class Failure(Exception):
    """What the caller has to be told, in one line."""


class Runner:
    """Runs tests in each mode, and keeps what they wrote where a verdict differs."""

    def __init__(self, libraries, work, prime):
        self.kept = work / "differences"
        base = {key: value for key, value in os.environ.items() if not key.startswith(("UPA_", "LD_"))}
        self.environments = {"alone": base | {"LD_PRELOAD": str(prime)}}
        for mode, (names, settings) in MODES.items():
            for name in names:
                if not (libraries / name).exists():
                    raise Failure(f"mode={mode} needs library={libraries / name}")
            preload = ":".join(str(libraries / name) for name in names) + f":{prime}"
            self.environments[mode] = base | settings | {"LD_PRELOAD": preload}

    def once(self, program, mode, seconds):
        """(verdict, output) of one run."""
        status, output = run.run(program, self.environments[mode], seconds)
        return (NO_END if status is None else verdict.verdict(status, output)), output

    def keep(self, name, mode, output):
        self.kept.mkdir(parents=True, exist_ok=True)
        (self.kept / f"{name.replace('/', '__')}.{mode}").write_text(output)

    def compare(self, name, program, seconds, modes):
        """The verdict alone; and (mode, verdict there, times, runs) of each mode in which it differs."""
        said, output = self.once(program, "alone", seconds)
        alone = [said]
        found = []
        for mode in modes:
            there = [self.once(program, mode, seconds)]
            if there[0][0] in alone:
                continue

            def strange():
                return [run_there for run_there in there if run_there[0] not in alone]

            def repeat(times):
                for _ in range(times):
                    alone.append(self.once(program, "alone", seconds)[0])
                    there.append(self.once(program, mode, seconds))

            repeat(REPEATS - 1)
            if len(strange()) == 1:
                repeat(MORE_REPEATS)
            if strange():
                self.keep(name, "alone", output)
                self.keep(name, mode, strange()[0][1])
                found.append((mode, strange()[0][0], len(strange()), len(there)))
        return said, found


def read_intended(path):
    """Lines of: suite/test pattern | mode pattern | start of the verdict | reason; # begins a comment."""
    rows = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        line = line.split("#")[0].strip()
        if not line:
            continue
        fields = [field.strip() for field in line.split("|")]
        if len(fields) != 4 or not all(fields):
            raise Failure(f"{path.name}: line={number} needs a test, a mode, a verdict and a reason")
        rows.append(fields)
    return rows


def intended(rows, name, mode, said):
    """Why a test is meant to say this in a mode; None if it is not."""
    return next((reason for test, modes, start, reason in rows if fnmatch.fnmatch(name, test)
                 and fnmatch.fnmatch(mode, modes) and said.split(",")[0] == start), None)


def kind_of(said, times, reason):
    """What a difference counts as."""
    if reason:
        return "intended"
    return "different" if times > 1 or verdict.is_crash(said) else "seldom"


class OneLine(argparse.ArgumentParser):
    """Says a mistake in one line, as every command of ours does."""

    def error(self, message):
        self.exit(2, "upa: test --suites: %s: see ./upa test --suites --help\n" % message)


def arguments(words):
    parser = OneLine(prog="upa test --suites", description="Other people's test suites with and without UPA.")
    parser.add_argument("--ltp", metavar="DIR", type=pathlib.Path,
                        help="a checkout of the Linux Test Project, configured and built here")
    parser.add_argument("--only", metavar="PATTERN", default="*",
                        help="tests whose suite/name match, e.g. 'glibc/malloc__*'; suites: "
                        + " ".join(suite.name for suite in build.SUITES))
    parser.add_argument("--modes", default=",".join(MODES), help="some of %(default)s")
    parser.add_argument("--seconds", type=int, help="a test that runs longer has no end ("
                        + ", ".join(f"{suite.name} {suite.seconds}" for suite in build.SUITES
                                    if suite.seconds != build.Suite.seconds)
                        + f", others {build.Suite.seconds})")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="tests at once (%(default)s)")
    parser.add_argument("--verbose", action="store_true", help="also say which tests fail or skip without UPA")
    parser.add_argument("--check", action="store_true", help=argparse.SUPPRESS)  # only whether these are options
    parser.add_argument("--libraries", metavar="DIR", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--work", metavar="DIR", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    options = parser.parse_args(words)
    # Tests run in folders of their own.
    options.libraries, options.work = options.libraries.resolve(), options.work.resolve()
    options.ltp = options.ltp and options.ltp.resolve()
    options.modes = options.modes.split(",")
    if unknown := [mode for mode in options.modes if mode not in MODES]:
        parser.error(f"unknown mode={unknown[0]}: one of {','.join(MODES)}")
    for name in ("seconds", "jobs"):
        if getattr(options, name) is not None and getattr(options, name) < 1:
            parser.error(f"{name}={getattr(options, name)} must be at least 1")
    if options.ltp and not (options.ltp / "testcases/open_posix_testsuite").is_dir():
        parser.error(f"ltp={options.ltp} is no checkout of the Linux Test Project")
    return options


def chosen(options):
    """(name, program, seconds that it may take) of the tests that match, and how many suites cannot run here."""
    tests, skipped = [], 0
    for suite in build.SUITES:
        if not options.only.startswith(("*", "?", "[")) and not fnmatch.fnmatch(suite.name, options.only.split("/")[0]):
            continue

        def wanted(name, suite=suite.name):
            return fnmatch.fnmatch(f"{suite}/{name}", options.only)

        reason, programs = suite.build(options.work, options.ltp, wanted)
        if not reason and not programs and options.only in ("*", f"{suite.name}/*"):
            raise Failure(f"suite={suite.name} has sources, and none of its tests can be compiled")
        seconds = options.seconds or suite.seconds
        matching = [(f"{suite.name}/{program.name}", program, seconds) for program in programs if wanted(program.name)]
        print(f"{suite.name}: " + (f"skipped: {reason}" if reason else f"{len(matching)} tests"), flush=True)
        skipped += bool(reason)
        tests += matching
    if not tests and not skipped:
        raise Failure(f"no test matches only={options.only}")
    return tests, skipped


def compare_all(tests, options, runner, counts):
    """Runs all tests, says what differs as soon as it is known, and counts by suite."""
    rows = read_intended(HERE / "intended.txt")
    pool = concurrent.futures.ThreadPoolExecutor(options.jobs)
    try:
        running = {pool.submit(runner.compare, *test, options.modes): test[0] for test in tests}
        for done, future in enumerate(concurrent.futures.as_completed(running), 1):
            name = running[future]
            alone, found = future.result()
            kinds = {"same"}
            for mode, there, times, runs in found:
                reason = intended(rows, name, mode, there)
                kinds.add(kind := kind_of(there, times, reason))
                print(f"{kind}: {name} mode={mode}: alone: {alone}; under UPA: {there} ({times} of {runs})"
                      + (f"; {reason}" if reason else ""), flush=True)
            suite = counts[name.split("/")[0]]
            suite[next(kind for kind in KINDS if kind in kinds)] += 1
            if not verdict.is_passed(alone):
                suite["not passed alone"] += 1
                if options.verbose:
                    print(f"not passed alone: {name}: {alone}", flush=True)
            if sys.stderr.isatty():
                print(f"\r{done} of {len(running)} ", end="", file=sys.stderr)
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        run.end_all()
        raise
    finally:
        pool.shutdown()


def sum_up(counts, tests, skipped, runner):
    """What every suite came to; whether all is well."""
    for suite, count in counts.items():
        print(f"{suite}: " + ", ".join(f"{count[kind]} {kind}" for kind in (*reversed(KINDS), "not passed alone")))
    total = sum(counts.values(), collections.Counter())
    if total["different"] + total["seldom"] + total["intended"]:
        print(f"what they wrote: {runner.kept}")
    passed = total["same"] + total["intended"] + total["seldom"]
    print(f"{passed} passed, {total['different']} failed, {len(tests) - passed - total['different'] + skipped} skipped",
          flush=True)
    return passed and not total["different"]


def main(words):
    options = arguments(words)
    if options.check:
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with build.building(options.work):
        prime = build.prime(HERE / "prime.c", options.work)
        runner = Runner(options.libraries, options.work, prime)
        tests, skipped = chosen(options)
    counts = collections.defaultdict(collections.Counter)
    try:
        compare_all(tests, options, runner, counts)
    finally:
        # Who interrupts it wants to know how far it came.
        good = sum_up(counts, tests, skipped, runner)
    return 0 if good else 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (Failure, build.Failure) as failure:
        sys.exit(f"upa: {failure}")
    except KeyboardInterrupt:
        sys.exit("upa: interrupted")
