#!/usr/bin/env bash
# programs_test.sh LIB_DIRECTORY [--full] [PROGRAM...]: real programs do real work under UPA, with output that is the
# same byte for byte as on the kernel, in every mode. Programs that are not installed are left out with a line that says
# so; exit status 77 if all are. Without --full each does little, and beside libc's malloc runs with one of the others,
# in turn: --full has them all. Servers listen on a free port of the loopback and are ended by their process numbers.
set -euo pipefail

libraries=$1
shift
full=${UPA_FULL:+--full}
[[ ${1:-} != --full ]] || { full=--full && shift; }
only=" $* "
upa="$libraries/libupa_mmap.so"
work=$(mktemp -d)
chmod 755 "$work"
servers="$work/servers"
touch "$servers"
end_servers() { xargs -r kill -9 <"$servers" 2>/dev/null || true; }
trap 'end_servers; rm -rf "$work"' EXIT
others=(dl)
for malloc in libjemalloc.so.2 libmimalloc.so.2 libtcmalloc_minimal.so.4; do
  if [[ -z $(LD_PRELOAD=$malloc true 2>&1) ]]; then
    others+=("$malloc")
  else
    echo "left out: $malloc is not installed"
  fi
done
next=0
scale=$([[ -z $full ]] && echo 1 || echo 8)
ran=0
failed=0

preload() { # MODE, libc or one of the others
  case $1 in
    libc) echo "$upa" ;;
    dl) echo "$upa:$libraries/libupa_malloc.so" ;;
    *) echo "$upa:$1" ;;
  esac
}

# port: one that nobody listens on
port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# serve COMMAND...: starts a server, its process number in $server
serve() {
  "$@" &
  server=$!
  echo "$server" >>"$servers"
}

# answers COMMAND...: waits until it succeeds, 20 seconds at most
answers() {
  for _ in $(seq 1 200); do
    if (unset LD_PRELOAD && "$@") >/dev/null 2>&1; then return; fi
    sleep 0.1
  done
  echo "no answer: $*"
  return 1
}

# finish: ends the server and waits for it
finish() {
  kill "$server" 2>/dev/null || true
  wait "$server" 2>/dev/null || true
}

# program NAME COMMAND FUNCTION: runs FUNCTION, whose programs must see LD_PRELOAD, plain and in each mode, in a fresh
# directory each
program() {
  local name=$1 mode status modes=(libc)
  [[ $only == '  ' || $only == *" $name "* ]] || return 0
  if [[ -n $full ]]; then modes+=("${others[@]}"); else modes+=("${others[next++ % ${#others[@]}]}"); fi
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
    mkdir -p "$work/$name/$mode"
    status=0
    (cd "$work/$name/$mode" && export LD_PRELOAD && LD_PRELOAD=$(preload "$mode") &&
      "$3" >../"$mode.out" 2>../"$mode.err") || status=$?
    if [[ $status -ne 0 ]] || ! cmp -s "$work/$name/kernel.out" "$work/$name/$mode.out"; then
      # Any malloc library is too much for PHP, which binds its modules to libc's.
      if [[ $mode == lib* ]] && ! (mkdir "$work/$name/alone-$mode" && cd "$work/$name/alone-$mode" &&
        export LD_PRELOAD="$mode" && "$3") >/dev/null 2>&1; then
        echo "left out: $name fails under $mode without UPA too"
        continue
      fi
      echo "FAILED: $name under $mode, status $status:" \
        "$(diff "$work/$name/kernel.out" "$work/$name/$mode.out" | head -n 3)" \
        "$(tail -n 2 "$work/$name/$mode.err")"
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
    print(f'int f{i}(int *a, int n) {{ int s = {i}; for (int i = 0; i < n; i++) s += a[i] * {i} ^ (s >> 3);'
          f' return s % {i + 1}; }}')
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
    with recursive c(x) as (select 1 union all select x + 1 from c where x < $((100000 * scale)))
      insert into t select x, printf('%08d', x * 7919 % 100003) from c;
    create index i on t(b); delete from t where a % 7 = 0; vacuum;
    select count(*), sum(length(b)), min(b), max(b) from t;
    select group_concat(b) from (select b from t order by b limit 500); pragma integrity_check;"
}

in_perl() {
  perl -e 'my %h; for my $i (1 .. 200000 * shift) { push @{ $h{ $i % 1000 } }, "v" x ($i % 60); }
    my $n = 0; $n += length for map { @$_ } values %h; print "$n\n";
    my $s = ""; $s .= chr(65 + $_ % 26) x 1000 for 1 .. 20000; print length($s), " ", ($s =~ tr/A//), "\n";' "$scale"
}

in_sort() {
  lines | sort -R --random-source=<(yes) | sort -n --parallel=2 | sha256sum
  # A gigabyte of lines of 101 bytes, as far as possible in memory.
  [[ -z $full ]] ||
    awk 'BEGIN { for (; i < 10000000; i++) printf "%010d %089d\n", n = (n * 16807 + 12345) % 2147483647, i }' |
    LC_ALL=C sort --parallel=2 | sha256sum
}

in_xz() {
  lines >text
  xz -T2 -9 --block-size=1MiB -k text
  sha256sum <text.xz
  xz -dc text.xz | cmp - text && echo same
}

# In the other of two collectors too, whose heaps are committed and purged differently.
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
    System.out.println(IntStream.range(0, 2_000_000).parallel().mapToObj(Integer::toString)
        .mapToInt(String::hashCode).asLongStream().sum());
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
  "$java" -Xmx256m -XX:+UseG1GC Work.java
  "$java" -Xmx256m -XX:+UseSerialGC Work.java
}

in_node() {
  node -e 'const m = new Map(); for (let i = 0; i < 300000; i++) m.set("k" + i % 5000, Buffer.alloc(i % 3000, i % 256));
    let n = 0; for (const b of m.values()) n += b.length + (b[0] || 0); console.log(n);
    const a = []; for (let i = 0; i < 1e6; i++) a.push({ i, s: "x" + i });
    console.log(a.reduce((s, o) => s + o.s.length, 0));
    const w = new WebAssembly.Memory({ initial: 10, maximum: 1000 }); w.grow(100); console.log(w.buffer.byteLength);'
}

in_redis() {
  local port server
  port=$(port)
  serve redis-server --bind 127.0.0.1 --port "$port" --save '' --dir . --daemonize no --logfile log
  for _ in $(seq 1 100); do
    redis-cli -p "$port" ping 2>/dev/null | grep -q PONG && break
    sleep 0.1
  done
  redis-cli -p "$port" debug populate $((50000 * scale)) key 200
  seq 1 $((20000 * scale)) | awk '{ printf "SET k%d v%d\r\n", $1, $1 * 7919 }' |
    redis-cli -p "$port" --pipe | grep errors
  redis-cli -p "$port" bgsave >/dev/null
  seq 1 2 $((20000 * scale)) | awk '{ printf "DEL k%d\r\n", $1 }' | redis-cli -p "$port" --pipe | grep errors
  while redis-cli -p "$port" info persistence | grep -q 'rdb_bgsave_in_progress:1'; do sleep 0.1; done
  redis-cli -p "$port" info persistence | grep rdb_last_bgsave_status
  seq 2 2 $((20000 * scale)) | awk '{ printf "GET k%d\r\n", $1 }' | redis-cli -p "$port" | sha256sum
  redis-cli -p "$port" dbsize
  redis-cli -p "$port" debug reload
  redis-cli -p "$port" dbsize
  redis-cli -p "$port" shutdown nosave 2>/dev/null || true
  finish
}

in_memcached() {
  local port server
  port=$(port)
  serve memcached -u nobody -l 127.0.0.1 -p "$port" -m 128 -t 2
  (unset LD_PRELOAD && python3 - "$port" "$scale" <<'PROGRAM'
import hashlib, socket, sys, time
for attempt in range(200):
    try:
        s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
        break
    except OSError:
        time.sleep(0.1)
f = s.makefile("rb")
def value(i):
    return hashlib.sha256(b"%d" % i).hexdigest().encode() * (i * 7919 % 300 + 1)
n = 3000 * int(sys.argv[2])
for i in range(n):
    v = value(i)
    s.sendall(b"set k%d 0 0 %d\r\n%s\r\n" % (i, len(v), v))
    assert f.readline() == b"STORED\r\n"
    if i % 3 == 0 and i:
        s.sendall(b"delete k%d\r\n" % (i - 1))
        assert f.readline() == b"DELETED\r\n"
good = missing = 0
for i in range(n):
    s.sendall(b"get k%d\r\n" % i)
    line = f.readline()
    if line == b"END\r\n":
        missing += 1
        continue
    length = int(line.split()[3])
    good += f.read(length + 2)[:-2] == value(i)
    assert f.readline() == b"END\r\n"
print(n, good, missing)
PROGRAM
  )
  finish
}

# PostgreSQL refuses to run as root.
in_postgres() {
  local as=() port server bin
  bin=$(dirname "$postgres")
  port=$(port)
  if [[ $(id -u) -eq 0 ]]; then
    as=(setpriv --reuid postgres --regid postgres --clear-groups)
    chown postgres .
  fi
  "${as[@]}" env HOME="$PWD" "$bin/initdb" -D data -U postgres -A trust --no-sync --locale=C >/dev/null
  serve "${as[@]}" "$bin/postgres" -D data -p "$port" -k "$PWD" -c listen_addresses= -c fsync=off -c shared_buffers=32MB
  answers "$bin/pg_isready" -h "$PWD" -p "$port"
  "${as[@]}" "$bin/pgbench" -h "$PWD" -p "$port" -U postgres -i -s "$scale" postgres >/dev/null 2>&1
  "${as[@]}" "$bin/pgbench" -h "$PWD" -p "$port" -U postgres -c 4 -j 2 -t $((100 * scale)) --random-seed=1 postgres |
    grep 'actually processed'
  "${as[@]}" "$bin/psql" -h "$PWD" -p "$port" -U postgres -At <<'SQL'
select sum(abalance) = (select sum(delta) from pgbench_history), (select count(*) from pgbench_history),
  sum(abalance) = (select sum(bbalance) from pgbench_branches),
  sum(abalance) = (select sum(tbalance) from pgbench_tellers)
  from pgbench_accounts;
create table t as select i, md5(i::text) as m from generate_series(1, 100000) i;
create index on t(m);
select md5(string_agg(m, '' order by m)), count(distinct left(m, 3)) from t;
select sum(a.i) from t a join t b on a.m = b.m where b.i % 7 = 3;
SQL
  finish
}

in_nginx() {
  local port server file
  port=$(port)
  mkdir -p files temporary
  seq 1 300000 >files/text
  for file in 1 20 300; do head -c "${file}000" <(yes "$file") >"files/f$file"; done
  chmod -R a+rX .
  cat >nginx.conf <<CONFIGURATION
daemon off; worker_processes 2; pid $PWD/pid; error_log $PWD/errors;
events { worker_connections 64; }
http {
  access_log off; gzip on; gzip_min_length 1; default_type text/plain; sendfile off;
  client_body_temp_path temporary; proxy_temp_path temporary; fastcgi_temp_path temporary;
  uwsgi_temp_path temporary; scgi_temp_path temporary;
  server { listen 127.0.0.1:$port; root $PWD/files; }
}
CONFIGURATION
  serve nginx -p "$PWD/" -c nginx.conf
  (unset LD_PRELOAD && python3 - "$port" "$scale" <<'PROGRAM'
import concurrent.futures, gzip, hashlib, sys, time, urllib.request
base = "http://127.0.0.1:%s/" % sys.argv[1]
def get(name, encoding):
    request = urllib.request.Request(base + name, headers={"Accept-Encoding": encoding})
    answer = urllib.request.urlopen(request, timeout=20)
    body = answer.read()
    if encoding == "gzip":
        assert answer.headers["Content-Encoding"] == "gzip"
        body = gzip.decompress(body)
    return name + " " + encoding + " " + hashlib.sha256(body).hexdigest()
for attempt in range(200):
    try:
        get("f1", "identity")
        break
    except OSError:
        time.sleep(0.1)
with concurrent.futures.ThreadPoolExecutor(8) as pool:
    wanted = [(n, e) for n in ("text", "f1", "f20", "f300") for e in ("gzip", "identity")] * (10 * int(sys.argv[2]))
    for line in sorted(set(pool.map(lambda w: get(*w), wanted))):
        print(line)
PROGRAM
  )
  finish
}

in_imagemagick() {
  convert -size 400x300 plasma:red-blue -seed 7 -depth 8 noise.ppm
  convert -seed 7 -size 400x300 gradient:red-blue -depth 8 -resize 150% -blur 0x3 -rotate 17 -sharpen 0x1 \
    -quantize RGB +dither -colors 64 picture.ppm
  sha256sum <picture.ppm
  convert picture.ppm \( +clone -negate \) -append -strip -define png:exclude-chunks=date,time out.png
  convert out.png -crop 300x300 -depth 8 rgb:- | sha256sum
  identify -format '%wx%h %k\n' out.png
}

in_ffmpeg() {
  ffmpeg -v error -nostdin -threads 2 -f lavfi -i testsrc2=size=640x360:rate=25:duration=$((3 * scale)) \
    -f lavfi -i sine=frequency=440:duration=$((3 * scale)) \
    -c:v mpeg4 -q:v 5 -c:a flac -flags bitexact -fflags bitexact -y out.mkv
  sha256sum <out.mkv
  ffmpeg -v error -nostdin -threads 2 -i out.mkv -vf scale=320:-2,hflip -f framemd5 - | sha256sum
}

in_php() {
  php -d memory_limit=1G -r '$a = []; for ($i = 0; $i < 200000 * $argv[1]; $i++) {
      $a[] = str_repeat(chr(65 + $i % 26), $i % 400); if ($i % 1000 == 999) $a = array_slice($a, 500);
    }
    echo count($a), " ", array_sum(array_map("strlen", $a)), "\n";
    $s = ""; for ($i = 0; $i < 300000; $i++) $s .= "$i,"; echo md5($s), "\n";
    $m = []; for ($i = 0; $i < 300000; $i++) $m["k$i"] = $i * 2; ksort($m); echo md5(json_encode($m)), "\n";' \
    -- "$scale"
}

in_sbcl() {
  cat >work.lisp <<PROGRAM
(let ((kept nil) (sum 0))
  (dotimes (i (* 300000 $scale))
    (let ((v (make-array (mod (* i 7919) 300) :element-type '(unsigned-byte 8) :initial-element (mod i 251))))
      (incf sum (reduce #'+ v))
      (when (zerop (mod i 97)) (push v kept))
      (when (zerop (mod i 50000)) (setf kept nil) (gc :full t))))
  (print (list sum (length kept) (reduce #'+ (mapcar #'length kept)))))
(print (integer-length (loop with n = 1 for i from 1 to 5000 do (setf n (* n i)) finally (return n))))
PROGRAM
  sbcl --noinform --no-userinit --no-sysinit --disable-debugger --load work.lisp --quit
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
program memcached memcached in_memcached
program nginx nginx in_nginx
program imagemagick convert in_imagemagick
program ffmpeg ffmpeg in_ffmpeg
program php php in_php
program sbcl sbcl in_sbcl
# shellcheck source-path=SCRIPTDIR source=full_programs.sh
[[ -z $full ]] || source "$(dirname "${BASH_SOURCE[0]}")/full_programs.sh"
postgres=$(ls /usr/lib/postgresql/*/bin/postgres 2>/dev/null | tail -n 1)
program postgresql "${postgres:-postgres}" in_postgres
for java in $(readlink -f /usr/lib/jvm/*/bin/java | sort -u); do
  [[ -x ${java%/java}/javac ]] || continue
  program "$(basename "${java%/bin/java}")" "$java" in_java
done
[[ $ran -eq 1 ]] || exit 77
exit "$failed"
