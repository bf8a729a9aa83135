#!/usr/bin/env bash
# package_test.sh ROOT: builds the Debian packages and looks at what is in them, with lintian where that is installed;
# what was unpacked runs. `./upa test --systems` installs and purges them. With UPA_FULL=1, that the same sources make
# the same packages. Skipped where a tool or the Java library is missing.
set -euo pipefail
export LC_ALL=C

root=$1
for tool in dh dh_dkms dpkg-buildpackage fakeroot; do
  command -v "$tool" >/dev/null || { echo "skipped: no $tool"; exit 77; }
done
[[ -e $root/upa-core/target/upa-core.jar && -e $root/build/release/lib/libupa.so ]] ||
  { echo "skipped: the libraries are not built"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
wrong() { echo "FAILED: $*"; failed=1; }

"$root/upa" package "$work/made it" >"$work/names" 2>"$work/log" || { cat "$work/log"; exit 1; }
version=$("$root/upa" --version)
version=${version#upa }
machine=$(dpkg --print-architecture)
[[ $(sed 's/.*\///' "$work/names" | tr '\n' ' ') == "libupa-dev_${version}_$machine.deb libupa-java_${version}_all.deb \
libupa1_${version}_$machine.deb upa-dkms_${version}_all.deb upa_${version}_$machine.deb " ]] ||
  wrong "packages: $(<"$work/names")"

# holds PACKAGE PATTERN...: each file but documents matches one of the patterns, and each pattern a file
holds() {
  local package=$1 file pattern used=() patterns=() matched files
  patterns=("${@:2}")
  mapfile -t files < <(dpkg-deb --fsys-tarfile "$work/made it/${package}"_*.deb | tar -t |
    sed -n -e '/\/$/d' -e '/^\.\/usr\/share\/\(doc\|lintian\)\//d' -e 's/^\.\///p')
  for file in "${files[@]}"; do
    matched=
    for pattern in "${patterns[@]}"; do
      # shellcheck disable=SC2053
      [[ $file != $pattern ]] || { matched=1; used+=("$pattern"); }
    done
    [[ -n $matched ]] || wrong "$package holds $file"
  done
  for pattern in "${patterns[@]}"; do
    [[ " ${used[*]} " == *" $pattern "* ]] || wrong "$package lacks $pattern"
  done
  for file in changelog.gz copyright; do
    dpkg-deb --fsys-tarfile "$work/made it/${package}"_*.deb | tar -t "./usr/share/doc/$package/$file" >/dev/null ||
      wrong "$package lacks its $file"
  done
}
holds libupa1 'usr/lib/*/libupa.so.1' "usr/lib/*/libupa.so.$version"
holds libupa-dev 'usr/include/upa/*.h' 'usr/lib/*/libupa.so' 'usr/lib/*/pkgconfig/upa.pc' \
  'usr/lib/*/cmake/upa/upa-*.cmake' 'usr/share/man/man3/upa_region.3.gz'
loaded=('usr/lib/*/upa/libupa_mmap.so' 'usr/lib/*/upa/libupa_blocks.so')
[[ ! -e $root/build/release/lib/libupa_malloc.so ]] || loaded+=('usr/lib/*/upa/libupa_malloc.so')
holds upa usr/bin/upa usr/bin/upa-run 'usr/share/man/man1/upa*.1.gz' usr/share/man/man7/libupa_mmap.7.gz \
  usr/share/bash-completion/completions/upa "${loaded[@]}"
holds libupa-java "usr/share/java/upa-core-$version.jar" usr/share/java/upa-core.jar
sources=()
for file in "$root"/kernel-ext/module/*.[ch] "$root"/kernel-ext/module/{Kbuild,Makefile}; do
  sources+=("usr/src/upa-$version/module/${file##*/}")
done
holds upa-dkms "${sources[@]}" "usr/src/upa-$version/include/uapi/upa.h" "usr/src/upa-$version/dkms.conf"

# Only DKMS's package runs anything when it is installed or removed.
for package in libupa1 libupa-dev upa libupa-java; do
  for script in preinst postinst prerm postrm config; do
    ! dpkg-deb --ctrl-tarfile "$work/made it/${package}"_*.deb | tar -t "./$script" >/dev/null 2>&1 ||
      wrong "$package has a script $script"
  done
done
[[ $(dpkg-deb -f "$work/made it"/libupa-dev_*.deb Depends) == "libupa1 (= $version)" ]] ||
  wrong "libupa-dev depends on another libupa1"

mkdir "$work/tree"
for package in "$work/made it"/*.deb; do
  dpkg-deb -x "$package" "$work/tree"
done
! grep -rlF -e "$root" -e "$work" "$work/tree" || wrong "files name where they were built"
[[ $("$work/tree/usr/bin/upa" --version) == "upa $version" ]] || wrong "upa --version of the package"
said=$("$work/tree/usr/bin/upa" run --stats -- "$root/build/release/tests/redirect_blocks" 2>&1) || wrong "upa run: $?"
[[ $said == *"mmap, under"* ]] || wrong "upa run serves nothing: $said"

if command -v lintian >/dev/null; then
  said=$(lintian --allow-root --tag-display-limit 0 "$work/made it"/*.changes 2>&1) || wrong "lintian: status $?"
  [[ -z $said ]] || wrong "lintian: $said"
  echo "lintian is content"
else
  echo "left out: lintian is not installed"
fi

status=0
"$root/upa" package --frobnicate >/dev/null 2>"$work/said" || status=$?
[[ $status -eq 2 && $(<"$work/said") == "upa: package takes a folder or nothing, got argument=--frobnicate"* ]] ||
  wrong "a mistake: status $status: $(<"$work/said")"

if [[ -n ${UPA_FULL-} ]]; then
  "$root/upa" package "$work/again" >/dev/null 2>"$work/log" || { cat "$work/log"; exit 1; }
  for package in "$work/made it"/*.deb; do
    cmp "$package" "$work/again/${package##*/}" || wrong "${package##*/} is another the second time"
  done
fi
exit "$failed"
