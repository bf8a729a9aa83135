#!/usr/bin/env bash
# upa-pagerank: the same ranks with any number of threads, other ones of another graph or after another iteration.
# Usage: pagerank_test.sh UPA_PAGERANK
set -euo pipefail
pagerank=$1

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

# The checksum of a run whose line is as it should be: run ITERATIONS MIB ITERATIONS SECONDS THREADS SEED
run() {
  local done=$1 line
  shift
  line=$("$pagerank" "$@")
  local ranks=' sum 1.000000 checksum ([0-9a-f]{16}) build_ns [0-9]+$'
  [[ $line =~ ^"vertices 8192 edges "245[0-9]{3}" iterations $done ns_per_iteration "[0-9]+$ranks ]] || fail "$*: $line"
  echo "${BASH_REMATCH[1]}"
}

one=$(run 5 1 5 60 1 1)
for threads in 2 3 7; do
  [[ $(run 5 1 5 60 $threads 1) == "$one" ]] || fail "$threads threads have other ranks than one"
done
[[ $(run 5 1 5 60 1 2) != "$one" ]] || fail 'another graph has the same ranks'
late=$(run 1 1 5 0 2 1)
[[ $late == "$(run 1 1 1 60 1 1)" ]] || fail 'cut short after one iteration, ranks are not those after one'
[[ $late != "$one" ]] || fail 'iterations change nothing'

[[ $("$pagerank" 0 5 60 1 1 2>&1) == 'upa-pagerank: mib=0: needs a number from 1 to 65536' ]] || fail 'no memory'
status=0
"$pagerank" 1 5 2>/dev/null || status=$?
[[ $status == 2 ]] || fail "usage: status=$status"
