#!/usr/bin/env python3
"""prose_test.py ROOT: documents are short. A sentence, or what stands between colons and semicolons, has at most 25
words; ARCHITECTURE.md has at most 1 400.

Exempt are tables and what is indented or fenced as code. Skipped (status 77) where this is no git checkout.
"""
import os
import re
import subprocess
import sys

SENTENCE = 25
ARCHITECTURE = 1400


def words(text):
    """How many words a text has: what holds a letter or a digit."""
    return sum(1 for word in text.split() if re.search(r"\w", word))


def paragraphs(text):
    """The paragraphs and list items of a document, each in one line."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    for paragraph in re.split(r"\n\s*\n", text):
        if not re.match(r"(    |\t|\|)", paragraph):
            for item in re.split(r"\n(?=\s*(?:[-*]|\d+\.) )", paragraph):
                yield " ".join(item.split())


def long_sentences(text):
    """The sentences that have too many words."""
    for paragraph in paragraphs(text):
        for sentence in re.split(r"(?<=[.:;!?])(?:\*\*)?\s+", paragraph):
            if words(sentence) > SENTENCE:
                yield sentence


def main():
    """Prints what is too long, and fails if there is any."""
    root = sys.argv[1]
    listed = subprocess.run(["git", "-C", root, "ls-files", "-z", "*.md"], stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, check=False)
    if listed.returncode:
        print("skipped: no git checkout")
        return 77
    failed = False
    for name in filter(None, listed.stdout.decode().split("\0")):
        with open(os.path.join(root, name), encoding="utf-8") as file:
            text = file.read()
        for sentence in long_sentences(text):
            print(f"{name}: words={words(sentence)}, at most {SENTENCE}: {sentence}")
            failed = True
        if name == "ARCHITECTURE.md" and len(text.split()) > ARCHITECTURE:
            print(f"{name}: words={len(text.split())}, at most {ARCHITECTURE}")
            failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
