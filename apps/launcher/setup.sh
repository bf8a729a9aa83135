# setup.sh: what has to be there before a command can run: Debian packages, a JDK, and builds that are up to date.
# Sourced by ./upa, which sets $root. A build whose sources have not changed since costs one `find`.

java_needed=25
log="$root/build/log"
# package:what proves it is there (a command, a file, or a shared library)
packages=(gcc:gcc libc6-dev:/usr/include/stdio.h cmake:cmake ninja-build:ninja maven:mvn xz-utils:xz)
peers=(libjemalloc2:libjemalloc.so.2 libmimalloc2.0:libmimalloc.so.2 libtcmalloc-minimal4:libtcmalloc_minimal.so.4)

# Programs that the tests run under UPA; without one it is left out. About 250 MB to fetch, most of it ffmpeg, PostgreSQL and node.
programs=(python3:python3 git:git sqlite3:sqlite3 perl:perl nodejs:node redis-server:redis-server man-db:man memcached:memcached nginx-light:nginx
  musl-tools:musl-gcc imagemagick:convert ffmpeg:ffmpeg php-cli:php sbcl:sbcl postgresql:/usr/lib/postgresql)

fail() { echo "upa: $*" >&2; exit 1; }
help=./upa # and the command, if it has a --help of its own
usage_error() { echo "upa: $*: see $help --help" >&2; exit 2; }

# step LOG TITLE COMMAND...: runs a command quietly, its output in build/log/LOG.log: one line with the seconds it took, and
# the end of the log if it failed.
step() {
  local file="$log/$1.log" title=$2 start=$SECONDS ticker='' status=0
  shift 2
  mkdir -p "$log"
  if [[ -t 2 ]]; then
    (while printf '\rupa: %-44s %4d s' "$title" $((SECONDS - start)); do sleep 1; done) >&2 &
    ticker=$!
  fi
  "$@" >"$file" 2>&1 </dev/null || status=$?
  if [[ -n $ticker ]]; then
    kill "$ticker" 2>/dev/null || true
    wait "$ticker" 2>/dev/null || true
    printf '\r' >&2
  fi
  printf 'upa: %-44s %4d s\n' "$title" $((SECONDS - start)) >&2
  if [[ $status -ne 0 ]]; then
    tail -n 40 "$file" >&2
    fail "failed: $title; the whole log is log=${file#"$root"/}"
  fi
}

present() {
  case $1 in
    /*) [[ -e $1 ]] ;;
    *.so.*) compgen -G "/usr/lib/*/$1" >/dev/null || [[ -e /usr/lib/$1 || -e /usr/lib64/$1 || -e /usr/local/lib/$1 ]] ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

# missing PACKAGE:PROOF...: the packages whose proof is absent
missing() {
  local entry
  for entry; do
    present "${entry#*:}" || echo "${entry%%:*}"
  done
}

# install PACKAGE...: by apt-get, if that needs no password
install() {
  local as_root=()
  command -v apt-get >/dev/null || return 1
  if [[ $(id -u) -ne 0 ]]; then
    sudo -n true 2>/dev/null || return 1
    as_root=(sudo -n)
  fi
  step packages "installing packages" install_as "$@"
}

# Runlevel 1, so that no package starts its server.
install_as() {
  local get=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -q -y --no-install-recommends)
  "${get[@]}" install "$@" || { "${get[@]}" update && "${get[@]}" install "$@"; }
}

set_up_packages() {
  local absent
  mapfile -t absent < <(missing "${packages[@]}")
  [[ ${#absent[@]} -eq 0 ]] || install "${absent[@]}" ||
    fail "missing packages, install them with: apt-get install ${absent[*]}"
}

# The allocators we measure against: without one the benchmark leaves it out.
set_up_peers() {
  local absent
  mapfile -t absent < <(missing "${peers[@]}")
  [[ ${#absent[@]} -eq 0 ]] || (install "${absent[@]}") ||
    echo "upa: allocators left out of the comparison; to have them: apt-get install ${absent[*]}" >&2
}

set_up_programs() {
  local absent
  mapfile -t absent < <(missing "${programs[@]}")
  [[ ${#absent[@]} -eq 0 ]] || (install "${absent[@]}") ||
    echo "upa: programs left out of the tests; to have them: apt-get install ${absent[*]}" >&2
}

# jdk_version HOME: the feature version of the JDK there, from its `release` file or else by running it; nothing if none
jdk_version() {
  local text=
  [[ -x $1/bin/javac && -x $1/bin/java ]] || return 0
  [[ ! -r $1/release ]] || text=$(<"$1/release")
  [[ $text =~ JAVA_VERSION=\"([0-9]+) ]] || { text=$("$1/bin/java" -version 2>&1 || true); [[ $text =~ version\ \"([0-9]+) ]]; } || return 0
  echo "${BASH_REMATCH[1]}"
}

# find_jdk: the first JDK new enough, wherever JDKs are usually put; nothing if there is none
find_jdk() {
  local home version on_path
  on_path=$(readlink -f "$(command -v javac || true)" || true)
  for home in "${JAVA_HOME:-}" "${on_path%/bin/javac}" /usr/lib/jvm/* /usr/local/lib/jvm/* /usr/java/* /opt/* /opt/*/* \
    ~/.sdkman/candidates/java/* ~/.jdks/* ~/.local/share/mise/installs/java/* ~/.asdf/installs/java/*; do
    version=$(jdk_version "$home")
    if [[ -n $version && $version -ge $java_needed ]]; then
      echo "$home"
      return
    fi
  done
}

# Debian from 13 and Ubuntu from 25.10 on have one.
set_up_jdk() {
  local package=openjdk-$java_needed-jdk-headless
  JAVA_HOME=$(find_jdk)
  if [[ -z $JAVA_HOME ]] && apt-cache show "$package" >/dev/null 2>&1; then
    (install "$package") && JAVA_HOME=$(find_jdk) || true
  fi
  [[ -n $JAVA_HOME ]] ||
    fail "no JDK $java_needed or newer in JAVA_HOME, PATH, /usr/lib/jvm, /opt, ~/.sdkman or ~/.jdks: unpack one there (Eclipse Temurin, say)"
  export JAVA_HOME
}

# fingerprint EXCEPT PATH...: changes when a file below, unless its name matches EXCEPT, is added, removed or changed.
# Java tests are no part of it: Maven itself sees to them.
fingerprint() {
  local except=$1
  shift
  (cd "$root" && find "$@" \( -name target -o -name test \) -prune -o -type f -not -name "$except" -printf '%p %s %T@\n' | sort | sha256sum)
}

# if_changed NAME FINGERPRINT OUTPUT COMMAND...: runs the command unless it has succeeded with this fingerprint
if_changed() {
  local stamp="$root/build/stamp/$1" now=$2 output=$3
  shift 3
  [[ -e $output && -f $stamp && $(<"$stamp") == "$now" ]] && return
  mkdir -p "${stamp%/*}" 2>/dev/null && [[ -w ${stamp%/*} ]] || fail "cannot build: folder=$root/build is not writable: use a clone of your own"
  rm -f "$stamp"
  "$@"
  echo "$now" >"$stamp"
}

# build_c PRESET: release, asan or tsan
build_c() {
  local sources
  sources=$(fingerprint "*.java" CMakeLists.txt CMakePresets.json upa-mmap-shim montecarlo-bench kernel-ext/include \
    apps/programs/measure apps/programs/load apps/programs/workloads/CMakeLists.txt apps/programs/workloads/churn)
  if_changed "c-$1" "$sources" "$root/build/$1/lib/libupa.so" step "c-$1" "building C ($1)" cmake_build "$1"
}

# CMake knows this form of presets from 3.25 on.
cmake_build() (
  local version
  cd "$root"
  version=$(cmake --version | sed -nE '1s/.* ([0-9]+\.[0-9]+).*/\1/p')
  if [[ $(printf '%s\n' 3.25 "$version" | sort -V | head -n 1) == 3.25 ]]; then
    cmake --preset "$1" && cmake --build --preset "$1"
  elif [[ $1 == release ]]; then
    cmake -S . -B build/release -G Ninja && cmake --build build/release
  else
    echo "preset=$1 needs CMake 3.25 or newer, found version=$version"
    return 1
  fi
)

build_java() {
  local sources
  set_up_jdk
  sources=$(fingerprint '*.[ch]' pom.xml upa-core montecarlo-bench apps/tools apps/programs/pom.xml apps/programs/src)
  if_changed java "$JAVA_HOME $sources" "$root/apps/programs/target/lib" \
    step java "building Java" maven package -Dmaven.test.skip=true
}

# The tests of upa-core, and beside them JUnit, to be run elsewhere.
build_java_tests() {
  local sources
  set_up_packages
  set_up_jdk
  sources=$(cd "$root" && find pom.xml upa-core -name target -prune -o -type f -printf '%p %s %T@\n' | sort | sha256sum)
  if_changed java-tests "$JAVA_HOME $sources" "$root/upa-core/target/test-lib" \
    step java-tests "building Java tests" maven -pl upa-core test-compile dependency:copy-dependencies@test-libraries
}

maven() (
  cd "$root" && mvn "$@"
)
