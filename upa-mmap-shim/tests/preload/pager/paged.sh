# shellcheck shell=bash
# paged.sh: to be sourced by the tests of the pager, with `upa` set. They are skipped (77) where the pager is not built.
# shellcheck disable=SC2154 # upa is the test's, and so is what is to be done at its end: `work` is to be removed
[[ -d ${upa%/*}/apps/tools/target/lib ]] || {
  echo "skipped: the pager is not built"
  exit 77
}
work=$(mktemp -d)
# shellcheck disable=SC2034 # the test's exit status
failed=0

fail() {
  echo "FAILED: $*"
  failed=1
}

# Ends the test as skipped where this machine or user cannot page.
need_paging() {
  local status=0
  timeout 120 "$upa" run --policy clock --memory 16M -- true 2>"$work/err" || status=$?
  [[ $status -ne 0 ]] || return 0
  cat "$work/err"
  ! grep -q 'no paging on this machine' "$work/err" || exit 77
  exit 1
}

# pager_of PROGRAM: the pager that was started for it.
pager_of() {
  local folder words
  for folder in /proc/[0-9]*; do
    words=$(tr '\0' ' ' 2>/dev/null <"$folder/cmdline") || continue
    [[ $words != *" serve --for $1 "* || $words != */java\ * ]] || echo "${folder#/proc/}"
  done
}
