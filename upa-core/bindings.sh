#!/usr/bin/env bash
# bindings.sh: makes upa.internal.bindings anew from our C headers and libc's. What it makes is committed and never
# edited, since jextract is in no package registry; HeaderHashTest says when a header has changed since.
# Needs jextract (on PATH, or its path in JEXTRACT), java (JAVA_HOME or PATH) and gcc's libc headers.
set -euo pipefail
cd "$(dirname "$0")/.."

jextract=${JEXTRACT:-jextract}
java=${JAVA_HOME:+$JAVA_HOME/bin/}java
command -v "$jextract" >/dev/null ||
  { echo "bindings.sh: no jextract: put it on PATH or set JEXTRACT=path" >&2; exit 1; }

include=upa-mmap-shim/include
kernel=kernel-ext/include
headers=("$include"/upa/{llfree,region,mman}.h "$kernel/uapi/upa.h")
package=upa.internal.bindings
directory=${package//.//}
sources=upa-core/src/main/java/$directory
tests=upa-core/src/test
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# generate CLASS WANTED HEADER...: one class of what the headers declare and WANTED, a regular expression, matches in
# jextract's own list of it. A line of that is: --include-<kind> <name>    # header: <file>
generate() {
  local class=$1 wanted=$2 arguments=(-D _GNU_SOURCE -I "$include" -I "$kernel")
  shift 2
  printf '#include <%s>\n' "$@" >"$work/$class.h"
  "$jextract" "${arguments[@]}" --dump-includes "$work/declared" "$work/$class.h" 2>"$work/messages" ||
    { cat "$work/messages" >&2; exit 1; }
  grep -E -- "$wanted" "$work/declared" | sed 's/ *#.*//' >"$work/wanted"
  "$jextract" "${arguments[@]}" --output "$work/out" --target-package "$package" --header-class-name "$class" \
    @"$work/wanted" "$work/$class.h"
}

generate Upa "# header: .*$include/upa/" upa/{llfree,region,mman}.h
generate Device "# header: .*$kernel/uapi/upa.h" uapi/upa.h

functions='mmap|munmap|mremap|madvise|mincore|memset|memcpy|prctl|open|close|dup2|fsync|ioctl|ftruncate|lseek|pread|strerrorname_np'
constants='PROT_(NONE|READ|WRITE)|MREMAP_(MAYMOVE|FIXED|DONTUNMAP)'
constants+='|MAP_(PRIVATE|SHARED|ANONYMOUS|FIXED|FIXED_NOREPLACE|NORESERVE|POPULATE)'
constants+='|MADV_(DONTNEED|REMOVE|FREE|HUGEPAGE|NOHUGEPAGE|POPULATE_READ|POPULATE_WRITE)'
constants+='|O_(RDWR|CREAT|EXCL|CLOEXEC)|SEEK_END|PR_SET_VMA(_ANON_NAME)?'
constants+='|E(PERM|NOENT|INTR|IO|BADF|AGAIN|NOMEM|ACCES|FAULT|BUSY|EXIST|INVAL|NOTTY|NXIO|NOSPC|RANGE|NOSYS|OVERFLOW|BADMSG|PROTO)'
generate Libc "^--include-(function ($functions)|constant ($constants)) " \
  sys/mman.h sys/prctl.h sys/ioctl.h fcntl.h unistd.h errno.h string.h

rm -rf "${sources:?}"
mkdir -p "$sources" "$tests/resources/$directory"
cp "$work/out/$directory"/*.java "$sources/"
"$java" "$tests/java/$directory/HeaderHash.java" "${headers[@]}" >"$tests/resources/$directory/headers.sha256"
