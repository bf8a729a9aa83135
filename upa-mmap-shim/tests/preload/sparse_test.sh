#!/usr/bin/env bash
# sparse_test.sh LIB_DIRECTORY TEST_DIRECTORY: of large blocks that are hardly touched nothing counts as kept that was
# not, and whoever maps their pages again reads zeros.
set -euo pipefail

upa="$1/libupa_mmap.so"
sparse="$2/preload_sparse"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# What is kept is not to be given back here.
status=0
env LD_PRELOAD="$upa" UPA_STATS="$work/table" UPA_RETAIN=1000 UPA_AGENT=0 "$sparse" kept || status=$?
[[ $status -ne 77 ]] || { echo "left out: this kernel does not say which pages are populated"; exit 77; }
[[ $status -eq 0 ]] || { echo "FAILED: status $status"; exit 1; }
kib=$(awk '/^  free and populated/ { print $4 }' "$work/table")
# 48 MiB and a page, and what small requests have come by.
((kib >= 49152 && kib <= 49152 + 2048)) || { echo "FAILED: $kib KiB are kept"; cat "$work/table"; exit 1; }

env LD_PRELOAD="$upa" UPA_STATS="$work/expected" UPA_RETAIN=1000 UPA_AGENT=0 "$sparse" expected
served=$(awk '/^  mmap, larger/ { print $3, $5 }' "$work/expected")
[[ $served == "71 16" ]] || { echo "FAILED: $served blocks are served and passed on"; cat "$work/expected"; exit 1; }

for seed in 1 2; do
  env LD_PRELOAD="$upa" "$sparse" contents "$seed"
  env LD_PRELOAD="$upa" UPA_RETAIN=1000 "$sparse" contents "$seed"
done
env LD_PRELOAD="$upa" UPA_RETAIN=0 UPA_DECAY_MS=0 "$sparse" contents 3
env LD_PRELOAD="$upa" UPA_STRICT=1 "$sparse" contents 4
