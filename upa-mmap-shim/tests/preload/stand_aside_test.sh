#!/usr/bin/env bash
# stand_aside_test.sh LIB_DIRECTORY TEST_DIRECTORY: what stops for which reason (preload/stand_aside.c) does, and no
# more; and the addresses that were UPA's are the kernel's in every call from then on, in every mode.
set -euo pipefail

libraries=$1
upa="$libraries/libupa_mmap.so"
program=$2/preload_stand_aside
outside=$2/preload_limited_outside
meanwhile=$2/preload_limited_meanwhile
sanitized=$2/preload_stand_aside_sanitized
trace_case=$2/preload_trace_case
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
failed=0

# What runs after each reason, as the program says it; and whether the trace is whole.
while IFS='|' read -r reason runs trace; do
  # Memory of the kernel's is cleared in place only if the kernel says what it is, as it does since 6.11.
  if [[ $reason == @(limited-addresses|limited-data|limited-by-pid|refused*) &&
    $(printf '%s\n' 6.11 "$(uname -r)" | sort -V | head -n 1) != 6.11 ]]; then
    runs=${runs/ purging/}
  fi
  rm -f t t.*
  found=$(LD_PRELOAD=$upa UPA_TRACE=t "$program" "$reason") || found="status $?"
  lost=$("$trace_case" header t) || lost='no trace'
  if [[ $found == "${runs%% }" && $lost == "ended, lost $trace" ]]; then
    echo "same: $reason"
  else
    echo "FAILED: $reason: runs:$found, expected:$runs; trace: $lost, expected: lost $trace"
    failed=1
  fi
done <<'END'
none| region heap purging huge files|none
harmless| region heap purging huge files|none
limited-addresses| purging files|some
limited-data| purging files|some
limited-by-pid| purging files|some
limited-another| region heap purging huge files|none
refused| purging files|some
limited-child| region heap purging huge files|none
refused-child| purging files|some
locked-whole||some
filtered||some
filtered-at-once||some
zerocopy||none
faults||none
faults-begun||none
sealed||none
pinned||none
pinned-by-sockets||none
pinned-by-devices||none
pinned-for-a-guest||none
pinned-by-a-library||none
executable| purging files|none
growing| heap purging files|none
locked| region heap files|none
locked-on-fault| region heap files|none
guarded| region heap files|none
keyed| region heap files|none
spliced| region heap files|none
no-huge-pages| region heap purging files|none
END

# Memory that is handed to a device, or to a guest.
found=$(LD_PRELOAD=$upa "$program" requests) || found="status $?"
[[ -z $found ]] && echo "same: requests" || { echo "FAILED: after requests: $found"; failed=1; }

# nothing NAME COMMAND...: there, UPA serves nothing from the start
nothing() {
  local name=$1 found
  shift
  found=$("$@" 2>&1) || found="status $?"
  [[ -z $found ]] && echo "same: $name" || { echo "FAILED: $name: runs:$found"; failed=1; }
}
nothing off env LD_PRELOAD="$upa" UPA_OFF=1 "$program" none
nothing sanitizer env LD_PRELOAD="$upa" "$sanitized" none
nothing "limited addresses" env LD_PRELOAD="$upa" bash -c 'ulimit -v 4000000 && exec "$0" none' "$program"
nothing "limited data" env LD_PRELOAD="$upa" bash -c 'ulimit -d 4000000 && exec "$0" none' "$program"

# note REASON TEXT: in the statistics
note() {
  local found
  found=$(LD_PRELOAD=$upa UPA_STATS=1 "$program" "$1" 2>&1 >/dev/null | sed -n '/^  note: /{s///p;q}')
  [[ $found == "$2" ]] && echo "same: note of $1" || { echo "FAILED: note of $1: $found"; failed=1; }
}
note none ''
note harmless ''
note locked ''
note limited-addresses 'the program limits its addresses: the kernel serves'
note refused 'a limit from outside is met: the kernel serves'
note locked-whole 'mlockall(): the kernel serves'
note filtered 'the program announces a filter: the kernel serves'
note zerocopy 'SO_ZEROCOPY: the kernel serves'
note faults 'userfaultfd: the kernel serves'
note faults-begun 'userfaultfd: the kernel serves'
note sealed 'mseal(): the kernel serves'
note pinned 'io_uring, AIO, AF_XDP, RDMA or a device: the kernel serves'
note pinned-by-devices 'io_uring, AIO, AF_XDP, RDMA or a device: the kernel serves'
note pinned-for-a-guest 'io_uring, AIO, AF_XDP, RDMA or a device: the kernel serves'
note pinned-by-a-library 'io_uring, AIO, AF_XDP, RDMA or a device: the kernel serves'
note executable 'personality(READ_IMPLIES_EXEC): the kernel serves'
note growing 'MAP_GROWSDOWN at an address: the kernel serves'
note pinned-by-sockets 'io_uring, AIO, AF_XDP, RDMA or a device: the kernel serves'

# mode NAME LIBRARIES [VARIABLE=VALUE...]
"$program" calls >kernel
"$outside" && "$meanwhile" || { echo "FAILED: limits, without UPA"; failed=1; }
mode() {
  local name=$1 preload=$2
  shift 2
  if env LD_PRELOAD="$preload" "$@" "$program" calls >"$name" 2>&1 && diff kernel "$name"; then
    echo "same: calls, $name ($(wc -l <"$name") lines)"
  else
    echo "FAILED: calls, $name"
    failed=1
  fi
  env LD_PRELOAD="$preload" "$@" "$program" race || { echo "FAILED: race, $name"; failed=1; }
  # Without redirection, libc's own calls are not seen when they are refused.
  [[ $name == symbols-only ]] && return
  env LD_PRELOAD="$preload" "$@" "$outside" || { echo "FAILED: limits, $name"; failed=1; }
  env LD_PRELOAD="$preload" "$@" "$meanwhile" || { echo "FAILED: limits meanwhile, $name"; failed=1; }
}
mode libc "$upa"
mode strict "$upa" UPA_STRICT=1
mode symbols-only "$upa" UPA_REDIRECT=0
mode retain-nothing "$upa" UPA_RETAIN=0 UPA_DECAY_MS=0
mode small-region "$upa" UPA_REGION_BYTES=16M
mode heap-only "$upa" UPA_LEAST_BYTES=16T
[[ ! -e $libraries/libupa_malloc.so ]] || mode dl "$upa:$libraries/libupa_malloc.so"
for malloc in libjemalloc.so.2 libmimalloc.so.2 libtcmalloc_minimal.so.4; do
  [[ -n $(LD_PRELOAD=$malloc true 2>&1) ]] || mode "$malloc" "$upa:$malloc"
done
exit "$failed"
