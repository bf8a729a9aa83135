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

# le BYTES NUMBER...: little endian
le() {
    local bytes=$1 number i
    shift
    for number; do
        for ((i = 0; i < bytes; i++)); do
            # shellcheck disable=SC2059
            printf "\\x$(printf %02x $((number >> 8 * i & 255)))"
        done
    done
}

# The header of a trace (upa/trace.h) of so many records, 0 of a process that was killed; and records: KIND ADDRESS
# BYTES FLAGS DETAIL THREAD.
trace_header() { # RECORDS [VERSION]
    printf UPATRAC1 && le 4 "${2:-1}" 4096 32 4711 && le 8 0 "$((${1:-0} ? 1 : 0))" "${1:-0}" 0 &&
        head -c 4040 /dev/zero
}
trace_record() { le 8 0 "$2" "$3" && le 4 "${6:-1}" && le 1 "$1" "$4" && le 2 "$5"; }

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
    [[ -e /dev/upa ]] || refuses 1 "needs the kernel module: /dev/upa" --contestant upa-pte --workload touch --sizes 4K
    refuses 1 "LD_PRELOAD" --expect-malloc no-such-library --list
    ;;
reproducible)
    requests() { "$driver" --print-requests 2000 "$@"; }
    for sampler in douglas log-uniform; do
        [[ $(requests --sampler $sampler --seed 7) == "$(requests --sampler $sampler --seed 7)" ]] ||
            fail "$sampler: same seed differs"
        [[ $(requests --sampler $sampler --seed 7) != "$(requests --sampler $sampler --seed 8)" ]] ||
            fail "$sampler: seeds do not matter"
    done
    requests --sampler douglas | awk '$1 < 4096 || $1 >= 2^23 || $1 % 4096 { exit 1 } $1 >= 2^20 { large++ }
        END { exit !(NR == 2000 && large > 1000) }' || fail "douglas: out of range, or not mostly large"
    requests --sampler log-uniform --largest 1G |
        awk '$1 < 4096 || $1 > 2^30 || $1 % 4096 { exit 1 } $1 < 2^21 { small++ }
            END { exit !(NR == 2000 && small > 850 && small < 1150) }' ||
        fail "log-uniform: out of range, or the median is not in the middle"
    [[ $(requests --sampler fixed:12K | sort -u) == 12288 ]] || fail "fixed: another size"
    ;;
replay)
    a=$((1 << 40)) b=$((2 << 40))
    {
        trace_header 16
        trace_record 1 $a 20480 5 3                  # block 0
        trace_record 1 $b $((8 << 20)) 4 3           # block 1
        trace_record 1 $((3 << 40)) 4096 4 0         # PROT_NONE: left out
        trace_record 1 $((3 << 40)) 4096 8 3         # shared: left out
        trace_record 1 0 4096 6 3                    # failed
        trace_record 2 $((b + (1 << 20))) $((1 << 20)) 0 0 # the middle of block 1: a part
        trace_record 2 $b $((1 << 20)) 0 0           # a part
        trace_record 3 $a 20480 1 1 7                # block 0 moves ...
        trace_record 1 $a 4096 4 3 8                 # ... and another thread gets its place: block 2
        trace_record 4 $((4 << 40)) 1000000 0 1 7    # resize
        trace_record 7 $((b + 1)) 12288 0 0          # heap: block 3
        trace_record 7 $((b + 1)) 4096 128 0         # resize
        trace_record 5 $a 4096 0 4                   # purge: left out
        trace_record 2 $((b + (1 << 20))) $((64 << 20)) 0 0 # the rest of block 1: release
        trace_record 7 $((b + 1)) 8192 128 0         # release of block 3
        trace_record 2 $a 4096 0 0                   # release of block 2
    } >"$output.trace"
    trap 'rm -f "$output" "$output.trace"' EXIT
    measures --workload replay --sampler "trace:$output.trace"
    for fact in "blocks 4" "resizes 2" "releases 3" "heap_moves 3" "parts_left_out 2" "purges_left_out 1" \
        "others_left_out 2" "untouched_blocks 0" "peak_bytes $(((8 << 20) + 1003520 + 4096 + 12288))"; do
        grep -qx "fact trace_$fact" "$output" || fail "replay: expected $fact, got $(grep trace_ "$output")"
    done
    awk '$1 == "point" { n[$3] = $5 }
        END { exit !(n[0] == 4 && n[8388608] == 1 && n[16384] == 1 && n[4096] == 1 && n[8192] == 1) }' \
        "$output" || fail "replay: blocks under the wrong sizes: $(grep ^point "$output")"
    [[ $("$driver" --print-requests 9 --sampler "trace:$output.trace") == "allocate 0 20480
allocate 1 8388608
allocate 2 4096
resize 0 1003520
allocate 3 12288
resize 3 8192
release 1 8388608
release 3 8192
release 2 4096" ]] || fail "replay: other operations: $("$driver" --print-requests 9 --sampler "trace:$output.trace")"
    measures --workload replay --sampler "trace:$output.trace" --max-live 4M --threads 2
    grep -qx "fact trace_untouched_blocks 2" "$output" || fail "replay: --max-live: $(grep untouched "$output")"
    ;;
replay-refused)
    trap 'rm -f "$output" "$output.trace"' EXIT
    file="$output.trace"
    replay() { refuses "$1" "$2" --contestant kernel --workload replay --sampler "trace:$file"; }
    refuses 2 "workload replay needs trace:FILE" --contestant kernel --workload replay
    refuses 2 "no sampler 'trace:x'" --contestant kernel --workload ring --sampler trace:x
    replay 1 "file=$file: No such file"
    echo 'no trace' >"$file"
    replay 1 "it is not a trace"
    trace_header 0 | head -c 4000 >"$file"
    replay 1 "truncated: bytes=4000 of a header of 4096"
    trace_header 0 2 >"$file"
    replay 1 "version=2"
    trace_header 2 >"$file"
    trace_record 1 4096 4096 4 3 >>"$file"
    replay 1 "truncated: records=2 found=1"
    trace_header 0 >"$file"
    replay 1 "no memory that could be replayed"
    trace_record 9 4096 4096 4 3 >>"$file"
    replay 1 "record=0 has kind=9"
    trace_header 0 >"$file"
    trace_record 1 4096 -1 4 3 >>"$file"
    replay 1 "record=0 has kind=1 address=0x1000 bytes=18446744073709551615"
    trace_header 0 >"$file"
    trace_record 4 4096 4096 4 3 >>"$file"
    replay 1 "a resize ends that has not begun: thread=1"
    file=/dev/null
    replay 1 "it is not a trace"
    ;;
hold)
    [[ $("$driver" --hold 16M </dev/null) =~ ^held\ 16777216\ ns_per_page\ [1-9][0-9]*\ again\ [1-9][0-9]*$ ]] ||
        fail "hold: unexpected output"
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
