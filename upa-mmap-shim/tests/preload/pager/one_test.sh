#!/usr/bin/env bash
# one_test.sh UPA TESTS: the programs of one user have one pager, each with its own policy, bound and stores, and what
# becomes of one is nothing to the others. Nobody else reaches it; another build, and who sees other processes or files,
# has another. Skipped where the pager is not built, or this machine or user cannot page.
set -euo pipefail
upa=$1 tests=$2
source "${BASH_SOURCE[0]%/*}/paged.sh"
declare -A programs=()
made=''
trap 'for p in "${programs[@]}"; do kill -9 "$p" 2>/dev/null || true; done
  [[ -z $made ]] || rmdir "$made" 2>/dev/null || true
  rm -rf "$work"' EXIT

need_paging

# begin NAME OPTION...: the checker in the background, in folder $work.
begin() {
  rm -f "$work/$1.in"
  mkfifo "$work/$1.in"
  (cd "$work" && exec "$upa" run "${@:2}" -- "$tests/pager_checker" 32 1 until-input drop gently) <>"$work/$1.in" \
    >"$work/$1.out" 2>"$work/$1.err" &
  programs[$1]=$!
}

# evicted NAME: waits until pages of it have left, by the pager that there is now.
evicted() {
  for ((i = 0; i < 300; i++)); do
    ask stats "${programs[$1]}" >"$work/stats"
    ! grep -q '^evicted to stores  *[1-9]' "$work/stats" || return 0
    kill -0 "${programs[$1]}" 2>/dev/null || break
    sleep 0.1
  done
  fail "$1: nothing is evicted: $(<"$work/stats") $(<"$work/$1.err")"
}

# end NAME...: nothing is wrong.
end() {
  local name
  for name; do
    echo end 1<>"$work/$name.in"
  done
  for name; do
    wait "${programs[$name]}" || fail "$name: status=$?: $(<"$work/$name.err")"
    grep -q ' wrong 0$' "$work/$name.out" || fail "$name: $(<"$work/$name.out") $(<"$work/$name.err")"
    unset "programs[$name]"
  done
}

# becomes NAME TEXT WHEN: until that is in its status; there may be no pager just now, or one that has only begun.
becomes() {
  local said='' i
  for ((i = 0; i < 300; i++)); do
    said=$(ask status "${programs[$1]}")
    [[ ! $said =~ $2 ]] || return 0
    sleep 0.1
  done
  fail "$3: $1 is not '$2': $said $(<"$work/$1.err")"
}

# pagers_are COUNT WHEN
pagers_are() {
  [[ $(pagers | wc -l) -eq $1 ]] || fail "$2: there are pagers=$(pagers | wc -l), not $1"
}

# await_none: until there is no pager any more: it ends by itself.
await_none() {
  for ((i = 0; i < 150; i++)); do
    [[ -n $(pagers) ]] || return 0
    sleep 0.1
  done
  fail "a pager does not end: $(pagers)"
}

# ---- runs that start at the same instant end up with one

await_none
[[ -z $(control_socket) ]] || fail "a pager that has ended leaves its socket"
for name in first second third; do
  "$upa" run --policy clock --memory 16M -- "$tests/pager_checker" 8 1 1 gently >"$work/$name.out" 2>&1 &
  programs[$name]=$!
done
: >"$work/seen"
while kill -0 "${programs[first]}" 2>/dev/null; do
  pagers >>"$work/seen"
  sleep 0.05
done
for name in first second third; do
  wait "${programs[$name]}" || fail "$name of three at once: status=$?: $(<"$work/$name.out")"
  unset "programs[$name]"
done
[[ $(sort -u "$work/seen" | wc -l) -eq 1 ]] || fail "three at once have not one pager: $(sort "$work/seen" | uniq -c)"

# ---- each has its own policy, bound and stores

mkdir "$work/secret"
begin a --policy fifo --memory 16M
begin b --policy s3-fifo --memory 20M --store "file:$work/secret:1G"
begin c --policy sieve --memory 12M --store zstd:64M,file:secret
for name in a b c; do
  evicted "$name"
done
pagers_are 1 'three programs'
becomes a '  fifo .* bound 16 MiB' 'as asked'
becomes b '  s3-fifo .* bound 20 MiB' 'as asked'
becomes c '  sieve .* bound 12 MiB' 'as asked'
[[ $("$upa" policy status | wc -l) -eq 3 ]] || fail "not all are shown: $("$upa" policy status)"
for stores in 'a:lz4 file' 'b:file' 'c:zstd file'; do
  "$upa" policy stats "${programs[${stores%:*}]}" >"$work/stats"
  [[ $(sed -n 's/^store \([a-z0-9]*\) .*/\1/p' "$work/stats" | xargs) == "${stores#*:}" ]] ||
    fail "other stores than $stores: $(<"$work/stats")"
done
# What a store needs, as a password, is in no list of processes.
! pgrep -f -- "$work/secret" >"$work/said" ||
  fail "others see what the stores are: $(xargs ps -o args= -p <"$work/said")"
for socket in "$(control_socket)" "$(run_socket "${programs[a]}")"; do
  [[ $(stat -c %a "$socket") == 600 ]] || fail "others may use the socket: $(ls -l "$socket")"
done

# ---- nobody else reaches it, by the rights of files or else by who he is

if [[ $EUID -eq 0 ]] && command -v runuser python3 >/dev/null; then
  reach() {
    (cd / && runuser -u nobody -- python3 - "$(control_socket)" "$(run_socket "${programs[a]}")" 2>&1) <<'END' || true
import socket, sys
for path in sys.argv[1:]:
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.settimeout(20)
    try:
        s.connect(path)
        s.send(b'status')
        print(s.recv(65536))
    except OSError as e:
        print(type(e).__name__)
END
  }
  [[ $(reach) == $'PermissionError\nPermissionError' ]] || fail "another user gets to the socket: $(reach)"
  chmod 711 "$work" "$XDG_RUNTIME_DIR" "$XDG_RUNTIME_DIR/upa"
  chmod 666 "$(control_socket)" "$(run_socket "${programs[a]}")"
  # Closed as it is, before or after it is written to.
  [[ $(reach) =~ ^(b\'\'|BrokenPipeError|ConnectionResetError)$'\n'(b\'\'|BrokenPipeError|ConnectionResetError)$ ]] ||
    fail "another user is answered: $(reach)"
  chmod 600 "$(control_socket)" "$(run_socket "${programs[a]}")"
  chmod 700 "$work" "$XDG_RUNTIME_DIR" "$XDG_RUNTIME_DIR/upa"

  # Nor does another user's pager get the memory of a program.
  mkdir -m 777 "$work/foreign"
  chmod 711 "$work"
  (cd / && exec runuser -u nobody -- python3 - "$work/foreign/pager") >"$work/said" 2>&1 <<'END' &
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o666)
s.listen(8)
s.settimeout(60)
print('listens', flush=True)
print(s.accept()[0].recv(4096), flush=True)
END
  foreign=$!
  # heard LINES: that pager has said so much, or has ended.
  heard() {
    while kill -0 "$foreign" 2>/dev/null && [[ $(wc -l <"$work/said") -lt $1 ]]; do
      sleep 0.05
    done
  }
  heard 1
  heard 2 | LD_PRELOAD="${upa%/*}/build/release/lib/libupa_mmap.so" UPA_PAGER="$work/foreign/pager" \
    python3 -c 'import sys; block = bytearray(1 << 26); sys.stdin.read()' 2>"$work/err" ||
    fail "with another user's pager: status=$?: $(<"$work/err")"
  wait "$foreign" || true
  [[ $(<"$work/said") == $'listens\nb\'\'' ]] || fail "another user's pager is told: $(<"$work/said")"
  grep -q 'is not paged' "$work/err" || fail "another user's pager goes unnoticed: $(<"$work/err")"
  chmod 700 "$work"
fi

# ---- it is killed: one other takes over for all

before=$(pagers)
for ((k = 0; k < 4; k++)); do
  killed=$(pagers)
  # shellcheck disable=SC2086 # there may be none just now
  [[ -z $killed ]] || kill -9 $killed 2>/dev/null || true
  sleep "0.$((RANDOM % 9 + 1))"
done
for name in a b c; do
  evicted "$name"
done
pagers_are 1 'after kills'
[[ $(pagers) != "$before" ]] || fail "no pager was killed"
becomes b '  s3-fifo  ' 'after kills'
becomes c '  sieve  ' 'after kills'

# ---- a program is killed: what it had in stores goes, the others have what they had

pager=$(pagers)
files() {
  find "/proc/$pager/fd" -lname "$work/secret/*" 2>/dev/null | wc -l
}
[[ $(files) -eq 2 ]] || fail "stores of two programs are not two files: $(ls -l "/proc/$pager/fd")"
kill -9 "${programs[c]}"
wait "${programs[c]}" 2>/dev/null || true
for ((i = 0; i < 100; i++)); do
  [[ $(files) -gt 1 || -n $(run_socket "${programs[c]}") || -n $(keeper_of "${programs[c]}") ]] || break
  sleep 0.1
done
[[ $(files) -eq 1 && -z $(run_socket "${programs[c]}") ]] || fail "a program that was killed leaves something"
[[ -z $(keeper_of "${programs[c]}") ]] || fail "nobody tells its keeper that it is over"
[[ $(pagers) == "$pager" ]] || fail "its pager has ended"
unset "programs[c]"

end a

# ---- policies that fail: only the program whose policy it is has another

java=$(awk '$1 == "exec" { print $2 }' "${upa%/*}/build/pager/start")
mkdir "$work/classes"
"${java%/*}/javac" -Xlint:all -Werror -d "$work/classes" -cp "${upa%/*}/upa-core/target/upa-core.jar" \
  "${BASH_SOURCE[0]%/*}/Faulty.java" && "${java%/*}/jar" -cf "$work/faulty.jar" -C "$work/classes" .
begin good --policy faulty.jar:Faulty,does=well --memory 16M
evicted good
for fault in throw exit halt halt-later loop; do
  pager=$(pagers)
  begin bad --policy "$work/faulty.jar:Faulty,does=$fault" --memory 16M
  becomes bad '  clock  ' "policy $fault"
  grep -q Faulty "$work/bad.err" || fail "policy $fault: it is not said why: $(<"$work/bad.err")"
  evicted bad
  end bad
  becomes b '  s3-fifo  ' "policy $fault"
  # It is from a jar too.
  becomes good 'Faulty,does=well' "policy $fault"
done
# A thread that loops is not left to those who go on.
for ((i = 0; i < 100; i++)); do
  [[ $(pagers) == "$pager" ]] || break
  sleep 0.1
done
[[ $(pagers) != "$pager" ]] || fail "a policy that loops stays in the pager of all"
evicted b
pagers_are 1 'after faults'
! grep -v "pid=${programs[b]} " "$work/b.err" || fail "what is not its own is said to another: $(<"$work/b.err")"

# A policy that ends the pager before its program has begun: it is refused, the others go on.
status=0
"$upa" run --policy "$work/faulty.jar:Faulty,does=attach-exit" --memory 16M -- true 2>"$work/err" || status=$?
[[ $status -eq 1 && $(<"$work/err") == 'upa: the pager has died before it could begin' ]] ||
  fail "a policy that exits as it is attached: status=$status: $(<"$work/err")"
evicted b

# ---- another build, other processes or files, another memory cgroup: another pager

# other WHAT COMMAND...: that `upa run` has another pager than ours.
other() {
  local control
  control=$("${@:2}" --policy clock --memory 16M -- sh -c 'echo "${UPA_PAGER%.*}.control"' 2>"$work/err") ||
    fail "$1: status=$?: $(<"$work/err")"
  [[ $control == "$XDG_RUNTIME_DIR"/upa/*.control && $control != "$ours" ]] ||
    fail "$1 has the same pager: socket=$control $(<"$work/err")"
}
ours=$(run_socket "${programs[b]}")
ours=${ours%.*}.control
mkdir -p "$work/other/build/pager"
cp "${upa%/*}/build/pager/start" "$work/other/build/pager/start"
other 'another build' "${upa%/*}/build/release/bin/upa-run" --built "$work/other"
(ulimit -n 5000 && other 'another hard limit' "$upa" run && exit "$failed") || failed=1
if [[ $EUID -eq 0 ]] && unshare --mount true 2>/dev/null; then
  other 'who sees other files' unshare --mount "$upa" run
fi
if [[ $EUID -eq 0 && -w /sys/fs/cgroup/cgroup.procs ]] && mkdir "/sys/fs/cgroup/upa-test-$$" 2>/dev/null; then
  made=/sys/fs/cgroup/upa-test-$$
  if bash -c 'echo $$ >"$0/cgroup.procs"' "$made" 2>/dev/null; then
    # shellcheck disable=SC2016 # the other shell's
    other 'another cgroup' bash -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$made" "$upa" run
  fi
fi
end good b
await_none
[[ -z $(control_socket) ]] || fail "pagers that have ended leave sockets: $(control_socket)"
exit "$failed"
