#!/usr/bin/env bash
# chain_test.sh LIB_DIRECTORY TEST_DIRECTORY: UPA beside other preloaded libraries, before and behind them. A library
# that looks at calls sees each as often as without UPA; none that allocates in one waits for ever; and libraries that
# people use work.
set -euo pipefail

upa="$1/libupa_mmap.so"
dl="$1/libupa_malloc.so"
calls=$2/preload_chain_calls
spy=$2/libpreload_chain_spy.so
mallocs=$2/libpreload_chain_mallocs.so
numbers=$2/libpreload_chain_numbers.so
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
failed=0

# same NAME FILE COMMAND...: what the command says is in the file
same() {
  local name=$1 expected=$2
  shift 2
  if timeout 120 "$@" >found 2>&1 && diff "$expected" found; then
    echo "same: $name"
  else
    echo "FAILED: $name"
    failed=1
  fi
}

# What is seen of each call, and of malloc's family. Malloc libraries call mmap() by its name, each in its own way.
LD_PRELOAD=$spy "$calls" >seen 2>&1
LD_PRELOAD=$mallocs "$calls" mallocs >counted 2>&1
for mode in '' UPA_STRICT=1 UPA_OFF=1 UPA_UNCLEARED=0 UPA_RETAIN=0; do
  for order in "$upa:$spy" "$spy:$upa"; do
    same "seen, $mode ${order//$1\//}" seen env ${mode:+"$mode"} LD_PRELOAD="$order" "$calls"
  done
  for order in "$upa:$mallocs" "$mallocs:$upa"; do
    same "counted, $mode ${order//$1\//}" counted env ${mode:+"$mode"} LD_PRELOAD="$order" "$calls" mallocs
  done
done
# A library whose functions make system calls by syscall(), which is ours.
LD_PRELOAD=$numbers "$calls" >numbered 2>&1
for mode in '' UPA_STRICT=1 UPA_OFF=1 UPA_REDIRECT=0; do
  for order in "$upa:$numbers" "$numbers:$upa"; do
    same "by number, $mode ${order//$1\//}" numbered env ${mode:+"$mode"} LD_PRELOAD="$order" "$calls"
  done
done
# Where libc's own functions are not redirected, what UPA serves is not seen behind it.
same "seen, symbols only" seen env UPA_REDIRECT=0 LD_PRELOAD="$spy:$upa" "$calls"
same "seen, dl" seen env LD_PRELOAD="$upa:$spy:$dl" "$calls"
same "seen, dl before" seen env LD_PRELOAD="$spy:$upa:$dl" "$calls"

# ends NAME COMMAND...: with status 0, and does not wait for ever
ends() {
  local name=$1
  shift
  timeout 120 "$@" >said 2>&1 && echo "ends: $name" && return
  echo "FAILED: $name: status $?: $(head -c 300 said)"
  failed=1
}
for libraries in "$upa:$spy" "$spy:$upa" "$upa:$spy:$dl" "$upa:$dl:$spy" "$spy:$upa:$dl"; do
  for mode in UPA_STRICT=0 UPA_STRICT=1; do
    ends "busy, $mode ${libraries//$1\//}" env SPY_BUSY=1 $mode LD_PRELOAD="$libraries" "$calls"
    ends "busy mallocs, $mode ${libraries//$1\//}" env SPY_BUSY=1 $mode LD_PRELOAD="$libraries" "$calls" mallocs
  done
done

# Beside a thread that is there before main(), libc's code is changed before that thread, or not at all.
threads() {
  local libraries=$1 expected=$2 lines
  for _ in 1 2 3 4 5; do
    ends "threads, ${libraries//*\//}" env UPA_STATS=1 LD_PRELOAD="$libraries" "$calls" mallocs
    lines=$(grep -c 'another thread runs already' said || true)
    [[ $lines == "$expected" ]] || { echo "FAILED: threads, $libraries: $lines lines: $(cat said)"; failed=1; }
  done
}
for order in "$upa:$2/libpreload_chain_threads.so" "$2/libpreload_chain_threads.so:$upa"; do
  threads "$order" 0
done
threads "$upa:$2/libpreload_chain_threads_first.so" 1

# fork() beside threads that allocate with libc's locks held.
seconds=$([[ -z ${UPA_FULL:-} ]] && echo 2 || echo 60)
for libraries in "$upa" "$dl" "$upa:$dl"; do
  ends "fork among threads, ${libraries//$1\//}" env LD_PRELOAD="$libraries" "$calls" lines "$seconds"
done

# there LIBRARY: the dynamic linker can load it
there() { [[ -z $(LD_PRELOAD=$1 /bin/true 2>&1) ]]; }

if there libc_malloc_debug.so.0; then
  for order in "$upa:libc_malloc_debug.so.0" "libc_malloc_debug.so.0:$upa"; do
    ends "glibc's heap checker" env MALLOC_CHECK_=3 LD_PRELOAD="$order" "$calls" mallocs
  done
fi
# Its own mmap() makes the system call by syscall(), which is ours.
if there libtcmalloc_minimal.so.4; then
  for mode in UPA_STRICT=0 UPA_STRICT=1 UPA_REDIRECT=0; do
    for order in "$upa:libtcmalloc_minimal.so.4" "libtcmalloc_minimal.so.4:$upa"; do
      ends "tcmalloc, $mode" env $mode LD_PRELOAD="$order" "$calls"
      ends "tcmalloc, mallocs, $mode" env $mode LD_PRELOAD="$order" "$calls" mallocs
    done
  done
fi
if there libsocket_wrapper.so; then
  for order in "$upa:libsocket_wrapper.so" "libsocket_wrapper.so:$upa"; do
    mkdir -p sockets
    ends "libsocket_wrapper" env SOCKET_WRAPPER_DIR="$work/sockets" SOCKET_WRAPPER_DEFAULT_IFACE=10 \
      LD_PRELOAD="$order" "$calls" socket
    rm -rf sockets
  done
fi
for library in /usr/lib/*/faketime/libfaketime.so.1; do
  [[ -e $library ]] || continue
  for order in "$upa:$library" "$library:$upa"; do
    year=$(FAKETIME='2001-01-01 00:00:00' LD_PRELOAD=$order date +%Y)
    [[ $year == 2001 ]] || { echo "FAILED: libfaketime: year=$year"; failed=1; }
    ends "libfaketime" env FAKETIME='2001-01-01 00:00:00' LD_PRELOAD="$order" "$calls" mallocs
  done
done
if there libeatmydata.so; then
  for order in "$upa:libeatmydata.so" "libeatmydata.so:$upa"; do
    ends "libeatmydata" env LD_PRELOAD="$order" "$calls"
  done
fi
if command -v fakeroot >/dev/null; then
  id=$(LD_PRELOAD=$upa fakeroot sh -c 'touch f && chown 3:4 f && stat -c %u:%g f')
  [[ $id == 3:4 ]] || { echo "FAILED: fakeroot: owner=$id"; failed=1; }
fi
if [[ -e /usr/lib/heaptrack/libheaptrack_preload.so ]]; then
  heaptrack=/usr/lib/heaptrack/libheaptrack_preload.so
  timeout 60 env DUMP_HEAPTRACK_OUTPUT="$work/alone" LD_PRELOAD="$heaptrack" "$calls" mallocs
  for order in "$upa:$heaptrack" "$heaptrack:$upa"; do
    timeout 60 env DUMP_HEAPTRACK_OUTPUT="$work/beside" LD_PRELOAD="$order" "$calls" mallocs
    beside=$(grep -c '^+' beside) alone=$(grep -c '^+' alone)
    [[ $beside == "$alone" ]] || { echo "FAILED: heaptrack sees $beside, alone $alone"; failed=1; }
  done
fi

# Names by which programs reach glibc's own malloc, and what it says of itself.
for name in __libc_malloc __libc_free __libc_calloc __libc_realloc __libc_memalign __libc_valloc __libc_pvalloc cfree \
  mallinfo mallinfo2 malloc_info malloc_stats malloc_trim mallopt; do
  nm -D --defined-only "$dl" 2>/dev/null | grep -q " $name\$" || { echo "FAILED: $dl has no $name"; failed=1; }
done
for libraries in "$upa:$dl" "$dl"; do
  ends "names of glibc's, ${libraries//$1\//}" env LD_PRELOAD="$libraries" "$2/preload_chain_names"
done
exit "$failed"
