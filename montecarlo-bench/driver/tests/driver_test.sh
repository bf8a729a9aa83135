#!/usr/bin/env bash
# Tests of upa-driver: driver_test.sh DRIVER SUBJECT [CONTESTANT]. Each workload runs for a few milliseconds with
# --check, which verifies that blocks read zero where promised and that live blocks keep their contents.
set -euo pipefail
driver=$1 subject=$2 contestant=${3:-}
output=$(mktemp)
trap 'rm -f "$output"' EXIT

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# Runs the driver and checks that the output is complete: header first, `end` last, as many points as it says, each with
# operations, none failed, and as many samples as it says.
measures() {
    "$driver" --contestant "$contestant" --check --budget-ms 2 "$@" >"$output" || fail "$contestant $*: exit $?"
    awk -v what="$contestant $*" '
        function bad(why) { print "FAILED: " what ": " why " in line " NR ": " $0 > "/dev/stderr"; broken = 1; exit 1 }
        NR == 1 && $0 != "upa-driver 1" { bad("header") }
        $1 == "point" { if (due) bad("samples missing before it"); points++; due = $10; operations += $5
                        if ($8) bad("failures"); if ($5 && !$6) bad("no time") }
        $1 == "s" { due -= NF - 1 }
        $1 == "end" { if (due) bad("samples missing"); if ($2 != points) bad("number of points"); ended = 1 }
        END { if (!broken && (!ended || !operations)) bad(ended ? "no operations" : "no end") }' "$output"
    [[ $* != *"ring"* ]] || grep -q '^point warm 0 ' "$output" || fail "$contestant $*: never came to a steady state"
}

# refuses STATUS PATTERN option...: exit status STATUS, nothing on stdout, one line on stderr that matches.
refuses() {
    local status=$1 pattern=$2 seen=0 errors
    shift 2
    errors=$("$driver" "$@" 2>&1 >"$output") || seen=$?
    [[ $seen == "$status" ]] || fail "$*: exit $seen, not $status"
    [[ ! -s $output ]] || fail "$*: printed to stdout"
    [[ $(wc -l <<<"$errors") == 1 && $errors == *$pattern* ]] || fail "$*: said '$errors', not '$pattern'"
}

case $subject in
usage)
    refuses 2 "no contestant 'nobody'" --contestant nobody --workload touch --sizes 4K
    refuses 2 "no workload 'nothing'" --contestant kernel --workload nothing --sizes 4K
    refuses 2 "no sampler 'dice'" --contestant kernel --workload ring --sampler dice
    refuses 2 "no sampler 'fixed:0'" --contestant kernel --workload ring --sampler fixed:0
    refuses 2 "no mode 'sideways'" --contestant kernel --workload resize --sizes 8K --mode sideways
    refuses 2 "no phase 'lukewarm'" --contestant kernel --workload touch --sizes 4K --phase lukewarm
    refuses 2 "--contestant and --workload" --contestant kernel
    refuses 2 "--sizes must be given" --contestant kernel --workload touch
    refuses 2 "--sizes=0" --contestant kernel --workload touch --sizes 0
    refuses 2 "--sizes=-4K" --contestant kernel --workload touch --sizes -4K
    refuses 2 "--sizes=99999999999T" --contestant kernel --workload touch --sizes 99999999999T
    refuses 2 "--sizes=4Q" --contestant kernel --workload touch --sizes 4Q
    refuses 2 "--threads=0" --contestant kernel --workload touch --sizes 4K --threads 0
    refuses 2 "--seed=-1" --contestant kernel --workload ring --seed -1
    refuses 2 "Douglas's sizes" --contestant kernel --workload ring --largest 1M
    refuses 2 "powers of two" --contestant kernel --workload ring --smallest 5000
    refuses 2 "'--frobnicate'" --frobnicate
    refuses 2 "'extra'" --contestant kernel extra
    refuses 2 "multiples of 8192" --contestant kernel --workload resize --sizes 4K
    refuses 2 "cannot resize" --contestant cache-exact --workload resize --sizes 8K
    refuses 2 "contestant of whole pages" --contestant malloc --workload resize --sizes 8K --mode in-place
    refuses 2 "no cold phase" --contestant malloc --workload touch --sizes 4K --phase cold
    refuses 2 "no memory to touch" --contestant llfree --workload touch --sizes 4K
    refuses 1 "LD_PRELOAD" --expect-malloc no-such-library --list
    ;;
reproducible)
    requests() { "$driver" --print-requests 2000 "$@"; }
    for sampler in douglas log-uniform; do
        [[ $(requests --sampler $sampler --seed 7) == "$(requests --sampler $sampler --seed 7)" ]] || fail "$sampler: same seed differs"
        [[ $(requests --sampler $sampler --seed 7) != "$(requests --sampler $sampler --seed 8)" ]] || fail "$sampler: seeds do not matter"
    done
    requests --sampler douglas | awk '$1 < 4096 || $1 >= 2^23 || $1 % 4096 { exit 1 } $1 >= 2^20 { large++ }
        END { exit !(NR == 2000 && large > 1000) }' || fail "douglas: out of range, or not mostly large"
    requests --sampler log-uniform --largest 1G | awk '$1 < 4096 || $1 > 2^30 || $1 % 4096 { exit 1 } $1 < 2^21 { small++ }
        END { exit !(NR == 2000 && small > 850 && small < 1150) }' || fail "log-uniform: out of range, or the median is not in the middle"
    [[ $(requests --sampler fixed:12K | sort -u) == 12288 ]] || fail "fixed: another size"
    ;;
hold)
    [[ $("$driver" --hold 16M </dev/null) =~ ^held\ 16777216\ ns_per_page\ [1-9][0-9]*$ ]] || fail "hold: unexpected output"
    ;;
pages)
    measures --workload touch --sizes 4K,20K,64K,2M,5M
    measures --workload touch --sizes 4K,2M --threads 2
    measures --workload touch --sizes 64K --live 32
    measures --workload alloc --sizes 4K,4M --phase warm
    measures --workload ring --steps 300 --live 24 --largest 8M
    measures --workload ring --sampler log-uniform --steps 60 --largest 32M --max-live 40M
    for mode in natural in-place relocate copy; do
        measures --workload resize --sizes 8K,16K,32K --mode $mode
        measures --workload resize --sizes 4M,8M --mode $mode
    done
    ;;
blocks)
    measures --workload touch --sizes 4K,64K,5M
    measures --workload touch --sizes 64K --live 32 --threads 2
    measures --workload ring --steps 300 --live 24 --largest 8M
    ;;
malloc)
    measures --workload touch --sizes 8,100,4K,1M --live 16
    measures --workload touch --sizes 256,1M --threads 2
    measures --workload ring --steps 300 --live 24 --smallest 8 --largest 8M
    measures --workload resize --sizes 8K,16K,32K,64K,128K,256K,512K,1M
    ;;
numbers)
    measures --workload alloc --sizes 4K,2M --phase warm
    measures --workload alloc --sizes 4K --phase warm --threads 2 --live 64
    ;;
*)
    fail "no subject '$subject'"
    ;;
esac
