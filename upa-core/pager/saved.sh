#!/usr/bin/env bash
# saved.sh UPA [PROGRAM...]: how much memory is saved of what programs have outside of memory, since a page that repeats
# a word takes none, and since others are compressed by lz4: a table in Markdown. What does not compress is in a file.
# Each program has 50 to 120 MB of data, of which 16 MiB may be in memory. Programs: redis, python, java, sqlite, numpy.
set -euo pipefail
upa=$1
root=${upa%/*}
programs=("${@:2}")
[[ ${#programs[@]} -gt 0 ]] || programs=(redis python java sqlite numpy)
work=$(mktemp -d)
program=
trap '[[ -z $program ]] || kill -9 "$program" 2>/dev/null || true; rm -rf "$work"' EXIT
java=$(awk '$1 == "exec" { print $2 }' "$root/build/pager/start")
mkfifo "$work/input"

cat >"$work/of-python.py" <<'END'
import sys
people = [{'id': i, 'name': 'person %d' % (i * 7919 % 100003), 'mail': 'p%d@example.org' % i, 'age': i % 97,
           'tags': ['t%d' % (i % 13), 't%d' % (i % 7)]} for i in range(200000)]
print('ready', flush=True)
sys.stdin.readline()
END
cat >"$work/of-sqlite.py" <<'END'
import random, sqlite3, sys
random.seed(1)
db = sqlite3.connect(':memory:')
db.execute('create table sale(id integer primary key, customer text, article text, pieces integer, price real)')
db.executemany('insert into sale values(?,?,?,?,?)',
               ((i, 'customer %d' % random.randrange(20000), 'article %d' % random.randrange(5000),
                 random.randrange(20), random.random() * 100) for i in range(1500000)))
db.execute('create index customers on sale(customer)')
print('ready', flush=True)
sys.stdin.readline()
END
cat >"$work/of-numpy.py" <<'END'
import sys, numpy
generator = numpy.random.default_rng(1)
normal = generator.standard_normal(2 << 20)                          # 16 MiB that do not compress
walk = numpy.cumsum(generator.integers(-1, 2, 2 << 20))              # 16 MiB of small changes
histogram = numpy.zeros((1024, 2048))                                # 16 MiB, of which a tenth is not zero
histogram[generator.integers(0, 1024, 100), :] = 1.5
histogram += 0
print('ready', flush=True)
sys.stdin.readline()
END
cat >"$work/Java.java" <<'END'
import java.lang.foreign.*;
import upa.core.*;
import java.util.Random;
public class Java {
    public static void main(String[] arguments) throws Exception {
        try (Region region = Region.create(1L << 30); PageArena arena = PageArena.ofConfined(region)) {
            Random random = new Random(1);
            for (int i = 0; i < 600_000; i++) {
                MemorySegment order = arena.allocate(128, 8);
                order.set(ValueLayout.JAVA_LONG, 0, i);
                order.set(ValueLayout.JAVA_DOUBLE, 8, random.nextInt(100_000) / 100.0);
                order.set(ValueLayout.JAVA_INT, 16, random.nextInt(5000));
                order.setString(24, "customer " + random.nextInt(20_000));
                order.setString(64, i % 3 == 0 ? "open" : "delivered and paid");
            }
            System.out.println("ready");
            System.in.read();
        }
    }
}
END
"${java%/*}/javac" -d "$work" -cp "$root/upa-core/target/upa-core.jar" "$work/Java.java"

# begin COMMAND...
begin() {
  : >"$work/out"
  "$upa" run --policy clock --memory 16M --store lz4:4G,file:/var/tmp:8G -- "$@" <>"$work/input" >"$work/out" \
    2>"$work/err" &
  program=$!
}

await_ready() {
  for ((i = 0; i < 3000; i++)); do
    ! grep -q ready "$work/out" || return 0
    kill -0 "$program" 2>/dev/null || break
    sleep 0.1
  done
  cat "$work/out" "$work/err" >&2
  exit 1
}

fill_redis() {
  local socket=$work/redis
  begin redis-server --port 0 --unixsocket "$socket" --dir "$work" --save ''
  for ((i = 0; i < 200; i++)); do
    [[ $(redis-cli -s "$socket" ping 2>/dev/null) != PONG ]] || break
    sleep 0.1
  done
  python3 - <<'END' | redis-cli -s "$socket" --pipe >/dev/null
import random, sys
random.seed(1)
for i in range(300000):
    value = '{"user":%d,"name":"name %d","seen":%d,"cart":[%s]}' % (
        i, random.randrange(50000), 1700000000 + random.randrange(10**7),
        ','.join(str(random.randrange(5000)) for _ in range(i % 12)))
    words = ('SET', 'session:%d' % i, value)
    sys.stdout.write('*3\r\n' + ''.join('$%d\r\n%s\r\n' % (len(w), w) for w in words))
END
}

echo '| program | outside of memory | repeats a word | lz4: pages, to | does not compress: in a file | memory saved |'
echo '|---|---|---|---|---|---|'
for name in "${programs[@]}"; do
  case $name in
    redis) fill_redis ;;
    java)
      begin "$java" --enable-native-access=ALL-UNNAMED -XX:+UseSerialGC -Xmx64m \
        -cp "$root/upa-core/target/upa-core.jar:$work" Java
      await_ready
      ;;
    *)
      begin python3 "$work/of-$name.py"
      await_ready
      ;;
  esac
  sleep 2
  "$upa" policy stats "$program" >"$work/stats"
  awk -v name="$name" '
    /^outside of memory/ { outside = $5 }
    /^store lz4 / { pages = $7 + 0; bytes = $9 + 0 }
    /^store file / { stored = $7 + 0 }
    END {
      all = outside > 0 ? outside : 1
      same = outside - pages - stored
      saved = (same + pages - bytes / 4096) / all
      printf "| %s | %d MiB | %.0f %% | %.0f %%, %.0f %% | %.0f %% | %.0f %% |\n", name, outside / 256,
        100 * same / all, 100 * pages / all, pages ? 100 * bytes / 4096 / pages : 0, 100 * stored / all, 100 * saved
    }' "$work/stats"
  if [[ $name == redis ]]; then
    redis-cli -s "$work/redis" shutdown nosave 2>/dev/null || true
  else
    echo >"$work/input"
  fi
  wait "$program" || { echo "$name: status=$?" >&2 && cat "$work/err" >&2; }
  program=
done
