#!/usr/bin/env bash
# outlook_test.sh UPA: `./upa run` says in one line when UPA can serve a program nothing, or only part, and why; the
# program runs all the same. Otherwise it says nothing. Skipped where UPA is not built, since it would be now.
set -euo pipefail
upa=$1
root=${upa%/*}
[[ -e $root/build/release/lib/libupa_mmap.so && -e $root/build/release/bin/upa-program ]] || exit 77
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# says TEXT COMMAND...: what ./upa run, or another command that ends with it, says; nothing if TEXT is empty
says() {
  local text=$1 status=0 said
  shift
  "$@" >"$work/out" 2>"$work/err" || status=$?
  grep -v '^upa: building' "$work/err" >"$work/said" || true
  said=$(grep '^upa: ' "$work/said" || true)
  if [[ $status -ne 0 || ($text == '' && $said != '') || ($text != '' && $said != "upa: $text"*) ||
    $said == *$'\n'* ]]; then
    printf 'FAILED: %s: status %d, said: %s\n' "$*" "$status" "$(<"$work/said")"
    failed=1
  fi
}

# compiled NAME OPTION...: a program that has a large block, exit status 0
compiled() {
  local name=$1
  shift
  cc -O0 -o "$work/$name" "$@" "$work/program.c" 2>"$work/err" ||
    { echo "left out: $name: $(head -n 1 "$work/err")"; return 1; }
}
cat >"$work/program.c" <<'END'
#include <stdlib.h>
#include <string.h>
int main(void)
{
	char *block = malloc(8 << 20);
	if (!block)
		return 1;
	memset(block, 1, 8 << 20);
	free(block);
	return 0;
}
END

compiled dynamic
says '' "$upa" run -- "$work/dynamic"
says '' "$upa" run -- sh -c "$work/dynamic; sh -c $work/dynamic"
printf '#!/usr/bin/env -S sh\nexec %s\n' "$work/dynamic" >"$work/script"
chmod +x "$work/script"
says '' "$upa" run -- "$work/script"
says '' "$upa" run --no-upa -- "$work/dynamic"
[[ -e /dev/upa ]] || says 'UPA_BACKEND=pte: there is no /dev/upa' "$upa" run --backend pte -- "$work/dynamic"
# A dynamic linker that is started itself loads what is preloaded.
linker=$(ldd "$work/dynamic" | awk '$1 ~ /^\/.*ld/ { print $1 }')
[[ -z $linker ]] || says '' "$upa" run -- "$linker" "$work/dynamic"
! compiled static -static ||
  says "nothing comes from UPA: program=$work/static: it is linked statically; what it starts may be served" \
    "$upa" run -- "$work/static"
# What Go's linker leaves in a program that is linked with C libraries.
cat >"$work/go.s" <<'END'
	.section .note.go.buildid, "a", %note
	.long 4, 4, 4
	.asciz "Go\0"
	.long 0
	.section .note.GNU-stack, "", %progbits
END
! compiled go "$work/go.s" ||
  says "only part comes from UPA: program=$work/go: Go's runtime asks the kernel itself" "$upa" run -- "$work/go"
# They ask for memory before they can serve any.
for sanitizer in address thread; do
  compiled "$sanitizer" "-fsanitize=$sanitizer" || continue
  says 'nothing comes from UPA: the program runs under a sanitizer' \
    env ASAN_OPTIONS=detect_leaks=0 "$upa" run -- "$work/$sanitizer"
  says '' env ASAN_OPTIONS=detect_leaks=0 "$upa" run -- sh -c "$work/$sanitizer"
done
# These leave addresses alone.
for sanitizer in undefined leak; do
  ! compiled "$sanitizer" "-fsanitize=$sanitizer" ||
    says '' env LSAN_OPTIONS=detect_leaks=0 "$upa" run -- "$work/$sanitizer"
done
! compiled other -m32 ||
  says "nothing comes from UPA: program=$work/other: it is for another processor" "$upa" run -- "$work/other"
if [[ $(id -u) -eq 0 ]]; then
  cp "$work/dynamic" "$work/set-user-id"
  chown nobody "$work/set-user-id"
  chmod 4755 "$work/set-user-id"
  says "nothing comes from UPA: program=$work/set-user-id: it is set-user-id or set-group-id" \
    "$upa" run -- "$work/set-user-id"
  # Who may gain no rights starts it as any other.
  says '' setpriv --no-new-privs "$upa" run -- "$work/set-user-id"
fi
says 'nothing comes from UPA: the address space is limited' \
  bash -c "ulimit -v 8000000; exec '$upa' run -- '$work/dynamic'"
says 'nothing comes from UPA: the data size is limited' bash -c "ulimit -d 8000000; exec '$upa' run -- '$work/dynamic'"
# Children say nothing more.
says 'nothing comes from UPA: the address space is limited' \
  bash -c "ulimit -v 8000000; exec '$upa' run -- sh -c '$work/dynamic; $work/dynamic'"
if command -v musl-gcc >/dev/null; then
  musl-gcc -O0 -o "$work/musl" "$work/program.c"
  says "only part comes from UPA: libc's own calls go to the kernel: there is no libc.so.6" "$upa" run -- "$work/musl"
  UPA_STATS=1 "$upa" run -- "$work/musl" 2>&1 | grep -qE '^ *mmap, under .* [1-9][0-9]* ' ||
    { echo "FAILED: a large block on musl is not served"; failed=1; }
fi

# A libc with a function that is not understood: mremap() ends with a call that does not come back, here with an
# indirect jump.
libc=$(ldd /bin/true | awk '$1 == "libc.so.6" { print $3 }')
if [[ -n $libc && $(uname -m) == x86_64 ]] && command -v readelf >/dev/null; then
  read -r address size < <(readelf -W --dyn-syms "$libc" | awk '$8 ~ /^mremap@@/ { print $2, $3; exit }')
  mkdir "$work/libc"
  cp "$libc" "$work/libc/libc.so.6"
  # Code lies in the file where it lies in memory, on every system known; the byte read says whether it does here.
  at=$((16#$address + size - 5))
  if [[ $(od -An -tx1 -j $at -N 1 "$libc") == ' e8' ]]; then
    printf '\xff\xe0\x90\x90\x90' | dd of="$work/libc/libc.so.6" bs=1 seek=$at conv=notrunc status=none
    says "only part comes from UPA: libc's own calls go to the kernel: mremap has an instruction that is not known" \
      env LD_LIBRARY_PATH="$work/libc" "$upa" run -- "$work/dynamic"
    LD_LIBRARY_PATH="$work/libc" UPA_STATS=1 "$upa" run -- "$work/dynamic" 2>&1 |
      grep -qE '^ *mmap, under .* [1-9][0-9]* ' ||
      { echo "FAILED: a large block is not served where libc is not understood"; failed=1; }
  fi
fi

# What upa-program makes of files that are none of the usual.
program() {
  local said
  said=$("$root/build/release/bin/upa-program" "$2")
  [[ $said == "$1"* ]] || { echo "FAILED: upa-program $2: said=$said"; failed=1; }
}
head -c 100 "$work/dynamic" >"$work/short"
program unknown "$work/short"
printf '#!%s\n' "$work/loop" >"$work/loop"
program unknown "$work/loop"
printf '#!/no/such/interpreter\n' >"$work/lost"
program unknown "$work/lost"
printf '#! %s -x\n' "$work/dynamic" >"$work/spaced"
program "glibc $work/dynamic" "$work/spaced"
printf '#!/usr/bin/env no-such-program\n' >"$work/lost"
program unknown "$work/lost"
program unknown /dev/null
program unknown "$work"
program unknown /no/such/file
program "glibc $work/dynamic" "$work/dynamic"
exit "$failed"
