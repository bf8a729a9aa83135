# vm-bench.sh: what a page costs in instructions, counted in the virtual machine, as a report. Sourced by ./upa.

vm_bench_usage() {
  cat <<'END'
usage: ./upa vm bench [OPTION...]

Counts, in a virtual machine with the kernel module, the instructions that a page costs through the kernel's mmap and
through each mode of the module, and under dlmalloc on each back end, and reports: table, charts, data. Takes about a
minute; the first time, what setting up takes as well.

  --full           every size and more rounds, and --profile
  --out DIR        folder of the results (build/vm/bench)
  --profile        also trace single operations, instruction by instruction: where they go, function by function
  --kernel 6.1|6.12  Debian kernel to boot (6.1)
  --no-host        leave out the check by the clock: the stock kernel's rows on this machine
END
}

vm_bench() {
  local out="$root/build/vm/bench" full=() kernel=() host=1 profile='' work
  while [[ $# -gt 0 ]]; do
    case $1 in
      --full) full=(--full) profile=1 ;;
      --profile) profile=1 ;;
      --no-host) host= ;;
      --out | --kernel)
        [[ $# -gt 1 && -n $2 ]] || usage_error "option $1 needs a value"
        [[ $1 == --out ]] && out=$2 || kernel=(--kernel "$2")
        shift
        ;;
      -h | --help)
        vm_bench_usage
        return
        ;;
      *) usage_error "vm bench has no option=$1" ;;
    esac
    shift
  done
  build_c release
  build_java
  work="$out/raw"
  mkdir -p "$work" || fail "cannot write results: folder=$out"
  rm -rf "$work"/*.csv "$work/driver"
  step vm-bench "counting instructions in the virtual machine" count_instructions "$work" "${full[@]}" "${kernel[@]}"
  [[ -z $profile ]] || step vm-profile "tracing single operations" \
    "$root/montecarlo-bench/counts/run-profile" "${kernel[@]}" --out "$work"
  [[ -z $host ]] || step vm-bench-host "timing the stock kernel on this machine" time_host "$work"
  "$JAVA_HOME/bin/java" -cp "$root/montecarlo-bench/target/montecarlo-bench.jar:$root/montecarlo-bench/target/lib/*" \
    upa.counts.Main "$work" "$out"
}

count_instructions() { # FOLDER OPTION...
  local folder=$1
  shift
  "$root/montecarlo-bench/counts/run-counts" "$@" --out "$folder" >"$folder/counts.csv"
}

# In memory that was touched before: a hypervisor may have taken free memory back, and finding it again is no cost of
# the kernel's.
time_host() { # FOLDER
  local held status=0
  coproc hold { exec "$root/build/release/bin/upa-driver" --hold 2500M; }
  local hold_pid=$hold_PID
  read -r held <&"${hold[0]}" || true
  echo "host-warm memory: $held"
  "$root/build/release/counts/page_cost" kernel kernel-populate kernel-thp >"$1/host.csv" || status=$?
  kill "$hold_pid" 2>/dev/null || true
  wait "$hold_pid" 2>/dev/null || true
  return "$status"
}
