# setup.sh: what has to be there before a command can run: Debian packages, a JDK, and builds that are up to date.
# Sourced by ./upa, which sets $root. A build whose sources have not changed since costs one `find`.

source "$root/apps/launcher/one-line.sh"

java_needed=25
log="$root/build/log"
# package:what proves it is there (a command, a file, or a shared library). C needs the first ones, Java the second.
c_packages=(gcc:gcc libc6-dev:/usr/include/stdio.h cmake:cmake ninja-build:ninja xz-utils:xz)
java_packages=(maven:mvn)
peers=(libjemalloc2:libjemalloc.so.2 libmimalloc2.0:libmimalloc.so.2 libtcmalloc-minimal4:libtcmalloc_minimal.so.4)

# Programs that the tests run under UPA, and libdw for upa-stacks; without one it is left out. About 250 MB to fetch,
# most of it ffmpeg, PostgreSQL and node.
programs=(python3:python3 git:git sqlite3:sqlite3 perl:perl nodejs:node redis-server:redis-server man-db:man
  memcached:memcached nginx-light:nginx musl-tools:musl-gcc gcc-aarch64-linux-gnu:aarch64-linux-gnu-gcc
  libc6-dev-arm64-cross:/usr/aarch64-linux-gnu/include/stdio.h qemu-user:qemu-aarch64
  shellcheck:shellcheck clang-format-14:clang-format-14 pkg-config:pkg-config debhelper:dh dh-dkms:dh_dkms
  imagemagick:convert ffmpeg:ffmpeg php-cli:php sbcl:sbcl postgresql:/usr/lib/postgresql
  fakeroot:fakeroot faketime:faketime libsocket-wrapper:libsocket_wrapper.so libeatmydata1:libeatmydata.so
  heaptrack:heaptrack libdw-dev:/usr/include/elfutils/libdwfl.h)

# What full tests use besides.
full_programs=(chromium-headless-shell:chromium-headless-shell lintian:lintian r-base-core:R ruby:ruby
  ocaml-nox:ocaml ghc:ghc emacs-nox:emacs libreoffice-writer-nogui:soffice mariadb-server:mariadbd
  firefox-esr:firefox-esr gdb:gdb strace:strace valgrind:valgrind bubblewrap:bwrap)

# What builds and runs other projects' test suites.
suite_programs=(tcl:tclsh rsync:rsync make:make autoconf:autoconf automake:automake m4:m4 bison:bison flex:flex
  libcap-dev:/usr/include/sys/capability.h libaio-dev:/usr/include/libaio.h libnuma-dev:/usr/include/numaif.h)

say() { one_line "upa: $*" >&2 || true; }
fail() { say "$*"; exit 1; }
print() { printf '%s\n' "$1" 2>/dev/null || fail "cannot write to standard output"; }
help=./upa # and the command, if it has a --help of its own
usage_error() { say "$*: see $help --help"; exit 2; }

# The version of all parts: CMakeLists.txt says it, and a test holds the others to it.
version() {
  local text
  text=$(<"$root/CMakeLists.txt")
  [[ $text =~ project\(upa\ VERSION\ ([0-9.]+) ]]
  echo "${BASH_REMATCH[1]}"
}

# quietly LOG TITLE COMMAND...: runs a command, its output in build/log/LOG.log, and says in one line how many seconds
# it took
quietly() {
  local file="$log/$1.log" title=$2 start=$SECONDS ticker='' status=0
  shift 2
  mkdir -p "$log"
  if [[ -t 2 ]]; then
    (while printf '\rupa: %-44s %4d s' "$title" $((SECONDS - start)); do sleep 1; done) >&2 &
    ticker=$!
  fi
  # Exported also where it is the shell's own, for want of any.
  PATH=$PATH "$@" >"$file" 2>&1 </dev/null || status=$?
  if [[ -n $ticker ]]; then
    kill "$ticker" 2>/dev/null || true
    wait "$ticker" 2>/dev/null || true
    printf '\r' >&2
  fi
  printf 'upa: %-44s %4d s\n' "$title" $((SECONDS - start)) >&2
  return "$status"
}

# step LOG TITLE COMMAND...: the same; if it fails, the end of the log, what download failed if one did, and the end
step() {
  quietly "$@" || step_failed "$log/$1.log" "$2"
}

step_failed() { # LOG TITLE
  local absent
  absent=$(not_downloaded "$1")
  [[ -z $absent ]] ||
    fail "cannot download $absent: is there a network? Without it $(works_offline); the whole log is log=${1#"$root"/}"
  tail -n 40 "$1" >&2
  fail "failed: $2; the whole log is log=${1#"$root"/}"
}

# not_downloaded LOG: what Maven, apt or the fetch of dlmalloc could not get; nothing if that was not what failed
not_downloaded() {
  local text
  text=$(tail -n 400 "$1" 2>/dev/null || true)
  if [[ $text =~ Could\ not\ (transfer|find)\ artifact\ ([^ ]+) ]]; then
    echo "the Maven artifact ${BASH_REMATCH[2]}"
  elif [[ $text =~ (Plugin|plugin)\ ([^ ]+:[^ ]+)\ or\ one\ of\ its\ dependencies ]]; then
    echo "the Maven plugin ${BASH_REMATCH[2]}"
  elif [[ $text =~ Cannot\ access\ [^\ ]+\ .*in\ offline\ mode ]]; then
    echo "what Maven needs (it is in offline mode)"
  elif [[ $text =~ (Temporary\ failure\ resolving|Could\ not\ resolve) ||
    $text =~ (Failed\ to\ fetch|Unable\ to\ fetch|Could\ not\ connect) ]]; then
    echo "Debian packages"
  fi
}

# works_offline: what there is without another download
works_offline() {
  local works=()
  [[ ! -e $root/build/release/lib/libupa_mmap.so ]] || works+=("./upa run")
  [[ ! -e $root/apps/tools/target/lib ]] || works+=("./upa top and trace")
  [[ ! -e $root/montecarlo-bench/target/lib || ! -e $root/build/release/bin/upa-driver ]] || works+=("./upa bench")
  if [[ ${#works[@]} -eq 0 ]] && command -v cmake >/dev/null && command -v gcc >/dev/null; then
    works+=("./upa run, which needs none to be built")
  fi
  if [[ ${#works[@]} -eq 0 ]]; then
    echo "only ./upa doctor works"
  else
    (IFS=,; echo "what works is ${works[*]}" | sed 's/,/, /g')
  fi
}

present() {
  case $1 in
    /*) [[ -e $1 ]] ;;
    *.so | *.so.*)
      compgen -G "/usr/lib/*/$1" >/dev/null || [[ -e /usr/lib/$1 || -e /usr/lib64/$1 || -e /usr/local/lib/$1 ]]
      ;;
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

# need PACKAGE:PROOF...: installs what is absent, or says how to
need() {
  local absent
  mapfile -t absent < <(missing "$@")
  [[ ${#absent[@]} -eq 0 ]] || install "${absent[@]}" ||
    fail "missing packages, install them with: apt-get install ${absent[*]}"
}

# The allocators we measure against: without one the benchmark leaves it out.
set_up_peers() {
  local absent
  mapfile -t absent < <(missing "${peers[@]}")
  [[ ${#absent[@]} -eq 0 ]] || (install "${absent[@]}") ||
    say "allocators left out of the comparison; to have them: apt-get install ${absent[*]}"
}

set_up_programs() {
  local absent
  mapfile -t absent < <(missing "${programs[@]}")
  [[ ${#absent[@]} -eq 0 ]] || (install "${absent[@]}") ||
    say "programs left out of the tests; to have them: apt-get install ${absent[*]}"
}

# jdk_version HOME: the feature version of the JDK there, from its `release` file or else by running it; nothing if none
jdk_version() {
  local text=
  [[ -x $1/bin/javac && -x $1/bin/java ]] || return 0
  [[ ! -r $1/release ]] || text=$(<"$1/release")
  if [[ ! $text =~ JAVA_VERSION=\"([0-9]+) ]]; then
    text=$("$1/bin/java" -version 2>&1 || true)
    [[ $text =~ version\ \"([0-9]+) ]] || return 0
  fi
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
    fail "no JDK $java_needed or newer in JAVA_HOME, PATH, /usr/lib/jvm, /opt, ~/.sdkman or ~/.jdks:" \
      "unpack one there (Eclipse Temurin, say)"
  export JAVA_HOME
}

# fingerprint EXCEPT PATH...: changes when a file below, unless its name matches EXCEPT, is added, removed or changed.
# Java tests are no part of it: Maven itself sees to them.
fingerprint() {
  local except=$1
  shift
  (CDPATH='' cd -- "$root" && find "$@" \( -name target -o -name test \) -prune -o \
    -type f -not -name "$except" -printf '%p %s %T@\n' | sort | sha256sum)
}

# Two builds at once in one folder would spoil each other.
lock_build() {
  [[ $root != *[[:cntrl:]\"\;\\\$]* ]] ||
    fail "cannot build: folder=$root: CMake takes no line break, double quote, semicolon, backslash or dollar sign in" \
      "a name: move or rename it"
  mkdir -p "$root/build/stamp" 2>/dev/null && [[ -w $root/build/stamp ]] ||
    fail "cannot build: folder=$root/build is not writable: use a clone of your own"
  exec 9>"$root/build/lock"
  ! command -v flock >/dev/null || flock 9
}
unlock_build() { exec 9>&-; }

built() { [[ -e $3 && -f $1 && $(<"$1") == "$2" ]]; } # STAMP FINGERPRINT OUTPUT

# if_changed NAME FINGERPRINT OUTPUT COMMAND...: runs the command unless it has succeeded with this fingerprint
if_changed() {
  local stamp="$root/build/stamp/$1" now=$2 output=$3
  shift 3
  ! built "$stamp" "$now" "$output" || return 0
  lock_build
  if built "$stamp" "$now" "$output"; then # by another, meanwhile
    unlock_build
    return
  fi
  rm -f "$stamp"
  "$@" 9>&-
  echo "$now" >"$stamp"
  unlock_build
}

# build_c PRESET [COMPLETE]: release, asan or tsan. Where dlmalloc's source cannot be had, what is built on it is left
# out, and it is tried again only if all has to be complete.
build_c() {
  local sources output="$root/build/$1/lib/libupa.so"
  [[ -z ${2:-} ]] || output="$root/build/$1/lib/libdlmalloc_upa.so"
  sources=$(fingerprint '*.java' CMakeLists.txt CMakePresets.json kernel-ext/include upa-mmap-shim montecarlo-bench \
    apps/launcher/run apps/programs/measure apps/programs/load apps/programs/workloads/CMakeLists.txt \
    apps/programs/workloads/{aging,arenas,churn})
  if_changed "c-$1" "$sources" "$output" c_step "$1"
}

c_step() {
  need "${c_packages[@]}"
  touch "$root/build/stamp/begun"
  step "c-$1" "building C ($1)" cmake_build "$1" ON
  [[ -e $root/build/$1/lib/libdlmalloc_upa.so ]] || no_dlmalloc "$log/c-$1.log"
  [[ $1 != release ]] || mv "$root/build/stamp/begun" "$root/build/stamp/run"
}

no_dlmalloc() { # LOG
  say "cannot download the source of dlmalloc, which is left out (log=${1#"$root"/}): all but --malloc dl works"
}

# cmake_build PRESET ON|OFF [OPTION...]: with or without dlmalloc, and options of the build. CMake knows presets of this
# form from 3.25 on.
cmake_build() (
  local version preset=$1 dlmalloc=-DUPA_DLMALLOC=$2
  shift 2
  CDPATH='' cd -- "$root"
  version=$(cmake --version | sed -nE '1s/.* ([0-9]+\.[0-9]+).*/\1/p')
  if [[ $(printf '%s\n' 3.25 "$version" | sort -V | head -n 1) == 3.25 ]]; then
    cmake --preset "$preset" "$dlmalloc" && cmake --build --preset "$preset" "$@"
  elif [[ $preset == release ]]; then
    cmake -S . -B build/release -G Ninja "$dlmalloc" && cmake --build build/release "$@"
  else
    echo "preset=$preset needs CMake 3.25 or newer, found version=$version"
    return 1
  fi
)

# build_and_run ARGUMENT...: of ./upa run, for a program that is missing or older than its sources: only what it needs.
# The stamp is as old as the beginning: what is changed meanwhile counts as changed.
build_and_run() {
  local targets=(upa-run upa_mmap upa_blocks) launcher=$root/build/release/bin/upa-run absent=() dlmalloc=OFF
  if [[ -x $launcher && ! -w $root/build ]]; then
    say "folder=$root/build is not writable: running what was built there before its sources changed"
    exec "$launcher" --built "$root" "$@"
  fi
  mapfile -t absent < <(missing "${c_packages[@]}")
  if [[ -x $launcher && ${#absent[@]} -gt 0 ]] && ! (install "${absent[@]}"); then
    say "cannot build without ${absent[*]}: running what was built before its sources changed"
    exec "$launcher" --built "$root" "$@"
  fi
  need "${c_packages[@]}"
  if [[ " $* " == *" --malloc dl "* || " $* " == *" --malloc=dl "* ]]; then
    targets+=(upa_malloc)
    dlmalloc=ON
  elif grep -qs '^UPA_DLMALLOC:BOOL=ON' "$root/build/release/CMakeCache.txt"; then
    dlmalloc=ON
  fi
  lock_build
  touch "$root/build/stamp/begun"
  if [[ $dlmalloc == OFF || ${targets[*]} != *upa_malloc* ]]; then
    step run "building UPA for ./upa run" cmake_build release "$dlmalloc" --target "${targets[@]}" 9>&-
  elif ! quietly run "building UPA and dlmalloc for ./upa run" \
    cmake_build release ON --target "${targets[@]}" 9>&-; then
    [[ $(<"$log/run.log") == *'built on it, are left out'* ]] || step_failed "$log/run.log" "building UPA for ./upa run"
    fail "no --malloc dl: cannot download the source of dlmalloc (log=build/log/run.log): all else works"
  fi
  mv "$root/build/stamp/begun" "$root/build/stamp/run"
  unlock_build
  exec "$launcher" --rebuilt "$root" "$@"
}

# java_artifact MODULE: what its jar is called
java_artifact() {
  case $1 in
    apps/*) echo "upa-${1#apps/}" ;;
    *) echo "$1" ;;
  esac
}

build_java() {
  local sources
  [[ $root != *:* ]] || fail "cannot run Java from folder=$root: a class path takes no colon: move or rename it"
  set_up_jdk
  sources=$(fingerprint '*.[ch]' pom.xml upa-core montecarlo-bench apps/tools apps/programs/pom.xml apps/programs/src)
  if_changed java "$JAVA_HOME $sources" "$root/build/reclaim/start" java_step
}

java_step() {
  need "${java_packages[@]}"
  touch "$root/build/stamp/java-begun"
  step java "building Java" maven package -Dmaven.test.skip=true
  write_start pager upa.tools.policy.Main serve -- --warm
  write_reclaim_start
  mv "$root/build/stamp/java-begun" "$root/build/stamp/pager"
}

# write_start NAME CLASS WORD... -- TRAINING...: how a command in Java is started without this script, which takes
# longer than all the rest: a script that is nothing but the command, and a cache of loaded classes (JEP 483) from a run
# with the training's arguments. Without the cache it starts all the same, only later.
write_start() {
  local folder=$root/build/$1 jars=("$root"/apps/tools/target/upa-tools.jar "$root"/apps/tools/target/lib/*.jar) java
  local words=()
  shift
  java=("$JAVA_HOME/bin/java" --enable-native-access=ALL-UNNAMED --illegal-native-access=deny
    -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xms8m -Xmn3m -XX:MinHeapFreeRatio=10 -XX:MaxHeapFreeRatio=20
    -XX:ReservedCodeCacheSize=16m -XX:-UsePerfData -Xlog:disable -Dupa.root="$root"
    # What keeps it from starting is said where others say so.
    -XX:+DisplayVMOutputToStderr
    # The cache where it was made for: else all its pages are written to. Memory of the compiler's goes back.
    -XX:+UnlockDiagnosticVMOptions -XX:ArchiveRelocationMode=0 -XX:TrimNativeHeapInterval=2000)
  while [[ $1 != -- ]]; do
    words+=("$1")
    shift
  done
  mkdir -p "$folder"
  rm -f "$folder/classes"
  timeout 60 "${java[@]}" -XX:AOTCacheOutput="$folder/classes" -cp "$(IFS=:; echo "${jars[*]}")" \
    "${words[@]}" "${@:2}" >"$log/${folder##*/}.log" 2>&1 </dev/null || true
  {
    echo '#!/bin/sh'
    echo 'unset JAVA_TOOL_OPTIONS JDK_JAVA_OPTIONS _JAVA_OPTIONS'
    printf 'exec'
    printf ' %q' "${java[@]}" -XX:AOTCache="$folder/classes" -cp "$(IFS=:; echo "${jars[*]}")" "${words[@]}"
    echo ' "$@"'
  } >"$folder/start.new"
  chmod +x "$folder/start.new"
  mv "$folder/start.new" "$folder/start"
}

# It is trained on a program that keeps something, if there is the library for one.
write_reclaim_start() {
  local library=$root/build/release/lib/libupa_mmap.so ready=''
  [[ -e $library ]] || { write_start reclaim upa.tools.reclaim.Main -- --help; return; }
  coproc keeper { UPA_DECAY_MS=100000 LD_PRELOAD=$library exec bash -p -c \
    'x=$(head -c 8388608 /dev/zero | tr "\0" x); unset x; echo ready; read -r'; }
  read -r -t 10 ready <&"${keeper[0]}" || true
  write_start reclaim upa.tools.reclaim.Main -- "$keeper_PID"
  kill "$keeper_PID" 2>/dev/null || true
  wait "$keeper_PID" 2>/dev/null || true
}

# The tests of upa-core, and beside them JUnit, to be run elsewhere.
build_java_tests() {
  local sources
  set_up_jdk
  sources=$(CDPATH='' cd -- "$root" &&
    find pom.xml upa-core -name target -prune -o -type f -printf '%p %s %T@\n' | sort | sha256sum)
  if_changed java-tests "$JAVA_HOME $sources" "$root/upa-core/target/test-lib" java_tests_step
}

java_tests_step() {
  need "${java_packages[@]}"
  step java-tests "building Java tests" \
    maven -pl upa-core,upa-core/pager test-compile dependency:copy-dependencies@test-libraries
}

maven() (
  CDPATH='' cd -- "$root" && mvn "$@"
)
