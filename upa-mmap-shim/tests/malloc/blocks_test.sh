#!/usr/bin/env bash
# blocks_test.sh LIB_DIRECTORY TEST_DIRECTORY SOURCE_DIRECTORY: libupa_blocks.so, on glibc with nothing redirected and,
# where there is a compiler for it, on musl: what malloc's family promises holds, and large blocks come from UPA.
set -euo pipefail

libraries=$1
tests=$2
sources=$3
preload="$libraries/libupa_mmap.so:$libraries/libupa_blocks.so"
failed=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# under NAME PROGRAM...: under both libraries and with nothing redirected, whatever libc it is
under() {
  local name=$1 mapped
  shift
  timeout 600 env LD_PRELOAD="$preload" UPA_REDIRECT=0 UPA_STATS=1 "$@" >"$work/out" 2>"$work/said" ||
    { echo "FAILED: $name: status $?: $(tail -n 5 "$work/out" "$work/said")"; failed=1; return; }
  mapped=$(awk '/^ *mmap, / { n += $(NF - 3) } END { print n + 0 }' "$work/said")
  [[ $mapped -ge 100 ]] || { echo "FAILED: $name: only $mapped mappings served: $(<"$work/said")"; failed=1; }
  echo "$name: $mapped mappings served"
}

"$tests/blocks_test"
under glibc "$tests/blocks_test" blocks
under "glibc, strictly" env UPA_STRICT=1 "$tests/blocks_test"
under "glibc, zeros" "$tests/preload_malloc_zeros" 1 2000
LD_PRELOAD="$libraries/libupa_blocks.so" "$tests/blocks_test" || { echo "FAILED: on the kernel's mmap"; failed=1; }
if command -v musl-gcc >/dev/null; then
  musl-gcc -O2 -fno-builtin -D_GNU_SOURCE "$sources/malloc/blocks_test.c" -o "$work/blocks_test"
  "$work/blocks_test"
  under musl "$work/blocks_test" blocks
  UPA_STATS=1 LD_PRELOAD="$libraries/libupa_mmap.so" "$work/blocks_test" 2>"$work/said" ||
    { echo "FAILED: musl: does not start"; failed=1; }
  grep -q "note: libc's own calls go to the kernel: there is no libc.so.6" "$work/said" ||
    { echo "FAILED: musl: says nothing: $(<"$work/said")"; failed=1; }
else
  echo "left out: musl, for which there is no compiler (musl-tools)"
fi
exit "$failed"
