#!/usr/bin/env bash
# scenarios_test.sh LIB_DIRECTORY TEST_DIRECTORY: the programs of scenarios.h say under libupa_mmap.so, in every mode,
# what they say without it: state that pages carry, pages that the kernel holds, addresses that the program chooses,
# calls that few make.
set -euo pipefail
source "${BASH_SOURCE[0]%/*}/same.sh"

for name in state rare_calls segments remapped handlers processes mappings; do
  program=$2/preload_$name
  "$program" >"$work/$name-kernel"
  compare "$name-libc" "$name-kernel" env LD_PRELOAD="$upa" "$program"
  compare "$name-strict" "$name-kernel" env LD_PRELOAD="$upa" UPA_STRICT=1 "$program"
  compare "$name-retain-nothing" "$name-kernel" env LD_PRELOAD="$upa" UPA_RETAIN=0 UPA_DECAY_MS=0 "$program"
  compare "$name-off" "$name-kernel" env LD_PRELOAD="$upa" UPA_OFF=1 "$program"
  [[ ! -e $libraries/libupa_malloc.so ]] ||
    compare "$name-dl" "$name-kernel" env LD_PRELOAD="$upa:$libraries/libupa_malloc.so" "$program"
  for malloc in libjemalloc.so.2 libmimalloc.so.2 libtcmalloc_minimal.so.4; do
    [[ -n $(LD_PRELOAD=$malloc true 2>&1) ]] ||
      compare "$name-$malloc" "$name-kernel" env LD_PRELOAD="$upa:$malloc" "$program"
  done
done
exit "$failed"
