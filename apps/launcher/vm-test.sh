# vm-test.sh: what is tested in the virtual machine: the kernel module itself, then what stands on it, the C library's
# back ends and Java's. The virtual machine (kernel-ext/vm) knows nothing of these: run-tap boots it and runs what it is
# given. Sourced by ./upa.

vm_test() { # [OPTION-OF-VM-RUN]... [-- NAME...]     last line: N passed, N failed, N skipped
  local options=() names=() passed=0 failed=0 skipped=0
  while [[ $# -gt 0 ]]; do
    if [[ $1 == -- ]]; then
      names=("${@:2}")
      break
    fi
    options+=("$1")
    shift
  done
  "$root/kernel-ext/vm/run" "${options[@]}" --help >/dev/null
  [[ ${names[*]-} != @(|java|device-pager) ]] || build_java_tests
  case ${names[*]-} in
    library) vm_test_library ;;
    java) vm_test_java ;;
    device-pager) vm_test_device_pager ;;
    memory) vm_test_memory ;;
    numa) vm_test_numa ;;
    '')
      vm_sum "$root/kernel-ext/vm/run-tests" "${options[@]}"
      vm_test_library
      vm_test_java
      [[ -z ${UPA_FULL:-} ]] || vm_test_memory
      [[ -z ${UPA_FULL:-} ]] || vm_test_device_pager
      [[ -z ${UPA_FULL:-} || ${options[*]-} == *6.12* ]] || vm_test_numa
      ;;
    *) vm_sum "$root/kernel-ext/vm/run-tests" "${options[@]}" -- "${names[@]}" ;;
  esac
  echo "$passed passed, $failed failed, $skipped skipped"
  [[ $failed -eq 0 ]]
}

# Runs a command, prints what it says but its last line, which it adds to the counts of vm_test.
vm_sum() {
  local last said
  said=$(mktemp)
  "$@" | tee "$said" | sed '$d' || true
  last=$(tail -n 1 "$said")
  rm -f "$said"
  if [[ $last =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]]; then
    passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2])) skipped=$((skipped + BASH_REMATCH[3]))
  else
    echo "not ok - $1: ${last:-said nothing}"
    failed=$((failed + 1))
  fi
}

vm_test_java() {
  local built=$root/upa-core/target
  echo "# Java on upa.ko raw=1"
  if [[ ! -d $built/test-lib ]]; then
    echo "ok - java # SKIP not built"
    skipped=$((skipped + 1))
    return
  fi
  vm_sum "$root/kernel-ext/vm/run-tap" "${options[@]}" --params raw=1 --java --env "UPA_FULL=${UPA_FULL:-}" \
    --add "$root/apps/launcher/vm/java.sh" --add "$root/apps/launcher/vm/junit-tap.awk" \
    --add "$built/classes:/java/classes" \
    --add "$built/test-classes:/java/test-classes" --add "$built/test-lib:/java/lib" \
    --add "$root/upa-mmap-shim/tests/vectors/region:/vectors" -- sh /java.sh
}

# The pager in Java, of a region whose owner is a program in C, compiled here with the library's sources.
vm_test_device_pager() {
  local pager=$root/upa-core/pager work=$root/build/vm/device-pager shim=$root/upa-mmap-shim sources
  echo "# Java's pager on upa.ko"
  if [[ ! -d $pager/target/test-lib ]]; then
    echo "ok - device-pager # SKIP not built"
    skipped=$((skipped + 1))
    return
  fi
  rm -rf "$work"
  mkdir -p "$work/lib"
  cp "$root"/upa-core/target/test-lib/*.jar "$pager"/target/test-lib/*.jar "$work/lib"
  mapfile -t sources < <(find "$shim/lib" -name '*.c')
  gcc -std=gnu11 -D_GNU_SOURCE= -DUPA_CHECKED -O2 -Wall -Wextra -Werror -static -pthread "-I$shim/include" \
    "-I$shim/lib" -o "$work/paged_owner" "$pager/src/test/native/paged_owner.c" "${sources[@]}"
  vm_sum "$root/kernel-ext/vm/run-tap" "${options[@]}" --java --add "$root/apps/launcher/vm/device-pager.sh" \
    --add "$root/apps/launcher/vm/junit-tap.awk" --add "$work/paged_owner:/java/paged_owner" \
    --add "$root/upa-core/target/classes:/java/core" --add "$pager/target/classes:/java/pager" \
    --add "$pager/target/test-classes:/java/test-classes" --add "$work/lib:/java/lib" -- sh /device-pager.sh
}

# The preloaded library and regions on ordinary memory, where that is short: with swap, and in groups of cgroup v2 that
# have none. Without the module.
vm_test_memory() {
  local shim=$root/upa-mmap-shim built=$root/build/release work=$root/build/vm/memory program
  echo "# memory that is short: swap, cgroup v2"
  if [[ ! -x $built/tests/preload_gives_back ]]; then
    echo "ok - memory # SKIP not built"
    skipped=$((skipped + 1))
    return
  fi
  rm -rf "$work"
  mkdir -p "$work"
  for program in llfree_lazy region_{lazy,stress} preload_{agent,gives_back}; do
    cp "$built/tests/$program" "$work"
  done
  cp "$built"/lib/libupa_{mmap,malloc}.so "$(command -v bash)" "$shim/tests/preload/gives_back_test.sh" "$work"
  vm_sum "$root/kernel-ext/vm/run-tap" "${options[@]}" --no-module --memory 1024 --swap 512 --add "$work:/memory" \
    --add "$root/apps/launcher/vm/memory.sh" -- sh /memory.sh
}

# The pager, on a kernel that can page, with a second node, and beside swap: without the module. Its own kernel,
# whatever was asked for.
vm_test_numa() {
  local tools=$root/apps/tools/target built=$root/build/release work=$root/build/vm/numa jar
  echo "# pager with a far NUMA node, and beside swap, on 6.12"
  if [[ ! -r $tools/upa-tools.jar || ! -x $built/tests/pager_checker ]]; then
    echo "ok - numa # SKIP not built"
    skipped=$((skipped + 1))
    return
  fi
  rm -rf "$work"
  mkdir -p "$work/programs" "$work/upa/build/release/bin" "$work/upa/build/release/lib" "$work/upa/build/pager"
  gcc -std=gnu11 -Wall -Wextra -Werror -O2 -static -o "$work/programs/ask_pager" "$root/apps/launcher/vm/ask_pager.c"
  cp "$built/tests/pager_checker" "$work/programs"
  cp "$built/bin/upa-run" "$work/upa/build/release/bin"
  cp "$built"/lib/libupa_{mmap,blocks}.so "$work/upa/build/release/lib"
  cp "$tools/upa-tools.jar" "$work/upa"
  for jar in upa-core upa-pager montecarlo-bench aircompressor commons-cli commons-pool2 jedis json slf4j zstd gson; do
    cp "$tools/lib/$jar"*.jar "$work/upa"
  done
  cat >"$work/upa/build/pager/start" <<'START'
#!/bin/busybox sh
exec java --enable-native-access=ALL-UNNAMED -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xms8m -Xmn3m -XX:-UsePerfData \
  -cp "$(printf %s: /upa/*.jar)" upa.tools.policy.Main serve "$@"
START
  chmod +x "$work/upa/build/pager/start"
  # Without NUMA balancing, which would bring home what is used before the pager does.
  vm_sum "$root/kernel-ext/vm/run-tap" --kernel 6.12 --no-module --memory 1536 --far-node 256 --swap 256 \
    --java-modules "$(pager_modules)" --append numa_balancing=disable --timeout 900 \
    --add "$work/programs:/programs" --add "$work/upa:/upa" --add "$root/apps/launcher/vm/numa.sh" -- sh /numa.sh
}

pager_modules() {
  echo java.base,java.logging,java.management,java.naming,java.xml,jdk.management,jdk.unsupported
}

# The C library's tests, compiled here with its sources, which check their invariants; with dlmalloc and the preloaded
# library if they have been built.
vm_test_library() {
  local shim=$root/upa-mmap-shim built=$root/build/release work=$root/build/vm/library
  local dlmalloc=$root/build/deps/dlmalloc/malloc.c
  local sources test additions=()
  local compile=(gcc -std=gnu11 -D_GNU_SOURCE= -DUPA_CHECKED -O2 -static -pthread
    "-I$shim/include" "-I$shim/lib" "-I$shim/tests" '-DUPA_REGION_VECTORS="/vectors"')
  echo "# C library on upa.ko raw=1"
  mapfile -t sources < <(find "$shim/lib" -name '*.c')
  rm -rf "$work"
  mkdir -p "$work/programs" "$work/preload"
  for test in region/region_{test,resize,give_back,device,device_leave,reclaim,fork,stress,vectors} \
    mman/mman_{cases,state}; do
    "${compile[@]}" -Wall -Wextra -Werror -o "$work/programs/${test##*/}" "$shim/tests/$test.c" "${sources[@]}"
  done
  if [[ -r $dlmalloc ]]; then
    "${compile[@]}" -D__wasilibc_unmodified_upstream \
      -DUSE_DL_PREFIX -DUSE_LOCKS=1 -DHAVE_MORECORE=0 -DMMAP_CLEARS=1 -w \
      -include "$shim/malloc/dlmalloc-on-upa.h" -c -o "$work/dlmalloc.o" "$dlmalloc"
    "${compile[@]}" -DON_UPA=1 -o "$work/programs/dlmalloc_stress" \
      "$shim/tests/malloc/dlmalloc_stress.c" "${sources[@]}" "$work/dlmalloc.o"
  fi
  if [[ -x $built/tests/preload_conformance ]]; then
    cp "$built/lib/libupa_mmap.so" "$(command -v bash)" "$(command -v sort)" "$work/preload"
    cp "$built/tests/preload_conformance" "$work/preload/conformance"
    cp "$built/tests/preload_remapped" "$work/preload/remapped"
    additions=(--add "$work/preload:/preload")
  fi
  vm_sum "$root/kernel-ext/vm/run-tap" "${options[@]}" --params raw=1 --add "$root/apps/launcher/vm/library.sh" \
    --add "$work/programs:/library" --add "$shim/tests/vectors/region:/vectors" "${additions[@]}" -- sh /library.sh
}
