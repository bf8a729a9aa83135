# What every script of the VM tool shares: where the repository and the cache are, and how an error is said.
# Sourced, never run.

set -euo pipefail
export LC_ALL=C

vm_source=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
extension=$(dirname "$vm_source")
repository=$(dirname "$extension")
vm_cache=$repository/build/vm

# What somebody else has chosen, a file's name for instance, may hold line breaks, and what a terminal obeys.
fail() {
	local line=${1//[[:cntrl:]]/?} above_ascii=$'\xc2[\x80-\x9f]'
	printf 'upa vm: %s\n' "${line//$above_ascii/?}" >&2 || true
	exit "${2:-1}"
}

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

# debian_packages SUITES: makes a package state of our own, so that neither root nor a change of the host's package
# sources is needed, and sets apt_options to it.
debian_packages() {
	local state=$vm_cache/apt-${1// /-} known main suite uri
	require apt-get=apt dpkg-deb=dpkg
	mkdir -p "$state/lists/partial" "$state/archives/partial"
	# By the names their index files give, and, where those have not been fetched, by those of the host's sources.
	known=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' | sort -u
		apt-get indextargets --no-release-info --format '$(REPO_URI) $(RELEASE)' | sort -u)
	main=$(awk '$2 == "bookworm" { print $1; exit }' <<<"$known")
	[ -n "$main" ] ||
		fail "no package source for Debian bookworm is known: add one and run 'apt-get update'"
	for suite in $1; do
		uri=$(awk -v suite="$suite" '$2 == suite { print $1; exit }' <<<"$known")
		echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${uri:-$main} $suite main"
	done >"$state/sources.list"
	apt_options=(-qq -o "Dir::Etc::sourcelist=$state/sources.list" -o Dir::Etc::sourceparts=/dev/null
		-o Dir::Etc::preferencesparts=/dev/null -o "Dir::State::lists=$state/lists"
		-o "Dir::Cache=$state" -o APT::Sandbox::User="$(id -un)")
	apt-get "${apt_options[@]}" update >&2 || fail "could not read the package lists of $1"
}

# unpack_packages DIRECTORY PACKAGE...: downloads them and unpacks them there, afresh.
unpack_packages() {
	local directory=$1 package
	shift
	rm -rf "$directory"
	mkdir -p "$directory/debs"
	(cd "$directory/debs" && apt-get "${apt_options[@]}" download "$@" >&2) || fail "could not download $*"
	for package in "$directory"/debs/*.deb; do
		dpkg-deb -x "$package" "$directory"
	done
	rm -r "$directory/debs"
}
