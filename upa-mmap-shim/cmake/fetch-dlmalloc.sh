#!/usr/bin/env bash
# fetch-dlmalloc.sh DIRECTORY: puts dlmalloc 2.8.6 (malloc.c, pristine) into DIRECTORY, out of the source package
# wasi-libc of Debian 12 or of Ubuntu 22.04, and keeps the tarball it came from. Does nothing when the verified file is
# there. Where there is neither apt nor a way to the archives, put dlmalloc's malloc.c into DIRECTORY by hand: the
# checksum decides.
set -euo pipefail

package=wasi-libc
file=dlmalloc/src/malloc.c
sha256=22c1995baed5659a0002cb396d6d83e678c92199e893a02d916cadc142d3ada2
# Other releases have a later version of the package, in which the file has been changed.
places=("debian bookworm" "ubuntu jammy")

fail() { echo "fetch-dlmalloc: $*" >&2; exit 1; }
verified() { [[ -f $1 ]] && sha256sum --check --status <<<"$sha256  $1"; }

[[ $# -eq 1 ]] || { echo "usage: fetch-dlmalloc.sh DIRECTORY" >&2; exit 2; }
mkdir -p "$1"
directory=$(cd "$1" && pwd)
verified "$directory/malloc.c" && exit 0
source "$(dirname "${BASH_SOURCE[0]}")/archives.sh"
archive_pinned=1
work=$(mktemp -d "$directory/fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT

# fetch_from DISTRIBUTION SUITE: puts malloc.c into $work, or says why not in $archive_error
fetch_from() {
  local tarballs member
  rm -rf "$work/source"
  mkdir "$work/source"
  archive_open "$1" "$2" "$work" "$(dpkg --print-architecture)" deb-src || return 1
  (cd "$work/source" && apt-get "${archive_apt[@]}" source --download-only --tar-only "$package" >&2) ||
    archive_fail "no source package=$package in $1 $2" || return 1
  tarballs=("$work/source/${package}"_*.orig.tar.*)
  member=$(tar --list --file "${tarballs[0]}" | grep -E "(^|/)$file\$") ||
    archive_fail "tarball=$(basename "${tarballs[0]}") has no file=$file" || return 1
  tar --extract --to-stdout --file "${tarballs[0]}" "$member" >"$work/malloc.c"
  verified "$work/malloc.c" ||
    archive_fail "file=$file of tarball=$(basename "${tarballs[0]}") is not dlmalloc 2.8.6 as pinned:" \
      "expected sha256=$sha256, found $(sha256sum "$work/malloc.c" | cut -d' ' -f1)" || return 1
  mv "${tarballs[0]}" "$directory/"
  mv "$work/malloc.c" "$directory/malloc.c"
}

for place in "${places[@]}"; do
  # shellcheck disable=SC2086
  fetch_from $place && exit 0
  echo "fetch-dlmalloc: $archive_error" >&2
done
fail "put malloc.c of dlmalloc 2.8.6 (sha256=$sha256) into directory=$directory"
