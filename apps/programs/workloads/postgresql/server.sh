# server.sh DATA PORT: becomes the server
set -eu
. "${BASH_SOURCE[0]%/*}/paths.sh"
exec "${as_user[@]}" "$bin/postgres" -D "$1/cluster" -p "$2"
