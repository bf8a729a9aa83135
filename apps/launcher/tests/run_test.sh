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
says 2 'option --malloc needs libc, dl, auto, a name or the path of a library' -- --malloc
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
# What somebody else has chosen stays in its line, and a terminal is told nothing by it.
odd=$'a\nb\r\e[1m\tc\x7f' shown='a\nb\r\x1b[1m\tc\x7f'
says 2 "run has no option=--$shown: see" -- "--$odd" true
says 127 "there is no program=$shown" -- "$odd"
says 127 "there is no program=$work/$shown" -- "$work/$odd"
says 1 "cannot load malloc library=$shown: cannot open" -- --malloc "$odd" true
says 1 "cannot write trace file=$work/$shown/$shown: there is no such directory" -- --trace "$work/$odd/$odd" true
says 1 "cannot write statistics file=$work/$shown/$shown: No such file" -- --stats="$work/$odd/$odd" true
says 2 "variable UPA_RETAIN=$shown is not a percentage" UPA_RETAIN="$odd" -- true
says 2 "variable UPA_$shown is none of UPA's variables" "UPA_$odd=1" -- true
mkdir "$work/$odd"
says 126 "cannot execute program=$work/$shown" -- "$work/$odd"
says 1 "cannot write trace file=$work/$shown: it is a directory" -- --trace "$work/$odd" true
printf '#!/no/such\n' >"$work/$odd/$odd"
chmod +x "$work/$odd/$odd"
says 127 "cannot execute program=$work/$shown/$shown: what its first line" -- "$work/$odd/$odd"
says 1 "cannot write trace file=$work/$shown/$shown: it exists and is not a trace" -- --trace "$work/$odd/$odd" true
if command -v perl >/dev/null; then
  "$upa" run --stats -- perl -e '$0 = "a\nb\e[1m"; $x = "y" x 5000000' 2>"$work/err" || true
  grep -qF 'upa: a\nb\x1b[1m, process ' "$work/err" ||
    { echo "FAILED: --stats of a program with a line break in its name: $(head -n 2 "$work/err")"; failed=1; }
fi
# The option takes its place.
UPA_STATS=2 "$upa" run --stats="$work/stats" -- true 2>"$work/err" ||
  { echo "FAILED: --stats over UPA_STATS"; failed=1; }
# A name that people know is found where it is installed, or the line says how to install it; so is a file.
for malloc in jemalloc:libjemalloc.so.2 mimalloc:libmimalloc.so tcmalloc:libtcmalloc_minimal.so.4; do
  if compgen -G "/usr/lib/*/${malloc#*:}*" >/dev/null; then
    "$upa" run --malloc "${malloc%:*}" -- sh -c 'echo $LD_PRELOAD' >"$work/out" 2>"$work/err" ||
      { echo "FAILED: --malloc ${malloc%:*}"; failed=1; }
    [[ $(<"$work/out") == *libupa_mmap.so:*"${malloc#*:}"* && ! -s $work/err ]] ||
      { echo "FAILED: --malloc ${malloc%:*}: $(cat "$work/out" "$work/err")"; failed=1; }
  else
    says 1 "malloc=${malloc%:*} is not installed: apt-get install lib" -- --malloc "${malloc%:*}" true
  fi
done
says 1 'cannot load malloc library=no-such-malloc: cannot open shared object file' -- --malloc no-such-malloc true

# chosen PROGRAM TEXT LIBRARY: what --malloc auto says of it, and what it preloads behind UPA; empty: nothing
chosen() {
  local program=$1 text=$2 library=$3
  cp "$(command -v env)" "$work/$program"
  "$upa" run --malloc auto -- "$work/$program" sh -c 'echo $LD_PRELOAD' >"$work/out" 2>"$work/err" ||
    { echo "FAILED: auto: $program"; failed=1; }
  [[ $(wc -l <"$work/err") -eq 1 && $(<"$work/err") == "upa: malloc=$text"* ]] ||
    { echo "FAILED: auto: $program: said $(<"$work/err")"; failed=1; }
  [[ $(<"$work/out") == *libupa_mmap.so"${library:+:*$library*}" ||
    (-n $library && $(<"$work/out") == *libupa_mmap.so:*"$library"*) ]] ||
    { echo "FAILED: auto: $program: preloaded $(<"$work/out")"; failed=1; }
}
if compgen -G '/usr/lib/*/libmimalloc.so*' >/dev/null; then
  chosen perl5.36.0 'mimalloc for program=perl5.36.0: measured' libmimalloc.so
else
  chosen perl5.36.0 'libc for program=perl5.36.0: mimalloc, measured to be faster, is not installed' ''
fi
chosen python3.11 'libc for program=python3.11: no other has been measured' ''
chosen lua5.4 'libc for program=lua5.4: no other has been measured' ''
chosen perlish 'libc for program=perlish: it has not been measured' ''
# Every variable of the library's own list, and no other, is in the help.
"$upa" run --help >"$work/help"
listed=$(UPA_SETTINGS=print LD_PRELOAD="${upa%/*}/build/release/lib/libupa_mmap.so" /bin/true | grep -o '^UPA_[A-Z_]*')
[[ -n $listed && $listed == "$(grep -o '^  UPA_[A-Z_]*' "$work/help" | tr -d ' ')" ]] ||
  { echo "FAILED: variables in the help"; failed=1; }
UPA_RETAIN=50 UPA_FULL='' "$upa" run -- sh -c 'exit 7' 2>"$work/err" || [[ $? -eq 7 ]] ||
  { echo "FAILED: status of the program"; failed=1; }
exit "$failed"
