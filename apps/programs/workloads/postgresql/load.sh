# load.sh DATA PORT [probe]: asks the queries and prints their results and times, or only whether the server answers
set -euo pipefail
. "${BASH_SOURCE[0]%/*}/paths.sh"
export PGPASSWORD
PGPASSWORD=$(<"$1/password")
psql=("$bin/psql" -X -q -A -t -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$2" -U upa postgres)
if [[ ${3:-} == probe ]]; then
  exec "${psql[@]}" -c 'select 1'
fi
exec "${psql[@]}" -f "${BASH_SOURCE[0]%/*}/queries.sql"
