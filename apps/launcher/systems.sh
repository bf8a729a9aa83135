#!/usr/bin/env bash
# systems.sh [--unpacked] [DISTRIBUTION-SUITE...]: UPA on other releases of Debian and Ubuntu, each in a folder of its
# own (debootstrap, chroot): the library that was built here runs there, as a table of what it serves; it is built
# there, where the tools are new enough, and runs as well; and the Debian packages are installed, used and purged. With
# --unpacked a release's packages are no more than unpacked, and DKMS is left out: minutes less. Run by
# `./upa test --systems`, as root. Nothing it makes or mounts outlives it, but for the packages it has fetched, and each
# system as it was before UPA came (build/systems).
set -euo pipefail
export LC_ALL=C

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
release=$root/build/release
folder=$root/build/systems
source "$root/upa-mmap-shim/cmake/archives.sh"
source "$root/apps/launcher/one-line.sh"
source "$root/apps/launcher/package.sh" # what it packs

systems=(debian-bullseye debian-bookworm debian-trixie debian-sid
  ubuntu-focal ubuntu-jammy ubuntu-noble ubuntu-resolute)
packages=gcc,libc6-dev,cmake,ninja-build,xz-utils,python3-minimal,redis-server,dkms
# Where the kernel is new enough for the module, DKMS builds it.
declare -A headers=([debian-bookworm]=linux-headers-amd64 [debian-trixie]=linux-headers-amd64)
# What every program of a release expects, and what the test itself runs.
base=(apt base-files bash coreutils dash diffutils dpkg findutils grep gzip libc-bin mawk perl-base sed tar util-linux)
sources=(CMakeLists.txt CMakePresets.json upa-mmap-shim montecarlo-bench kernel-ext/include apps/launcher apps/programs)

fail() { one_line "upa test --systems: $*" >&2; exit 1; }
# With --check, no more than whether the arguments are good.
check=
[[ ${1-} != --check ]] || { check=1 && shift; }
unpacked=
if [[ ${1-} == --unpacked ]]; then
  shift
  # DKMS needs a kernel's headers, the largest of all packages.
  unpacked=1 headers=() packages=${packages%,dkms}
fi
if [[ ${1-} == @(-h|--help) ]]; then
  printf 'usage: ./upa test --systems [--unpacked] [SYSTEM...]\n\nSystems: %s; %s.\n' \
    "${systems[*]}" "another suite of either may do as well"
  exit
fi
for system; do
  [[ $system =~ ^(debian|ubuntu)-[a-z]+$ ]] || {
    one_line "upa: test --systems has no system=$system, only ${systems[*]}: see ./upa test --systems --help" >&2
    exit 2
  }
done
[[ $# -eq 0 ]] || systems=("$@")
[[ -z $check ]] || exit 0
[[ $(id -u) -eq 0 ]] || fail "only root makes chroots: run it as root"
for tool in unshare chroot $([[ -n $unpacked ]] || echo debootstrap); do
  command -v "$tool" >/dev/null || fail "no command=$tool: apt-get install debootstrap util-linux mount"
done
mkdir -p "$folder/packages"
exec 9>"$folder/lock"
flock -n 9 || fail "another one is running"
work=$(mktemp -d "$folder/run.XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# inside SYSTEM COMMAND...: in mounts and processes of its own, which end with it
inside() {
  local tree=$work/$1
  shift
  unshare --mount --propagation private --pid --fork --kill-child -- bash -c '
    mount -t proc proc "$1/proc" && mount -t tmpfs tmpfs "$1/tmp" && mount --rbind /dev "$1/dev" && shift 1 &&
    exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C HOME=/root TMPDIR=/tmp chroot "$0" "$@"' \
    "$tree" "$tree" "$@"
}

# debootstrap_into SYSTEM: sets $said to why it could not
debootstrap_into() {
  local distribution=${1%-*} suite=${1##*-} script=() uri keys
  archive_open "$distribution" "$suite" "$folder/packages" amd64 || { said=$archive_error; return 1; }
  uri=$(archive_of "$distribution" "$suite" "$folder/packages")
  keys=$(archive_key "$distribution" "$folder/packages")
  # debootstrap may be older than the release; all of Ubuntu's have had the same script for long, and so have Debian's.
  [[ -e /usr/share/debootstrap/scripts/$suite ]] || {
    script=(/usr/share/debootstrap/scripts/sid)
    [[ $distribution != ubuntu ]] || script=(/usr/share/debootstrap/scripts/gutsy)
  }
  mkdir -p "$folder/packages/$1-debs"
  debootstrap --variant=minbase --keyring="$keys" --cache-dir="$folder/packages/$1-debs" --components=main,universe \
    --include="$packages${headers[$1]:+,${headers[$1]}}" "$suite" "$work/$1" "$uri" "${script[@]}" \
    >"$folder/$1.log" 2>&1 ||
    { said="debootstrap failed: log=build/systems/$1.log"; return 1; }
}

# unpack_into SYSTEM: enough to build and run: a tenth of debootstrap's work. To dpkg all of it is installed. Sets $said
# to why it could not.
unpack_into() {
  local tree=$work/$1 debs=$work/$1-debs package
  said="packages not to be had: log=build/systems/$1.log"
  archive_open "${1%-*}" "${1##*-}" "$folder/packages" amd64 || { said=$archive_error; return 1; }
  mkdir -p "$debs/partial" "$tree"/{proc,dev,tmp,usr/{bin,sbin,lib,lib64}}
  ln -s usr/{bin,sbin,lib,lib64} "$tree/"
  apt-get "${archive_apt[@]}" -o "Dir::Cache::archives=$debs" -o APT::Install-Recommends=0 --yes --download-only \
    install "${base[@]}" ${packages//,/ } >"$folder/$1.log" 2>&1 || return 1
  for package in "$debs"/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar -x --keep-directory-symlink -C "$tree" || return 1
    dpkg-deb --field "$package" | sed '1s/$/\nStatus: install ok installed/' && echo
  done >"$work/status"
  mkdir -p "$tree"/var/lib/dpkg/{info,updates,triggers,alternatives}
  mv "$work/status" "$tree/var/lib/dpkg/status"
  touch "$tree"/var/lib/dpkg/{lock,lock-frontend} # which dpkg would leave behind
  echo 1 >"$tree/var/lib/dpkg/info/format"
  rm -r "$debs"
  [[ -e $tree/usr/bin/awk ]] || ln -s mawk "$tree/usr/bin/awk"
  chroot "$tree" /sbin/ldconfig
}

# make SYSTEM: as debootstrap leaves it, kept for a week, and what is tested there; sets $said to why there is none
make() {
  local kept=$folder/packages/$1${unpacked:+-unpacked}.tar.gz with="$packages ${headers[$1]-}"
  if [[ -n $(find "$kept" -mtime -7 2>/dev/null) && $(cat "$kept.packages" 2>/dev/null) == "$with" ]]; then
    mkdir "$work/$1" && tar -xzf "$kept" --numeric-owner -C "$work/$1" || { said="cannot unpack $kept"; return 1; }
    : >"$folder/$1.log"
  else
    rm -f "$kept"
    if [[ -n $unpacked ]]; then
      unpack_into "$1" || return 1
    else
      debootstrap_into "$1" || return 1
    fi
    tar -cf - --one-file-system --numeric-owner -C "$work/$1" . | gzip -1 >"$kept.new"
    echo "$with" >"$kept.packages"
    mv "$kept.new" "$kept"
  fi
  mkdir -p "$work/$1/upa/here/lib" "$work/$1/upa/here/tests" "$work/$1/upa/source/build"
  cp "$release"/lib/libupa*.so* "$work/$1/upa/here/lib/"
  cp "$release/tests/redirect_blocks" "$work/$1/upa/here/tests/"
  (cd "$root" && tar -c --exclude=target "${sources[@]}") | tar -x -C "$work/$1/upa/source"
  mkdir -p "$work/$1/upa/source/build/deps"
  [[ ! -d $root/build/deps/dlmalloc ]] || cp -r "$root/build/deps/dlmalloc" "$work/$1/upa/source/build/deps/"
  cp "$root"/apps/launcher/systems-{inside,packages}.sh "$work/$1/upa/"
  if [[ -e $debs/made ]]; then
    mkdir "$work/$1/upa/debs"
    cp "$debs"/*.deb "$work/$1/upa/debs/"
    [[ -z $unpacked ]] || rm "$work/$1"/upa/debs/upa-dkms_*.deb
  fi
}

# The Debian packages, made again if a source of theirs is newer.
debs=$folder/debs
if command -v dh_dkms >/dev/null; then
  if [[ ! -e $debs/made || -n $(cd "$root" && find "${package_sources[@]}" pom.xml upa-core -name target -prune -o \
    -name test -prune -o -newer "$debs/made" -print -quit) ]]; then
    rm -rf "$debs"
    touch "$folder/begun"
    "$root/upa" package "$debs" >"$folder/package.log" 2>&1 || fail "no packages: log=build/systems/package.log"
    mv "$folder/begun" "$debs/made"
  fi
else
  rm -rf "$debs"
  echo "packages left out: apt-get install debhelper dh-dkms"
fi

failed=0
columns='%-16s %-7s %-7s %-22s %-22s %-22s %-12s %-42s %s\n'
# shellcheck disable=SC2059
printf "$columns" system glibc gcc "blocks: served, passed" "python3" "redis" "conformance" "built there" "packages"
for system in "${systems[@]}"; do
  said=
  if ! make "$system"; then
    printf '%-16s left out: %s\n' "$system" "$said"
    continue
  fi
  inside "$system" bash /upa/systems-inside.sh >"$work/said" 2>>"$folder/$system.log" || failed=1
  mapfile -t cells <"$work/said"
  if [[ -e $debs/made ]]; then
    cells+=("$(inside "$system" bash /upa/systems-packages.sh /upa/debs 2>>"$folder/$system.log")")
  else
    cells+=(-)
  fi
  # shellcheck disable=SC2059
  printf "$columns" "$system" "${cells[@]}"
  [[ ${#cells[@]} -eq 8 && "${cells[*]}" != *FAILED* ]] || failed=1
  rm -rf --one-file-system "${work:?}/$system"
done
exit "$failed"
