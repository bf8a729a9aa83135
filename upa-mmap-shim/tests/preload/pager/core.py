#!/usr/bin/env python3
"""core.py CORE PAGES COUNTS: looks into the core file of probes.c. At the address PAGES are pages with known content,
at COUNTS what a thread has counted: when the program was to end, and when it did. Exit status 1 and a line if a page is
not what it was, or threads have run on."""

import struct
import sys

PAGE = 4096
ALL = 8192
MOST_COUNTED = 50  # with 10 ms each: the pager was stopped for longer

core = open(sys.argv[1], "rb")
header = core.read(64)
table, size, count = struct.unpack_from("<Q", header, 32)[0], *struct.unpack_from("<HH", header, 54)
core.seek(table)
segments = []
for i in range(count):
    kind, _, offset, address, _, in_file, _, _ = struct.unpack_from("<IIQQQQQQ", core.read(size))
    if kind == 1:
        segments.append((address, in_file, offset))


def words(address, n):
    for start, length, offset in segments:
        if start <= address and address + 8 * n <= start + length:
            core.seek(offset + address - start)
            return struct.unpack(f"<{n}Q", core.read(8 * n))
    sys.exit(f"the core file has nothing at address={address:#x}")


pages, counts = (int(text, 16) for text in sys.argv[2:4])
for page in range(ALL):
    content = (page + 1) * 0x9E3779B97F4A7C15 % 2**64
    for at in (0, PAGE - 8):
        found = words(pages + page * PAGE + at, 1)[0]
        if found != content:
            sys.exit(f"page={page} is {found:#x} in the core file, not {content:#x}")
first, last = words(counts, 2)
if last - first > MOST_COUNTED:
    sys.exit(f"threads have run on: counted={last - first}")
