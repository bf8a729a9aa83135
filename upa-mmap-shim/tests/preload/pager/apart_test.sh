#!/usr/bin/env bash
# apart_test.sh UPA TESTS: programs in other namespaces, with fewer rights, in another root or memory cgroup have pagers
# of their own, which work, end with them, and answer nobody else; and what such programs do while they are paged does
# what it does without a pager. Skipped where the pager is not built, or this machine or user cannot page.
set -euo pipefail
upa=$1 tests=$2
root=$(cd "${upa%/*}" && pwd)
source "${BASH_SOURCE[0]%/*}/paged.sh"
program='' made=''
trap '[[ -z $program ]] || kill -9 "$program" 2>/dev/null || true
  [[ -z $made ]] || rmdir "$made" 2>/dev/null || true
  rm -rf "$work"' EXIT

need_paging
clock=(--policy clock --memory 16M)

# begin: the checker in the background, here, as process $program; its pager is $pager, its socket $ours.
mkfifo "$work/in"
"$upa" run "${clock[@]}" -- "$tests/pager_checker" 32 1 until-input gently <>"$work/in" >"$work/out1" 2>"$work/err1" &
program=$!
for ((i = 0; i < 300; i++)); do
  ! ask stats "$program" | grep -q '^evicted to stores  *[1-9]' || break
  sleep 0.1
done
ours=$(control_socket)
pager=$(pagers)
[[ -n $ours && -n $pager ]] || fail "no pager: $(<"$work/err1")"

# What is run there: who its pager is, whether that works, and what it hears of ours.
cat >"$work/there" <<'END_THERE'
#!/bin/bash
set -eu
upa=$1 tests=$2 ours=$3 program=$4 said=$5
echo "${UPA_PAGER%.*}.control" >"$said.socket"
"$tests/pager_checker" 32 1 2 gently >"$said.out"
env -u UPA_PAGER -u LD_PRELOAD "$upa" policy status "$program" >"$said.status" 2>&1 || true
env -u UPA_PAGER -u LD_PRELOAD "$upa" policy set "$program" fifo >"$said.set" 2>&1 || true
END_THERE
chmod +x "$work/there"

# apart WHAT COMMAND...: `upa run` by that has another pager, and neither reaches the other's program.
apart() {
  local status=0 said=$work/said
  rm -f "$said".*
  timeout 120 "${@:2}" "$upa" run "${clock[@]}" -- "$work/there" "$upa" "$tests" "$ours" "$program" "$said" \
    >"$work/out" 2>"$work/err" || status=$?
  [[ $status -eq 0 ]] || { fail "$1: status=$status: $(<"$work/err")" && return; }
  [[ $(<"$said.socket") == "$XDG_RUNTIME_DIR"/upa/*.control && $(<"$said.socket") != "$ours" ]] ||
    fail "$1 has our pager: $(<"$said.socket")"
  grep -q ' wrong 0$' "$said.out" || fail "$1: its pager does not work: $(<"$said.out") $(<"$work/err")"
  [[ $(<"$said.set") == *"no pager of this user has pid=$program"* ]] || fail "$1 reaches our pager: $(<"$said.set")"
  ! grep -q pager_checker "$said.status" || fail "$1 sees what we page: $(<"$said.status")"
  [[ $(ask status "$program") == *'  clock  '* ]] || fail "$1 has changed our policy: $(ask status "$program")"
  [[ $(pagers) == *"$pager"* ]] || fail "$1 has ended our pager"
}

# can COMMAND...: whether this may be done here; says what is left out.
can() {
  "$@" true 2>"$work/err" || { echo "left out, not allowed here: $*: $(<"$work/err")" && return 1; }
}

! can unshare --mount || apart 'who sees other files' unshare --mount
! can unshare --pid --fork || apart 'who sees other processes' unshare --pid --fork
! can unshare --pid --fork --mount-proc ||
  apart 'who sees other processes alone' unshare --pid --fork --mount-proc
! can unshare --net || apart 'who sees another network' unshare --net
! can unshare --cgroup || apart 'who sees other cgroups' unshare --cgroup
if command -v setpriv >/dev/null && can setpriv --bounding-set -net_admin --inh-caps -net_admin; then
  apart 'who has fewer rights' setpriv --bounding-set -net_admin --inh-caps -net_admin
fi
# Another root with the same files: those of a folder, bound there.
mkdir -p "$work/jail"
if [[ $EUID -eq 0 ]] && can unshare --mount; then
  cat >"$work/jailed" <<'END_JAILED'
#!/bin/bash
set -eu
mount -t tmpfs none "$1"
for folder in /*; do
  [[ -d $folder && ! -L $folder ]] || { [[ ! -L $folder ]] || cp -a "$folder" "$1/" && continue; }
  mkdir "$1$folder" && mount --rbind "$folder" "$1$folder"
done
exec chroot "$@"
END_JAILED
  chmod +x "$work/jailed"
  apart 'who has another root' unshare --mount "$work/jailed" "$work/jail"
fi
# With the rights of a user who is nobody outside.
if can unshare --user --map-root-user; then
  status=0
  unshare --user --map-root-user "$upa" run "${clock[@]}" -- true >"$work/out" 2>"$work/err" || status=$?
  [[ $status -eq 0 ]] || [[ $(<"$work/err") == 'upa: no paging on this machine: userfaultfd '* ]] ||
    fail "another user namespace: status=$status: $(<"$work/err")"
fi
for folder in /sys/fs/cgroup/memory /sys/fs/cgroup; do
  [[ $EUID -eq 0 && -w $folder/cgroup.procs ]] || continue
  made=$folder/upa-test-$$
  mkdir "$made" 2>/dev/null || { made='' && continue; }
  # shellcheck disable=SC2016 # the other shell's
  in_cgroup=(bash -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$made")
  if can "${in_cgroup[@]}"; then
    control=$("${in_cgroup[@]}" "$upa" run "${clock[@]}" -- sh -c 'echo "${UPA_PAGER%.*}.control"' 2>"$work/err") ||
      fail "another memory cgroup: $(<"$work/err")"
    [[ $control != "$ours" ]] || fail "another memory cgroup has our pager"
  fi
  break
done

# ---- a program that goes into other namespaces while it is paged stays with its pager, by the number that this sees

if can unshare --pid --fork --mount-proc; then
  "$upa" run "${clock[@]}" -- unshare --pid --fork --mount-proc "$tests/pager_checker" 32 1 4 gently >"$work/out" \
    2>"$work/err" &
  run=$!
  seen=
  for ((i = 0; i < 100; i++)); do
    seen=$(ask status | awk -v ours="$program" '/pager_checker/ && $1 != ours { print $1 }')
    [[ -z $seen ]] || break
    sleep 0.1
  done
  [[ -n $seen && $(tr '\0' ' ' <"/proc/${seen:-0}/cmdline") == *pager_checker* ]] ||
    fail "a program in another namespace is known by its number there: $(ask status)"
  wait "$run" || fail "a program that goes into another namespace: status=$? $(<"$work/err")"
  grep -q ' wrong 0$' "$work/out" || fail "a program that goes into another namespace: $(<"$work/out")"
fi

# ---- what wants one thread, or takes rights away, is done as without a pager

# same WHAT COMMAND...: its status, and all it says on its output, is the same.
same() {
  local with=0 without=0
  "${@:2}" >"$work/out2" 2>"$work/err2" || without=$?
  timeout 60 "$upa" run "${clock[@]}" -- "${@:2}" >"$work/out" 2>"$work/err" || with=$?
  [[ $with -eq $without ]] && cmp -s "$work/out" "$work/out2" ||
    fail "$1: status=$with, without a pager $without: $(<"$work/out") $(<"$work/err")"
}
same 'a user namespace' unshare --user --map-root-user id -u
if [[ $EUID -eq 0 ]]; then
  same 'another user' setpriv --reuid 65534 --regid 65534 --clear-groups id
  same 'fewer rights' setpriv --bounding-set -all --inh-caps -all grep Cap /proc/self/status
fi
for way in $("$tests/pager_rights" list); do
  [[ $EUID -eq 0 ]] || break
  timeout 120 "$upa" run "${clock[@]}" -- "$tests/pager_rights" "$way" >"$work/out" 2>"$work/err" ||
    fail "$way: status=$?: $(<"$work/err")"
done
# Another user could not come to the next pager: it needs none.
if [[ $EUID -eq 0 ]]; then
  "$upa" run "${clock[@]}" -- "$tests/pager_rights" waits >"$work/out" 2>"$work/err" &
  run=$!
  for ((i = 0; i < 300; i++)); do
    ! grep -q ready "$work/out" || break
    sleep 0.1
  done
  [[ $(pagers) == "$pager" ]] ||
    fail "our pager=$pager has ended by itself, others=$(pagers): $(<"$work/err1") $(<"$work/err")"
  kill -9 "$pager"
  wait "$run" || fail "another user, and its pager has died: status=$?: $(<"$work/err")"
  grep -q 'does not go with paging' "$work/err" || fail "another user: it is not said that it has no bound"
fi

# ---- a child whose pager dies before anybody keeps what it inherits

if command -v python3 >/dev/null; then
  for way in $("$tests/pager_children" list); do
    status=0
    timeout 60 python3 "${BASH_SOURCE[0]%/*}/dying_pager.py" "$work/dying" "$root/build/release/lib/libupa_mmap.so" \
      "$tests/pager_children" "$way" >"$work/out" 2>"$work/err" || status=$?
    [[ $status -eq 0 ]] || fail "child by $way: status=$status: $(<"$work/out") $(<"$work/err")"
  done
fi

echo end 1<>"$work/in"
wait "$program" || fail "ours: status=$?: $(<"$work/err1")"
program=
grep -q ' wrong 0$' "$work/out1" || fail "ours: $(<"$work/out1") $(<"$work/err1")"
# No pager outlives its namespace for longer than it waits for another run.
for ((i = 0; i < 150; i++)); do
  [[ -n $(pagers) ]] || break
  sleep 0.1
done
[[ -z $(pagers) ]] || fail "pagers stay: $(pagers | xargs ps -o pid,args -p)"
exit "$failed"
