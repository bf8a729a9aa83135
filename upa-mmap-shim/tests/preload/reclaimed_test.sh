#!/bin/bash
# reclaimed_test.sh UPA LIBRARIES PROGRAMS: `upa reclaim` and real programs: either is killed at any instant, the
# program being one that knows what each of its pages holds (agent.c); and what may not, or cannot, be reclaimed from.
# With UPA_FULL set, a thousand kills of each. Skipped where Java is not to be had.
set -euo pipefail
export LC_ALL=C

upa=$1
library=$2/libupa_mmap.so
owner=$3/preload_agent
keeper=("$3/preload_agent" keeps)
kills=20
[[ -z ${UPA_FULL:-} ]] || kills=1000
failures=0
work=$(mktemp -d)
# What is left of what was started here.
trap 'jobs -p | xargs -r kill -9 2>/dev/null || true; rm -rf "$work"' EXIT

fail() {
  echo "reclaimed_test: $*"
  failures=$((failures + 1))
}

# reclaim ARGUMENT...: sets $status and $said, all that was said
reclaim() {
  status=0
  said=$("$upa" reclaim "$@" 2>&1) || status=$?
}

"$upa" reclaim --help >/dev/null 2>"$work/err" || { echo "skipped: no Java: $(tail -n 1 "$work/err")"; exit 77; }

# start PROGRAM ARGUMENT...: under UPA; sets $program once it has said a line
start() {
  rm -f "$work/line"
  mkfifo "$work/line"
  UPA_DECAY_MS=${decay-1000} LD_PRELOAD=$library "$@" >"$work/line" 2>"$work/program.err" &
  program=$!
  read -r -t 60 _ <"$work/line" || fail "$* does not begin"
}

nap() {
  local ms=$((RANDOM % $1))
  sleep "$((ms / 1000)).$(printf '%03d' $((ms % 1000)))"
}

# ---- what is refused ------------------------------------------------------------------------------------

# refused WHAT: one line, and the status of a failure
refused() {
  [[ $status -eq 1 && $said == "upa: "*"$1"* && $said != *$'\n'* ]] || fail "status=$status: $said: expected $1"
}

decay=100000 start "${keeper[@]}"
reclaim --to 32M "$program"
[[ $status -eq 0 && $said == "process=$program "*": given back "*" MiB, kept "* ]] || fail "status=$status: $said"
kill -STOP "$program"
for options in '--to=0' '--bound=0'; do
  reclaim "$options" "$program"
  refused "process=$program is stopped: kill -CONT $program"
done
kill -CONT "$program"
reclaim --bound none "$program"
[[ $status -eq 0 ]] || fail "--bound none: status=$status: $said"
# How long one takes here, in milliseconds: those that are to be killed are killed within.
usual=$(date +%s%3N)
reclaim --bound none "$program"
usual=$(($(date +%s%3N) - usual))
if ((EUID == 0)) && command -v setpriv >/dev/null; then
  status=0
  said=$(setpriv --reuid=65534 --regid=65534 --clear-groups "$upa" reclaim "$program" 2>&1) || status=$?
  # Another user may not be let to the build at all.
  [[ $said == *ermission* ]] || fail "another user: $said"
fi
kill -9 "$program"
wait "$program" 2>/dev/null || true
reclaim "$program"
refused "there is no process=$program"
sleep 60 &
other=$!
reclaim "$other"
refused "process=$other does not run under UPA"
kill "$other"
UPA_AGENT=0 decay=100000 start "${keeper[@]}"
reclaim "$program"
refused "process=$program has nobody who could give back"
kill -9 "$program"
if unshare --map-root-user --pid --fork true 2>/dev/null; then
  decay=100000 start unshare --map-root-user --pid --fork "${keeper[@]}"
  inner=$(pgrep -P "$program" || true)
  reclaim "$inner"
  refused "process=$inner is in another container"
  kill -9 "$inner" "$program" 2>/dev/null
fi

# ---- kills of the manager -------------------------------------------------------------------------------

start "$owner" ownership 3000
done=0
for ((i = 0; i < kills && failures == 0; i++)); do
  case $((i % 4)) in
    0) arguments=(--to 0) ;;
    1) arguments=(--bound "$((RANDOM % 64))M") ;;
    2) arguments=(--to "$((RANDOM % 16))M") ;;
    3) arguments=(--bound none) ;;
  esac
  "$upa" reclaim "${arguments[@]}" "$program" >/dev/null 2>"$work/err" &
  manager=$!
  nap "$usual"
  ! kill -9 "$manager" 2>/dev/null || done=$((done + 1))
  wait "$manager" 2>/dev/null || true
  kill -0 "$program" 2>/dev/null || fail "the program has ended after kills=$i: $(<"$work/program.err")"
done
((done > kills / 4 || failures)) || fail "of $kills managers only $done were there to be killed"
reclaim --bound none "$program"
[[ $status -eq 0 ]] || fail "after the kills: status=$status: $said"
kill -TERM "$program"
wait "$program" || fail "a page is wrong: $(<"$work/program.err")"

# ---- kills of the program -------------------------------------------------------------------------------

for ((i = 0; i < kills && failures == 0; i++)); do
  start "$owner" ownership 60
  "$upa" reclaim --to 0 "$program" >"$work/out" 2>"$work/err" &
  manager=$!
  nap "$usual"
  kill -9 "$program"
  status=0
  wait "$manager" || status=$?
  wait "$program" 2>/dev/null || true
  [[ $status -eq 0 || ($status -eq 1 && $(wc -l <"$work/err") -eq 1 && $(<"$work/err") == "upa: "*) ]] ||
    fail "the program was killed: status=$status: $(<"$work/err")"
done

exit $((failures > 0))
