#!/usr/bin/env bash
# stats_test.sh LIB_DIRECTORY TRACE_CASE: the table of UPA_STATS=1 counts what a program has asked for, and is printed
# once, however it leaves.
set -euo pipefail

upa="$1/libupa_mmap.so"
trace_case=$2
table=$(mktemp)
trap 'rm -f "$table"' EXIT
failed=0

# run CASE [VARIABLE=VALUE...]: its tables go to $table
run() {
  local case=$1
  shift
  env LD_PRELOAD="$upa" UPA_STATS=1 "$@" "$trace_case" "$case" >/dev/null 2>"$table" || true
}

# expect NAME EXPECTED COMMAND...: what the command prints
expect() {
  local name=$1 expected=$2 actual
  shift 2
  actual=$("$@" || true)
  if [[ $actual == "$expected" ]]; then
    echo "same: $name"
  else
    printf 'FAILED: %s\nexpected: %s\nactual: %s\n' "$name" "$expected" "$actual"
    cat "$table"
    failed=1
  fi
}

# row NAME: how many calls were served, how many passed on; of each table
row() { awk -v name="  $1 " 'index($0, name) == 1 { $0 = substr($0, length(name) + 1); print $1, $3 }' "$table"; }
tables() { grep -c '^upa: ' "$table"; }

run many
expect "one table" 1 tables
expect "mmap" "20000 0" row "mmap, under 32 MiB"
expect "munmap" "20000 0" row munmap
expect "nanoseconds" 1 awk '$1 == "munmap" { print ($3 > 0 && $3 < 1000000) }' "$table"
# 20 000 blocks of 5 MiB, never touched: all handed out, none cleared, none given back.
expect "handed out" 102400000 awk '/^  handed out by mmap/ { print $5 }' "$table"
expect "cleared" 0 awk '/populated, so cleared/ { print $4 }' "$table"
# Passed on: the stacks of its four threads, one less for each that finds the stack of one that has ended. What three of
# them ask for while the fourth makes the region waits for that.
for _ in {1..50}; do
  run threads
  expect "threads" "20000 1" awk 'index($0, "  mmap, under 32 MiB") == 1 { print $5, ($7 <= 4) }' "$table"
done
run plain
expect "resize" "1 0" row mremap
expect "advise" "0 1" row madvise
# What purges have left resident is idle until it is unmapped, or about to be written to.
for row in purged:1024 purged-in-pieces:0 purged-unmapped:0 purged-read-only:1024 purged-committed:0; do
  run "${row%:*}"
  expect "${row%:*}, without the kernel" 3072 awk '/^  purged without the kernel/ { print $5 }' "$table"
  expect "${row%:*}, not used since" "${row#*:}" awk '/^    not used since/ { print $4 }' "$table"
done
# What was in use once does not stay for ever, and all of it goes if nothing is to be remembered.
run phases UPA_DECAY_MS=100
expect "what little stays" 1 awk '/^  free and populated/ { print ($4 < 8192) }' "$table"
run phases UPA_DECAY_MS=3600000
# But where tasks have to wait for memory.
waits=$(sed -nE 's/^some avg10=([0-9]+).*/\1/p' /proc/pressure/memory 2>/dev/null || true)
if [[ ${waits:-0} -gt 0 ]]; then
  echo "left out: all stays: this machine is short of memory"
else
  expect "all stays" 1 awk '/^  free and populated/ { print ($4 > 60000) }' "$table"
fi
run fork
expect "fork: the child's first" $'3 0\n2 0' row "mmap, under 32 MiB"
for case in _exit quick_exit; do
  run "$case"
  expect "$case" "1 0" row "mmap, under 32 MiB"
done
run exec
expect "exec: before it, and after" $'1 0\n2 2' row "mmap, under 32 MiB"
run vfork
expect "vfork" 1 tables
run kill
expect "kill" 0 tables
# A program's files are its own, whatever their numbers: it closes all that it has inherited, and opens others.
folder=$(mktemp -d)
trap 'rm -rf "$table" "$folder"' EXIT
run own-files "FOLDER=$folder"
expect "the program's files" 200 bash -c 'find "$0" -type f -size 4c | wc -l' "$folder"
expect "other files" 0 bash -c 'find "$0" -type f -not -size 4c | wc -l' "$folder"
expect "a table all the same" 1 tables
run plain UPA_REDIRECT=0
expect "symbols only" 1 grep -c "note: libc's own calls go to the kernel: UPA_REDIRECT=0" "$table"
run plain UPA_OFF=1
expect "off" 1 grep -c "note: UPA_OFF=1" "$table"
exit "$failed"
