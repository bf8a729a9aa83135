# server.sh DATA PORT: becomes the server
set -eu
. "${BASH_SOURCE[0]%/*}/paths.sh"
exec "$server" "${options[@]}" ${as_user[0]+"${as_user[@]}"} --datadir="$1/files" --port="$2" --socket="$PWD/socket" \
  --pid-file="$PWD/pid" --tmpdir="$PWD"
