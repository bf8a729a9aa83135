# test.sh: every test of the project: C ones plain and under sanitizers (ctest), Java ones (Surefire, jcstress), those
# of the kernel module in the virtual machine. Sourced by ./upa. All of them run even when one fails; the last line sums
# them up.

run_tests() {
  local preset results="$root/build/test-results" failed=0 reports
  case "$*" in
    '') export UPA_FULL= ;;
    --full)
      export UPA_FULL=1 # tests read it: longer stress, more rounds
      programs+=("${full_programs[@]}")
      ;;
    --soak | --soak\ *)
      [[ $# -le 2 && ${2-60} =~ ^[1-9][0-9]{0,4}$ ]] ||
        usage_error "test --soak takes a number of minutes up to 99999, got argument=${*:2}"
      soak "${2-60}"
      return
      ;;
    --systems | --systems\ *)
      systems "${@:2}"
      return
      ;;
    --suites | --suites\ *)
      suites "${@:2}"
      return
      ;;
    *)
      usage_error "test takes nothing, --full, --soak [MINUTES], --suites [OPTION...] or --systems [SYSTEM...]," \
        "got argument=$1"
      ;;
  esac
  need "${c_packages[@]}" "${java_packages[@]}"
  set_up_peers
  set_up_programs
  for preset in release asan tsan; do
    build_c "$preset" complete
  done
  build_java
  rm -rf "$results" "$root"/*/target/surefire-reports "$root"/*/*/target/surefire-reports
  mkdir -p "$results"
  : >"$log/jcstress.log"
  : >"$log/vm-test.log"

  for preset in release asan tsan; do
    (CDPATH='' cd -- "$root" && ctest --preset "$preset" --output-junit "$results/$preset.xml") || failed=1
  done
  java_format || failed=1
  java_tests || failed=1
  jcstress || failed=1
  vm_tests || failed=1
  reports=("$results"/*.xml "$root"/*/target/surefire-reports/TEST-*.xml
    "$root"/*/*/target/surefire-reports/TEST-*.xml)
  [[ $failed -eq 0 ]] || failures "${reports[@]}"
  sum_up "${reports[@]}" || failed=1
  return "$failed"
}

# What CI does for a minute, for as long as asked.
soak() {
  set_up_peers
  set_up_programs
  build_c release complete
  "$root/upa-mmap-shim/tests/preload/soak.sh" "$root/build/release/lib" "$root/build/release/tests" $(($1 * 60))
}

# Other releases of Debian and Ubuntu: tens of minutes, gigabytes for a while, and root; no part of CI.
systems() {
  "$root/apps/launcher/systems.sh" --check "$@" || exit
  [[ $# -eq 0 || ${*: -1} != @(-h|--help) ]] || return 0
  need "${c_packages[@]}" "${java_packages[@]}"
  build_c release
  "$root/apps/launcher/systems.sh" "$@"
}

# Test suites of other projects, each test with and without UPA: an hour or more, and no part of CI.
suites() {
  local suites=("$root/upa-mmap-shim/tests/suites/suites.py" --libraries "$root/build/release/lib"
    --work "$root/build/suites")
  need python3:python3
  # A mistake, or --help, costs no build.
  "${suites[@]}" --check "$@" || exit
  [[ " $* " != *\ @(-h|--help)\ * ]] || return 0
  programs+=("${suite_programs[@]}")
  set_up_programs
  build_c release
  "${suites[@]}" "$@"
}

java_format() {
  echo "Java format (mvn -N spotless:apply mends it; whole log: build/log/spotless.log)"
  maven -N spotless:check >"$log/spotless.log" 2>&1 || {
    sed -nE 's/^\[ERROR\] +//p' "$log/spotless.log" | head -n 20
    return 1
  }
}

java_tests() {
  echo "Java tests (whole log: build/log/maven-test.log)"
  maven test --fail-at-end 2>&1 | tee "$log/maven-test.log" |
    grep -E 'Tests run:|BUILD|^\[ERROR\] .*(\.java|<<<|::|:[0-9]+ )'
}

# The races between Java threads, in every way jcstress can compile and schedule them.
jcstress() {
  # By default every test compiled in each way alone; in full each actor compiled in each way beside the others.
  local options=(-m quick -sc false -iters 3 -time 150) results="$root/build/jcstress" class_path
  [[ -z $UPA_FULL ]] || options=(-m quick -iters 10 -time 300)
  [[ -e $root/upa-core/target/jcstress-classes/META-INF/TestList ]] || return 0
  mkdir -p "$results"
  step jcstress-classpath "finding jcstress's class path" maven -pl upa-core \
    org.apache.maven.plugins:maven-dependency-plugin:build-classpath -Dmdep.outputFile="$results/classpath"
  class_path="$root/upa-core/target/jcstress-classes:$root/upa-core/target/classes:$(<"$results/classpath")"
  echo "Java concurrency tests: jcstress ${options[*]} (whole log: build/log/jcstress.log)"
  (CDPATH='' cd -- "$results" &&
    "$JAVA_HOME/bin/java" -cp "$class_path" org.openjdk.jcstress.Main "${options[@]}" -r "$results" \
      -jvmArgsPrepend "--enable-native-access=ALL-UNNAMED -Dupa.library.path=$root/build/release/lib") 2>&1 |
    tee "$log/jcstress.log" | grep -E 'FAILED|FORBIDDEN|Results:'
}

# Of what vm_test says: headings, results, below a failure what its test said, and reports from the kernel log.
vm_results() {
  awk '/^# (upa\.ko|C library|Java) / || /passed/ || /^[0-9]+[:-]/ { print; failed = 0; next }
    /^(not )?ok / { print; failed = /^not/; next }
    /^#/ { if (failed) print; next }
    { failed = 0 }'
}

# The kernel module, and Java on it, in the virtual machine, on Linux 6.1; in full on 6.12 as well.
vm_tests() {
  local kernel kernels=(6.1) reason failed=0
  source "$root/apps/launcher/vm-test.sh"
  [[ -z $UPA_FULL ]] || kernels+=(6.12)
  build_java_tests
  for kernel in "${kernels[@]}"; do
    if ! reason=$("$root/kernel-ext/vm/set-up" "$kernel" 2>&1); then
      echo "Tests of the kernel module on Linux $kernel: skipped: ${reason##*$'\n'}"
      echo "0 passed, 0 failed, 1 skipped" >>"$log/vm-test.log"
      continue
    fi
    echo "Tests of the kernel module on Linux $kernel (whole log: build/log/vm-test.log)"
    vm_test --kernel "$kernel" 2>&1 | tee -a "$log/vm-test.log" | vm_results || failed=1
  done
  vm_interrupted || failed=1
  return "$failed"
}

vm_interrupted() {
  local file="$log/vm-interrupted.log" status=0
  "$root/apps/launcher/tests/interrupt_test.py" "$root/upa" >"$file" 2>&1 || status=$?
  case $status in
    0) echo "ok - ./upa vm, interrupted"; echo "1 passed, 0 failed, 0 skipped" >>"$log/vm-test.log" ;;
    77) echo "0 passed, 0 failed, 1 skipped" >>"$log/vm-test.log" ;;
    *)
      echo "not ok - ./upa vm, interrupted (whole log: build/log/vm-interrupted.log)" | tee -a "$log/vm-test.log"
      echo "0 passed, 1 failed, 0 skipped" >>"$log/vm-test.log"
      return 1
      ;;
  esac
}

# Which tests failed, once more: what each said may stand thousands of lines above.
failures() { # REPORT...
  ! command -v python3 >/dev/null || python3 "$root/apps/launcher/failures.py" "$@"
  sed -nE 's/^\[ERROR\] (Failed to execute goal .*)/failed: \1/p' "$log/spotless.log" "$log/maven-test.log"
  sed -nE 's/^.*FAILED.*/failed: jcstress: &/p' "$log/jcstress.log"
  sed -nE 's/^not ok/failed: module:/p' "$log/vm-test.log"
}

# Adds up what ctest and Surefire report in XML, and jcstress and the module's tests in their last lines: the last line
# printed.
sum_up() { # REPORT...
  local of_jcstress='.* ([0-9]+) passed, ([0-9]+) failed, .* ([0-9]+) hard errs.*'
  local of_module='^([0-9]+) passed, ([0-9]+) failed, ([0-9]+) skipped$' counts='tests="\1" tests="\2" failures="\2"'
  {
    grep -hoE '^[[:space:]]*(tests|failures|errors|skipped)="[0-9]+"|<testsuite [^>]*' "$@"
    sed -nE "s/$of_jcstress/$counts tests=\"\\3\" errors=\"\\3\"/p" "$log/jcstress.log" | tail -n 1
    sed -nE "s/$of_module/$counts tests=\"\\3\" skipped=\"\\3\"/p" "$log/vm-test.log"
  } | awk '
    { while (match($0, /(tests|failures|errors|skipped)="[0-9]+"/)) {
        split(substr($0, RSTART, RLENGTH), pair, /="|"/)
        count[pair[1]] += pair[2]
        $0 = substr($0, RSTART + RLENGTH)
    } }
    END {
      failed = count["failures"] + count["errors"]
      passed = count["tests"] - failed - count["skipped"]
      printf "%d passed, %d failed, %d skipped\n", passed, failed, count["skipped"]
      exit !(passed > 0 && failed == 0)
    }'
}
