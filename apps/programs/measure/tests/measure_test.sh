#!/usr/bin/env bash
# Tests of upa-measure: what it counts, what it notices, what it ends. Usage: measure_test.sh UPA-MEASURE LIBRARY
set -euo pipefail
measure=$1 library=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

fail() {
  echo "failed: $*" >&2
  cat "$folder/report" "$folder/errors" >&2 || true
  exit 1
}

run() { "$measure" --report "$folder/report" --output "$folder/output" --errors "$folder/errors" "$@"; }
value() { sed -n "s/^$1 //p" "$folder/report"; }
is() { [[ $(value "$1") == "$2" ]] || fail "$1 is '$(value "$1")', not '$2'"; }
within() { [[ $(value "$1") -ge $2 && $(value "$1") -le $3 ]] || fail "$1 is $(value "$1"), not from $2 to $3"; }
usage() {
  local message=$1 status=0
  shift
  "$measure" "$@" 2>"$folder/said" || status=$?
  [[ $status -eq 2 && $(<"$folder/said") == *"$message"* ]] || fail "'$*': status $status, said '$(<"$folder/said")'"
}

usage '--report is missing' true
usage 'no program given' --report "$folder/report"
usage '--set needs NAME=VALUE' --report "$folder/report" --set x true
usage '--timeout needs seconds' --report "$folder/report" --timeout soon true
usage '--stop needs the number' --report "$folder/report" --stop TERM true
usage 'unknown option' --frobnicate

status=0
run "$folder/nothing-here" 2>"$folder/said" || status=$?
[[ $status -eq 1 && $(<"$folder/said") == *'cannot run '*nothing-here* ]] || fail "a missing program: status $status"

run sh -c 'echo "$COLOUR"; echo trouble >&2; exit 7'
is status 7
is signal 0
is timed_out 0
[[ $(<"$folder/errors") == trouble ]] || fail "errors"
run --set COLOUR=green sh -c 'echo "$COLOUR"; kill -11 $$'
is signal 11
[[ $(<"$folder/output") == green ]] || fail "variable"

# A second with 64 MiB: most of the time they are there, and each look says when and how much.
run perl -e 'my $n = 64 << 20; my $x = "x"; $x x= $n; select undef, undef, undef, 1'
within mean_bytes 50000000 120000000
[[ $(value memory | wc -l) -ge 3 ]] || fail "looks: $(value memory)"
value memory | awk '$1 < last || NF != 2 { exit 1 } { last = $1; most = $2 > most ? $2 : most }
  END { exit most < 67108864 || most > 120000000 || last > 60e9 }' || fail "looks: $(value memory)"

# 64 MiB of one process: the kernel's record. Two processes of 64 MiB at once: their sum. Faults of a child count.
block='my $n = 64 << 20; my $x = "x"; $x x= $n; select undef, undef, undef, 1'
run perl -e "$block"
within largest_process_bytes 67108864 120000000
is tree_bytes 0
is processes 1
within minor_faults 16384 60000
run sh -c "perl -e '$block' & perl -e '$block' & wait"
within tree_bytes 134217728 250000000
within minor_faults 32768 100000
within wall_ns 1000000000 60000000000

run --timeout 0.2 sh -c 'sleep 30 & sleep 30'
is timed_out 1
within wall_ns 200000000 20000000000
run sh -c 'sleep 30 & exit 0'
is left_behind 1

# a server: stopped by its signal, status kept
"$measure" --report "$folder/report" --output "$folder/output" --stop 2 \
  perl -e '$SIG{INT} = sub { print "bye\n"; exit 3 };
    open(my $f, ">", $ARGV[0]); close $f; sleep 1 while 1' "$folder/ready" &
while [[ ! -e $folder/ready ]]; do sleep 0.02; done
kill "$!"
wait "$!"
is stopped 1
is status 3
[[ $(<"$folder/output") == bye ]] || fail "the server was not asked to stop"

# libraries that arrived, or did not
busy='my $end = 0.3 + (times)[0]; 1 while (times)[0] < $end'
run --set "LD_PRELOAD=$library" --expect "$library" perl -e "$busy"
is loaded 1
is lacking ''
perl=$(readlink -f "$(command -v perl)")
is program "$perl"
run --expect "$library" perl -e "$busy"
is loaded 0
is lacking "$perl"
run --set "LD_PRELOAD=$library" --expect "$library" env -u LD_PRELOAD perl -e "$busy"
is lacking "$perl"
# A process that runs the same program again, without them; and one that had computed before it ran its last program.
run --set "LD_PRELOAD=$library" --expect "$library" \
  perl -e "$busy; delete \$ENV{LD_PRELOAD}; exec 'perl', '-e', '$busy'"
is lacking "$perl"
run --set "LD_PRELOAD=$library" --expect "$library" \
  perl -e "$busy; exec 'perl', '-e', 'select undef, undef, undef, 0.1'"
is lacking ''
echo passed
