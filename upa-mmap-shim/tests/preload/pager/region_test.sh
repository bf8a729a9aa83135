#!/usr/bin/env bash
# region_test.sh UPA: a JVM program whose Region is larger than --memory is paged, and its hints are heard. Skipped
# where the pager is not built, or this machine or user cannot page.
set -euo pipefail
upa=$1
root=${upa%/*}
[[ -d $root/apps/tools/target/lib ]] || exit 77
work=$(mktemp -d)
program=
trap '[[ -z $program ]] || kill -9 "$program" 2>/dev/null || true; rm -rf "$work"' EXIT
failed=0

fail() {
  echo "FAILED: $*"
  failed=1
}

status=0
timeout 120 "$upa" run --policy clock --memory 16M -- true 2>"$work/err" || status=$?
if [[ $status -ne 0 ]]; then
  cat "$work/err"
  grep -q 'no paging on this machine' "$work/err" && exit 77
  exit 1
fi

java=$(awk '$1 == "exec" { print $2 }' "$root/build/pager/start")
"${java%/*}/javac" -Xlint:all -Werror -d "$work" -cp "$root/upa-core/target/upa-core.jar" \
  "${BASH_SOURCE[0]%/*}/PagedRegion.java"
mkfifo "$work/input"

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
echo >"$work/input"
wait_for hinted
for ((i = 0; i < 100; i++)); do
  "$upa" policy stats "$program" >"$work/stats" || fail "policy stats: status=$?"
  ! grep -q '^brought in early  *[1-9]' "$work/stats" || break
  sleep 0.1
done
grep -q '^brought in early  *[1-9]' "$work/stats" || fail "the hint is not heard: $(<"$work/stats")"
echo >"$work/input"
wait "$program" || fail "status=$?: $(<"$work/err")"
program=
grep -q '^wrong 0$' "$work/out" || fail "$(<"$work/out")"
[[ ! -s $work/err ]] || fail "something is said: $(<"$work/err")"
exit "$failed"
