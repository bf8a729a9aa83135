#!/usr/bin/env bash
# redirect_libcs_test.sh LIB_DIRECTORY TEST_DIRECTORY DEPS_DIRECTORY: libc as Debian and Ubuntu have it, from glibc 2.31
# to the newest: in every file each function can be redirected (redirect_files.c), and under the library a program that
# runs on that libc has its large blocks from UPA. Fetched once, into DEPS_DIRECTORY; what cannot be fetched is left
# out, and with nothing there it is skipped.
set -euo pipefail

upa=$1/libupa_mmap.so
tests=$2
libcs=$3/libc
suites=("debian bullseye" "debian bookworm" "debian trixie" "debian sid"
  "ubuntu focal" "ubuntu jammy" "ubuntu noble" "ubuntu questing" "ubuntu resolute")
source "$(dirname "${BASH_SOURCE[0]}")/../../cmake/archives.sh"

mkdir -p "$libcs/apt"
exec 9>"$libcs/lock"
flock 9
failed=0 checked=0

# fetch DISTRIBUTION SUITE ARCHITECTURE: prints the path of libc.so.6
fetch() {
  local directory=$libcs/$1-$2-$3
  if [[ ! -d $directory ]]; then
    archive_open "$1" "$2" "$libcs/apt" "$3" && archive_unpack "$directory" libc6 ||
      { echo "left out: $1 $2 $3: $archive_error"; return 1; }
  fi
  libc=$(find "$directory" -name libc.so.6)
  [[ -n $libc ]] || { echo "FAILED: no libc.so.6 in package libc6 of $1 $2 $3"; failed=1; return 1; }
}

# disassemble LIBC: the decoder of aarch64 against a disassembler, where there is one for it
disassemble() {
  ! command -v aarch64-linux-gnu-objdump >/dev/null ||
    aarch64-linux-gnu-objdump -d -w "$1" | "$tests/redirect_decode" aarch64
}

# runs NAME COMMAND...: large blocks under the library
runs() {
  local name=$1 said mapped brk heap
  shift
  said=$(UPA_STATS=1 "$@" 2>&1) || { echo "FAILED: redirect_blocks, $name: status $?: $said"; return 1; }
  mapped=$(awk '/^ *mmap, under/ { print $(NF - 3) }' <<<"$said")
  brk=$(awk '$1 == "brk" { print $2 }' <<<"$said")
  heap=$(awk '/heap reused/ { print $(NF - 1) }' <<<"$said")
  ! grep -qE 'go to the kernel|the kernel.s$' <<<"$said" &&
    [[ ${mapped:-0} -ge 20 && ${brk:-0} -ge 5 && ${heap:-0} -ge 20000 ]] ||
    { echo "FAILED: what was served, $name: $said"; return 1; }
  echo " redirect_blocks: $mapped mmap and $brk brk served, $heap KiB of the heap reused"
}

for suite in "${suites[@]}"; do
  for architecture in amd64 arm64; do
    [[ $suite == debian* || $architecture == amd64 ]] || continue
    # shellcheck disable=SC2086
    fetch $suite $architecture || continue
    "$tests/redirect_files" "$(readlink -f "$libc")" || failed=1
    checked=$((checked + 1))
    [[ $architecture != arm64 ]] || disassemble "$libc" || failed=1
    folder=${libc%/*}
    [[ $architecture != amd64 || $(uname -m) != x86_64 ]] ||
      runs "$suite" "$folder/ld-linux-x86-64.so.2" --library-path "$folder" --preload "$upa" \
        "$tests/redirect_blocks" || failed=1
  done
done

# On this machine's libc, and where its code cannot be made writable.
runs "here" env LD_PRELOAD="$upa" "$tests/redirect_blocks" || failed=1
if "$tests/redirect_test" under-mdwe /bin/true; then
  runs "text that stays protected" \
    env LD_PRELOAD="$upa" "$tests/redirect_test" under-mdwe "$tests/redirect_blocks" || failed=1
else
  echo "left out: text that stays protected, since this kernel has no PR_SET_MDWE"
fi
[[ $checked -gt 0 ]] || { echo "skipped: no package of libc could be fetched: $archive_error"; exit 77; }
echo "$checked files of libc"
exit "$failed"
