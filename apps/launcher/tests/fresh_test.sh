#!/usr/bin/env bash
# fresh_test.sh ROOT: the first commands in a fresh clone, without a network where that can be had: what each builds,
# and the line that says which download failed and what works all the same. Skipped without the tools to build.
set -euo pipefail
export LC_ALL=C

root=$1
for tool in cmake ninja gcc flock; do
  command -v "$tool" >/dev/null || { echo "skipped: no $tool"; exit 77; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
wrong() { echo "FAILED: $*"; failed=1; }

mkdir "$work/a clone"
(CDPATH='' cd -- "$root" && tar -c --exclude=target --exclude=./build --exclude=./.git .) | tar -x -C "$work/a clone"
alone=(env)
! unshare --map-root-user --net true 2>/dev/null || alone=(unshare --map-root-user --net)

# upa ARGUMENT...: sets $status, and leaves what is said in $work/out and $work/err
upa() {
  status=0
  (CDPATH='' cd -- "$work/a clone" && "${alone[@]}" env MAVEN_OPTS="-Dmaven.repo.local=$work/m2" ./upa "$@") \
    >"$work/out" 2>"$work/err" </dev/null || status=$?
}

upa run -- sh -c 'cat /proc/self/maps'
[[ $status -eq 0 && $(<"$work/out") == *libupa_mmap.so* ]] || wrong "first run: status $status: $(<"$work/err")"
[[ $(wc -l <"$work/err") -eq 1 && $(<"$work/err") == 'upa: building UPA for ./upa run '* ]] ||
  wrong "first run says $(<"$work/err")"
[[ ! -e "$work/a clone/build/release/bin/upa-driver" ]] || wrong "first run builds what it does not need"
upa run -- true
[[ $status -eq 0 && ! -s $work/err ]] || wrong "second run: status $status: $(<"$work/err")"

# A build does not need what the program is run without.
touch "$work/a clone/upa-mmap-shim/preload/start.c"
status=0
env -i "$work/a clone/upa" run -- /bin/true >"$work/out" 2>"$work/err" || status=$?
[[ $status -eq 0 && $(wc -l <"$work/err") -eq 1 ]] || wrong "without PATH: status $status: $(<"$work/err")"

if [[ ${alone[0]} == unshare ]]; then
  upa run --malloc dl -- true
  [[ $status -eq 1 && $(tail -n 1 "$work/err") == 'upa: no --malloc dl: cannot download the source of dlmalloc'* ]] ||
    wrong "dlmalloc without a network: status $status: $(<"$work/err")"
  upa run -- true
  [[ $status -eq 0 && ! -s $work/err ]] || wrong "run after that: status $status: $(<"$work/err")"
  if command -v mvn >/dev/null && [[ -n $(source "$root/apps/launcher/setup.sh" && find_jdk) ]]; then
    upa trace x
    [[ $status -eq 1 && $(wc -l <"$work/err") -eq 2 && $(tail -n 1 "$work/err") == \
      'upa: cannot download the Maven '*': is there a network? Without it what works is ./upa run;'* ]] ||
      wrong "Maven without a network: status $status: $(<"$work/err")"
    # A pager that is older than its sources is not started, also when what is in C had to be built first.
    mkdir "$work/a clone/build/pager"
    printf '#!/bin/sh\necho started >>"%s"\n' "$work/started" >"$work/a clone/build/pager/start"
    chmod +x "$work/a clone/build/pager/start"
    touch -d 2020-01-01 "$work/a clone/build/stamp/pager"
    touch "$work/a clone/upa-mmap-shim/preload/start.c"
    upa run --policy clock --memory 64M -- true
    [[ $status -eq 1 && $(<"$work/err") == *'upa: cannot download the Maven '* && ! -e $work/started ]] ||
      wrong "an old pager: status $status: $(<"$work/err")"
  fi
else
  echo "left out: no network namespace can be made here, so there is a network"
fi
exit "$failed"
