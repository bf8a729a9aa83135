#!/usr/bin/env bash
# systems-packages.sh FOLDER: run by systems.sh in the chroot of another release: installs the Debian packages in the
# folder, uses each, purges them, and compares what is left with what was there. Prints one line for the table; what
# else there is to say goes to standard error.
set -uo pipefail
export LC_ALL=C DEBIAN_FRONTEND=noninteractive PYTHONDONTWRITEBYTECODE=1

packages=$1
names=()
for package in "$packages"/*.deb; do
  names+=("$(dpkg-deb --field "$package" Package)")
done
work=$(mktemp -d)
failed() { echo "FAILED: $*"; exit; }

# What dpkg keeps books in changes with every package; the names in it are compared below.
files() {
  find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /tmp -o -path /upa -o -path /var/cache \
    -o -path /var/log -o -path '/var/lib/dpkg/*-old' -o -path '/var/lib/dpkg/triggers/*' \) -prune -o -print | sort
  dpkg-query -W | sort
}

libc=$(dpkg-query -W -f '${Version}' libc6)
needed=$(dpkg-deb -f "$packages"/upa_*.deb Depends | sed -n 's/.*libc6 (>= \([0-9.]*\)).*/\1/p')
if dpkg --compare-versions "$libc" lt "${needed:-0}"; then
  # apt-get reads dependencies where dpkg --dry-run does not.
  refused=$(apt-get --simulate install "$packages"/upa_*.deb "$packages"/libupa1_*.deb 2>&1) &&
    failed "installs on an older libc"
  [[ $refused == *"Depends: libc6"* ]] || { echo "$refused" >&2; failed "is refused for another reason"; }
  echo "no: libc6 $needed"
  exit
fi

# As where a kernel is installed, and not its headers alone.
for kernel in /lib/modules/*/build; do
  [[ ! -e $kernel ]] || depmod "$(basename "$(dirname "$kernel")")" 2>/dev/null
done
files >"$work/before"
dpkg -i "$packages"/*.deb >&2 || { cat /var/lib/dkms/upa/*/build/make.log >&2; failed "does not install"; }
[[ -z $(dpkg --audit "${names[@]}") ]] || failed "is not configured"
dpkg --verify "${names[@]}" >&2 || failed "files are not as packed"
upa run --stats -- python3 -c 'print(sum(map(len, [bytearray(10**6 + i) for i in range(300)])))' \
  >"$work/out" 2>"$work/err" || failed "python3: status $?"
cat "$work/err" >&2
[[ $(<"$work/out") == 300044850 ]] || failed "python3: another sum"
served=$(awk '$1 == "all" { print $2 } /heap reused/ { heap = 1 } END { if (heap) print "heap" }' "$work/err" |
  tr '\n' ' ')
[[ -n ${served// /} ]] || failed "python3: nothing served"
gcc -o "$work/consumer" /upa/source/upa-mmap-shim/tests/install/consumer.c -lupa >&2 && "$work/consumer" >&2 ||
  failed "a program of libupa-dev"
module=none
if compgen -G '/lib/modules/*/build' >/dev/null; then
  module=$(find /lib/modules -name 'upa.ko*' | head -n 1)
  [[ -n $module ]] || { cat /var/lib/dkms/upa/*/build/make.log >&2; failed "dkms: no module"; }
  module=$(sed 's/.lib.modules.\([^/]*\).*/\1/' <<<"$module")
fi
dpkg --purge "${names[@]}" >&2 || failed "does not purge"
files >"$work/after"
diff "$work/before" "$work/after" >&2 || failed "leaves files: $(diff "$work/before" "$work/after" | grep -c '^[<>]')"
echo "yes; module $module"
