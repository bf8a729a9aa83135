#!/usr/bin/env bash
# aarch64_test.sh SOURCE_DIRECTORY BUILD_DIRECTORY DEPS_DIRECTORY: built for arm64 and run under qemu-user: the
# allocator, regions, what is put into libc's code, and a program whose large blocks come from UPA on each arm64
# libc that redirect_libcs_test.sh has fetched.
#
# Left out is what qemu-user itself does otherwise than Linux: it takes every advice for known and does nothing for
# MADV_REMOVE, has no mremap() of size 0, and takes minutes over mappings of gigabytes (region_test, region_resize,
# mman_cases, mman_differential, llfree_attach, region_shared).
set -euo pipefail

source=$1
build=$2
libcs=$3/libc
tests=(llfree_contract llfree_model llfree_signal llfree_stress llfree_stress_yield region_fork redirect_test
  symbols_test)
for tool in aarch64-linux-gnu-gcc qemu-aarch64 cmake ninja; do
  command -v "$tool" >/dev/null || { echo "skipped: no $tool"; exit 77; }
done
[[ $(uname -m) != aarch64 ]] || { echo "skipped: this is one"; exit 77; }
failed=0
cmake -S "$source" -B "$build" -G Ninja -DUPA_DEPS_DIR="$3" \
  -DCMAKE_TOOLCHAIN_FILE="$source/upa-mmap-shim/cmake/aarch64.cmake" >"$build.log" 2>&1 &&
  cmake --build "$build" --target "${tests[@]}" upa_mmap upa_blocks redirect_blocks symbols_peer_gnu symbols_peer_sysv \
    >>"$build.log" 2>&1 ||
  { tail -n 40 "$build.log"; exit 1; }
pattern=$(IFS='|' && echo "^(${tests[*]})\$")
(cd "$build" && ctest --output-on-failure -R "$pattern") || failed=1

# served NAME QEMU_ARGUMENT...
served() {
  local name=$1 said
  shift
  said=$(UPA_REGION_BYTES=256M UPA_STATS=1 timeout 300 qemu-aarch64 "$@" 2>&1) ||
    { echo "FAILED: $name: status $?: $said"; failed=1; return; }
  awk '/^ *mmap, under/ { mapped = $(NF - 3) } $1 == "brk" { brk = $2 + $4 }
    END { exit !(mapped >= 20 && brk >= 20) }' <<<"$said" ||
    { echo "FAILED: what was served, $name: $said"; failed=1; }
  ! grep -qE 'go to the kernel|the kernel.s$' <<<"$said" || { echo "FAILED: $name: $said"; failed=1; }
  echo "served on $name"
}
served "the compiler's libc" -L /usr/aarch64-linux-gnu -E LD_PRELOAD="$build/lib/libupa_mmap.so" \
  "$build/tests/redirect_blocks"
for libc in "$libcs"/*-arm64; do
  folder=$(find "$libc" -name libc.so.6 2>/dev/null)
  folder=${folder%/*}
  [[ -z $folder ]] || served "$(basename "$libc")" "$folder/ld-linux-aarch64.so.1" --library-path "$folder" \
    --preload "$build/lib/libupa_mmap.so" "$build/tests/redirect_blocks"
done
exit "$failed"
