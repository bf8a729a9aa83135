#!/usr/bin/env bash
# run_test.sh UPA: what `./upa run` says to a mistake: one line, and the exit status. Skipped where UPA is not built,
# since it would be now.
set -euo pipefail
upa=$1
[[ -e ${upa%/*}/build/release/lib/libupa_mmap.so ]] || exit 77
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# says STATUS TEXT [NAME=VALUE...] -- ARGUMENT...: of ./upa run, with these variables
says() {
  local status=0 wanted=$1 text=$2 variables=()
  shift 2
  while [[ $1 != -- ]]; do
    variables+=("$1")
    shift
  done
  env "${variables[@]}" "$upa" run "${@:2}" >"$work/out" 2>"$work/err" || status=$?
  # What is built first says so.
  grep -v '^upa: building' "$work/err" >"$work/said" || true
  if [[ $status -ne $wanted || $(wc -l <"$work/said") -ne 1 || $(<"$work/said") != "upa: $text"* ||
    -s $work/out ]]; then
    printf 'FAILED: %s: status %d, said: %s\n' "$*" "$status" "$(<"$work/said")"
    failed=1
  fi
}

says 2 'run needs a program' --
says 2 'run has no option=--frobnicate: see ./upa run --help' -- --frobnicate true
says 127 'there is no program=no-such-program' -- no-such-program
says 126 'cannot execute program=/etc/passwd' -- /etc/passwd
says 2 'option --malloc needs libc, dl or the path of a library' -- --malloc
says 1 'cannot load malloc library=/no/such.so: cannot open shared object file' -- --malloc /no/such.so true
says 1 'cannot load malloc library=/etc/passwd: invalid ELF header' -- --malloc /etc/passwd true
says 1 'cannot write trace file=/no/such/file: there is no such directory' -- --trace /no/such/file true
says 1 "cannot write trace file=$work: it is a directory" -- --trace "$work" true
says 1 'cannot write trace file=/etc/passwd: it exists and is not a trace' -- --trace /etc/passwd true
says 2 'option --no-upa excludes --trace, --stats' -- --no-upa --stats true
says 2 'variable UPA_RETAIN=much is not a percentage from 0 to 1000: see ./upa run --help' UPA_RETAIN=much -- true
says 2 'variable UPA_REGION_BYTES=1 is not a size from 2M to 16T' UPA_REGION_BYTES=1 UPA_STATS=1 -- true
says 2 "variable UPA_RETIAN is none of UPA's variables: see ./upa run --help" UPA_RETIAN=5 -- true
says 2 'variable UPA_SETTINGS=all is not print' UPA_SETTINGS=all -- true
for value in 2 yes table json:; do
  says 2 "variable UPA_STATS=$value is not 0, 1, json, the absolute path" "UPA_STATS=$value" -- true
done
# The option takes its place.
UPA_STATS=2 "$upa" run --stats="$work/stats" -- true 2>"$work/err" ||
  { echo "FAILED: --stats over UPA_STATS"; failed=1; }
# Every variable of the library's own list, and no other, is in the help.
"$upa" run --help >"$work/help"
listed=$(UPA_SETTINGS=print LD_PRELOAD="${upa%/*}/build/release/lib/libupa_mmap.so" /bin/true | grep -o '^UPA_[A-Z_]*')
[[ -n $listed && $listed == "$(grep -o '^  UPA_[A-Z_]*' "$work/help" | tr -d ' ')" ]] ||
  { echo "FAILED: variables in the help"; failed=1; }
UPA_RETAIN=50 UPA_FULL='' "$upa" run -- sh -c 'exit 7' 2>"$work/err" || [[ $? -eq 7 ]] ||
  { echo "FAILED: status of the program"; failed=1; }
exit "$failed"
