#!/usr/bin/env bash
# preload-bench.sh [ROUNDS [BLOCKS]]: figures of the preloaded library. Builds nothing: `./upa build` first.
#   churn   per allocator: processor time, peak resident memory and page faults of blocks of 5-25 MiB, 16 alive, with
#   and without
#           UPA in turn; the median of the ratios round by round, and the least and the greatest of them
#   pairs   ns of one mmap + munmap (processor time of the calling thread), and how much more two threads do than one:
#   pages not
#           touched, each touched, and not cleared either; beside it how much more memory two threads clear than one
#           with no request at all, since a request that clears cannot scale better than that. Other work on the machine
#           spoils what the clock says
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
bin=$root/build/release/bin
upa=$root/build/release/lib/libupa_mmap.so
rounds=${1:-5} blocks=${2:-3000}
for number in "$rounds" "$blocks"; do
  [[ $number =~ ^[1-9][0-9]{0,6}$ ]] ||
    { echo "preload-bench.sh: $number is not a number from 1 to 9999999" >&2; exit 2; }
done
for file in "$bin/upa-preload-bench" "$bin/upa-measure" "$upa"; do
  [[ -e $file ]] || { echo "preload-bench.sh: no $file: run ./upa build" >&2; exit 1; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# churn PRELOAD: "seconds MiB faults"
churn() {
  "$bin/upa-measure" --report "$work/report" --set LD_PRELOAD="$1" \
    "$bin/upa-preload-bench" churn 5242880 26214400 16 "$blocks"
  awk '$1 == "status" && $2 { exit 1 } { v[$1] = $2 }
       END {
         print (v["user_ns"] + v["system_ns"]) / 1e9, v["largest_process_bytes"] / 1048576, v["minor_faults"]
       }' "$work/report"
}

# Of numbers, one a line: "median (least-greatest)"
spread() {
  sort -n | awk -v format="$1" '{ v[NR] = $1 }
    END {
      printf format " (" format "-" format ")",
        NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2, v[1], v[NR]
    }'
}

echo "churn of $blocks blocks, $rounds rounds | s without | s with | times faster |" \
  "peak memory, with / without | faults without | with"
for malloc in '' libjemalloc.so.2 libmimalloc.so.2 libtcmalloc_minimal.so.4; do
  if [[ -n $(LD_PRELOAD=$malloc true 2>&1) ]]; then
    echo "$malloc | not installed"
    continue
  fi
  : >"$work/rounds"
  for ((i = 0; i < rounds; i++)); do
    if ((i % 2)); then
      with=$(churn "$upa $malloc") without=$(churn "$malloc")
    else
      without=$(churn "$malloc") with=$(churn "$upa $malloc")
    fi
    echo "$without $with" >>"$work/rounds"
  done
  column() { awk "{ print $1 }" "$work/rounds" | spread "$2"; }
  echo "${malloc:-glibc} | $(column '$1' %.2f) | $(column '$4' %.2f) | $(column '$1 / $4' %.2f) |" \
    "$(column '$5 / $2' %.2f) | $(column '$3' %.0f) | $(column '$6' %.0f)"
done

# pairs PRELOAD BYTES COUNT THREADS HOW: "ns pairs-a-second"
pairs() {
  LD_PRELOAD=$1 "$bin/upa-preload-bench" pairs "${@:2}" | awk '{ print $2 }' | paste -sd' '
}

echo
echo "mmap + munmap, $rounds rounds | kernel ns | UPA ns | UPA, two threads to one: by the clock |" \
  "by their processor time | memset alone: by the clock"
for bytes in 4096 65536 1048576; do
  for how in untouched touched uncleared; do
    # A tenth of a second or more of each.
    cleared=$((4000000000 / (bytes + 4096)))
    case $how in
      untouched) count=$cleared ;;
      touched) count=$((cleared / 4)) ;;
      uncleared) count=3000000 ;;
    esac
    for ((i = 0; i < rounds; i++)); do
      read -r kernel _ < <(pairs "" $bytes $((cleared / 200 + 1)) 1 $how)
      read -r ns one < <(pairs "$upa" $bytes $count 1 $how)
      read -r ns2 two < <(pairs "$upa" $bytes $count 2 $how)
      read -r _ memset_one < <(pairs "" $bytes $cleared 1 memset)
      read -r _ memset_two < <(pairs "" $bytes $cleared 2 memset)
      echo "$kernel $ns $(awk "BEGIN { print $two / $one, 2 * $ns / $ns2, $memset_two / $memset_one }")"
    done >"$work/rounds"
    column() { awk "{ print $1 }" "$work/rounds" | spread "$2"; }
    echo "$bytes bytes, $how | $(column '$1' %.0f) | $(column '$2' %.0f) |" \
      "$(column '$3' %.2f) | $(column '$4' %.2f) | $(column '$5' %.2f)"
  done
done
