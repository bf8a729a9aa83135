#!/usr/bin/env bash
# share_test.sh UPA TESTS: programs that share memory by `upa policy share`: together they stay within it, each gets its
# share, and no page of them is wrong. Skipped where the pager is not built, or this machine or user cannot page.
set -euo pipefail
upa=$1 tests=$2
source "${BASH_SOURCE[0]%/*}/paged.sh"
programs=() sharing=''
trap '[[ -z $sharing ]] || kill "$sharing" 2>/dev/null || true
  for p in "${programs[@]}"; do kill -9 "$p" 2>/dev/null || true; done
  rm -rf "$work"' EXIT

need_paging

# begin NAME MIB: the checker, with so much.
begin() {
  mkfifo "$work/$1.in"
  "$upa" run --policy clock --memory 512M --store lz4:256M,file:/var/tmp:1G -- "$tests/pager_checker" "$2" 1 \
    until-input drop <>"$work/$1.in" >"$work/$1.out" 2>"$work/$1.err" &
  programs+=($!)
}

# bound PID: in MiB.
bound() {
  ask status "$1" | sed -n 's/.* bound \([0-9]*\) MiB.*/\1/p'
}

begin small 8
begin large 96
begin larger 96
for p in "${programs[@]}"; do
  for ((i = 0; i < 300; i++)); do
    [[ -z $(ask status "$p") ]] || break
    sleep 0.1
  done
done
sleep 1
"$upa" policy share --memory 80M "${programs[2]}=3" >"$work/said" 2>&1 &
sharing=$!
for ((i = 0; i < 60; i++)); do
  ask stats "${programs[1]}" >"$work/stats"
  ! grep -q '^evicted to stores  *[1-9]' "$work/stats" || break
  sleep 0.5
done
grep -q '^evicted to stores  *[1-9]' "$work/stats" || fail "nothing is evicted: $(<"$work/stats") $(<"$work/said")"
sum=0
for p in "${programs[@]}"; do
  sum=$((sum + $(bound "$p")))
done
((sum <= 80)) || fail "together they have more: bounds=$sum: $(<"$work/said")"
((3 * $(bound "${programs[1]}") < 2 * $(bound "${programs[2]}"))) || fail "not by shares: $("$upa" policy status)"
((2 * $(bound "${programs[0]}") > 16)) || fail "who needs little has too little: $("$upa" policy status)"

# One leaves, and the others have what it had.
before=$(bound "${programs[1]}")
echo end 1<>"$work/larger.in"
wait "${programs[2]}" || fail "larger: status=$?: $(<"$work/larger.err")"
for ((i = 0; i < 60; i++)); do
  (($(bound "${programs[1]}") <= before)) || break
  sleep 0.5
done
(($(bound "${programs[1]}") > before)) || fail "what one had is nobody's: $(<"$work/said")"
kill "$sharing"
wait "$sharing" 2>/dev/null || true
sharing=
for name in small large; do
  echo end 1<>"$work/$name.in"
done
for i in 0 1; do
  wait "${programs[i]}" || fail "status=$?: $(cat "$work"/*.err)"
done
for name in small large larger; do
  grep -q ' wrong 0$' "$work/$name.out" || fail "$name: $(<"$work/$name.out") $(<"$work/$name.err")"
done
exit "$failed"
