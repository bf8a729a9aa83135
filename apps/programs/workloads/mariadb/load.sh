# load.sh DATA PORT [probe]: asks the queries and prints their results and times, or only whether the server answers
set -euo pipefail
client=(mariadb --defaults-file="$1/client.cnf" --protocol=tcp -h 127.0.0.1 -P "$2" upa)
if [[ ${3:-} == probe ]]; then
  exec "${client[@]}" -e 'select 1'
fi
# "5 rows in set (0.123 sec)", or with minutes, becomes "Time: 123.000 ms".
"${client[@]}" -vvv <"${BASH_SOURCE[0]%/*}/queries.sql" |
  awk '/ in set.*sec\)$/ { gsub(/[()]/, ""); seconds = $(NF - 1); if ($(NF - 2) == "min") seconds += 60 * $(NF - 3)
      printf "Time: %.3f ms\n", seconds * 1000; next }
    !/^Bye/'
