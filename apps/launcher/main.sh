# main.sh: what ./upa does but for running what is built and fresh. It sets up what a command needs (packages, JDK,
# build: setup.sh), then runs it. Sourced by ./upa, which sets $root. No `cd` without CDPATH='': that variable sends it
# elsewhere, and has it print where.
set -euo pipefail

# Bash complains, and all is well, where the working directory is gone.
root=$(CDPATH='' cd -- "$root" 2>/dev/null && pwd)
source "$root/apps/launcher/setup.sh"

usage() {
  print "$(cat <<'END'
usage: ./upa COMMAND [ARGUMENT...]

  run [OPTION...] [--] PROGRAM [ARGUMENT...]
                       run a program with its memory from UPA (./upa run --help says more)
  top [PID|all]        running programs under UPA, live: requests, memory in use and kept, what is reused and taken
  reclaim PID|all      memory that programs under UPA have freed goes back to the kernel now (./upa reclaim --help)
  reclaim --bound BYTES|none PID|all
                       and from now on, whenever a program is resident beyond so many bytes
  reclaim --watch      and by itself, while the machine or a cgroup is short of memory
  trace FILE...        what a program asked for, recorded by ./upa run --trace FILE: sizes, lifetimes, how much of
                       it again
  policy list|simulate|new|status|stats|set|move|limit|share|record|report
                       memory policies: those there are, how they do on a trace, a project of your own; programs
                       under ./upa run --policy (./upa policy --help says more)
  pager --metrics [PORT]
                       their figures as OpenMetrics, on loopback (./upa pager --help says more)
  pager --regions      pages regions of the kernel module that programs hand over
  bench [ARGUMENT...]  measure page allocation and malloc: table, charts, data (./upa bench --help says more)
  apps [ARGUMENT...]   measure real programs on UPA and under other allocators (./upa apps --help says more)
  vm [OPTION...] -- COMMAND...
                       run a command in a virtual machine with the kernel module (./upa vm --help says more)
  vm test              the module's tests there, and Java's on the module
  vm fuzz [MINUTES]    random calls of the module by several processes, 10 minutes (./upa vm fuzz --help says more)
  vm bench             what a page costs there, in exact instruction counts (./upa vm bench --help says more)
  test [--full]        run every C and Java test, under sanitizers too; --full: with long stress
  test --soak [MINUTES]
                       random memory calls and real programs under UPA side by side, for an hour unless told
  test --suites [OPTION...]
                       tests that glibc, the kernel and LTP bring, with and without UPA
                       (./upa test --suites --help says more)
  test --systems [--unpacked] [SYSTEM...]
                       the library on other releases of Debian and Ubuntu, in chroots, as root
  doctor               what this machine offers, and what each missing thing costs
  build                build all, and run nothing
  package [FOLDER]     build Debian packages and a Maven repository, into build/package unless told otherwise
  --version            the version of all parts

Everything is built on first use and only what has changed afterwards. Logs are in build/log.
END
)"
}

# java_command MODULE CLASS OPTION... -- ARGUMENT...: a command whose work is done in Java
java_command() {
  local module=$1 class=$2 options=()
  shift 2
  while [[ $1 != -- ]]; do
    options+=("$1")
    shift
  done
  exec "$JAVA_HOME/bin/java" --enable-native-access=ALL-UNNAMED --illegal-native-access=deny "${options[@]}" \
    -Dupa.root="$root" -Dupa.library.path="$root/build/release/lib" \
    -cp "$root/$module/target/$(java_artifact "$module").jar:$root/$module/target/lib/*" "$class" "${@:2}"
}

# tool CLASS ARGUMENT...: one that needs only Java, and ends soon
tool() {
  build_java
  java_command apps/tools "$1" -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -- "${@:2}"
}

# The JDK first, here and below: without one nothing need be built.
bench() {
  set_up_jdk
  set_up_peers
  build_c release
  build_java
  java_command montecarlo-bench upa.bench.Main --sun-misc-unsafe-memory-access=allow \
    -Dupa.driver="$root/build/release/bin/upa-driver" -- "$@"
}

apps() {
  set_up_jdk
  set_up_peers
  build_c release
  build_java
  java_command apps/programs upa.apps.Main -- "$@"
}

command=${1:-}
[[ $# -eq 0 ]] || shift
# Those that have no help of their own.
if [[ $command == @(build|doctor|package|test) && ${1-} == @(-h|--help) ]]; then
  usage
  exit
fi
case $command in
  run | build-and-run) build_and_run "$@" ;;
  top) tool upa.tools.top.Main "$@" ;;
  reclaim) tool upa.tools.reclaim.Main "$@" ;;
  trace) tool upa.tools.trace.Main "$@" ;;
  pager) tool upa.tools.pager.Main "$@" ;;
  policy) tool upa.tools.policy.Main "$@" ;;
  bench) bench "$@" ;;
  apps) apps "$@" ;;
  vm)
    case ${1:-} in
      test)
        [[ $# -lt 2 || $2 != @(-h|--help) ]] || { usage && exit; }
        source "$root/apps/launcher/vm-test.sh"
        vm_test "${@:2}"
        ;;
      bench)
        source "$root/apps/launcher/vm-bench.sh"
        vm_bench "${@:2}"
        ;;
      fuzz) exec "$root/kernel-ext/vm/run-fuzz" "${@:2}" ;;
      *) exec "$root/kernel-ext/vm/run" "$@" ;;
    esac
    ;;
  test)
    source "$root/apps/launcher/test.sh"
    run_tests "$@"
    ;;
  doctor)
    [[ $# -eq 0 ]] || usage_error "doctor takes no argument, got argument=$1"
    source "$root/apps/launcher/doctor.sh"
    report=$(set -e && doctor)
    print "$report"
    ;;
  build)
    [[ $# -eq 0 ]] || usage_error "build takes no argument, got argument=$1"
    build_c release complete
    build_java
    ;;
  package)
    source "$root/apps/launcher/package.sh"
    package "$@"
    ;;
  -V | --version | version) print "upa $(version)" ;;
  -h | --help | help) usage ;;
  '') usage_error "no command given" ;;
  *) usage_error "unknown command=$command" ;;
esac
