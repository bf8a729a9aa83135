#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""suites.py: test suites that other people wrote, run with and without UPA, verdict by verdict.

Each test program runs alone (with prime.c only) and in each mode of the preloaded library. What it says must be the
same. A test whose verdict differs is repeated, alone and in that mode: it counts as a difference if the mode's verdict
came at least twice in three runs and never alone. intended.txt lists the differences that are meant, with their
reasons.

Nothing of the suites is in this repository. LTP and its Open POSIX suite come from a checkout that the caller names,
all others from Debian's packages.
"""
import argparse
import concurrent.futures
import fnmatch
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile

import build

HERE = pathlib.Path(__file__).resolve().parent
REPEATS = 3
MODES = {
    "libc": (["libupa_mmap.so"], {}),
    "dl": (["libupa_mmap.so", "libupa_malloc.so"], {}),
    "strict": (["libupa_mmap.so"], {"UPA_STRICT": "1"}),
}


class Failure(Exception):
    """What the caller has to be told, in one line."""


def verdict(status, output):
    """What a test says: how it ended, and LTP's or TAP's own counts, which an exit status does not show."""
    words = [f"signal {signal.Signals(-status).name}" if status < 0 else f"exit {status}"]
    summary = re.findall(r"^(passed|failed|broken|skipped|warnings) +(\d+)$", output, re.MULTILINE)
    if summary:
        words += [f"{name} {count}" for name, count in summary if count != "0"]
    else:
        words += [f"{len(found)} {word}" for word in ("not ok", "TFAIL", "TBROK")
                  if (found := re.findall(rf"^.*\b{word}\b", output, re.MULTILINE))]
    return ", ".join(words)


def run(program, environment, seconds):
    """Runs one test in a folder of its own and ends whatever it leaves behind."""
    folder = tempfile.mkdtemp(prefix="upa-suite-")
    try:
        child = subprocess.Popen([program], cwd=folder, env=environment | {"TMPDIR": folder}, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            output, _ = child.communicate(timeout=seconds)
            result = verdict(child.returncode, output.decode(errors="replace"))
        except subprocess.TimeoutExpired:
            result = "no end"
        finally:
            try:
                os.killpg(child.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            child.wait()
            child.stdout.close()
        return result
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Runner:
    def __init__(self, libraries, prime, seconds):
        self.seconds = seconds
        base = {key: value for key, value in os.environ.items() if not key.startswith(("UPA_", "LD_"))}
        self.environments = {"alone": base | {"LD_PRELOAD": str(prime)}}
        for mode, (names, settings) in MODES.items():
            preload = ":".join(str(libraries / name) for name in names) + f":{prime}"
            self.environments[mode] = base | settings | {"LD_PRELOAD": preload}

    def once(self, program, mode):
        return run(program, self.environments[mode], self.seconds)

    def compare(self, program, modes):
        """(mode, verdict alone, verdict there, times) of each mode in which the verdict differs; times of REPEATS."""
        alone = [self.once(program, "alone")]
        found = []
        for mode in modes:
            there = [self.once(program, mode)]
            if there[0] in alone:
                continue
            while len(there) < REPEATS:
                alone.append(self.once(program, "alone"))
                there.append(self.once(program, mode))
            strange = [said for said in there if said not in alone]
            if strange:
                found.append((mode, alone[0], strange[0], len(strange)))
        return found


def read_intended(path):
    """Lines of: suite/test pattern, mode pattern, reason; # begins a comment."""
    rows = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        line = line.split("#")[0].strip()
        if not line:
            continue
        fields = line.split(None, 2)
        if len(fields) != 3:
            raise Failure(f"{path.name}: line={number} needs a test, a mode and a reason")
        rows.append(fields)
    return rows


def intended(rows, name, mode):
    return next((reason for test, modes, reason in rows
                 if fnmatch.fnmatch(name, test) and fnmatch.fnmatch(mode, modes)), None)


class OneLine(argparse.ArgumentParser):
    """Says a mistake in one line, as every command of ours does."""

    def error(self, message):
        self.exit(2, "upa: test --suites: %s: see ./upa test --suites --help\n" % message)


def arguments(words):
    parser = OneLine(prog="upa test --suites", description="Other people's test suites with and without UPA.")
    parser.add_argument("--ltp", metavar="DIR", type=pathlib.Path,
                        help="a checkout of the Linux Test Project, configured and built here")
    parser.add_argument("--only", metavar="PATTERN", default="*",
                        help="tests whose suite/name match, e.g. 'glibc/malloc__*'")
    parser.add_argument("--modes", default=",".join(MODES), help="some of %(default)s")
    parser.add_argument("--seconds", type=int, default=120, help="a test that runs longer has no end (%(default)s)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="tests at once (%(default)s)")
    parser.add_argument("--libraries", metavar="DIR", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--work", metavar="DIR", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    options = parser.parse_args(words)
    options.modes = options.modes.split(",")
    if unknown := [mode for mode in options.modes if mode not in MODES]:
        parser.error(f"unknown mode={unknown[0]}: one of {','.join(MODES)}")
    if options.ltp and not (options.ltp / "testcases/open_posix_testsuite").is_dir():
        parser.error(f"ltp={options.ltp} is no checkout of the Linux Test Project")
    return options


def main(words):
    options = arguments(words)
    rows = read_intended(HERE / "intended.txt")
    prime = build.prime(HERE / "prime.c", options.work)
    tests = []
    for suite in build.SUITES:
        if not options.only.startswith(("*", "?", "[")) and not fnmatch.fnmatch(suite.name, options.only.split("/")[0]):
            continue
        reason, programs = suite.build(options.work, options.ltp)
        print(f"{suite.name}: " + (f"skipped: {reason}" if reason else f"{len(programs)} tests"), flush=True)
        tests += [(f"{suite.name}/{program.name}", program) for program in programs]
    tests = [test for test in tests if fnmatch.fnmatch(test[0], options.only)]
    if not tests:
        raise Failure(f"no test matches only={options.only}")
    runner = Runner(options.libraries, prime, options.seconds)
    counts = {"same": 0, "intended": 0, "different": 0, "seldom": 0}
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        running = [(name, pool.submit(runner.compare, program, options.modes)) for name, program in tests]
        for done, (name, future) in enumerate(running, 1):
            found = future.result()
            kinds = set()
            for mode, alone, there, times in found:
                reason = intended(rows, name, mode)
                kind = "intended" if reason else "different" if times > 1 else "seldom"
                kinds.add(kind)
                print(f"{kind}: {name} mode={mode}: alone: {alone}; under UPA: {there} ({times} of {REPEATS})"
                      + (f"; {reason}" if reason else ""), flush=True)
            counts[next((kind for kind in ("different", "seldom", "intended") if kind in kinds), "same")] += 1
            if sys.stderr.isatty():
                print(f"\r{done} of {len(running)} ", end="", file=sys.stderr)
    print(", ".join(f"{count} {kind}" for kind, count in counts.items()))
    print(f"{counts['same'] + counts['intended'] + counts['seldom']} passed, {counts['different']} failed, 0 skipped")
    return 1 if counts["different"] else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (Failure, build.Failure) as failure:
        sys.exit(f"upa: {failure}")
