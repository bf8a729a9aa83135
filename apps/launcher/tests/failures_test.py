#!/usr/bin/env python3
"""failures_test.py ROOT: failures.py names what failed, and nothing else, in results of ctest and of Surefire."""
import pathlib
import subprocess
import sys
import tempfile

CTEST = """<testsuite name="(empty)" tests="3" failures="1">
  <testcase name="good" classname="good" status="run"><system-out>fine</system-out></testcase>
  <testcase name="bad" classname="bad" status="fail"><failure message=""/><system-out>{}
</system-out></testcase>
  <testcase name="left_out" classname="left_out" status="notrun"><skipped message="77"/></testcase>
</testsuite>""".format("\n".join(f"line {i}" for i in range(1, 41)))
SUREFIRE = """<testsuite name="a.B" tests="3" errors="1" failures="1">
  <testcase name="holds()" classname="a.B"/>
  <testcase name="differs()" classname="a.B"><failure message="x">expected 1\n\tat a.B</failure></testcase>
  <testcase name="hangs()" classname="a.B"><error message="y">{}</error><system-out>much</system-out></testcase>
</testsuite>""".format("\n".join(f"frame {i}" for i in range(1, 41)))
EXPECTED = ["failed: asan bad", *(f"    line {i}" for i in range(26, 41)),
            "failed: a.B differs()", "    expected 1", "    \tat a.B",
            "failed: a.B hangs()", *(f"    frame {i}" for i in range(1, 16))]

with tempfile.TemporaryDirectory() as folder:
    names = []
    for name, text in ("asan.xml", CTEST), ("TEST-a.B.xml", SUREFIRE), ("cut.xml", CTEST[:200]):
        names.append(pathlib.Path(folder, name))
        names[-1].write_text(text, encoding="utf-8")
    names.append(pathlib.Path(folder, "*.xml"))
    said = subprocess.run([sys.executable, pathlib.Path(sys.argv[1], "apps/launcher/failures.py"), *names],
                          stdout=subprocess.PIPE, check=True, encoding="utf-8").stdout.splitlines()
assert said[:-2] == EXPECTED, said
assert said[-2].startswith("failed: no results in cut.xml: "), said[-2]
assert said[-1].startswith("failed: no results in *.xml: "), said[-1]
