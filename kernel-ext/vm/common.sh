# What every script of the VM tool shares: where the repository and the cache are, and how an error is said.
# Sourced, never run.

set -euo pipefail
export LC_ALL=C

vm_source=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
extension=$(dirname "$vm_source")
repository=$(dirname "$extension")
vm_cache=$repository/build/vm

fail() { printf '%s: %s\n' "${0##*/}" "$1" >&2; exit "${2:-1}"; }

# require <command>=<Debian package>...: install what is missing when root, otherwise name it in one line.
require() {
	local pair missing=()
	for pair; do
		command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
	done
	[ ${#missing[@]} -eq 0 ] && return
	if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
		apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "${missing[@]}" >&2 ||
			fail "could not install ${missing[*]}: run 'apt-get update' and try again"
	else
		fail "missing packages: run 'sudo apt-get install ${missing[*]}'"
	fi
}

# Hash of the names and contents of all files under the given paths.
content_key() {
	find "$@" \( -type f -o -type l \) -print0 | sort -z | xargs -0 -r sha256sum | sha256sum | cut -c1-16
}

# Only one process at a time fills the cache.
lock_cache() { mkdir -p "$vm_cache"; exec 9>"$vm_cache/lock"; flock 9; }
unlock_cache() { exec 9>&-; }
