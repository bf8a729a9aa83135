#!/usr/bin/env bash
# newer_headers_test.sh SHIM: what we define of libc's compiles without a warning where libc declares that the call does
# not read what its address points to, as glibc does from 2.41 on and this machine's may not yet.
set -euo pipefail
shim=$1
# The attribute is GCC's, from 11 on.
major=$(gcc -dumpversion 2>/dev/null) || { echo "skipped: no gcc"; exit 77; }
[[ ${major%%.*} -ge 11 ]] || { echo "skipped: gcc $major"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/newer.h" <<'C'
#include <sys/mman.h>
#define NOT_READ __attribute__((access(none, 1)))
NOT_READ extern int munmap(void *, size_t);
NOT_READ extern int mprotect(void *, size_t, int);
NOT_READ extern int msync(void *, size_t, int);
NOT_READ extern int madvise(void *, size_t, int);
NOT_READ extern int posix_madvise(void *, size_t, int);
NOT_READ extern int mlock(const void *, size_t);
NOT_READ extern int mlock2(const void *, size_t, unsigned);
NOT_READ extern int munlock(const void *, size_t);
NOT_READ extern int mincore(void *, size_t, unsigned char *);
C
failed=0
for file in "$shim"/preload/entry/{pages,memory,heap}.c; do
  gcc -D_GNU_SOURCE= -I"$shim/include" -I"$shim/lib" -I"$shim/preload" -O2 -std=gnu11 -fPIC -fvisibility=hidden \
    -Wall -Wextra -Werror -include "$work/newer.h" -c -o "$work/out.o" "$file" || failed=1
done
exit "$failed"
