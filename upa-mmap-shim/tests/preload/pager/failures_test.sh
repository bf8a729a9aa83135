#!/usr/bin/env bash
# failures_test.sh UPA TESTS: {client, pager, store} x {killed, stopped, slow, full, cut off} while threads check every
# page that they touch. No page may be wrong, and what a thread waits for is said. The network is a network namespace
# with a link of its own; where none can be made, that part is left out, with a line. With UPA_FULL in the environment
# each lasts longer, and a file system that is full is among them. Skipped without redis-server, or where nothing is
# paged.
set -euo pipefail
upa=$1 tests=$2
command -v redis-server redis-cli >/dev/null || {
  echo "skipped: there is no redis-server"
  exit 77
}
source "${BASH_SOURCE[0]%/*}/paged.sh"
seconds=2
[[ -z ${UPA_FULL:-} ]] || seconds=60
program='' server='' mounted='' space=''
trap '[[ -z $server ]] || kill -9 "$server" 2>/dev/null || true
  [[ -z $program ]] || kill -9 "$program" 2>/dev/null || true
  [[ -z $mounted ]] || umount -l "$mounted"
  [[ -z $space ]] || ip netns del "$space"
  rm -rf "$work"' EXIT

need_paging

port=$((22000 + RANDOM % 2000))

redis() {
  redis-cli -p "$port" "$@" 2>/dev/null
}

start_store() {
  redis-server --port "$port" --bind 127.0.0.1 --save '' --dir "$work" --loglevel warning --daemonize no \
    --enable-debug-command local "$@" >>"$work/redis.log" 2>&1 &
  server=$!
  for ((i = 0; i < 100; i++)); do
    [[ $(redis ping) != PONG ]] || return 0
    sleep 0.1
  done
  cat "$work/redis.log"
  exit 1
}

# begin STORE [WORD...]: the checker in the background, as process $program, when it has pages in the store.
begin() {
  local text=
  rm -f "$work/input"
  mkfifo "$work/input"
  "$upa" run --policy clock --memory 16M --store "$1" -- "$tests/pager_checker" 32 2 until-input "${@:2}" \
    <>"$work/input" >"$work/out" 2>"$work/err" &
  program=$!
  for ((i = 0; i < 300; i++)); do
    text=$(ask stats "$program")
    if grep -q '^evicted to stores  *[1-9]' <<<"$text"; then
      pager=$(pager_of "$program")
      return 0
    fi
    kill -0 "$program" 2>/dev/null || break
    sleep 0.1
  done
  fail "nothing was evicted to $1: $(<"$work/err") $text"
}

# end NAME: after some more touches nothing is wrong.
end() {
  local status=0
  sleep "$seconds"
  # Also where nobody reads any more.
  echo end 1<>"$work/input"
  for ((i = 0; i < 600; i++)); do
    kill -0 "$program" 2>/dev/null || break
    sleep 0.1
  done
  if kill -0 "$program" 2>/dev/null; then
    fail "$1: it hangs: $("$upa" policy stats "$program" 2>&1) $(<"$work/err")"
    kill -9 "$program"
  fi
  wait "$program" || status=$?
  program=
  if [[ $status -ne 0 ]] || ! grep -q ' wrong 0$' "$work/out"; then
    fail "$1: status=$status: $(<"$work/out") $(<"$work/err")"
  fi
  echo "$1: $(<"$work/out")"
}

# halt PID: stops a process for a while, and lets it go on.
halt() {
  kill -STOP "$1"
  sleep "$seconds"
  kill -CONT "$1"
}

# limp PID: a process that makes hardly any progress.
limp() {
  for ((i = 0; i < 20 * seconds; i++)); do
    kill -STOP "$1"
    sleep 0.04
    kill -CONT "$1"
    sleep 0.01
  done
}

start_store
far="redis://127.0.0.1:$port?timeout=500ms"

# ---- the client

begin "$far"
halt "$program"
end 'client stopped'

begin "$far" drop
limp "$program"
end 'client slow'

begin "$far"
kill -9 "$program"
wait "$program" 2>/dev/null || true
killed=$program program=
for ((i = 0; i < 300; i++)); do
  [[ $(redis dbsize) != 0 || -n $(run_socket "$killed") ]] || break
  sleep 0.1
done
[[ $(redis dbsize) == 0 ]] || fail "client killed: keys are left: $(redis dbsize)"
[[ -z $(run_socket "$killed") ]] || fail "client killed: its pager goes on with it"

# ---- the pager

begin "$far" drop
halt "$pager"
end 'pager stopped'

begin "$far"
limp "$pager"
end 'pager slow'

begin "$far" drop
for ((k = 0; k < 2 * seconds; k++)); do
  kill -9 "$pager" 2>/dev/null || true
  for ((i = 0; i < 200; i++)); do
    pager=$(pager_of "$program")
    [[ -z $pager ]] || break
    sleep 0.1
  done
  sleep "0.$((RANDOM % 10))"
done
end 'pager killed'

# ---- the store

begin "$far"
kill -STOP "$server"
await is_said 'store=redis does not answer: threads wait for pages there' ||
  fail "a store that hangs is not said: $(<"$work/err")"
sleep "$seconds"
kill -CONT "$server"
end 'store stopped'

# Pages that are in a store near by do not wait for the far one.
begin "lz4:64M,$far"
kill -STOP "$server"
end 'far store stopped'
kill -CONT "$server"

# The same with one store that has a copy near by. What is to leave waits, in memory.
begin "lz4:64M+$far"
kill -STOP "$server"
end 'store with copies near by stopped'
kill -CONT "$server"

begin "$far" drop
limp "$server"
end 'store slow'

begin "$far"
for ((i = 0; i < 10 * seconds; i++)); do
  redis client kill type normal skipme yes >/dev/null || true
  sleep 0.1
done
end 'store cut off'

# It ends, and comes back with what it had.
begin "$far"
redis shutdown save >/dev/null || true
wait "$server" 2>/dev/null || true
sleep 0.5
start_store --dbfilename dump.rdb
end 'store restarted'

begin "$far"
redis config set maxmemory 1mb >/dev/null
await is_said 'no store takes more pages: they stay in memory, over the bound' ||
  fail "a full store is not said: $(<"$work/err")"
redis config set maxmemory 0 >/dev/null
end 'store full'

# It ends, and what it had is gone: who touches a page that was there gets SIGBUS, and the reason is said.
begin "$far"
kill -9 "$server"
wait "$server" 2>/dev/null || true
rm -f "$work/dump.rdb"
start_store
status=0
for ((i = 0; i < 300; i++)); do
  kill -0 "$program" 2>/dev/null || break
  sleep 0.1
done
kill -0 "$program" 2>/dev/null && fail "store killed: the program goes on without its pages"
wait "$program" || status=$?
program=
[[ $status -eq 135 ]] || fail "store killed: status=$status: $(<"$work/err")"
grep -q 'store=redis does not return what was written (MISSING): who touches the page gets SIGBUS' "$work/err" ||
  fail "store killed: the reason is not said: $(<"$work/err")"

# ---- the network

# A store behind a link of its own: $link is this side, $space the other.
make_network() {
  space=upa-test-$$ link=upa$$
  ip netns add "$space" 2>"$work/said" || {
    space=
    return 1
  }
  ip link add "$link" type veth peer name "${link}p" netns "$space" 2>"$work/said" &&
    ip address add 10.213.77.1/30 dev "$link" && ip link set "$link" up &&
    ip -n "$space" address add 10.213.77.2/30 dev "${link}p" && ip -n "$space" link set "${link}p" up
}

# A link that is up again may take a moment.
await_network() {
  for ((i = 0; i < 100; i++)); do
    [[ $(timeout 1 redis-cli -h 10.213.77.2 -p "$port" ping 2>/dev/null) != PONG ]] || return 0
    sleep 0.1
  done
  fail "the store behind the link does not answer"
}

kill -9 "$server" 2>/dev/null || true
wait "$server" 2>/dev/null || true
server=
if [[ $EUID -eq 0 ]] && make_network; then
  ip netns exec "$space" redis-server --port "$port" --bind 10.213.77.2 --protected-mode no --save '' --dir "$work" \
    --loglevel warning --daemonize no >>"$work/redis.log" 2>&1 &
  server=$!
  behind="redis://10.213.77.2:$port?timeout=500ms"

  # Packets are lost, and nobody says so.
  await_network
  begin "$behind"
  ip -n "$space" link set "${link}p" down
  await is_said 'store=redis does not answer: threads wait for pages there' ||
    fail "a network that is cut is not said: $(<"$work/err")"
  ip -n "$space" link set "${link}p" up
  end 'network cut'

  await_network
  begin "$behind" drop
  for ((k = 0; k < 3 * seconds; k++)); do
    ip link set "$link" down
    sleep 0.3
    ip link set "$link" up
    sleep 0.5
  done
  end 'network cut again and again'

  await_network
  begin "lz4:64M+$behind"
  ip link set "$link" down
  end 'network cut, with copies near by'
  ip link set "$link" up

  # 16 Mbit/s: 500 pages a second.
  await_network
  begin "$behind"
  if tc qdisc add dev "$link" root tbf rate 16mbit burst 32kb latency 400ms 2>"$work/said" &&
    ip netns exec "$space" tc qdisc add dev "${link}p" root tbf rate 16mbit burst 32kb latency 400ms; then
    sleep "$seconds"
    tc qdisc del dev "$link" root
    ip netns exec "$space" tc qdisc del dev "${link}p" root
    end 'network slow'
  else
    end 'network as it is'
    echo "network slow: left out: $(<"$work/said")"
  fi
else
  echo "network cut, slow: left out, there can be no network namespace: $(cat "$work/said" 2>/dev/null)"
fi

# ---- a disk that is full, and has room again

if [[ -n ${UPA_FULL:-} && $EUID -eq 0 ]]; then
  truncate -s 48M "$work/disk"
  mkdir "$work/mounted"
  if mkfs.ext4 -q "$work/disk" && mount -o loop "$work/disk" "$work/mounted" 2>"$work/said"; then
    mounted=$work/mounted
    fallocate -l $(($(stat -f -c '%a * %S' "$mounted") - (4 << 20))) "$mounted/other"
    begin "file:$mounted:1G"
    await is_said 'no store takes more pages: they stay in memory, over the bound' ||
      fail "a full disk is not said: $(<"$work/err")"
    rm "$mounted/other"
    end 'disk full'
  else
    echo "disk full: left out, nothing can be mounted: $(<"$work/said")"
  fi
fi
exit "$failed"
