#!/usr/bin/env bash
# pager_test.sh UPA TESTS: programs under `./upa run --policy`. No page may be wrong, whatever happens to it, to the
# pager or to its stores. Skipped where the pager is not built, or this machine or user cannot page.
set -euo pipefail
upa=$1 tests=$2
source "${BASH_SOURCE[0]%/*}/paged.sh"
program=
trap '[[ -z $program ]] || kill -9 "$program" 2>/dev/null || true; rm -rf "$work"' EXIT

# paged OPTION... -- PROGRAM...
paged() {
  timeout 120 "$upa" run --policy "$@"
}

need_paging
# Once more: the first time, something may have been built, which is said.
paged clock --memory 16M -- true 2>"$work/err" || fail "a program that needs no paging: status=$?"
[[ ! -s $work/err ]] || fail "a program that needs no paging is told: $(<"$work/err")"

for way in fork clone clone-leaving vfork mremap-out mremap-growing mapping-over munmap dontneed free closing mlock \
  system-calls filter signals exec; do
  paged clock --memory 16M -- "$tests/pager_ways" "$way" 2>"$work/err" || fail "$way: status=$?: $(<"$work/err")"
done

for probe in $("$tests/pager_probes" list); do
  paged clock --memory 16M -- "$tests/pager_probes" "$probe" 2>"$work/err" || fail "$probe: status=$?: $(<"$work/err")"
done
for call in $("$tests/pager_calls" list) arguments; do
  paged clock --memory 16M -- "$tests/pager_calls" "$call" 2>"$work/err" || fail "$call: status=$?: $(<"$work/err")"
done

# What is in memory is the pager's to say: nothing is populated before it is touched.
paged clock --memory 256M --stats="json:$work/json" -- "$tests/preload_ahead" used >"$work/out" 2>"$work/err" ||
  fail "ahead: status=$?: $(<"$work/err")"
grep -q '"populated_ahead_bytes":0,' "$work/json" || fail "populated ahead: $(<"$work/json")"

# What mremap() puts at addresses of its choice is there as without UPA. Before 6.17 the kernel moves one mapping only.
for seed in 1 2; do
  "$tests/pager_remaps" "$seed" 20 >"$work/alone"
  "$upa" run -- "$tests/pager_remaps" "$seed" 20 >"$work/out" 2>"$work/err" || fail "remaps: status=$?: $(<"$work/err")"
  grep -q 'Bad address' "$work/alone" || cmp -s "$work/alone" "$work/out" ||
    fail "remaps $seed: $(diff "$work/alone" "$work/out" | head -n 8)"
  paged clock --memory 4M -- "$tests/pager_remaps" "$seed" 20 >"$work/out" 2>"$work/err" ||
    fail "remaps, paged: status=$?: $(<"$work/err")"
  grep -q 'Bad address' "$work/alone" || cmp -s "$work/alone" "$work/out" ||
    fail "remaps $seed, paged: $(diff "$work/alone" "$work/out" | head -n 8)"
done

for way in drops unmaps moves moves-and-forks writes grandchild many after-others; do
  paged clock --memory 16M -- "$tests/pager_inherit" "$way" 2>"$work/err" || fail "child $way: $(<"$work/err")"
done
# The output ends with the child, which outlives its parent.
paged clock --memory 16M -- "$tests/pager_inherit" orphan 2>"$work/err" | cat >"$work/out"
[[ $(<"$work/out") == good ]] || fail "child orphan: $(<"$work/err")"

# What a mistake is told: one line, and the status.
says() {
  local wanted=$1 text=$2 status=0
  "$upa" run "${@:3}" true >"$work/out" 2>"$work/err" || status=$?
  [[ $status -eq $wanted && $(wc -l <"$work/err") -eq 1 && $(<"$work/err") == "upa: $text"* && ! -s $work/out ]] ||
    fail "${*:3}: status=$status: $(<"$work/err")"
}
says 2 'policy: there is no policy=nosuch' --policy nosuch --memory 16M
says 2 'policy: policy=clock has no option=x' --policy clock,x=1 --memory 16M
says 2 'option --policy needs --memory SIZE' --policy clock
says 2 'options --memory and --store need --policy' --memory 16M
says 2 'policy: option --memory needs a size' --policy clock --memory 1K
says 2 'policy: there is no store=tape' --policy clock --memory 16M --store tape
says 1 'cannot keep pages in folder=/no/such' --policy clock --memory 16M --store file:/no/such
says 2 'option --policy excludes' --policy clock --memory 16M --strict

# What there are no addresses for is not paged, and that is said, once.
UPA_REGION_BYTES=32M paged clock --memory 16M -- "$tests/pager_checker" 96 2 1 >"$work/out" 2>"$work/err" ||
  fail "a small region: status=$?: $(<"$work/err")"
wanted='upa: pid=[0-9]+ has memory that is not paged: no room for bytes=[0-9]+; set UPA_REGION_BYTES to more'
[[ $(<"$work/err") =~ ^$wanted$ ]] ||
  fail "a small region: $(<"$work/err")"
grep -q ' wrong 0$' "$work/out" || fail "a small region: $(<"$work/out")"

# Whether a pager has a client: the file in memory that they share.
has_client() {
  local fd
  for fd in /proc/"$1"/fd/*; do
    [[ $(readlink "$fd") != /memfd:upa-pager* ]] || return 0
  done
  return 1
}

run=("$upa" run)
# begin OPTION... -- PROGRAM...: in the background, by $run, as process $program, with a pipe as standard input; waits
# until it has a pager, $pager, that knows it.
begin() {
  rm -f "$work/input"
  mkfifo "$work/input"
  "${run[@]}" --policy "$@" <>"$work/input" >"$work/out" 2>"$work/err" &
  program=$!
  pager=
  for ((i = 0; i < 300; i++)); do
    pager=$(pager_of "$program")
    [[ -z $pager ]] || ! has_client "$pager" || return 0
    sleep 0.1
  done
  fail "no pager of $*: $(<"$work/err")"
}

# evicted: whether pages of it have left, by the pager that there is now. Between one and the next there is none.
evicted() {
  ask stats "$program" >"$work/stats"
  grep -q '^evicted to stores  *[1-9]' "$work/stats"
}

# Policies that fail: the default takes over, and the program goes on, within its bound.
java=$(awk '$1 == "exec" { print $2 }' "${upa%/*}/build/pager/start")
mkdir "$work/classes"
"${java%/*}/javac" -Xlint:all -Werror -d "$work/classes" -cp "${upa%/*}/upa-core/target/upa-core.jar" \
  "${BASH_SOURCE[0]%/*}/Faulty.java" && "${java%/*}/jar" -cf "$work/faulty.jar" -C "$work/classes" . ||
  fail "no faulty policy"
for fault in loop throw recurse sleep exit starve hoard nonsense idle; do
  begin "$work/faulty.jar:Faulty,does=$fault" --memory 24M -- "$tests/pager_checker" 64 2 until-input
  for ((i = 0; i < 300; i++)); do
    # Between one pager and the next there is none.
    ask status "$program" >"$work/status"
    [[ $(<"$work/status") != *'  clock  '* ]] || break
    sleep 0.1
  done
  sleep 1
  # A pager that has a thread which does not end, of a run that is over, begins anew.
  await evicted || fail "policy $fault: nothing was evicted: $(<"$work/stats")"
  echo end 1<>"$work/input"
  wait "$program" || fail "policy $fault: status=$?: $(<"$work/err")"
  grep -q ' wrong 0$' "$work/out" || fail "policy $fault: $(<"$work/out") $(<"$work/err")"
  [[ $(<"$work/status") == *'  clock  '* ]] || fail "policy $fault: no other has taken over: $(<"$work/status")"
  grep -q Faulty "$work/err" || fail "policy $fault: it is not said why: $(<"$work/err")"
done
says 2 "policy: policy=$work/faulty.jar:Faulty\$Unmade cannot start: java.lang.IllegalStateException: not today" \
  --policy "$work/faulty.jar:Faulty\$Unmade" --memory 16M
says 2 "policy: policy=$work/faulty.jar:Faulty cannot start" --policy "$work/faulty.jar:Faulty,does=attach" --memory 16M
says 2 "policy: jar=$work/faulty.jar has no class=Missing" --policy "$work/faulty.jar:Missing" --memory 16M

# wait_for TEXT: until the program in the background has said it.
wait_for() {
  await grep -q "$1" "$work/out" || fail "nothing is said: $1: $(<"$work/err")"
}

# A core file has all pages, those outside of memory too, and the program stands still until they have come.
if [[ $(</proc/sys/kernel/core_pattern) =~ ^core[^/]*$ ]] && command -v python3 >/dev/null; then
  mkdir "$work/dump"
  for ending in abort:134 fault:139 report:135; do
    (cd "$work/dump" && begin clock --memory 16M -- "$tests/pager_probes" "core-${ending%:*}"
      wait_for 0x
      kill -STOP "$pager"
      echo 1<>"$work/input" >&1
      sleep 1
      kill -CONT "$pager"
      status=0
      wait "$program" || status=$?
      [[ $status -eq ${ending#*:} ]] || fail "core ${ending%:*}: status=$status: $(<"$work/err")"
      # shellcheck disable=SC2046 # two addresses
      python3 "${BASH_SOURCE[0]%/*}/core.py" core* $(<"$work/out") || fail "core ${ending%:*}: $(<"$work/err")"
      rm -f core*
      exit "$failed") || failed=1
  done
  # Killed before they have come: its pager does not wait for it.
  (cd "$work/dump" && begin clock --memory 16M -- "$tests/pager_probes" core-abort
    wait_for 0x
    kill -STOP "$pager"
    echo 1<>"$work/input" >&1
    sleep 0.5
    kill -9 "$program"
    kill -CONT "$pager"
    for ((i = 0; i < 100; i++)); do
      [[ -n $(run_socket "$program") ]] || break
      sleep 0.1
    done
    [[ -z $(run_socket "$program") ]] || fail "killed before its core file: its pager goes on with it"
    exit "$failed") || failed=1
fi
status=0
paged clock --memory 16M -- "$tests/pager_probes" no-core 2>"$work/err" || status=$?
[[ $status -eq 159 ]] && ! grep -q 'core file' "$work/err" || fail "no core: status=$status: $(<"$work/err")"

# A debugger looks at all pages, those outside of memory too, and goes; the program goes on.
if command -v gdb >/dev/null; then
  begin clock --memory 16M -- "$tests/pager_probes" waits
  wait_for 0x
  timeout 60 gdb -batch -p "$program" -ex "find /w $(<"$work/out"), +1048576, 1" -ex detach >"$work/said" 2>&1 ||
    fail "gdb: status=$?: $(<"$work/said")"
  echo 1<>"$work/input"
  wait "$program" || fail "gdb: status=$?: $(<"$work/err")"
fi

# Redis with most of its data evicted: what it saves is what it has.
if command -v redis-server >/dev/null; then
  redis=$work/redis
  begin clock --memory 16M -- redis-server --port 0 --unixsocket "$redis" --dir "$work" --save '' \
    --enable-debug-command yes
  for ((i = 0; i < 100; i++)); do
    [[ ! -S $redis ]] || break
    sleep 0.1
  done
  redis-cli -s "$redis" debug populate 60000 key 1000 >/dev/null
  before=$(redis-cli -s "$redis" debug digest)
  "$upa" policy stats "$program" >"$work/stats" || fail "policy stats of redis: status=$?"
  awk '/^resident/ { r = $3 } /^outside/ { o = $5 } END { exit !(o > r) }' "$work/stats" ||
    fail "redis has most in memory: $(<"$work/stats")"
  redis-cli -s "$redis" bgsave >/dev/null
  for ((i = 0; i < 600; i++)); do
    redis-cli -s "$redis" info persistence >"$work/said"
    ! grep -q '^rdb_bgsave_in_progress:0' "$work/said" || break
    sleep 0.1
  done
  grep -q '^rdb_last_bgsave_status:ok' "$work/said" || fail "redis: $(<"$work/said")"
  [[ $(redis-cli -s "$redis" debug digest) == "$before" ]] || fail "redis has other data than before"
  redis-cli -s "$redis" shutdown nosave || true
  wait "$program" || fail "redis: status=$?: $(<"$work/err")"
  redis-server --port 0 --unixsocket "$redis" --dir "$work" --save '' --enable-debug-command yes >"$work/said" &
  program=$!
  for ((i = 0; i < 300; i++)); do
    [[ $(redis-cli -s "$redis" ping 2>/dev/null) != PONG ]] || break
    sleep 0.1
  done
  [[ $(redis-cli -s "$redis" debug digest) == "$before" ]] || fail "redis has saved other data than it had"
  redis-cli -s "$redis" shutdown nosave || true
  wait "$program" || true
fi

# Pages that leave the region by mremap() bring all others in each time, so these are by themselves.
paged clock --memory 24M -- "$tests/pager_checker" 48 2 5 remap >"$work/out" 2>"$work/err" ||
  fail "moves: status=$?: $(<"$work/out") $(<"$work/err")"
cat "$work/out"

# Threads, random touches, system calls, forks and drops; the policy changes meanwhile.
begin clock --memory 24M -- "$tests/pager_checker" 64 3 until-input fork drop
for policy in s3-fifo fifo sieve 2q stride+clock; do
  sleep 1
  "$upa" policy set "$program" "$policy" 2>"$work/said" || grep -q 'far below its bound' "$work/said" ||
    fail "policy set $policy: $(<"$work/said")"
done
if [[ $("$upa" policy status | wc -l) -eq 1 ]]; then
  "$upa" policy record "$work/recording.gz" --seconds 1 >"$work/said" || fail "policy record: status=$?"
  grep -q '^recorded events=[1-9]' "$work/said" || fail "policy record: $(<"$work/said")"
fi
await evicted || fail "nothing was evicted: $(<"$work/stats")"
"$upa" policy stats "$program" >"$work/stats" || fail "policy stats: status=$?"
"$upa" policy status "$program" >"$work/status" || fail "policy status: status=$?"
[[ $(<"$work/status") == *checker*stride+clock* ]] || fail "policy status: $(<"$work/status")"
echo end 1<>"$work/input"
wait "$program" || fail "checker: status=$?: $(<"$work/err")"
cat "$work/out"
grep -q ' wrong 0$' "$work/out" || fail "checker: $(<"$work/out") $(<"$work/err")"
"$upa" policy stats "$program" 2>"$work/said" && fail "stats of a process that has ended"
grep -q "^upa: no pager of this user has pid=$program" "$work/said" || fail "stats: $(<"$work/said")"

# From store to store while threads touch them, with less memory than before.
begin clock --memory 24M --store lz4:8M,file:/var/tmp:1G -- "$tests/pager_checker" 64 2 until-input
for ((i = 0; i < 100; i++)); do
  "$upa" policy limit "$program" --memory 20M --rate 256M || fail "policy limit: status=$?"
  "$upa" policy move "$program" --from lz4 --to file >"$work/said" || fail "policy move: status=$?"
  [[ $(<"$work/said") == 'moved pages=0' ]] || break
done
[[ $(<"$work/said") =~ ^moved\ pages=[1-9][0-9]*$ ]] || fail "policy move: $(<"$work/said")"
"$upa" policy stats "$program" >"$work/stats" || fail "policy stats: status=$?"
grep -q '^moved from lz4 to file: pages [1-9]' "$work/stats" || fail "nothing was moved: $(<"$work/stats")"
grep -q '^bound, pages  *5120$' "$work/stats" || fail "another bound: $(<"$work/stats")"
sleep 5
echo end 1<>"$work/input"
wait "$program" || fail "checker: status=$?: $(<"$work/err")"
grep -q ' wrong 0$' "$work/out" || fail "checker: $(<"$work/out") $(<"$work/err")"

# Pages keep a copy in a file while nobody writes to them: then they leave for nothing.
paged clock --memory 16M --store file:/var/tmp:1G -- "$tests/pager_ways" copies 2>"$work/err" ||
  fail "copies: status=$?: $(<"$work/err")"
begin clock --memory 24M --store file:/var/tmp:1G -- "$tests/pager_checker" 32 2 until-input reads fork drop
# Once writes have shown that copies do not pay here, few more are kept.
copy_lines=('of these at no cost, unwritten since' 'copies that were written over')
sleep 10
for ((i = 0; i < 300; i++)); do
  ask stats "$program" >"$work/stats"
  ! grep -q "${copy_lines[0]}  *[1-9]" "$work/stats" || ! grep -q "${copy_lines[1]}  *[1-9]" "$work/stats" || break
  sleep 0.1
done
echo end 1<>"$work/input"
wait "$program" || fail "copies: status=$?: $(<"$work/err")"
cat "$work/out"
grep -q ' wrong 0$' "$work/out" || fail "copies: $(<"$work/out") $(<"$work/err")"
for line in "${copy_lines[@]}"; do
  grep -q "$line  *[1-9]" "$work/stats" || fail "copies: no $line: $(<"$work/stats")"
done

# A thousand replacements under load.
begin clock --memory 24M -- "$tests/pager_checker" 64 2 until-input drop
for ((i = 0; i < 300; i++)); do
  [[ $(ask status "$program") == *'far below'* ]] || break
  sleep 0.2
done
python3 "${BASH_SOURCE[0]%/*}/replace.py" "$(control_socket)" "$program" 1000 >"$work/said" 2>&1 ||
  fail "$(<"$work/said")"
echo end 1<>"$work/input"
wait "$program" || fail "replacements: status=$?: $(<"$work/err")"
cat "$work/out"
grep -q ' wrong 0$' "$work/out" || fail "replacements: $(<"$work/out") $(<"$work/err")"

# No room: pages stay in memory.
paged clock --memory 16M --store lz4:1M -- "$tests/pager_checker" 48 2 4 >"$work/out" 2>"$work/err" ||
  fail "full: status=$?: $(<"$work/out") $(<"$work/err")"
grep -q 'no store takes more pages' "$work/err" || fail "a full store is not said: $(<"$work/err")"

# A file that returns other bytes: the page cannot be touched.
begin clock --memory 16M --store file:/var/tmp:1G -- "$tests/pager_ways" damage
wait_for ready
for fd in /proc/"$pager"/fd/*; do
  [[ $(readlink "$fd") != *.pages* ]] || dd if=/dev/urandom of="$fd" bs=1M count=32 conv=notrunc status=none
done
echo go 1<>"$work/input"
wait "$program" || fail "damage: status=$?: $(<"$work/err")"
grep -q 'does not return what was written (DAMAGED)' "$work/err" || fail "damage is not said: $(<"$work/err")"

# kill_pagers N: kills the pager N times, most often at random after it has a client, else as soon as it is there.
kill_pagers() {
  local killed=0 last=$SECONDS
  while ((killed < $1 && SECONDS - last < 60)) && kill -0 "$program" 2>/dev/null; do
    pager=$(pager_of "$program")
    if [[ -n $pager ]] && { ((killed % 4 == 3)) || has_client "$pager"; }; then
      sleep "0.$((RANDOM % 4))$((RANDOM % 10))"
      kill -9 "$pager" 2>/dev/null && killed=$((killed + 1)) last=$SECONDS
    fi
    sleep 0.02
  done
  [[ $killed -eq $1 ]] || fail "the program has ended, or no other pager has come, after kills=$killed: $(<"$work/err")"
}

# The pager is killed again and again, also while one takes over: another goes on with its pages, and none is wrong.
kills=20
[[ -z ${UPA_FULL:-} ]] || kills=1000
for way in '--store lz4:1G drop' '--store file:/var/tmp:1G' '--store file:/var/tmp:1G reads fork' \
  '--store lz4:8M+file:/var/tmp:1G'; do
  read -r option store words <<<"$way"
  begin clock --memory 24M "$option" "$store" -- "$tests/pager_checker" 64 2 until-input $words
  kill_pagers $((kills / 2))
  echo end 1<>"$work/input"
  wait "$program" || fail "killed pagers, $way: status=$?: $(<"$work/out") $(<"$work/err")"
  cat "$work/out"
  grep -q ' wrong 0$' "$work/out" || fail "killed pagers, $way: $(<"$work/out") $(<"$work/err")"
done

# The next takes longer to start than a client tries where nobody listens, as on a busy machine: it is waited for, from
# a program's first moment on.
slow=$work/slow
mkdir -p "$slow/build/pager"
{ printf '#!/bin/sh\n! read -r seconds <%q || sleep "$seconds"\n' "$slow/seconds"
  cat "${upa%/*}/build/pager/start"; } >"$slow/build/pager/start"
chmod +x "$slow/build/pager/start"
run=("${upa%/*}/build/release/bin/upa-run" --built "$slow")
begin clock --memory 512M -- "$tests/pager_checker" 16 1 until-input
run=("$upa" run)
echo 7 >"$slow/seconds"
kill -9 "$pager"
for ((i = 0; i < 300; i++)); do
  ask status "$program" >"$work/status"
  [[ ! -s $work/status ]] || break
  sleep 0.1
done
[[ $(<"$work/status") == *"$program"* ]] || fail "a pager that is slow to start does not page: $(<"$work/err")"
echo end 1<>"$work/input"
wait "$program" || fail "a pager that is slow to start: status=$?: $(<"$work/err")"
[[ ! -s $work/err ]] || fail "a pager that is slow to start: $(<"$work/err")"

# A child has its pages from the next pager, if the one that knew of it has died.
begin clock --memory 16M -- "$tests/pager_inherit" later
wait_for ready
kill -9 "$pager"
echo go 1<>"$work/input"
wait "$program" || fail "a child and a killed pager: status=$?: $(<"$work/err")"
[[ $(<"$work/out") == $'ready\ngood' ]] || fail "a child and a killed pager: $(<"$work/out") $(<"$work/err")"

# The same, if it dies as it has read of the child and nobody keeps yet what that needs: here since it may have one
# descriptor more, which the kernel gives it with the event, and none for what the child inherits.
if command -v python3 >/dev/null; then
  for way in told told-of-a-child; do
    begin clock --memory 16M -- "$tests/pager_inherit" "$way"
    wait_for ready
    python3 - "$pager" <<'END'
import os, resource, sys, time
pid = int(sys.argv[1])
def descriptors():
    return {int(fd) for fd in os.listdir('/proc/%d/fd' % pid)}
# What it still has open of its beginning would be free later.
taken, looks, end = descriptors(), 0, time.monotonic() + 60
while looks < 20:
    time.sleep(0.1)
    now = descriptors()
    taken, looks = now, looks + 1 if now == taken else 0
    assert time.monotonic() < end, 'the descriptors of a pager that is idle change'
free = next(fd for fd in range(1 << 20) if fd not in taken)
hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]
resource.prlimit(pid, resource.RLIMIT_NOFILE, (free + 1, hard))
END
    echo go 1<>"$work/input"
    wait "$program" || fail "a child and a pager that dies of it, $way: status=$?: $(<"$work/err")"
    [[ $(<"$work/out") == $'ready\ngood' ]] || fail "a child and a pager that dies of it, $way: $(<"$work/out")"
    grep -q 'begins anew: .*no memory for what a child inherits' "$work/err" || fail "$way: $(<"$work/err")"
  done
fi

# No other comes, since who would start it is killed too: the program must not read on.
begin clock --memory 16M -- "$tests/pager_checker" 64 2 100
await evicted || fail "no pager: nothing was evicted"
kill -9 "$(keeper_of "$program")"
kill -9 "$pager"
status=0
wait "$program" || status=$?
[[ $status -eq 137 ]] || fail "no pager: status=$status"
grep -q 'the pager is gone and no other has come' "$work/err" || fail "$(<"$work/err")"
grep -q 'wrong' "$work/err" && fail "no pager: $(<"$work/err")"

# The same with all in memory: the program goes on.
begin clock --memory 512M -- "$tests/pager_checker" 16 1 until-input
kill -9 "$(keeper_of "$program")"
kill -9 "$pager"
sleep 2
echo end 1<>"$work/input"
wait "$program" || fail "killed pager, all in memory: status=$?: $(<"$work/err")"
exit "$failed"
