#!/usr/bin/env bash
# preload_test.sh LIB_DIRECTORY TEST_DIRECTORY: under libupa_mmap.so the conformance scenarios say the same, in every
# mode, as without it, and random calls do as the kernel does.
set -euo pipefail

source "${BASH_SOURCE[0]%/*}/same.sh"
test_directory=$2
conformance=$2/preload_conformance
differential=$2/preload_differential

"$conformance" >"$work/kernel"
"$conformance" strict >"$work/kernel-strict"
compare libc kernel env LD_PRELOAD="$upa" "$conformance"
compare traced kernel env LD_PRELOAD="$upa" UPA_TRACE="$work/trace" "$conformance"
compare strict kernel-strict env LD_PRELOAD="$upa" UPA_STRICT=1 "$conformance" strict
compare symbols-only kernel env LD_PRELOAD="$upa" UPA_REDIRECT=0 "$conformance"
compare no-brk kernel env LD_PRELOAD="$upa" UPA_BRK=0 "$conformance"
compare retain-nothing kernel env LD_PRELOAD="$upa" UPA_RETAIN=0 UPA_DECAY_MS=0 "$conformance"
compare retain-all kernel env LD_PRELOAD="$upa" UPA_RETAIN=1000 "$conformance"
compare small-region kernel env LD_PRELOAD="$upa" UPA_REGION_BYTES=16M "$conformance"
compare off kernel env LD_PRELOAD="$upa" UPA_OFF=1 "$conformance"
if [[ -e $libraries/libupa_malloc.so ]]; then
  compare dl kernel env LD_PRELOAD="$upa:$libraries/libupa_malloc.so" "$conformance"
  compare dl-no-upa kernel env LD_PRELOAD="$libraries/libupa_malloc.so" "$conformance"
fi
for malloc in libjemalloc.so.2 libmimalloc.so.2 libtcmalloc_minimal.so.4; do
  if [[ -z $(LD_PRELOAD=$malloc true 2>&1) ]]; then
    LD_PRELOAD=$malloc "$conformance" >"$work/$malloc-kernel"
    compare "$malloc" "$malloc-kernel" env LD_PRELOAD="$upa:$malloc" "$conformance"
  else
    echo "left out: $malloc is not installed"
  fi
done

# How much of the caller's stack a call takes.
stack_use() {
  local name=$1 said
  shift
  said=$(timeout 300 env LD_PRELOAD="$upa" "$@" "$test_directory/preload_stack_use") ||
    { echo "FAILED: stack use, $name: $said"; failed=1; }
}
stack_use libc UPA_STATS="$work/stack-stats"
stack_use strict UPA_STRICT=1
stack_use retain-nothing UPA_RETAIN=0 UPA_DECAY_MS=0
stack_use traced UPA_TRACE="$work/stack-trace"

# A filter over system calls that is there before the program.
filtered() {
  local name=$1 said status=0
  shift
  said=$(timeout 300 env "$@" "$test_directory/preload_filtered" 2>&1) || status=$?
  [[ $status -eq 0 || $status -eq 77 ]] || { echo "FAILED: filtered, $name (status $status): $said"; failed=1; }
}
filtered alone
filtered libc UNDER_FILTER="$upa"
filtered strict UNDER_FILTER="$upa" UPA_STRICT=1
filtered retain-nothing UNDER_FILTER="$upa" UPA_RETAIN=0 UPA_DECAY_MS=0
[[ ! -e $libraries/libupa_malloc.so ]] || filtered dl UNDER_FILTER="$upa:$libraries/libupa_malloc.so"

# random NAME [VARIABLE=VALUE...]: without the agent, whose memory the kernel may map where its side has just unmapped
random() {
  local name=$1
  shift
  timeout 1800 env LD_PRELOAD="$upa" UPA_REGION_BYTES=4M UPA_AGENT=0 "$@" \
    "$differential" 1 "$([[ -z ${UPA_FULL:-} ]] && echo 40 || echo 3000)" ||
    { echo "FAILED: random calls, $name"; failed=1; }
}
random libc
random retain-nothing UPA_RETAIN=0 UPA_DECAY_MS=0
random strict UPA_STRICT=1

# threads NAME LIBRARIES [VARIABLE=VALUE...]
threads() {
  local name=$1 preload=$2
  shift 2
  timeout 1800 env LD_PRELOAD="$preload" "$@" \
    "$test_directory/preload_threads" --rounds "$([[ -z ${UPA_FULL:-} ]] && echo 8 || echo 500)" ||
    { echo "FAILED: random calls of threads, $name"; failed=1; }
}
threads libc "$upa"
threads strict "$upa" UPA_STRICT=1
threads small-region "$upa" UPA_REGION_BYTES=16M
[[ ! -e $libraries/libupa_malloc.so ]] || threads dl "$upa:$libraries/libupa_malloc.so"
for malloc in libjemalloc.so.2 libmimalloc.so.2 libtcmalloc_minimal.so.4; do
  [[ -n $(LD_PRELOAD=$malloc true 2>&1) ]] || threads "$malloc" "$upa:$malloc"
done

# zeros NAME LIBRARIES [VARIABLE=VALUE...]
zeros() {
  local name=$1 preload=$2
  shift 2
  for seed in 1 2 3 4; do
    timeout 300 env LD_PRELOAD="$preload" "$@" \
      "$test_directory/preload_malloc_zeros" "$seed" "$([[ -z ${UPA_FULL:-} ]] && echo 3000 || echo 100000)" ||
      { echo "FAILED: who is promised zeros, $name"; failed=1; }
  done
}
zeros libc "$upa"
zeros cleared "$upa" UPA_UNCLEARED=0
zeros strict "$upa" UPA_STRICT=1
zeros retain-nothing "$upa" UPA_RETAIN=0 UPA_DECAY_MS=0
zeros retain-all "$upa" UPA_RETAIN=1000
[[ ! -e $libraries/libupa_malloc.so ]] || zeros dl "$upa:$libraries/libupa_malloc.so"
for malloc in libjemalloc.so.2 libmimalloc.so.2 libtcmalloc_minimal.so.4; do
  [[ -n $(LD_PRELOAD=$malloc true 2>&1) ]] || zeros "$malloc" "$upa:$malloc"
done

# What jemalloc is told, unless somebody else tells it.
retains() {
  local expected=$1 preload=$2 conf=$3 found
  found=$(MALLOC_CONF=${conf}stats_print:true LD_PRELOAD=$preload bash -c : 2>&1 |
    awk '$1 == "opt.retain:" { print $2 }')
  [[ $found == "$expected" ]] ||
    { echo "FAILED: jemalloc's retain is '$found', not $expected (LD_PRELOAD=$preload, $conf)"; failed=1; }
}
if [[ -z $(LD_PRELOAD=libjemalloc.so.2 true 2>&1) ]]; then
  retains true libjemalloc.so.2 ''
  retains false "$upa:libjemalloc.so.2" ''
  retains true "$upa:libjemalloc.so.2" retain:true,
  threads jemalloc-retains "$upa:libjemalloc.so.2" MALLOC_CONF=retain:true
  zeros jemalloc-retains "$upa:libjemalloc.so.2" MALLOC_CONF=retain:true
fi

# again EXPECTED [VARIABLE=VALUE...]: what malloc() finds in what was freed.
again() {
  local expected=$1 found
  shift
  found=$(env LD_PRELOAD="$upa" "$@" "$test_directory/preload_malloc_zeros" again)
  # shellcheck disable=SC2053 # a pattern
  [[ $found == $expected ]] || { echo "FAILED: malloc() finds: $found"; failed=1; }
}
# All is retained here: how much else is, depends on when the library looks.
again $'by mmap: as freed\nby brk: as freed\nbehind the break: kept' UPA_RETAIN=1000
again $'by mmap: zeros\nby brk: *' UPA_UNCLEARED=0
again $'by mmap: zeros\nby brk: *\nbehind the break: nothing' UPA_STRICT=1 UPA_RETAIN=1000
again $'by mmap: as freed\nby brk: *\nbehind the break: nothing' UPA_BRK=0 UPA_RETAIN=1000

# Without --strict, what UPA serves can be read after munmap, and only that.
(LD_PRELOAD=$upa "$conformance" strict || true) | grep '^after_munmap' >"$work/touched"
if grep ' served' "$work/touched" | grep -e '-11' ||
  [[ $(grep -c 'passed on: after munmap -11' "$work/touched") -ne 3 ]]; then
  echo "FAILED: what faults after munmap without --strict"
  failed=1
fi

# Limits that are there from the start, variables that make no sense.
LD_PRELOAD=$upa UPA_RETAIN=lots "$conformance" >"$work/nonsense" 2>"$work/said"
said=$(head -n 1 "$work/said")
[[ $said == "upa: UPA_RETAIN=lots is not a percentage from 0 to 1000; its default holds" ]] ||
  { echo "FAILED: said=$said"; failed=1; }
diff "$work/kernel" "$work/nonsense" || failed=1
(ulimit -v 4000000 && exec "$conformance" >"$work/limited-kernel")
(ulimit -v 4000000 && LD_PRELOAD=$upa exec "$conformance" >"$work/limited")
diff "$work/limited-kernel" "$work/limited" || { echo "FAILED: under ulimit -v"; failed=1; }
LD_PRELOAD=$upa UPA_STATS=1 "$conformance" 2>"$work/table" >/dev/null
grep -q 'peak resident' "$work/table" || { echo "FAILED: no table"; failed=1; }
exit "$failed"
