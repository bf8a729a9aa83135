# prepare.sh DATA: a server's data with two tables, in a new random password's keeping: the port is open to all users
# of the machine while the server runs
set -euo pipefail
. "${BASH_SOURCE[0]%/*}/paths.sh"
data=$1
rm -rf "$data/files"
mariadb-install-db --no-defaults --datadir="$data/files" --auth-root-authentication-method=normal --skip-test-db \
  ${as_user[0]+"${as_user[@]}"} >"$data/install.log" 2>&1
(umask 077 && printf '[client]\nuser=upa\npassword=%s\n' "$(head -c 18 /dev/urandom | base64)" >"$data/client.cnf")
password=$(sed -n 's/^password=//p' "$data/client.cnf")
{
  # Each statement in one line, which is what --bootstrap reads.
  printf '%s;\n' "use mysql" "create database upa" "use upa" \
    "create table customers (primary key (id)) engine=InnoDB as select seq as id, $(
    )concat('customer ', seq * 7919 % 30011) as name, seq * 31 % 97 as region from seq_1_to_30000" \
    "create table orders (primary key (id)) engine=InnoDB as select seq as id, $(
    )seq * 48271 % 30000 + 1 as customer, seq * 7919 % 100003 as amount, md5(seq) as note from seq_1_to_200000" \
    "flush privileges" "create user upa@localhost identified by '$password'" \
    "grant select on upa.* to upa@localhost" "alter user root@localhost identified by '$password'"
} >"$data/fill.sql"
"$server" "${options[@]}" ${as_user[0]+"${as_user[@]}"} --datadir="$data/files" --bootstrap <"$data/fill.sql" \
  >"$data/fill.log" 2>&1 || { tail -n 5 "$data/fill.log" >&2; exit 1; }
rm -f "$data/fill.sql"
