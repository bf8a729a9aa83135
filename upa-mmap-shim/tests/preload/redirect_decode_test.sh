#!/usr/bin/env bash
# redirect_decode_test.sh REDIRECT_DECODE: what objdump says of libc's code, for redirect_decode.c to compare.
set -euo pipefail

case $(uname -m) in
  x86_64) machine=x86-64 ;;
  aarch64) machine=aarch64 ;;
  *) echo "skipped: no decoder for machine=$(uname -m)"; exit 77 ;;
esac
command -v objdump >/dev/null || { echo "skipped: no objdump"; exit 77; }
libc=$(ldd /bin/true | awk '$1 == "libc.so.6" { print $3 }')
[[ -n $libc ]] || { echo "skipped: no libc.so.6 here"; exit 77; }
objdump -d -w "$libc" | "$1" "$machine"
