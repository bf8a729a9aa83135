#!/usr/bin/env python3
"""failures.py FILE...: each test that failed in results of JUnit's XML (ctest's, Surefire's), and how its output ends.

Of an error of Java the first lines say more than the last; of a C test's output the last.
"""
import pathlib
import sys
import xml.etree.ElementTree

LINES = 15


def said(case, failure):
    of_java = (failure.text or "").strip().splitlines()
    if of_java:
        return of_java[:LINES]
    output = case.findtext("system-out") or failure.get("message") or ""
    return output.strip().splitlines()[-LINES:]


for path in map(pathlib.Path, sys.argv[1:]):
    try:
        cases = xml.etree.ElementTree.parse(path).iter("testcase")
    except (OSError, xml.etree.ElementTree.ParseError) as error:
        print(f"failed: no results in {path.name}: {error}")
        continue
    for case in cases:
        for failure in case.findall("failure") + case.findall("error"):
            of_ctest = case.get("classname") == case.get("name")
            print(f"failed: {path.stem if of_ctest else case.get('classname')} {case.get('name')}")
            for line in said(case, failure):
                print(f"    {line}")
