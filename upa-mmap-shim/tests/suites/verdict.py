# SPDX-License-Identifier: Apache-2.0
"""verdict.py: what a test says, in words that two runs can be compared by.

An exit status alone hides much: a test of a hundred parts that fails one of them alone and ten under UPA ends with the
same status. So the counts that each kind of suite prints belong to the verdict. Nothing that varies from run to run
does: no time, no address, no process id.
"""
import re
import signal

# LTP's summary, counted by itself.
LTP_SUMMARY = re.compile(r"^(passed|failed|broken|skipped|warnings) +(\d+)$", re.MULTILINE)
# Lines that are counted: the word in the verdict, and what they look like.
COUNTED = tuple((word, re.compile(pattern, re.MULTILINE)) for word, pattern in (
    ("TFAIL", r"^.*\bTFAIL\b"),  # LTP's older tests
    ("TBROK", r"^.*\bTBROK\b"),
    ("not ok", r"^[ #]*not ok\b"),  # TAP: the kernel's selftests
    ("ok", r"^[ #]*ok\b(?!.*# *SKIP)"),
    ("SKIP", r"^[ #]*ok\b.*# *SKIP"),
    ("[FAIL]", r"\[FAIL\]"),  # the kernel's selftests without TAP
    ("[SKIP]", r"\[SKIP\]"),
    ("FAIL", r"^FAIL: "),  # CPython's unittest
    ("ERROR", r"^ERROR: "),
    ("[ok]", r"^\[ok\]"),  # Redis, whose lines begin with a change of colour where there is a terminal
    ("[err]", r"^\[err\]"),
    ("[exception]", r"^\[exception\]"),
    ("FAILED", r" \.\.\. FAILED\b"),  # PostgreSQL
))
# A test of glibc's that looks every second whether it makes progress, and did not for so long: no load explains that.
STUCK = re.compile(r"(?:^warning: process seems to be stuck\n){10}", re.MULTILINE)
# Lines that are a verdict as they stand.
TAKEN = re.compile(r"^(?:--- (pass: .*) ---"  # jemalloc
                   r"|(Ran \d+ tests?) in .*"  # CPython's unittest
                   r"|((?:OK|FAILED) \(.*\))"
                   r"| ?((?:All )?\d+(?: of \d+)? tests (?:passed|failed)).*)$",  # PostgreSQL
                   re.MULTILINE)
BAD = re.compile(r"^(?!exit 0)|\b(?:TFAIL|TBROK|not ok|FAIL|ERROR|FAILED)\b|\[err\]|\[exception\]")


def verdict(status, output):
    """How a test ended, and what it counted. `status` is as of subprocess: a negative one is a signal."""
    words = ["stuck"] if STUCK.search(output) else []
    words += [f"signal {signal.Signals(-status).name}" if status < 0 else f"exit {status}"]
    summary = LTP_SUMMARY.findall(output)
    if summary:
        words += [f"{name} {count}" for name, count in summary if count != "0"]
    else:
        words += [f"{count} {word}" for word, pattern in COUNTED if (count := len(pattern.findall(output)))]
    words += [next(filter(None, groups)) for groups in TAKEN.findall(output)]
    return ", ".join(words)


def is_passed(said):
    """Whether a verdict says that the test has passed; one that fails alone as well says little about UPA."""
    return not BAD.search(said)


def is_crash(said):
    """Whether the test was ended by a fault of its memory or by a check of its libraries': no load explains that."""
    return bool(re.match(r"signal SIG(SEGV|BUS|ABRT|ILL|TRAP|FPE)|exit (139|135|134|132|133|136)\b", said))
