#!/usr/bin/env bash
# zram_test.sh UPA TESTS: programs whose pages go to the kernel's swap, on a zram device of this test's own. Swap is the
# machine's: so only with UPA_FULL in the environment, and for root; else skipped, as where nothing is paged.
set -euo pipefail
upa=$1 tests=$2
skip() {
  echo "skipped: $*"
  exit 77
}
source "${BASH_SOURCE[0]%/*}/paged.sh"
number='' program=''
trap '[[ -z $program ]] || kill -9 "$program" 2>/dev/null || true
  [[ -z $number ]] || { swapoff "/dev/zram$number" 2>/dev/null || true
    echo 1 >"/sys/block/zram$number/reset" && echo "$number" >/sys/class/zram-control/hot_remove; }
  rm -rf "$work"' EXIT

# Without swap on zram it is said what is missing, in a line.
if ! grep -q '^/dev/zram' /proc/swaps; then
  status=0
  "$upa" run --policy clock --memory 16M --store zram true 2>"$work/err" || status=$?
  [[ $status -eq 1 && $(wc -l <"$work/err") -eq 1 &&
    $(<"$work/err") == 'upa: store=zram needs swap on zram, and there is none'* ]] ||
    fail "no swap: status=$status: $(<"$work/err")"
fi
[[ $failed -eq 0 ]] || exit 1
[[ -n ${UPA_FULL:-} ]] || skip 'swap is the machine'"'"'s: only with --full'
[[ $EUID -eq 0 && -r /sys/class/zram-control/hot_add ]] || skip 'this user or kernel has no zram device'
number=$(</sys/class/zram-control/hot_add)
echo 256M >"/sys/block/zram$number/disksize"
mkswap "/dev/zram$number" >/dev/null || skip 'there can be no swap on zram'
swapon -p 100 "/dev/zram$number" || skip 'there can be no swap on zram'

for way in fork clone vfork mremap-out mremap-growing mapping-over munmap dontneed free closing mlock system-calls \
  signals exec; do
  timeout 120 "$upa" run --policy clock --memory 16M --store zram -- "$tests/pager_ways" "$way" 2>"$work/err" ||
    fail "$way: status=$?: $(<"$work/err")"
done
mkfifo "$work/input"
"$upa" run --policy clock --memory 24M --store zram -- "$tests/pager_checker" 64 2 until-input fork drop remap \
  <>"$work/input" >"$work/out" 2>"$work/err" &
program=$!
for ((i = 0; i < 300; i++)); do
  "$upa" policy stats "$program" >"$work/stats" 2>&1 || true
  ! awk '/^store zram/ { w = $13 + 0; r = $15 + 0 } END { exit !(w > 10000 && r > 5000) }' "$work/stats" || break
  sleep 0.1
done
awk '/^bound/ { b = $3 } /^resident/ { r = $3 } /^in swap/ { s = $4 } END { exit !(s > b / 2 && r < 1.5 * b) }' \
  "$work/stats" || fail "too much is in memory: $(<"$work/stats")"
echo end 1<>"$work/input"
wait "$program" || fail "checker: status=$?: $(<"$work/err")"
program=
cat "$work/out"
grep -q ' wrong 0$' "$work/out" || fail "checker: $(<"$work/out") $(<"$work/err")"
exit "$failed"
