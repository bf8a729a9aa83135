#!/usr/bin/env bash
# systems-inside.sh: run by systems.sh in the chroot of another release. Prints its cells of the table, one a line; what
# else there is to say goes to standard error, which is the system's log.
set -uo pipefail

work=$(mktemp -d)
here=/upa/here/lib/libupa_mmap.so

# served COMMAND...: runs it under the library that was built elsewhere; "served/passed", or FAILED
served() {
  local status=0
  UPA_LAUNCHED=0 UPA_STATS=1 LD_PRELOAD=$here "$@" >"$work/out" 2>"$work/err" || status=$?
  cat "$work/err" >&2
  [[ $status -eq 0 ]] || { echo "FAILED: status $status"; return; }
  ! grep -q 'comes from UPA' "$work/err" || { echo "FAILED: $(grep -o 'comes from UPA.*' "$work/err")"; return; }
  awk '$1 == "all" { served += $2; passed += $4 } /heap reused/ { heap += $(NF - 1) }
    END { if (!served) printf "FAILED: none"; else printf "%d, %d; heap %d M", served, passed, heap / 1024 }' \
    "$work/err"
}

getconf GNU_LIBC_VERSION | sed 's/.* //'
gcc -dumpfullversion

served /upa/here/tests/redirect_blocks
echo

# Buffers that the heap grows and shrinks for, and some that are mapped: the same sum with UPA as without.
cat >"$work/buffers.py" <<'END'
total = 0
for i in range(400):
    block = bytearray(b"x" * (100000 + i * 977))
    big = bytearray(4000000 + i * 1000)
    big[i] = 7
    total += len(block) + sum(big[:1000])
print(total)
END
expected=$(python3 "$work/buffers.py")
cell=$(served python3 "$work/buffers.py")
[[ $(<"$work/out") == "$expected" ]] || cell="FAILED: another sum"
echo "$cell"

redis() {
  local i
  UPA_LAUNCHED=0 UPA_STATS=1 LD_PRELOAD=$here redis-server --port 0 --unixsocket "$work/socket" --save '' \
    --daemonize no \
    >"$work/redis.log" 2>"$work/err" &
  server=$!
  for ((i = 0; i < 100; i++)); do
    [[ $(redis-cli -s "$work/socket" ping 2>/dev/null) == PONG ]] && break
    sleep 0.1
  done
  redis-cli -s "$work/socket" eval "
    for i = 1, 20000 do redis.call('set', 'key' .. i, string.rep('x', 100 + i % 5000)) end
    for i = 1, 20000, 2 do redis.call('del', 'key' .. i) end" 0 >/dev/null
  [[ $(redis-cli -s "$work/socket" dbsize) == *10000* && $(redis-cli -s "$work/socket" strlen key10000) == *100* ]] ||
    echo "FAILED: lost keys"
  redis-cli -s "$work/socket" shutdown nosave
  wait "$server" || echo "FAILED: status $?"
  cat "$work/err" >&2
  awk '$1 == "all" { printf "%d, %d", $2, $4 } /nothing from UPA/ { printf "none: its own malloc" }' "$work/err"
}
redis | tr '\n' ' '
echo

# Compiled by hand, since CMake may be too old.
cd /upa/source/upa-mmap-shim || exit 1
if gcc -O2 -D_GNU_SOURCE= -Iinclude -Ilib -Itests tests/preload/conformance/*.c -o "$work/conformance" \
  -lpthread >&2; then
  "$work/conformance" >"$work/kernel" 2>&1
  LD_PRELOAD=$here "$work/conformance" >"$work/upa" 2>&1
  if diff "$work/kernel" "$work/upa" >&2; then
    echo "same ($(wc -l <"$work/upa"))"
  else
    echo "FAILED: differs"
  fi
else
  echo "FAILED: does not compile"
fi

built() {
  local version
  version=$(cmake --version | sed -nE '1s/.* ([0-9.]+).*/\1/p')
  if [[ $(printf '%s\n' 3.18 "$version" | sort -V | head -n 1) != 3.18 ]]; then
    echo "no: CMake $version"
    return
  fi
  local tests=(redirect_test symbols_test region_test region_resize mman_cases mman_state llfree_contract)
  (cmake -S /upa/source -B "$work/build" -G Ninja &&
    cmake --build "$work/build" \
      --target upa upa_mmap upa_blocks upa-run symbols_peer_gnu symbols_peer_sysv "${tests[@]}") >&2 ||
    { echo "FAILED: does not build"; return; }
  (cd "$work/build" && ctest --output-on-failure -R "^($(IFS='|' && echo "${tests[*]}"))\$") >&2 ||
    { echo "FAILED: its tests"; return; }
  here=$work/build/lib/libupa_mmap.so
  echo "yes, CMake $version; $(served /upa/here/tests/redirect_blocks)"
}
built
