#!/usr/bin/env bash
# soak.sh LIB_DIRECTORY TEST_DIRECTORY SECONDS: random memory calls of threads and their children in long-lived
# processes, one malloc mode after the other, beside real programs that come and go. The calls must do what the kernel
# does, the processes must not gather memory, mappings or descriptors, and the programs must say what they say on the
# kernel.
set -euo pipefail

libraries=$1
threads=$2/preload_threads
seconds=$3
upa="$libraries/libupa_mmap.so"
programs="${BASH_SOURCE[0]%/*}/../programs/programs_test.sh"
work=$(mktemp -d)
end=$((SECONDS + seconds))
failed=0
player=

clean_up() {
  [[ -z $player ]] || kill "$player" 2>/dev/null || true
  rm -rf "$work"
}
trap clean_up EXIT

# The programs, again and again: the last pass may take a little longer than the time.
play() {
  local passes=0
  while ((passes == 0 || SECONDS + (SECONDS - begun) / passes < end)); do
    "$programs" "$libraries" bash python perl xz sqlite || return 1
    passes=$((passes + 1))
  done
}
begun=$SECONDS
play >"$work/programs" 2>&1 &
player=$!

modes=(libc strict)
[[ ! -e $libraries/libupa_malloc.so ]] || modes+=(dl)
for malloc in libjemalloc.so.2 libmimalloc.so.2; do
  [[ -n $(LD_PRELOAD=$malloc true 2>&1) ]] || modes+=("$malloc")
done
share=$((seconds / (${#modes[@]} + 1)))
[[ $share -gt 0 ]] || share=1
seed=$(date +%s)

# The same calls of the same seeds on the kernel alone: by how much memory is told from that.
kernel=$("$threads" --seconds "$share" --seed "$seed")
peak=${kernel%% KiB*}
peak=${peak##* }
echo "kernel: $kernel"
for mode in "${modes[@]}"; do
  strict=0
  case $mode in
    libc) preload=$upa ;;
    strict) preload=$upa strict=1 ;;
    dl) preload="$upa:$libraries/libupa_malloc.so" ;;
    *) preload="$upa:$mode" ;;
  esac
  # Heaps of their own come on top of a quarter.
  said=$(LD_PRELOAD=$preload UPA_STRICT=$strict \
    "$threads" --seconds "$share" --seed "$seed" --resident $((peak * 5 / 4 + 24576)) 2>&1) ||
    { failed=1 && said="FAILED: $said"; }
  echo "$mode: $said"
done
wait "$player" || failed=1
player=
sort "$work/programs" | uniq -c
! grep -q '^FAILED' "$work/programs" || failed=1
exit "$failed"
