#!/usr/bin/env python3
"""columns_test.py ROOT: no line of code or prose is wider than 120 columns, in kernel-ext 100. A tab goes to the next
multiple of 8.

Exempt are tables in Markdown, lines that are one long word (an address), and generated code. Skipped (status 77) where
this is no git checkout.
"""
import os
import subprocess
import sys

KINDS = (".c", ".h", ".java", ".md", ".sh", ".py", ".js", ".css", ".cmake", ".awk", "CMakeLists.txt")
# The bindings are jextract's work, the vectors are data.
GENERATED = ("upa-core/src/main/java/upa/internal/bindings/", "upa-mmap-shim/tests/vectors/")
WIDTH = 120
KERNEL_WIDTH = 100
KERNEL = ("kernel-ext/",)


def is_wide(line, name):
    """Whether a line without its end is wider than it may be."""
    if name.endswith(".md") and line.lstrip().startswith("|") or " " not in line.strip():
        return False
    width = KERNEL_WIDTH if name.startswith(KERNEL) and name.endswith((".c", ".h")) else WIDTH
    return len(line.expandtabs(8)) > width


def is_kind(name, lines):
    """Whether a file is code or prose: by its name, or, without a suffix, a script by its first line."""
    return name.endswith(KINDS) or "." not in os.path.basename(name) and lines[:1] and lines[0].startswith("#!")


def wide_lines(root):
    """The numbers of wide lines by file, of those that have one."""
    listed = subprocess.run(["git", "-C", root, "ls-files", "-z"], stdout=subprocess.PIPE, check=True).stdout
    found = {}
    for name in filter(None, listed.decode().split("\0")):
        path = os.path.join(root, name)
        if name.startswith(GENERATED) or not os.path.isfile(path):
            continue
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.read().split("\n")
        numbers = [n for n, line in enumerate(lines, 1) if is_wide(line, name)]
        if numbers and is_kind(name, lines):
            found[name] = numbers
    return found


def main():
    """Prints the wide lines, and fails if there are any."""
    root = sys.argv[1]
    if subprocess.run(["git", "-C", root, "rev-parse"], stderr=subprocess.DEVNULL, check=False).returncode:
        print("skipped: no git checkout")
        return 77
    found = wide_lines(root)
    for name, numbers in found.items():
        print(f"{name}: {len(numbers)} wide lines: {', '.join(map(str, numbers[:20]))}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
