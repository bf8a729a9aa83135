#!/usr/bin/env bash
# portable_test.sh LIB_DIRECTORY: what the libraries ask of the system that loads them: no symbol of glibc newer than
# 2.17, no library but libc, for the preloaded one no symbol that musl lacks; and on x86-64, that they take part in
# control-flow protection.
set -euo pipefail

libraries=$1
newest=2.17
failed=0
wrong() { echo "FAILED: $*"; failed=1; }
for tool in objdump readelf sort; do
  command -v "$tool" >/dev/null || { echo "skipped: no $tool"; exit 77; }
done

# needs LIBRARY: the undefined symbols that must be there, and their versions
needs() { readelf -W --dyn-syms "$1" | awk '$7 == "UND" && $5 != "WEAK" && $8 != "" { print $8 }'; }

# At least what musl 1.2 exports, of what is used here; a name may be added if musl has it.
musl="clock_gettime close dl_iterate_phdr environ getauxval __environ __errno_location ftruncate getenv getpid
  getrlimit getrusage memchr memcmp memcpy memmove memset mmap mremap munmap open pread pthread_atfork sched_yield
  sigfillset snprintf strcat strchr strcmp strcpy strerror strlen strncat strncmp strncpy strrchr strstr sysconf unlink
  vsnprintf"

check() {
  local library=$1 symbol version address last
  shift
  for symbol in $(needs "$library"); do
    version=${symbol##*@GLIBC_}
    [[ $symbol == *@GLIBC_* && $(printf '%s\n' "$version" "$newest" | sort -V | tail -n 1) != "$newest" ]] &&
      wrong "$(basename "$library") needs $symbol, newer than glibc $newest"
  done
  while read -r last; do
    [[ " libc.so.6 $* " == *" $last "* ]] || wrong "$(basename "$library") needs $last"
  done < <(readelf -dW "$library" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
  if [[ $(uname -m) == x86_64 ]]; then
    readelf -nW "$library" | grep -q SHSTK || wrong "$(basename "$library") switches shadow stacks off"
    # endbr64 where each exported function begins.
    while read -r address symbol; do
      grep -q 'endbr64' <(objdump -d --start-address="0x$address" --stop-address=$((16#$address + 4)) "$library") ||
        wrong "$(basename "$library"): $symbol begins without endbr64"
    done < <(readelf -W --dyn-syms "$library" | awk '$4 == "FUNC" && $7 != "UND" { print $2, $8 }')
  fi
  echo "$(basename "$library"): $(needs "$library" | wc -l) symbols needed"
}

check "$libraries/libupa.so"
check "$libraries/libupa_mmap.so"
check "$libraries/libupa_blocks.so"
[[ ! -e $libraries/libupa_malloc.so ]] || check "$libraries/libupa_malloc.so"
for library in "$libraries"/libdlmalloc_*.so; do
  [[ ! -e $library ]] || check "$library" libupa.so libupa.so.1
done

for library in libupa_mmap libupa_blocks; do
  for symbol in $(needs "$libraries/$library.so"); do
    grep -qwF -- "${symbol%%@*}" <<<"$musl" || wrong "$library.so needs $symbol, which musl lacks"
  done
done
exit "$failed"
