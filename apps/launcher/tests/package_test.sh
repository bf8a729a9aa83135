#!/usr/bin/env bash
# package_test.sh ROOT: builds the Debian packages and looks at what is in them, with lintian where that is installed;
# what was unpacked runs. `./upa test --systems` installs and purges them. The Maven repository is used by a program of
# somebody else, built by Maven, and by jshell. With UPA_FULL=1, that the same sources make the same packages. Skipped
# where a tool or the Java library is missing.
set -euo pipefail
export LC_ALL=C

root=$1
for tool in dh dh_dkms dpkg-buildpackage; do
  command -v "$tool" >/dev/null || { echo "skipped: no $tool"; exit 77; }
done
[[ -e $root/upa-core/target/upa-core.jar && -e $root/build/release/lib/libupa.so ]] ||
  { echo "skipped: the libraries are not built"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
wrong() { echo "FAILED: $*"; failed=1; }
installed() {
  { find ~/.m2/repository/io/github/upa-allocator -name '*.jar' -printf '%p %T@\n' 2>/dev/null || true; } | sort
}

installed >"$work/installed"
"$root/upa" package "$work/made it" >"$work/names" 2>"$work/log" || { cat "$work/log"; exit 1; }
version=$("$root/upa" --version)
version=${version#upa }
machine=$(dpkg --print-architecture)
printf '%s\n' "libupa-dev_${version}_$machine.deb" "libupa-java_${version}_all.deb" "libupa1_${version}_$machine.deb" \
  "upa-dkms_${version}_all.deb" "upa_${version}_$machine.deb" maven >"$work/expected"
sed 's/.*\///' "$work/names" | diff "$work/expected" - ||
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

# What Maven Central asks of an artifact, but for signatures.
repository="$work/made it/maven"
artifacts=$repository/io/github/upa-allocator
for artifact in upa-core upa-pager; do
  for suffix in .jar -sources.jar -javadoc.jar .pom; do
    compgen -G "$artifacts/$artifact/*/$artifact-*$suffix" >/dev/null || wrong "no $artifact$suffix to publish"
  done
done
mapfile -t poms < <(find "$repository" -name '*.pom')
[[ ${#poms[@]} -eq 3 ]] || wrong "published are ${poms[*]##*/}, not upa, upa-core and upa-pager"
for element in licenses developers scm url description; do
  grep -q "<$element>" "$artifacts"/upa/*/upa-*.pom || wrong "the POM has no <$element>"
done
files() { python3 -c 'import sys, zipfile; print("\n".join(zipfile.ZipFile(sys.argv[1]).namelist()))' "$1"; }
source_jar=$(compgen -G "$artifacts/upa-core/*/*-sources.jar")
javadoc=$(compgen -G "$artifacts/upa-core/*/*-javadoc.jar")
for jar in "$artifacts"/*/*/*[0-9].jar "$root/upa-core/target/upa-core.jar"; do
  files "$jar" >"$work/files"
  [[ ${jar##*/} != upa-core* ]] || grep -qx META-INF/LICENSE "$work/files" || wrong "${jar##*/} has no licence"
  ! grep -qE '[a-z]Test\.class$|junit' "$work/files" || wrong "${jar##*/} has tests"
done
files "$source_jar" >"$work/files"
grep -qx upa/core/Region.java "$work/files" || wrong "sources without Region.java"
files "$javadoc" >"$work/files"
grep -qx upa.core/upa/core/Region.html "$work/files" || wrong "Javadoc without Region"
! grep -q upa/internal "$work/files" || wrong "Javadoc of what is internal"
installed >"$work/files"
diff "$work/installed" "$work/files" || wrong "jars have got into the user's repository"

# JDK as ./upa finds it
java_home=$(source "$root/apps/launcher/setup.sh" && find_jdk)
# Maven's own plugins come from the user's repository, as links, and what is got here goes to the links' folder.
cp -a -l ~/.m2/repository "$work/m2" 2>/dev/null || mkdir -p "$work/m2"
find "$work/m2" -type f \( -name '*.repositories' -o -name '*.properties' -o -name '*.lastUpdated' \
  -o -name 'maven-metadata*' \) -delete
cp -r "$root/apps/launcher/tests/consumer" "$work/consumer"
said=$(JAVA_HOME=$java_home mvn -B -q -f "$work/consumer" -Dmaven.repo.local="$work/m2" -Dupa.repository="$repository" \
  -Dupa.version="$version-SNAPSHOT" compile 2>&1) || wrong "Maven: the consumer does not build: $said"
jar=$(find "$work/m2/io/github/upa-allocator/upa-core" -name 'upa-core-*SNAPSHOT.jar')
said=$("$java_home/bin/java" --enable-native-access=upa.core --illegal-native-access=deny \
  -p "$work/consumer/target/classes:$jar" -m consumer/consumer.Consumer 2>&1) || true
[[ $said == "42 by consumer of upa $version"* ]] || wrong "Maven: the consumer says $said"
mkdir -p "$work/.java/.userPrefs"
said=$(printf '%s\n' 'import upa.core.*;' 'var region = Region.create(64L << 20);' \
  'System.out.println(PageArena.ofConfined(region).allocate(1 << 20).byteSize() + " bytes");' |
  "$java_home/bin/jshell" -R--enable-native-access=ALL-UNNAMED \
    -J-Djava.util.prefs.userRoot="$work" --class-path "$jar" -s - 2>&1) || true
[[ $said == "1048576 bytes" ]] || wrong "jshell says $said"

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
