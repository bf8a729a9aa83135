# Sourced. MariaDB refuses to run as root unless it is told to.
for server in /usr/sbin/mariadbd /usr/sbin/mysqld; do
  [[ ! -x $server ]] || break
done
[[ -x $server ]] || { echo "there is no mariadbd: package=mariadb-server is not installed" >&2; exit 1; }
as_user=()
[[ $(id -u) -ne 0 ]] || as_user=(--user=root)
options=(--no-defaults --skip-networking=0 --bind-address=127.0.0.1 --innodb-buffer-pool-size=64M
  --innodb-flush-log-at-trx-commit=0 --innodb-use-native-aio=0 --sort-buffer-size=32M --join-buffer-size=32M
  --tmp-table-size=256M --max-heap-table-size=256M --skip-log-bin --performance-schema=OFF)
