#!/usr/bin/env bash
# region_test.sh UPA: a JVM program whose Region is larger than --memory is paged, and its hints are heard. Skipped
# where the pager is not built, or this machine or user cannot page.
set -euo pipefail
upa=$1
root=${upa%/*}
source "${BASH_SOURCE[0]%/*}/paged.sh"
program=
trap '[[ -z $program ]] || kill -9 "$program" 2>/dev/null || true; rm -rf "$work"' EXIT

need_paging

java=$(awk '$1 == "exec" { print $2 }' "$root/build/pager/start")
"${java%/*}/javac" -Xlint:all -Werror -d "$work" -cp "$root/upa-core/target/upa-core.jar" \
  "${BASH_SOURCE[0]%/*}"/{OwnHeap,PagedRegion,PagedBlocks}.java
mkfifo "$work/input"
: >"$work/out"

# wait_for TEXT: until the program has said it.
wait_for() {
  for ((i = 0; i < 1200; i++)); do
    ! grep -q "$1" "$work/out" || return 0
    kill -0 "$program" 2>/dev/null || break
    sleep 0.1
  done
  fail "it has not said $1: $(<"$work/out") $(<"$work/err")"
  exit 1
}

"$upa" run --policy clock --memory 32M -- "$java" --enable-native-access=ALL-UNNAMED -Xmx64m -XX:+UseSerialGC \
  -cp "$root/upa-core/target/upa-core.jar:$work" PagedRegion <>"$work/input" >"$work/out" 2>"$work/err" &
program=$!
wait_for used
"$upa" policy stats "$program" >"$work/stats" || fail "policy stats: status=$?"
awk '/^bound/ { b = $3 } /^resident/ { r = $3 } /^evicted to stores/ { e = $4 }
  END { exit !(b == 8192 && r <= b && e > 4096) }' "$work/stats" || fail "it is not paged: $(<"$work/stats")"
echo 1<>"$work/input"
wait_for hinted
for ((i = 0; i < 100; i++)); do
  "$upa" policy stats "$program" >"$work/stats" || fail "policy stats: status=$?"
  ! grep -q '^brought in early  *[1-9]' "$work/stats" || break
  sleep 0.1
done
grep -q '^brought in early  *[1-9]' "$work/stats" || fail "the hint is not heard: $(<"$work/stats")"
echo 1<>"$work/input"
wait "$program" || fail "status=$?: $(<"$work/err")"
program=
grep -q '^wrong 0$' "$work/out" || fail "$(<"$work/out")"
# But for what the JVM itself has, which is not paged.
! grep -v 'has memory that is not paged, since' "$work/err" || fail "something is said: $(<"$work/err")"

# Threads map, resize, unmap and give back at random, policies change, and the pager is killed once.
"$upa" run --policy clock --memory 192M -- "$java" -ea --enable-native-access=ALL-UNNAMED -Xmx48m -XX:+UseSerialGC \
  -cp "$root/upa-core/target/upa-core.jar:$work" PagedBlocks 320 3 <>"$work/input" >"$work/out" 2>"$work/err" &
program=$!

# evicted NUMBER: waits until so many pages have left, by this pager.
evicted() {
  for ((i = 0; i < 1200; i++)); do
    kill -0 "$program" 2>/dev/null || break
    ask stats "$program" >"$work/stats"
    awk -v least="$1" "/^evicted to stores/ && \$4 >= least { e = 1 } END { exit e }" "$work/stats" || return 0
    sleep 0.1
  done
  fail "fewer than $1 pages have left: $(<"$work/stats") $(<"$work/err")"
  exit 1
}
evicted 10000
"$upa" policy set "$program" s3-fifo || fail "policy set: status=$?"
evicted 20000
for pager in $(pager_of "$program"); do
  kill -9 "$pager"
done
sleep 3
evicted 5000
# The JVM's own is a third of it.
resident=$(awk '$1 == "RssAnon:" { print $2 }' "/proc/$program/status")
[[ $resident -lt 300000 ]] || fail "anonymous memory over the bound of 192 MiB: resident=$resident KiB"
echo 1<>"$work/input"
wait "$program" || fail "status=$?: $(<"$work/err")"
program=
grep -q ' wrong 0$' "$work/out" || fail "$(<"$work/out") $(<"$work/err")"

# Its heap is not paged: that is said, once, and nothing of it is wrong.
for gc in Serial G1 Parallel; do
  "$upa" run --policy clock --memory 32M -- "$java" "-XX:+Use${gc}GC" -Xmx512m -cp "$work" OwnHeap <>"$work/input" \
    >"$work/out" 2>"$work/err" &
  program=$!
  wait_for filled
  for ((i = 0; i < 300; i++)); do
    [[ ! -s $work/err ]] || break
    sleep 0.1
  done
  echo 1<>"$work/input"
  wait "$program" || fail "heap of $gc: status=$?: $(<"$work/err")"
  program=
  grep -q '^wrong 0$' "$work/out" || fail "heap of $gc: $(<"$work/out")"
  said='^upa: pid=[0-9]+ has memory that is not paged, since it is mapped where the program has reserved addresses, as'
  [[ $(<"$work/err") =~ $said\ a\ Java\ heap\ is:\ bytes=[1-9][0-9]+$ ]] ||
    fail "heap of $gc: it is not said that it is not paged: $(<"$work/err")"
done
exit "$failed"
