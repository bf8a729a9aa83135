#!/usr/bin/env bash
# lines_test.sh UPA_LINES: what the model must say of few cores, the same each time, and what it says to a mistake.
set -euo pipefail
lines=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
wrong() { echo "FAILED: $*"; cat "$work/first"; failed=1; }

"$lines" 1 2 >"$work/first"
"$lines" 1 2 >"$work/second"
cmp "$work/first" "$work/second" || wrong "not reproducible"
# cell WORKLOAD CORES COLUMN
cell() { awk -F, -v w="$1" -v c="$2" -v n="$3" '$1 == w && $2 == c { print $n }' "$work/first"; }
# Alone, nobody has anything to hand over.
[[ $(awk -F, 'NR > 1 && $2 == 1 && $5 != 0' "$work/first") == '' ]] || wrong "transfers of one core"
# Memory of a core's own moves no line.
for own in "4 KiB" "64 KiB" "2 MiB"; do
  [[ $(cell "$own" 2 5) == 0.00 && $(cell "$own" 2 4) == 2.00 ]] || wrong "$own: two cores disturb each other"
done
# What another puts must.
[[ $(cell "4 KiB put by another" 2 5) =~ ^[1-9] ]] || wrong "a page that another puts moves no line"
# Trees' words lie together: that, and not the trees, is what two cores meet at.
[[ $(cell "32 MiB" 2 7) == trees ]] || wrong "where two cores meet"
"$lines" --apart 1 2 >"$work/first"
[[ $(cell "32 MiB" 2 5) == 0.00 ]] || wrong "trees apart: two cores disturb each other"
status=0
said=$("$lines" 0 2>&1) || status=$?
[[ $status -eq 2 && $said == "upa-lines: cores=0 is not a number from 1 to 1024" ]] || wrong "a mistake: $status: $said"
exit "$failed"
