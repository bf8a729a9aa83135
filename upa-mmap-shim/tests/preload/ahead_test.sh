#!/usr/bin/env bash
# ahead_test.sh LIB_DIRECTORY TEST_DIRECTORY: memory is populated before it is touched where as much was used before,
# and nowhere else; and the statistics count it.
set -euo pipefail

upa="$1/libupa_mmap.so"
ahead="$2/preload_ahead"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

left_out() {
  echo "left out: $*"
  exit 77
}
"$ahead" possible || left_out "this kernel cannot populate memory that is to be written (before Linux 5.14)"
! grep -q '[,-]' /sys/devices/system/node/has_memory 2>/dev/null || left_out "this machine has several NUMA nodes"
! grep -q '^Seccomp:.*[12]' /proc/self/status || left_out "there is a filter over system calls"

# run NAME [VARIABLE=VALUE...]: what the program says goes to $said, what UPA has populated, in pages, to $counted
run() {
  local name=$1
  shift
  rm -f "$work/stats"
  said=$(env LD_PRELOAD="$upa" UPA_STATS="json:$work/stats" "$@" "$ahead" "$name") || said="status $?"
  counted=$(sed -nE 's/.*"populated_ahead_bytes":([0-9]+).*/\1/p' "$work/stats" | awk '{ print $1 / 4096 }')
}

fail() {
  echo "FAILED: $*: said=$said counted=$counted"
  failed=1
}

# many NAME...: more than half of the pages, and no more than all but an eighth
many() {
  run "$@"
  [[ $said =~ ^([0-9]+)\ of\ ([0-9]+)$ ]] || { fail "$*"; return; }
  ((BASH_REMATCH[1] * 2 > BASH_REMATCH[2] && BASH_REMATCH[1] * 8 <= BASH_REMATCH[2] * 7)) || fail "$*"
}

none() {
  run "$@"
  [[ $said == "0 of "* && ${counted:-0} == 0 ]] || fail "$*"
}

for name in used heap; do
  many "$name"
  # Nothing else grows here, but for what libc needs itself.
  ((counted >= BASH_REMATCH[1] && counted < BASH_REMATCH[1] + 64)) || fail "$name is counted"
  none "$name" UPA_AHEAD=0
  none "$name" UPA_RETAIN=0
done
none heap UPA_BRK=0
run used UPA_STRICT=1
[[ $counted == 0 ]] || fail "strict"
none sparse
none part
none sparse-heap
none populated
run again
[[ -z $said && $counted == 0 ]] || fail "again"
# Much was used, but little is now.
run trimmed
[[ $said =~ ^([0-9]+)\ of\ ([0-9]+)$ ]] && ((BASH_REMATCH[1] && BASH_REMATCH[1] * 5 < BASH_REMATCH[2])) ||
  fail "trimmed"
# Of what is kept of the heap nothing is to be populated.
run heap-back
[[ $said =~ of\ ([0-9]+)$ ]] && ((counted > BASH_REMATCH[1] / 2 && counted < BASH_REMATCH[1])) || fail "heap-back"
# A child goes on where its parent was, and counts for itself; the parent leaves later.
run fork
[[ $said =~ ^([0-9]+)\ of\ ([0-9]+)$ ]] && ((BASH_REMATCH[1] * 5 > BASH_REMATCH[2] * 4)) || fail "fork"
counted=${counted%%$'\n'*}
((counted >= BASH_REMATCH[1] && counted < BASH_REMATCH[1] + 64)) || fail "fork is counted"
# A thread that uses what it gets is not kept from it by another that does not.
run threads
[[ $said =~ ^([0-9]+)\ of\ ([0-9]+)$'\n'0\ of ]] && ((BASH_REMATCH[1] * 2 > BASH_REMATCH[2])) || fail "threads"
exit "$failed"
