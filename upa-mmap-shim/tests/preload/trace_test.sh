#!/usr/bin/env bash
# trace_test.sh LIB_DIRECTORY TRACE_CASE POLICY_REPLAY: what programs have asked for is what is recorded, however they
# ask and end.
set -euo pipefail

upa="$1/libupa_mmap.so"
trace_case=$2
policy_replay=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
failed=0

# record CASE: traces it into CASE.trace, what it says into CASE.said; its exit status into $status
record() {
  status=0
  env LD_PRELOAD="$upa" UPA_TRACE="$1.trace" "$trace_case" "$1" >"$1.said" 2>&1 || status=$?
}

# expect NAME EXPECTED ACTUAL
expect() {
  if [[ $2 == "$3" ]]; then
    echo "same: $1"
  else
    printf 'FAILED: %s\nexpected: %s\nactual: %s\n' "$1" "$2" "$3"
    failed=1
  fi
}

plain='map 5 served 3
unmap 5 served 0
map 6 served 3
resize 6 served 1
resized 9 served 1
advise 9 4
protect 9 1
unmap 9 served failed 0
unmap 9 served 0
map 11 noreserve 0
map 8 fixed 3
unmap 11 0'

for case in plain exec; do
  record "$case"
  expect "$case" "$plain" "$("$trace_case" list "$case.trace")"
  expect "$case, header" "ended, lost none" "$("$trace_case" header "$case.trace")"
  expect "$case, one file" 1 "$(ls -d "$case".trace* | wc -l)"
done
for case in threads many closed-descriptors; do
  record "$case"
  expect "$case" "20000 of 5, 0 of 7" "$("$trace_case" count "$case.trace")"
  expect "$case, header" "ended, lost none" "$("$trace_case" header "$case.trace")"
done
for case in fork fork-by-system-call; do
  record "$case"
  expect "$case, parent" "2 of 5, 0 of 7" "$("$trace_case" count "$case.trace")"
  expect "$case, child" "0 of 5, 3 of 7" "$("$trace_case" count "$case.trace".*)"
  expect "$case, child's end" "$([[ $case == fork ]] && echo ended || echo not ended), lost none" \
    "$("$trace_case" header "$case.trace".*)"
done
record kill
expect "kill, status" 137 "$status"
expect kill "10001 of 5, 0 of 7" "$("$trace_case" count kill.trace)"
for case in _exit quick_exit vfork; do
  record "$case"
  expect "$case" "1 of 5, 0 of 7" "$("$trace_case" count "$case.trace")"
  expect "$case, header" "ended, lost none" "$("$trace_case" header "$case.trace")"
done
record signal
expect signal "$(<signal.said)" "$("$trace_case" count signal.trace)"

# What is recorded can be replayed against the policy of what stays.
record phases
expect "phases, replayed" 0 "$("$policy_replay" phases.trace >phases.said && echo 0 || tail -n 1 phases.said)"

# What no longer fits is lost; the program is not.
for case in no-new-privileges small-files; do
  record "$case"
  expect "$case, status" 0 "$status$(<"$case.said")"
  expect "$case" "ended, lost some" "$("$trace_case" header "$case.trace")"
done

record addresses-given-up
expect addresses-given-up "given up" "$(<addresses-given-up.said)"
record fork-without-new-privileges
expect fork-without-new-privileges "1 of 5, 0 of 7" "$("$trace_case" count fork-without-new-privileges.trace)"
expect "fork-without-new-privileges, header" "ended, lost none" \
  "$("$trace_case" header fork-without-new-privileges.trace)"

# Files that cannot be written, or belong to somebody else.
run() { LD_PRELOAD=$upa UPA_TRACE=$1 "$trace_case" plain 2>&1; }
untraced="the program runs without a trace"
expect "no directory" "upa: cannot write trace file=no/t: No such file or directory; $untraced" "$(run no/t)"
expect "no room" "upa: cannot write trace file=/dev/full/t: Not a directory; $untraced" "$(run /dev/full/t)"
expect "too long" "upa: cannot write trace file=\$UPA_TRACE: the path is too long; $untraced" \
  "$(run "$(printf '%5000s' '' | tr ' ' x)")"
expect "limited" "upa: cannot write trace file=limited: the address space is limited (ulimit -v); $untraced" \
  "$(ulimit -v 4000000 && run limited)"
echo mine >occupied
run occupied
expect "occupied" mine "$(<occupied)"
expect "occupied, beside it" "$plain" "$("$trace_case" list occupied.*)"
run pid-%p-x
expect "named by process" "$plain" "$("$trace_case" list pid-[0-9]*-x)"
exit "$failed"
