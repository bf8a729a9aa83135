# What the scripts here share: where things are. Sourced, never run. The VM is kernel-ext's and knows nothing of them.

set -euo pipefail
export LC_ALL=C

counts=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
repository=$(dirname "$(dirname "$counts")")
vm=$repository/kernel-ext/vm
built=$repository/build/release
programs=$built/counts

fail() { printf 'upa vm bench: %s\n' "$1" >&2; exit "${2:-1}"; }

[ -x "$programs/page_cost" ] || fail "file=$programs/page_cost is not built: run ./upa build"
