#!/usr/bin/env bash
# Stacks of a paged program: its functions are named with the parts of the faults that they have. It notices nothing.
# Usage: stacks_test.sh UPA UPA_STACKS PROGRAM
set -euo pipefail
upa=$1 stacks=$2 program=$3
# shellcheck source=upa-mmap-shim/tests/preload/pager/paged.sh
source "${upa%/*}/upa-mmap-shim/tests/preload/pager/paged.sh"
trap 'rm -rf "$work"' EXIT
# A pager of its own: other tests kill theirs.
export XDG_RUNTIME_DIR=$work/run
mkdir -m 700 "$XDG_RUNTIME_DIR"

# expect STATUS LINE COMMAND...
expect() {
  local status=0
  "${@:3}" >/dev/null 2>"$work/said" || status=$?
  [[ $status == "$1" && $(<"$work/said") == "$2"* ]] || fail "${*:3}: status=$status $(<"$work/said")"
}
expect 2 'usage: upa-stacks PID SECONDS' "$stacks" 1
expect 2 'upa-stacks: pid=x: needs a number' "$stacks" x 1
expect 2 'upa-stacks: seconds=0: needs a number' "$stacks" 1 0
expect 1 'upa-stacks: pid=4194303: faults cannot be sampled: No such process' "$stacks" 4194303 1

need_paging
timeout 10 "$stacks" $$ 1 >"$work/none" 2>"$work/said" || {
  cat "$work/said"
  echo 'skipped: faults cannot be sampled here'
  exit 77
}
[[ ! -s $work/none ]] || fail "a process that is not paged has stacks: $(<"$work/none")"

"$upa" run --policy fifo --memory 24M --store lz4:1G -- "$program" 240 >"$work/out" 2>"$work/err" &
run=$!
for ((i = 0; i < 300; i++)); do
  ! grep -q '^ready' "$work/out" || break
  sleep 0.1
done
pid=$(sed -n 's/^ready //p' "$work/out")
"$upa" policy record "$pid" "$work/recording" --seconds 5 --stacks "$work/stacks" || fail 'it cannot be recorded'
kill -USR1 "$pid"
wait "$run" || fail "the program has ended with status=$?"
[[ $(tail -n 1 "$work/out") == 'wrong 0 interrupted 0' ]] || fail "the program notices: $(<"$work/out")"

# part FUNCTION LEAST MOST: of a hundred faults
part() {
  awk -v name="$1" -v least="$2" -v most="$3" '
    { all += $NF }
    $0 ~ ("(^|;)main;" name " \\(three\\.c:[0-9]+\\) [0-9]+$") { sum += $NF }
    END { part = all ? 100 * sum / all : 0; printf "%s: %.1f %%\n", name, part; exit part < least || part > most }' \
    "$work/stacks" || fail "it is not between $2 and $3 %: $(<"$work/stacks")"
}
part often 55 85
part sometimes 8 34
part seldom 2 22
"$upa" policy report "$work/recording" --stacks "$work/stacks" --html "$work/page" >"$work/text" || fail 'no report'
grep -q 'often (three.c:' "$work/text" || fail 'the report does not name the function'
grep -q '<svg class="flames"' "$work/page" || fail 'there is no flame graph'

echo 'no stacks' >"$work/wrong"
expect 1 "upa: not collapsed stacks: file=$work/wrong line=1" "$upa" policy report "$work/recording" \
  --stacks "$work/wrong"
exit "$failed"
