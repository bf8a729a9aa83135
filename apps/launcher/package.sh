# package.sh: ./upa package: Debian packages of the libraries, the command, the Java library and the module's source;
# and a Maven repository with the jars, their sources and Javadoc.
# Sourced by ./upa. debian/ is apps/packaging/debian; the tree that dpkg-buildpackage works in is a copy.

package_tools=(debhelper:dh dh-dkms:dh_dkms dpkg-dev:dpkg-buildpackage)
package_sources=(CMakeLists.txt LICENSE upa-mmap-shim montecarlo-bench kernel-ext/include kernel-ext/module
  apps/launcher/run apps/launcher/tests apps/programs apps/packaging/debian)

# package [FOLDER]: into build/package, unless told otherwise
package() {
  local output=$root/build/package work dlmalloc=OFF
  [[ $# -le 1 && ${1-} != -* ]] || usage_error "package takes a folder or nothing, got argument=$1"
  [[ $# -eq 0 ]] || output=$1
  command -v dpkg >/dev/null ||
    fail "package makes packages for dpkg, which is not here: use cmake --install build/release"
  need "${c_packages[@]}" "${package_tools[@]}"
  set_up_jdk
  build_c release
  build_java
  mkdir -p "$output" 2>/dev/null && [[ -w $output ]] || fail "cannot write folder=$output"
  output=$(CDPATH='' cd -- "$output" && pwd)
  [[ ! -e $root/build/release/lib/libupa_malloc.so ]] || dlmalloc=ON
  work=$(mktemp -d 2>/dev/null) || fail "cannot write folder=${TMPDIR:-/tmp}: set TMPDIR to another"
  # shellcheck disable=SC2064
  trap "rm -rf -- $(printf %q "$work")" EXIT
  mkdir "$work/upa"
  (CDPATH='' cd -- "$root" && tar -c --exclude=target "${package_sources[@]}") | tar -x -C "$work/upa"
  mv "$work/upa/apps/packaging/debian" "$work/upa/debian"
  package_changelog >"$work/upa/debian/changelog"
  step package "building packages" package_step "$work/upa" "$dlmalloc"
  rm -f "$output"/{upa,libupa*,upa-dkms}_*.deb "$output"/upa_*.changes
  mv "$work"/*.deb "$work"/*.changes "$work"/*.buildinfo "$output/"
  step package-java "building jars of sources and Javadoc" maven_repository "$work/maven"
  rm -rf "$output/maven"
  mv "$work/maven" "$output/maven"
  printf '%s\n' "$output"/*.deb "$output/maven"
}

# No debug symbols, which are as large again; xz, which every dpkg can read.
package_step() { # FOLDER ON|OFF
  CDPATH='' cd -- "$1"
  UPA_DEPS_DIR=$root/build/deps UPA_DLMALLOC=$2 UPA_JAR=$root/upa-core/target/upa-core.jar \
    DEB_BUILD_OPTIONS="noautodbgsym nocheck parallel=$(nproc)" \
    dpkg-buildpackage --build=binary --no-sign --no-check-builddeps
}

# In the build's own folders, but nothing goes into the user's repository.
maven_repository() { # FOLDER
  need "${java_packages[@]}"
  lock_build
  maven -q -Prelease -pl .,upa-core,upa-core/pager -Dmaven.test.skip=true -Dmaven.install.skip=true deploy \
    -DaltDeploymentRepository="folder::file://$1" 9>&-
  unlock_build
}

# One entry. Its time goes into the files: that of the last commit, so that the same sources make the same packages.
package_changelog() {
  local time
  time=$(git -C "$root" log -1 --format=%ct 2>/dev/null || stat -c %Y "$root/CHANGELOG.md")
  cat <<TEXT
upa ($(version)) unstable; urgency=medium

  * CHANGELOG.md says what is new.

 -- UPA maintainers <maintainers@upa.invalid>  $(LC_ALL=C date -Ru -d "@$time")
TEXT
}
