# shellcheck shell=bash
# same.sh LIB_DIRECTORY: to be sourced by tests that compare what a program says under libupa_mmap.so with what it says
# without. They end with status $failed.
libraries=$1
upa="$libraries/libupa_mmap.so"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# compare NAME EXPECTED COMMAND...: EXPECTED and what is said are files in $work
compare() {
  local name=$1 expected=$2 status=0
  shift 2
  timeout 300 "$@" >"$work/$name" 2>&1 || status=$?
  if [[ $status -ne 0 ]] || ! diff "$work/$expected" "$work/$name"; then
    echo "FAILED: $name (status $status)"
    failed=1
  else
    echo "same: $name ($(wc -l <"$work/$name") lines)"
  fi
}
