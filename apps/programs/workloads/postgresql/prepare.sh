# prepare.sh DATA: a cluster of its own with a table of 300 000 orders and one of 30 000 customers. The password is
# random: the port is open to all users of the machine while the server runs.
set -euo pipefail
. "${BASH_SOURCE[0]%/*}/paths.sh"
data=$1
rm -rf "$data/cluster"
(umask 077 && head -c 18 /dev/urandom | base64 >"$data/password")
"${as_user[@]}" "$bin/initdb" -D "$data/cluster" -U upa --pwfile="$data/password" -A scram-sha-256 \
  -E UTF8 --locale=C --no-sync >"$data/initdb.log"
cat >>"$data/cluster/postgresql.conf" <<'END'
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
shared_buffers = 64MB
work_mem = 256MB
hash_mem_multiplier = 1.0
max_parallel_workers_per_gather = 0
fsync = off
autovacuum = off
jit = off
logging_collector = off
END
# single-user mode: with -j a semicolon and an empty line end a statement
"${as_user[@]}" "$bin/postgres" --single -j -D "$data/cluster" postgres >"$data/fill.log" <<'END'
create table customers as
  select i as id, 'customer ' || (i::bigint * 7919 % 30011) as name, (i::bigint * 31 % 97)::int as region
  from generate_series(1, 30000) i;

create table orders as
  select i as id, (i::bigint * 48271 % 30000 + 1)::int as customer, (i::bigint * 7919 % 100003)::int as amount,
    md5(i::text) as note
  from generate_series(1, 300000) i;

vacuum analyze;

END
