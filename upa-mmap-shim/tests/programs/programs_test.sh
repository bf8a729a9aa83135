#!/usr/bin/env bash
# programs_test.sh LIB_DIRECTORY [--full]: real programs do real work under UPA, with output that is the same byte for byte as on
# the kernel, in every mode. Programs that are not installed are left out with a line that says so; exit status 77 if all are.
set -euo pipefail

libraries=$1
full=${2:-${UPA_FULL:+--full}}
upa="$libraries/libupa_mmap.so"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
modes=(libc dl)
[[ -z $full ]] || modes+=(libjemalloc.so.2 libmimalloc.so.2)
scale=$([[ -z $full ]] && echo 1 || echo 8)
ran=0
failed=0

preload() { # MODE
  case $1 in
    libc) echo "$upa" ;;
    dl) echo "$upa:$libraries/libupa_malloc.so" ;;
    *) echo "$upa:$1" ;;
  esac
}

# program NAME COMMAND FUNCTION: runs FUNCTION, whose programs must see LD_PRELOAD, plain and in each mode, in a fresh directory each
program() {
  local name=$1 mode status
  if ! command -v "$2" >/dev/null; then
    echo "left out: $name, for there is no $2"
    return
  fi
  ran=1
  mkdir -p "$work/$name/kernel"
  (cd "$work/$name/kernel" && "$3" >../kernel.out 2>../kernel.err) || {
    echo "left out: $name fails on the kernel too: $(tail -n 1 "$work/$name/kernel.err")"
    return
  }
  for mode in "${modes[@]}"; do
    [[ $mode != lib* || -z $(LD_PRELOAD=$mode true 2>&1) ]] || continue
    mkdir -p "$work/$name/$mode"
    status=0
    (cd "$work/$name/$mode" && export LD_PRELOAD && LD_PRELOAD=$(preload "$mode") && "$3" >../"$mode.out" 2>../"$mode.err") || status=$?
    if [[ $status -ne 0 ]] || ! cmp -s "$work/$name/kernel.out" "$work/$name/$mode.out"; then
      echo "FAILED: $name under $mode, status $status: $(diff "$work/$name/kernel.out" "$work/$name/$mode.out" | head -n 3) $(tail -n 2 "$work/$name/$mode.err")"
      failed=1
    else
      echo "same: $name under $mode"
    fi
  done
  rm -rf "${work:?}/$name"
}

lines() { seq 1 $((200000 * scale)); }

in_bash() {
  for i in $(seq 1 $((20 * scale))); do
    lines | head -n 20000 | tr 1 x | grep -c "x$i" | sed 's/^/lines /'
    (echo "$i" && (echo "$((i * i))")) | cat | wc -c
  done
  text=$(lines | head -n 50000)
  echo "${#text}"
}

in_python() {
  python3 - "$scale" <<'PROGRAM'
import mmap, multiprocessing, sys, threading, hashlib
scale = int(sys.argv[1])

def churn(n):
    total = 0
    for i in range(n):
        block = bytearray(i * 7919 % 900000)
        total += len(block) + sum(block[:100])
        block[:] = b"x" * len(block)
    return total

def child(n):
    return churn(n)

if __name__ == "__main__":
    results = [0] * 6
    def thread(i):
        results[i] = churn(300 * scale)
    threads = [threading.Thread(target=thread, args=(i,)) for i in range(6)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    print(results)
    with multiprocessing.get_context("fork").Pool(3) as pool:
        print(pool.map(child, [200 * scale] * 6))
    with mmap.mmap(-1, 1 << 22, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as area:
        area[100:200] = b"y" * 100
        area.resize(1 << 23)
        print(area[100:200], area[1 << 22:(1 << 22) + 10], hashlib.sha256(area).hexdigest())
    words = {str(i): [i] * (i % 50) for i in range(100000 * scale)}
    print(len(words), sum(map(len, words.values())))
PROGRAM
}

in_gcc() {
  python3 -c "
for i in range(400 * $scale):
    print(f'int f{i}(int *a, int n) {{ int s = {i}; for (int i = 0; i < n; i++) s += a[i] * {i} ^ (s >> 3); return s % {i + 1}; }}')
" >large.c
  gcc -O2 -c large.c -o large.o
  sha256sum <large.o
}

in_git() {
  export GIT_AUTHOR_DATE='2020-01-01T00:00:00Z' GIT_COMMITTER_DATE='2020-01-01T00:00:00Z'
  export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@a GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@a
  git init -q -b main one
  for i in $(seq 1 $((15 * scale))); do
    lines | head -n $((i * 1000)) >"one/file$((i % 5))"
    git -C one add -A
    git -C one commit -q -m "commit $i"
  done
  git clone -q --no-local one two 2>/dev/null
  git -C two gc -q --aggressive
  git -C two fsck --full --strict 2>/dev/null
  git -C two log --format=%H%n%T | sha256sum
  git -C two diff HEAD~10 | sha256sum
}

in_sqlite() {
  sqlite3 t.db "create table t(a integer primary key, b text);
    with recursive c(x) as (select 1 union all select x + 1 from c where x < $((100000 * scale))) insert into t select x, printf('%08d', x * 7919 % 100003) from c;
    create index i on t(b); delete from t where a % 7 = 0; vacuum;
    select count(*), sum(length(b)), min(b), max(b) from t; select group_concat(b) from (select b from t order by b limit 500); pragma integrity_check;"
}

in_perl() {
  perl -e 'my %h; for my $i (1 .. 200000 * shift) { push @{ $h{ $i % 1000 } }, "v" x ($i % 60); } my $n = 0; $n += length for map { @$_ } values %h; print "$n\n";
    my $s = ""; $s .= chr(65 + $_ % 26) x 1000 for 1 .. 20000; print length($s), " ", ($s =~ tr/A//), "\n";' "$scale"
}

in_sort() { lines | sort -R --random-source=<(yes) | sort -n --parallel=2 | sha256sum; }

in_xz() {
  lines >text
  xz -T2 -9 --block-size=1MiB -k text
  sha256sum <text.xz
  xz -dc text.xz | cmp - text && echo same
}

in_java() {
  cat >Work.java <<'PROGRAM'
import java.util.*;
import java.util.stream.*;

public class Work {
  public static void main(String[] arguments) throws Exception {
    Map<Integer, List<byte[]>> map = new HashMap<>();
    for (int i = 0; i < 300_000; i++) {
      List<byte[]> list = map.computeIfAbsent(i % 97, k -> new ArrayList<>());
      list.add(new byte[i % 5000]);
      if (list.size() > 200) list.subList(0, 150).clear();
    }
    System.out.println(map.values().stream().flatMap(List::stream).mapToLong(b -> b.length).sum());
    System.out.println(IntStream.range(0, 2_000_000).parallel().mapToObj(Integer::toString).mapToInt(String::hashCode).asLongStream().sum());
    Thread[] threads = new Thread[8];
    long[] sums = new long[threads.length];
    for (int t = 0; t < threads.length; t++) {
      int id = t;
      threads[t] = new Thread(() -> { for (int i = 0; i < 20_000; i++) sums[id] += new int[i % 1000 + 1].length; });
      threads[t].start();
    }
    for (Thread thread : threads) thread.join();
    System.out.println(Arrays.stream(sums).sum());
  }
}
PROGRAM
  "$java" -Xmx256m Work.java
  "$java" -Xmx256m -XX:+UseSerialGC Work.java
}

in_node() {
  node -e 'const m = new Map(); for (let i = 0; i < 300000; i++) m.set("k" + i % 5000, Buffer.alloc(i % 3000, i % 256));
    let n = 0; for (const b of m.values()) n += b.length + (b[0] || 0); console.log(n);
    const a = []; for (let i = 0; i < 1e6; i++) a.push({ i, s: "x" + i }); console.log(a.reduce((s, o) => s + o.s.length, 0));
    const w = new WebAssembly.Memory({ initial: 10, maximum: 1000 }); w.grow(100); console.log(w.buffer.byteLength);'
}

in_redis() {
  local port=$((20000 + RANDOM % 20000)) pid
  redis-server --port "$port" --save '' --dir . --daemonize no --logfile log >/dev/null &
  pid=$!
  for _ in $(seq 1 100); do
    redis-cli -p "$port" ping 2>/dev/null | grep -q PONG && break
    sleep 0.1
  done
  redis-cli -p "$port" debug populate $((50000 * scale)) key 200
  seq 1 $((20000 * scale)) | awk '{ printf "SET k%d v%d\r\n", $1, $1 * 7919 }' | redis-cli -p "$port" --pipe | grep errors
  redis-cli -p "$port" bgsave >/dev/null
  seq 1 2 $((20000 * scale)) | awk '{ printf "DEL k%d\r\n", $1 }' | redis-cli -p "$port" --pipe | grep errors
  while redis-cli -p "$port" info persistence | grep -q 'rdb_bgsave_in_progress:1'; do sleep 0.1; done
  redis-cli -p "$port" info persistence | grep rdb_last_bgsave_status
  seq 2 2 $((20000 * scale)) | awk '{ printf "GET k%d\r\n", $1 }' | redis-cli -p "$port" | sha256sum
  redis-cli -p "$port" dbsize
  redis-cli -p "$port" debug reload
  redis-cli -p "$port" dbsize
  redis-cli -p "$port" shutdown nosave 2>/dev/null || true
  wait "$pid" || true
}

in_seccomp() { man -P cat man | sha256sum; }

program bash bash in_bash
program python python3 in_python
program gcc gcc in_gcc
program git git in_git
program sqlite sqlite3 in_sqlite
program perl perl in_perl
program sort sort in_sort
program xz xz in_xz
program node node in_node
program redis redis-server in_redis
program man man in_seccomp
for java in $(ls -d /usr/lib/jvm/*/bin/java 2>/dev/null); do
  [[ -x ${java%/java}/javac ]] || continue
  program "$(basename "${java%/bin/java}")" "$java" in_java
  [[ -n $full ]] || break
done
[[ $ran -eq 1 ]] || exit 77
exit "$failed"
