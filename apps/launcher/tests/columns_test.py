#!/usr/bin/env python3
"""columns_test.py ROOT: no line of code or prose is wider than 120 columns, in kernel-ext 100; a tab goes to the next 8th.

Exempt are tables in Markdown, lines that are one long word (an address), and generated code. columns.txt lists files that
still have wide lines, and how many: no other file may have one, and none of these more. `--write` writes that list anew.
Skipped (status 77) where this is no git checkout.
"""
import os
import subprocess
import sys

KINDS = (".c", ".h", ".java", ".md", ".sh", ".py", ".cmake", ".awk", "CMakeLists.txt", "/upa")
# The bindings are jextract's work, the vectors are data.
GENERATED = ("upa-core/src/main/java/upa/internal/bindings/", "upa-mmap-shim/tests/vectors/")
WIDTH = 120
KERNEL_WIDTH = 100
KERNEL = ("kernel-ext/",)
LIST = "apps/launcher/tests/columns.txt"


def is_wide(line, name):
    """Whether a line without its end is wider than it may be."""
    if name.endswith(".md") and line.lstrip().startswith("|") or " " not in line.strip():
        return False
    width = KERNEL_WIDTH if name.startswith(KERNEL) and name.endswith((".c", ".h")) else WIDTH
    return len(line.expandtabs(8)) > width


def wide_lines(root):
    """The numbers of wide lines by file, of those that have one."""
    listed = subprocess.run(["git", "-C", root, "ls-files", "-z"], stdout=subprocess.PIPE, check=True).stdout
    found = {}
    for name in filter(None, listed.decode().split("\0")):
        path = os.path.join(root, name)
        if not ("/" + name).endswith(KINDS) or name.startswith(GENERATED) or not os.path.exists(path):
            continue
        with open(path, encoding="utf-8") as file:
            numbers = [n for n, line in enumerate(file, 1) if is_wide(line.rstrip("\n"), name)]
        if numbers:
            found[name] = numbers
    return found


def main():
    """Compares what is there with what is listed."""
    root = sys.argv[1]
    if subprocess.run(["git", "-C", root, "rev-parse"], stderr=subprocess.DEVNULL, check=False).returncode:
        print("skipped: no git checkout")
        return 77
    found = wide_lines(root)
    if "--write" in sys.argv:
        with open(os.path.join(root, LIST), "w", encoding="utf-8") as file:
            file.writelines(f"{len(found[name])} {name}\n" for name in sorted(found))
        return 0
    allowed = {}
    with open(os.path.join(root, LIST), encoding="utf-8") as file:
        for line in file:
            number, name = line.split(maxsplit=1)
            allowed[name.strip()] = int(number)
    failed = 0
    for name, numbers in found.items():
        if len(numbers) > allowed.get(name, 0):
            shown = ", ".join(map(str, numbers[:20]))
            print(f"{name}: {len(numbers)} wide lines, {allowed.get(name, 0)} are listed: lines {shown}")
            failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
