#!/usr/bin/env bash
# mistakes_test.sh UPA: what the commands other than run say to a mistake, and to a standard output that takes nothing:
# one line, and the exit status; and that each has a help. Builds nothing; what needs Java is tested there.
set -euo pipefail
upa=$1
root=${upa%/*}
[[ -x $root/build/release/bin/upa-run ]] || exit 77
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
# What is built first says so.
"$upa" run -- true 2>/dev/null

# says STATUS TEXT REDIRECTION ARGUMENT...: of ./upa; the redirection is of its standard output
says() {
  local status=0 wanted=$1 text=$2 to=$3
  shift 3
  bash -c "exec \"\$@\" $to" bash "$upa" "$@" 2>"$work/err" </dev/null || status=$?
  if [[ $status -ne $wanted || $(wc -l <"$work/err") -ne 1 || $(<"$work/err") != "upa"*": $text"* ]]; then
    printf 'FAILED: %s %s: status %d, said: %s\n' "$*" "$to" "$status" "$(<"$work/err")"
    failed=1
  fi
}

for to in '>/dev/full' '>&-'; do
  for arguments in --help --version doctor 'test --help'; do
    read -ra arguments <<<"$arguments"
    says 1 'cannot write to standard output' "$to" "${arguments[@]}"
  done
  says 1 'cannot write the help to standard output: ' "$to" run --help
done
none=">$work/out"
says 2 'no command given: see ./upa --help' "$none"
says 2 'unknown command=frobnicate: see ./upa --help' "$none" frobnicate
says 2 'build takes no argument, got argument=x' "$none" build x
says 2 'doctor takes no argument, got argument=x' "$none" doctor x
says 2 'package takes a folder or nothing, got argument=-x' "$none" package -x
says 2 'test takes nothing, --full, --soak' "$none" test --frobnicate
says 2 'test --soak takes a number of minutes up to 99999, got argument=0' "$none" test --soak 0
for system in nosuch debian- -bullseye 'debian-bull seye' ../etc; do
  says 2 "test --systems has no system=$system, only debian-bullseye" "$none" test --systems debian-sid "$system"
done
# What somebody else has chosen stays in its line, and a terminal is told nothing by it.
odd=$'a\nb\r\e[1m\tc\x7f' shown='a\nb\r\x1b[1m\tc\x7f'
says 2 "unknown command=$shown: see" "$none" "$odd"
says 2 "build takes no argument, got argument=$shown" "$none" build "$odd"
says 2 "package takes a folder or nothing, got argument=-$shown" "$none" package "-$odd"
says 2 "test --soak takes a number of minutes up to 99999, got argument=$shown" "$none" test --soak "$odd"
says 2 "test --systems has no system=$shown" "$none" test --systems "$odd"
says 2 'unknown option a?b??[1m?c?; see' "$none" vm "$odd"
says 2 "a?b??[1m?c? is not a positive number" "$none" vm --memory "$odd" -- true
# In UTF-8 there are more of them, among letters that are none.
says 2 'unknown command=a\x9b31mé: see' "$none" $'a\xc2\x9b31mé'
says 2 'unknown option a?31mé; see' "$none" vm $'a\xc2\x9b31mé'
says 2 'test --systems has no system=--packed' "$none" test --systems --packed debian-sid
says 2 'test --systems has no system=--unpacked' "$none" test --systems --unpacked --unpacked
mkdir -p "$work/$odd/apps"
cp "$root/upa" "$work/$odd/"
cp -r "$root/apps/launcher" "$work/$odd/apps/"
upa=$work/$odd/upa says 1 "cannot build: folder=$work/$shown: CMake takes no line break" "$none" run -- true
# What CMake and Java do not take is said before anything is begun.
for name in 'a"b' 'a;b' 'a\b' 'a$b'; do
  mkdir -p "$work/$name/apps"
  cp "$root/upa" "$work/$name/"
  cp -r "$root/apps/launcher" "$work/$name/apps/"
  upa=$work/$name/upa says 1 "cannot build: folder=$work/$name: CMake takes no " "$none" run -- true
done
mkdir -p "$work/a:b/apps"
cp "$root/upa" "$work/a:b/"
cp -r "$root/apps/launcher" "$work/a:b/apps/"
upa=$work/a:b/upa says 1 "cannot run Java from folder=$work/a:b: a class path takes no colon" "$none" trace x
says 2 'no command given' "$none" vm
for command in vm 'vm test'; do
  read -ra arguments <<<"$command"
  says 2 'unknown option nosuch' "$none" "${arguments[@]}" nosuch
done
[[ ! -s $work/out ]] || { echo "FAILED: a mistake printed $(<"$work/out")"; failed=1; }

for command in '' build doctor package test 'test --systems' vm 'vm test' 'vm fuzz' 'vm bench' run; do
  read -ra arguments <<<"$command"
  for help in --help -h; do
    status=0
    "$upa" "${arguments[@]}" "$help" >"$work/out" 2>"$work/err" || status=$?
    [[ $status -eq 0 && $(head -n 1 "$work/out") == 'usage: ./upa '* && ! -s $work/err ]] ||
      { echo "FAILED: $command $help: status $status: $(head -n 2 "$work/out" "$work/err")"; failed=1; }
  done
done
# A reader that has enough is no mistake.
for arguments in --help 'run --help'; do
  # shellcheck disable=SC2086
  "$upa" $arguments 2>"$work/err" | head -n 1 >/dev/null || [[ $? -eq 141 ]] || { echo "FAILED: $arguments"; failed=1; }
  [[ ! -s $work/err ]] || { echo "FAILED: $arguments | head says $(<"$work/err")"; failed=1; }
done
# A variable that makes no sense is a mistake also where nobody can be told.
for closed in '2>&-' '<&- 2>&-' '<&- >&- 2>&-' '>&- 2>&-'; do
  status=0
  bash -c "UPA_RETAIN=much exec \"\$1\" run -- true $closed" bash "$upa" || status=$?
  [[ $status -eq 2 ]] || { echo "FAILED: UPA_RETAIN=much with $closed: status $status"; failed=1; }
done

# completes TEXT WORD...: what completion offers behind these words, the last one begun
completes() {
  local wanted=$1 found
  shift
  found=$(CDPATH='' cd -- "$work/folder" && bash -c 'source "$1"
    COMP_WORDS=("${@:2}") COMP_CWORD=$(($# - 2))
    _upa && printf "%s\n" "${COMPREPLY[@]}" | grep . | sort -u | tr "\n" " "' \
    bash "$root/upa-mmap-shim/cmake/install/completion.bash" "$@")
  [[ $found == "$wanted" ]] || { echo "FAILED: completion of $*: '$found', not '$wanted'"; failed=1; }
}
mkdir "$work/folder"
touch "$work/folder/file one" "$work/folder/file2"
completes '--help --version run ' upa ''
completes 'run ' upa ru
completes 'package pager policy ' "$upa" p
completes '--malloc --memory ' upa run --m
completes '--policy ' upa-run --pol
completes 'pte pte-raw ' upa run --backend pt
completes 'pte pte-raw ' upa run --backend = pt
completes 'linear pte pte-raw ' upa run --backend =
completes 'json json: ' upa run --stats = js
completes 'tcmalloc ' upa run --strict --malloc t
completes 's3-fifo ' upa run --policy s3
completes 'file one file2 ' upa run --policy s3-fifo --memory 512M true file
completes 'file one file2 ' upa run --malloc = dl true file
completes 'file one file2 ' upa run --stats = json true file
completes 'file one file2 ' upa run -- true file
completes 'file one file2 ' upa run true --stats file
completes '' upa run -- --ba
completes '' upa run true --ba
completes 'file one file2 ' upa trace file
exit "$failed"
