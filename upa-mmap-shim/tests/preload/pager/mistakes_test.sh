#!/usr/bin/env bash
# mistakes_test.sh UPA TESTS: what is told whoever asks for what cannot be had of the pager: one line and the exit
# status, and nothing is lost. Skipped where the pager is not built, or this machine or user cannot page.
set -euo pipefail
upa=$1 tests=$2
root=${upa%/*}
source "${BASH_SOURCE[0]%/*}/paged.sh"
program='' unreached=''
trap 'kill -9 $program $unreached 2>/dev/null || true; rm -rf "$work"' EXIT

need_paging

# one_line STATUS TEXT COMMAND...: what it says on standard error begins with that, and is all.
one_line() {
  local wanted=$1 text=$2 status=0
  timeout 120 "${@:3}" >"$work/out" 2>"$work/err" || status=$?
  [[ $status -eq $wanted && $(wc -l <"$work/err") -eq 1 && $(<"$work/err") == "upa: $text"* && ! -s $work/out ]] ||
    fail "$(cut -c1-300 <<<"${*:3}"): status=$status: $(<"$work/err")"
}

# run_says STATUS TEXT OPTION...: the program does not start.
run_says() {
  one_line "$1" "$2" "$upa" run "${@:3}" -- echo started
}

clock=(--policy clock --memory 16M)

# ---- what the user may not do

# setpriv is of util-linux; a user namespace may have taken the right away already.
if [[ $EUID -eq 0 ]] && command -v setpriv >/dev/null; then
  one_line 1 'no paging on this machine: userfaultfd ' setpriv --bounding-set -sys_ptrace --inh-caps -sys_ptrace \
    "$upa" run "${clock[@]}" -- echo started
fi

# ---- sizes, policies

for size in 1K 4095K 0 x -1 2T 99999999999999999999 '' 16MX; do
  [[ -n $size ]] || continue
  run_says 2 'policy: option --memory needs a size from 4M to 1T' --policy clock --memory "$size"
done
run_says 2 'option --memory needs a size' --policy clock --memory ''
run_says 2 'policy: there is no policy=nosuch; there are' --policy nosuch --memory 16M
run_says 2 'policy: policy=clock has no option=x; it has chances' --policy clock,x=1 --memory 16M
run_says 2 'policy: policy=clock option=chances has value=many' --policy clock,chances=many --memory 16M
run_says 2 'policy: not an option, key=value' --policy clock,x --memory 16M
run_says 2 'policy: no policy behind the last +' --policy clock+ --memory 16M
run_says 2 'policy: ' --policy 'when age>30s and' --memory 16M
echo 'no archive' >"$work/text.jar"
run_says 2 "policy: cannot read policy jar=$work/none.jar: there is no such file" --policy "$work/none.jar:X" \
  --memory 16M
run_says 2 "policy: cannot read policy jar=$work/text.jar: " --policy "$work/text.jar:X" --memory 16M

java=$(awk '$1 == "exec" { print $2 }' "$root/build/pager/start")
# jar CLASS API ATTACH EVICT [MORE]: $work/CLASS.jar, a policy of that version of the interface.
jar() {
  mkdir -p "$work/$1.classes"
  cat >"$work/$1.java" <<END
import upa.policy.*;
@PolicyInfo(name = "made", summary = "for tests", api = $2)
public final class $1 implements MemoryPolicy {
  public void attach(PolicyContext context) { $3 }
  public void evict(Eviction wanted) { $4 }
  ${5:-}
}
END
  "${java%/*}/javac" -d "$work/$1.classes" -cp "$root/upa-core/target/upa-core.jar" "$work/$1.java"
  "${java%/*}/jar" -cf "$work/$1.jar" -C "$work/$1.classes" .
}
jar Newer 'MemoryPolicy.API + 1' '' ''
run_says 2 "policy: policy=$work/Newer.jar:Newer was compiled for version=" --policy "$work/Newer.jar:Newer" \
  --memory 16M
run_says 2 "policy: jar=$work/Newer.jar has no class=Older" --policy "$work/Newer.jar:Older" --memory 16M
jar Loops MemoryPolicy.API 'while (context != null) { Thread.onSpinWait(); }' ''
run_says 2 "policy: policy=$work/Loops.jar:Loops attach has not returned" --policy "$work/Loops.jar:Loops" --memory 16M
jar Stays MemoryPolicy.API '' '' 'public Stays() { for (int i = 0; i >= 0; i = i + 1 & 1) { Thread.onSpinWait(); } }'
run_says 2 "policy: policy=$work/Stays.jar:Stays constructor has not returned" --policy "$work/Stays.jar:Stays" \
  --memory 16M
jar Leaves MemoryPolicy.API 'System.exit(0);' ''
run_says 1 'the pager has died before it could begin' --policy "$work/Leaves.jar:Leaves" --memory 16M

# ---- stores

run_says 2 'policy: there is no store=tape; there are' "${clock[@]}" --store tape
run_says 2 'policy: store=numa:4096: there is no node=4096 with memory; nodes with memory: ' \
  "${clock[@]}" --store numa:4096
run_says 2 'policy: store=lz4:x has size=x' "${clock[@]}" --store lz4:x
run_says 2 'policy: store=file:/var/tmp:4X has size=4X' "${clock[@]}" --store file:/var/tmp:4X
run_says 2 'policy: there is no store=a\nb\x1b[1m; there are' "${clock[@]}" --store $'a\nb\033[1m'
run_says 1 'cannot keep pages in folder=/no/a\nb: there is no such folder' "${clock[@]}" --store $'file:/no/a\nb'
run_says 2 'policy: not a name of a policy: name=a\nb' --policy $'a\nb' --memory 16M
run_says 2 'too long for a pager: the text of --policy and --store' --memory 16M \
  --policy "clock,x=$(printf '%070000d' 0)"
run_says 1 'cannot keep pages in folder=/no/such: there is no such folder' "${clock[@]}" --store file:/no/such
run_says 1 "cannot keep pages in folder=$work/text.jar: it is no folder" "${clock[@]}" --store "file:$work/text.jar"
if [[ $(stat -f -c %T /dev/shm 2>/dev/null) == tmpfs ]]; then
  run_says 1 'cannot keep pages in folder=/dev/shm: it lies in memory (tmpfs)' "${clock[@]}" --store file:/dev/shm
fi
[[ $EUID -ne 0 ]] || [[ ! -w /proc/1 ]] || run_says 1 '' "${clock[@]}" --store file:/proc/1
run_says 2 'policy: not a store: url=redis://u:***@h/x' "${clock[@]}" --store redis://u:secret@h/x
run_says 1 'cannot use store=redis at 127.0.0.1:1: ' "${clock[@]}" --store redis://127.0.0.1:1
[[ $(LC_ALL=C "$upa" run "${clock[@]}" --store $'file:/var/tmp/\303\251' -- echo started 2>&1 | wc -l) -eq 1 ]] ||
  fail "a folder whose name this locale cannot say"

# ---- where the pager's socket is to be

XDG_RUNTIME_DIR=$work/other
mkdir -m 700 "$XDG_RUNTIME_DIR"
touch "$XDG_RUNTIME_DIR/upa"
run_says 1 "no place for the pager's socket: folder=$XDG_RUNTIME_DIR/upa is no folder: remove it" "${clock[@]}"
rm "$XDG_RUNTIME_DIR/upa"
mkdir -m 755 "$XDG_RUNTIME_DIR/upa"
run_says 1 "no place for the pager's socket: folder=$XDG_RUNTIME_DIR/upa is not this user's alone" "${clock[@]}"
rmdir "$XDG_RUNTIME_DIR/upa"
# Of another user, as sudo may leave it: nothing of ours comes there.
if [[ $EUID -eq 0 ]]; then
  chown 65534 "$XDG_RUNTIME_DIR"
  "$upa" run "${clock[@]}" -- true || fail "another user's XDG_RUNTIME_DIR: status=$?"
  [[ ! -e $XDG_RUNTIME_DIR/upa ]] || fail "something is left in another user's folder"
  chown 0 "$XDG_RUNTIME_DIR"
fi

# What is in the place of its files.
mkdir -m 700 "$XDG_RUNTIME_DIR/upa" 2>/dev/null || true
"$upa" run "${clock[@]}" -- true &
before=$!
wait "$before" || fail "before there is something in its place: status=$?"
socket=$(control_socket)
kill "$(pagers)"
# Its keeper may have the next one started.
while [[ -n $(keeper_of "$before")$(pagers) ]]; do sleep 0.1; done
rm -f "$socket"
mkdir "$socket"
run_says 1 "cannot reach the pager in folder=$XDG_RUNTIME_DIR/upa: " "${clock[@]}"
rmdir "$socket"
mv "${socket%.control}.lock" "$work/lock"
mkdir "${socket%.control}.lock"
run_says 1 "cannot reach the pager in folder=$XDG_RUNTIME_DIR/upa: Is a directory" "${clock[@]}"
rmdir "${socket%.control}.lock"
if command -v python3 >/dev/null; then
  python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).bind(sys.argv[1])' "$socket"
  "$upa" run "${clock[@]}" -- true 2>"$work/err" || fail "a socket of a pager that is dead: $(<"$work/err")"
fi

# ---- a virtual machine that does not start

mkdir -p "$work/other build/build/pager"
# starts_by SCRIPT TEXT: what a pager that is started so leaves to be said.
starts_by() {
  printf '#!/bin/sh\n%s\n' "$1" >"$work/other build/build/pager/start"
  chmod +x "$work/other build/build/pager/start"
  one_line 1 "$2" "$root/build/release/bin/upa-run" --built "$work/other build" "${clock[@]}" -- echo started
}
starts_by 'exec /no/such/java' "the pager cannot start: $work/other build/build/pager/start: "
starts_by 'echo "Unrecognized option: --x" >&2; echo "Error: and more" >&2; exit 1' \
  'the pager cannot start: Unrecognized option: --x'
starts_by 'echo warning >&2; kill -9 $$' 'the pager has died before it could begin'
starts_by 'exit 0' 'the pager has died before it could begin'
# shellcheck disable=SC2016 # that shell's
if [[ $(ulimit -Hv) == unlimited ]]; then
  one_line 1 'the pager cannot start: Error occurred during initialization of VM' \
    bash -c 'ulimit -v 500000 && exec "$@"' bash "$upa" run "${clock[@]}" -- echo started
fi
# Those of the other build have left a socket at which nobody listens.
for left in "$XDG_RUNTIME_DIR"/upa/*.control; do
  [[ $left == "$socket" ]] || rm -f "$left"
done

# ---- processes

none=$((($(</proc/sys/kernel/pid_max)) + 1))
for pid in "$none" 1; do
  gone="no pager of this user has pid=$pid: it is gone, or was not started with ./upa run --policy"
  one_line 1 "$gone" "$upa" policy status "$pid"
  one_line 1 "$gone" "$upa" policy stats "$pid"
  one_line 1 "$gone" "$upa" policy set "$pid" clock
  one_line 1 "$gone" "$upa" policy move "$pid" --from lz4 --to file
  one_line 1 "$gone" "$upa" policy limit "$pid" --memory 16M
  one_line 1 "$gone" "$upa" policy record "$pid" "$work/recording"
done
one_line 1 'no process of this user is paged' "$upa" policy record "$work/recording"

# ---- a program that runs

mkfifo "$work/input"
# begin OPTION...: the checker in the background, as process $program, when pages of it have left.
begin() {
  "$upa" run "$@" --memory 16M -- "$tests/pager_checker" 32 2 until-input <>"$work/input" >"$work/out1" \
    2>"$work/err1" &
  program=$!
  for ((i = 0; i < 300; i++)); do
    ! ask stats "$program" | grep -q '^evicted to stores  *[1-9]' || return 0
    sleep 0.1
  done
  fail "nothing is evicted: $(<"$work/err1")"
}

end() {
  local status=0
  echo end 1<>"$work/input"
  wait "$program" || status=$?
  program=
  if [[ $status -ne 0 ]] || ! grep -q ' wrong 0$' "$work/out1"; then
    fail "$1: status=$status: $(<"$work/out1") $(<"$work/err1")"
  fi
}

begin --policy clock --store lz4:64M
one_line 1 'there is no policy=nosuch' "$upa" policy set "$program" nosuch
one_line 1 'policy=clock has no option=x' "$upa" policy set "$program" clock,x=1
one_line 1 "jar=$work/Newer.jar has no class=X" "$upa" policy set "$program" "$work/Newer.jar:X"
one_line 1 "policy=$work/Loops.jar:Loops attach has not returned" "$upa" policy set "$program" "$work/Loops.jar:Loops"
one_line 1 'there is no store=redis; there are lz4' "$upa" policy move "$program" --from lz4 --to redis
one_line 1 'store=lz4 is where they are' "$upa" policy move "$program" --from lz4 --to lz4
one_line 1 'too long for a pager: command=set' "$upa" policy set "$program" "clock,x=$(printf '%09000d' 0)"
one_line 1 "cannot write file=$work: it is a directory" "$upa" policy record "$program" "$work"
"$upa" policy status "$program" >"$work/status"
[[ $(<"$work/status") == *'  clock  '*'bound 16 MiB'* ]] || fail "something has changed: $(<"$work/status")"

# Half of a request is none.
begun=$program
"$upa" run --policy clock --memory 512M -- "$tests/pager_checker" 8 1 1000 >"$work/out2" &
program=$!
for ((i = 0; i < 300; i++)); do
  ! ask status "$program" | grep -q 'far below' || break
  sleep 0.1
done
one_line 1 "pid=$program is far below its bound, and has no policy yet" "$upa" policy set "$program" fifo
one_line 1 "pid=$program is far below its bound, and has nothing in stores yet" "$upa" policy limit "$program" \
  --memory 64M --rate 1M
"$upa" policy status "$program" | grep -q 'bound 512 MiB' || fail "half of a request has been done"
one_line 1 "several processes are paged, say which: pids=" "$upa" policy record "$work/recording"
kill "$program"
wait "$program" 2>/dev/null || true
program=$begun

# Whatever is said to its socket, it goes on.
if command -v python3 >/dev/null; then
  python3 - "$(control_socket)" "$program" "$(run_socket "$program")" <<'END' || fail "a pager does not answer nonsense"
import socket, sys
pid = sys.argv[2]
for text in ['', 'x', 'record', 'record ' + pid, 'record %s x /tmp/y' % pid, 'limit %s memory=x' % pid,
             'limit %s y' % pid, 'move ' + pid, 'set ' + pid, 'stats', 'stats x', 'record %s 1 \0' % pid, 'é' * 2000,
             'run', 'run\0', 'run\0' + pid + '\0clock\00016M\0lz4\0/\0\0', 'run\0x\0\0\0\0\0\0', 'x' * 65537]:
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.settimeout(20)
    s.connect(sys.argv[1])
    s.send(text.encode()) if text else s.shutdown(socket.SHUT_WR)
    answer = s.recv(65536)
    assert not text or answer.startswith((b'1\n', b'failed\x001\x00a request that makes no sense')), (text, answer)
for text in ['status', 'x' * 72, 'x' * 1000]:
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.settimeout(20)
    s.connect(sys.argv[3])
    s.send(text.encode())
    assert s.recv(65536) == b'', text
END
  ! grep -q 'Exception' "$work/err1" || fail "a trace is shown: $(<"$work/err1")"
fi

# A pager that is stopped: it is said, and nobody waits for ever.
pager=$(pager_of "$program")
kill -STOP "$pager"
one_line 1 "nothing is known of pid=$program: a pager is stopped, socket=" "$upa" policy stats "$program"
one_line 1 'a pager does not answer, as one that is stopped: socket=' "$upa" policy status
: >"$work/waits"
"$upa" run "${clock[@]}" -- true 2>"$work/waits" &
waiting=$!
for ((i = 0; i < 200; i++)); do
  [[ ! -s $work/waits ]] || break
  sleep 0.1
done
kill -CONT "$pager"
wait "$waiting" || fail "a run that has waited for its pager: status=$?"
[[ $(<"$work/waits") == 'upa: waiting for a pager that has not answered yet, as one that is stopped: socket='* ]] ||
  fail "a run that waits for its pager: $(<"$work/waits")"
end 'mistakes while it runs'

# A pager that cannot be reached: who looks for it takes five seconds, in which the next tests run.
library=$root/build/release/lib/libupa_mmap.so
mkfifo "$work/input2"
UPA_PAGER=$work/none LD_PRELOAD=$library "$tests/pager_checker" 8 2 until-input <>"$work/input2" >"$work/out2" \
  2>"$work/err2" &
unreached=$!

# A policy that ends its pager's process, or fills its memory: the next one begins without it.
# ends CLASS WHAT: it is said that it has done that, and clock takes over.
ends() {
  "$upa" run --policy "$work/$1.jar:$1" --memory 16M -- "$tests/pager_checker" 32 2 until-input <>"$work/input" \
    >"$work/out1" 2>"$work/err1" &
  program=$!
  for ((i = 0; i < 300; i++)); do
    ask status "$program" >"$work/status"
    [[ $(<"$work/status") != *'  clock  '* ]] || break
    sleep 0.1
  done
  [[ $(<"$work/status") == *'  clock  '* ]] || fail "no other has taken over: $(<"$work/status") $(<"$work/err1")"
  grep -q "$2: replaced by clock" "$work/err1" || fail "$1: $(<"$work/err1")"
  end "a policy: $1"
}
jar Exits MemoryPolicy.API '' 'System.exit(0);'
ends Exits 'have ended the pager by System.exit()'
# In a thread of its own.
jar Fills MemoryPolicy.API '' 'if (next++ == 0) new Thread(() -> { throw new OutOfMemoryError("none"); }).start();' \
  'int next;'
ends Fills 'may have filled the memory of the pager, which begins anew'

for ((i = 0; i < 300; i++)); do
  [[ ! -s $work/err2 ]] || break
  sleep 0.1
done
echo end 1<>"$work/input2"
wait "$unreached" || fail "no pager: status=$?"
[[ $(<"$work/err2") == \
  "upa: pid=$unreached is not paged, its memory has no bound: the pager does not answer: errno=2" ]] ||
  fail "no pager: $(<"$work/err2")"
said=$(UPA_PAGER=$work/$(printf '%0200d' 0) LD_PRELOAD=$library bash -c : 2>&1)
[[ $said == 'upa: pid='*' is not paged, its memory has no bound: the path of the socket is too long: errno=36' ]] ||
  fail "a long path: $said"

# What cannot leave is over the bound, and that is said.
"$upa" run --policy clock --memory 16M -- "$tests/pager_ways" locked 2>"$work/err" || fail "locked: status=$?"
grep -q 'most pages cannot leave, as they are read-only or locked: they stay in memory, over the bound' "$work/err" ||
  fail "a bound below what cannot leave: $(<"$work/err")"
exit "$failed"
