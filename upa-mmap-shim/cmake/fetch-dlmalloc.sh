#!/usr/bin/env bash
# fetch-dlmalloc.sh DIRECTORY: puts dlmalloc 2.8.6 (malloc.c, pristine) into DIRECTORY, out of Debian's source package
# wasi-libc, and keeps the tarball it came from. Does nothing when the verified file is there. apt works on a state
# of its own, with deb-src lines made from the machine's sources, so the system's configuration stays as it is.
# Where there is no apt, put dlmalloc's malloc.c into DIRECTORY by hand: the checksum decides.
set -euo pipefail

package=wasi-libc
file=dlmalloc/src/malloc.c
sha256=22c1995baed5659a0002cb396d6d83e678c92199e893a02d916cadc142d3ada2

fail() { echo "fetch-dlmalloc: $*" >&2; exit 1; }
verified() { [[ -f $1 ]] && sha256sum --check --status <<<"$sha256  $1"; }

[[ $# -eq 1 ]] || { echo "usage: fetch-dlmalloc.sh DIRECTORY" >&2; exit 2; }
mkdir -p "$1"
directory=$(cd "$1" && pwd)
verified "$directory/malloc.c" && exit 0
command -v apt-get >/dev/null ||
  fail "no apt-get here: put malloc.c of dlmalloc 2.8.6 (sha256=$sha256) into directory=$directory"

apt=$(mktemp -d "$directory/apt.XXXXXX")
trap 'rm -rf "$apt"' EXIT
mkdir -p "$apt"/{state/lists/partial,cache/archives/partial,sources}

# The machine's sources, as sources of source packages: one-line format and deb822.
shopt -s nullglob
etc=/etc/apt
for list in "$etc"/sources.list "$etc"/sources.list.d/*.list; do
  [[ -f $list ]] || continue
  sed -nE 's/^[[:space:]]*deb(-src)?[[:space:]]+/deb-src /p' "$list" | sort -u >"$apt/sources/$(basename "${list%.list}").list"
done
for list in "$etc"/sources.list.d/*.sources; do
  sed -E 's/^Types:.*/Types: deb-src/' "$list" >"$apt/sources/$(basename "$list")"
done

apt_get() {
  apt-get -qq -o Dir::State="$apt/state" -o Dir::Cache="$apt/cache" -o Dir::Etc::SourceList=/dev/null \
    -o Dir::Etc::SourceParts="$apt/sources" -o APT::Sandbox::User=root "$@"
}
# A third-party source without source packages makes "update" fail; whether ours was found, the next step tells.
apt_get update || true
(cd "$apt" && apt_get source --download-only "$package") ||
  fail "no source package=$package in this machine's package sources: see the messages above"

tarballs=("$apt/${package}"_*.orig.tar.*)
[[ ${#tarballs[@]} -ge 1 ]] || fail "source package=$package came without its orig tarball"
member=$(tar --list --file "${tarballs[0]}" | grep -E "(^|/)$file\$" || true)
[[ -n $member ]] || fail "tarball=$(basename "${tarballs[0]}") has no file=$file"
tar --extract --to-stdout --file "${tarballs[0]}" "$member" >"$apt/malloc.c"
verified "$apt/malloc.c" ||
  fail "file=$file of tarball=$(basename "${tarballs[0]}") is not dlmalloc 2.8.6 as pinned: expected sha256=$sha256, found $(sha256sum "$apt/malloc.c" | cut -d' ' -f1)"
mv "${tarballs[0]}" "$directory/"
mv "$apt/malloc.c" "$directory/malloc.c"
