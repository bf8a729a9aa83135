#!/bin/bash
# gives_back_test.sh LIBRARIES PROGRAMS: what is kept of freed memory, and for how long, by what the program and the
# kernel say of it (gives_back.c): malloc_trim(), trim thresholds, silence, limits of a cgroup where one can be made.
set -euo pipefail

libraries=$1
program=$2/preload_gives_back
failures=0

# The preloads of `upa run --malloc libc` and `--malloc dl`.
modes=("$libraries/libupa_mmap.so" "$libraries/libupa_mmap.so:$libraries/libupa_malloc.so")
sizes=(1000 100000 1048576 16777216)
jemalloc=$(find /usr/lib -name libjemalloc.so.2 -print -quit 2>/dev/null || true)

say() {
  echo "gives_back_test: $*"
  failures=$((failures + 1))
}

# left PRELOAD WHAT SIZE [ORDER]: KiB resident more than before
left() {
  LD_PRELOAD=$1 "$program" "${@:2}" | tail -n 1
}

# at_most KIB PRELOAD WHAT SIZE [ORDER]
at_most() {
  local is
  is=$(left "${@:2}")
  ((is <= $1)) || say "$3, blocks of ${*:4} bytes, $2: $is KiB are left, expected at most $1"
}

for mode in "${modes[@]}"; do
  for size in "${sizes[@]}"; do
    at_most 6144 "$mode" trim "$size"
  done
done

# A program that has fallen silent, or works on in blocks that are not seen here.
for mode in "${modes[@]}"; do
  for size in 1000 1048576; do
    at_most 6144 "$mode" idle "$size"
    at_most 6144 "$mode" small "$size"
  done
  at_most 6144 "$mode" idle 20000 random
done
is=$(UPA_AGENT=0 left "${modes[0]}" waits 1048576)
((is > 51200)) || say "without the agent only $is KiB are kept: the lines above mean nothing"

# A wish of the program, or of its user. glibc itself keeps as much of the heap.
for size in 100000 1048576; do
  at_most 6144 "${modes[0]}" mallopt "$size"
  MALLOC_TRIM_THRESHOLD_=131072 at_most 6144 "${modes[0]}" plain "$size"
  GLIBC_TUNABLES=glibc.malloc.trim_threshold=131072 at_most 6144 "${modes[0]}" plain "$size"
done
# The test would see it if nothing were kept anyway.
is=$(UPA_AGENT=0 UPA_DECAY_MS=3600000 left "${modes[0]}" plain 1048576)
((is > 51200)) || say "without a wish only $is KiB are kept: the other lines mean nothing"

# ---- limits ---------------------------------------------------------------------------------------------

# Sizes, and in which order the blocks are freed.
cases=(
  "4096 first" "4096 random" "5000 last" "5000 random" "15000 first" "15000 last" "20000 random" "30000 first"
  "30000 random" "100000 first" "300000 random" "700000 last" "1048576 first" "3000000 random" "1000-1000000 random"
)

# Of a group of either version, below one that has the limit, so that it is an ancestor's.
group_test() {
  local root=$1 limit=$2 peak=$3 group mode case base
  group=$root/upa-gives-back-$$
  mkdir "$group" 2>/dev/null || { echo "left out: no cgroup can be made in $root"; return 0; }
  if [[ ! -e $group/$limit ]]; then
    # Version 2 without the controller.
    rmdir "$group"
    echo "left out: $root does not limit memory"
    return 0
  fi
  # in_group LIMIT PRELOAD SIZE ORDER
  in_group() {
    local status=0
    mkdir "$group/inner"
    echo "$1" >"$group/$limit"
    (
      echo "$BASHPID" >"$group/inner/cgroup.procs"
      LD_PRELOAD=$2 exec "$program" limits "${@:3}"
    ) 2>/dev/null || status=$?
    base=$(cat "$group/$peak" 2>/dev/null || echo 0)
    for _ in {1..600}; do
      rmdir "$group/inner" 2>/dev/null && break
      sleep 0.1
    done
    return $status
  }
  # as_alone ALONE CASE MODE...: at a tenth more than the program peaks at with the preload ALONE it lives in each mode.
  as_alone() {
    local alone=$1 case=$2 blocks least
    read -ra blocks <<<"$case"
    if [[ -e $group/$peak ]]; then
      rmdir "$group" && mkdir "$group"
      in_group $((1 << 30)) "$alone" "${blocks[@]}"
    else
      base=$((80 << 20))
    fi
    least=$((base / 10 * 11))
    in_group "$least" "$alone" "${blocks[@]}" || return 0
    for mode in "${@:3}"; do
      in_group "$least" "$mode" "${blocks[@]}" ||
        say "limit=$least in $root: killed under $mode, blocks of $case bytes; not without"
    done
  }
  for case in "${cases[@]}"; do
    as_alone "" "$case" "${modes[@]}"
  done
  # Arenas, which glibc purges as they get smaller.
  as_alone "" "50000 threads" "${modes[0]}"
  for case in "100000 random" "1048576 first" "3000000 random"; do
    UPA_STRICT=1 as_alone "" "$case" "$libraries/libupa_mmap.so"
  done
  # jemalloc unmaps what it has joined to 8 MiB: blocks must lie side by side.
  if [[ -n $jemalloc ]]; then
    for case in "100000 first" "250000 random" "1048576 first" "1048576 random"; do
      as_alone "$jemalloc" "$case" "$libraries/libupa_mmap.so:$jemalloc"
    done
  else
    echo "left out: no jemalloc"
  fi
  neighbour_test "$group" "$limit"
  for _ in {1..600}; do
    rmdir "$group" 2>/dev/null && break
    sleep 0.1
  done
}

# A process under UPA has freed 100 MiB and sleeps; one without UPA, in the same group, touches as much. There is room
# for one and a half.
neighbour_test() {
  local group=$1 limit=$2 mode size keeper status group_line line
  group_line=$(mktemp -u)
  mkfifo "$group_line"
  exec 9<>"$group_line"
  mkdir "$group/inner"
  echo $((150 << 20)) >"$group/$limit"
  for mode in "${modes[@]}"; do
    for size in 100000 1048576; do
      (
        echo "$BASHPID" >"$group/inner/cgroup.procs"
        LD_PRELOAD=$mode exec "$program" waits "$size" >"$group_line"
      ) &
      keeper=$!
      line=
      while [[ $line != freed ]] && read -r -t 60 -u 9 line; do :; done
      [[ $line == freed ]] || say "who keeps has not freed anything"
      sleep 0.4
      status=0
      (
        echo "$BASHPID" >"$group/inner/cgroup.procs"
        exec "$program" plain 1048576 >/dev/null
      ) || status=$?
      ((status == 0)) || say "a neighbour is killed: status=$status, blocks of $size bytes under $mode"
      status=0
      wait "$keeper" || status=$?
      ((status == 0)) || say "who keeps is killed: status=$status, blocks of $size bytes under $mode"
    done
  done
  for _ in {1..600}; do
    rmdir "$group/inner" 2>/dev/null && break
    sleep 0.1
  done
  exec 9>&-
  rm "$group_line"
}

group_test /sys/fs/cgroup/memory memory.limit_in_bytes memory.max_usage_in_bytes
group_test /sys/fs/cgroup memory.max memory.peak

exit $((failures > 0))
