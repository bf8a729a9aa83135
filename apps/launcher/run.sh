# run.sh: a program with its memory from UPA. Sourced by ./upa; puts the libraries in front of the program's own and is then gone.

run_usage() {
  cat <<'END'
usage: ./upa run [OPTION...] [--] PROGRAM [ARGUMENT...]

Runs PROGRAM, which need not know of it, with its private anonymous memory from UPA.

  --malloc libc   keep libc's malloc; its own calls of mmap and brk come to UPA (default)
  --malloc dl     dlmalloc instead, several heaps for several threads
  --malloc PATH   any other malloc library (libjemalloc.so.2, say) instead
  --no-upa        the same on the kernel's mmap, for comparison
  --strict        touching memory after munmap faults, always
  --stats         a table on standard error when a process exits

The environment variables UPA_REGION_BYTES, UPA_LEAST_BYTES, UPA_RETAIN, UPA_DECAY_MS, UPA_STRICT, UPA_STATS, UPA_REDIRECT, UPA_BRK
and UPA_OFF are in upa-mmap-shim/src/preload/settings.h.
END
}

# a malloc library the dynamic linker can preload
check_malloc() {
  local said
  said=$(LD_PRELOAD="$1" /bin/true 2>&1) || true
  [[ -z $said ]] || fail "cannot load malloc library=$1: $(sed -E 's/^.*cannot be preloaded \(([^)]*)\).*$/\1/; q' <<<"$said")"
}

check_variable() { # NAME REGEX WHAT
  [[ ! -v $1 || -z ${!1} || ${!1} =~ ^($2)$ ]] || usage_error "variable $1=${!1} is not $3"
}

check_variables() {
  local name
  check_variable UPA_REGION_BYTES '[0-9]{1,14}[KMGT]?' "a size from 2M to 16T"
  check_variable UPA_LEAST_BYTES '[0-9]{1,14}[KMGT]?' "a size up to 16T"
  check_variable UPA_RETAIN '[0-9]{1,3}|1000' "a percentage from 0 to 1000"
  check_variable UPA_DECAY_MS '[0-9]{1,6}|[12][0-9]{6}|3[0-5][0-9]{5}|3600000' "a number of milliseconds from 0 to 3600000"
  for name in UPA_STRICT UPA_STATS UPA_REDIRECT UPA_BRK UPA_OFF; do
    check_variable "$name" '[01]' "0 or 1"
  done
}

run_program() {
  local malloc=libc upa=1 file libraries=() environment=()
  while [[ $# -gt 0 ]]; do
    case $1 in
      --malloc)
        [[ $# -gt 1 && -n $2 ]] || usage_error "option --malloc needs libc, dl or the path of a library"
        malloc=$2
        shift
        ;;
      --malloc=?*) malloc=${1#*=} ;;
      --no-upa) upa= ;;
      --strict) environment+=(UPA_STRICT=1) ;;
      --stats) environment+=(UPA_STATS=1) ;;
      -h | --help)
        run_usage
        return
        ;;
      --)
        shift
        break
        ;;
      -*) usage_error "run has no option=$1" ;;
      *) break ;;
    esac
    shift
  done
  [[ $# -gt 0 ]] || usage_error "run needs a program: ./upa run -- PROGRAM [ARGUMENT...]"
  check_variables
  file=$(type -P -- "$1") || file=$1
  [[ -e $file ]] || { echo "upa: there is no program=$1" >&2; exit 127; }
  [[ -x $file && ! -d $file ]] || { echo "upa: cannot execute program=$1" >&2; exit 126; }
  set_up_packages
  build_c release
  [[ -z $upa ]] || libraries+=("$root/build/release/lib/libupa_mmap.so")
  case $malloc in
    libc) ;;
    dl) libraries+=("$root/build/release/lib/libupa_malloc.so") ;;
    *)
      check_malloc "$malloc"
      libraries+=("$malloc")
      ;;
  esac
  if [[ ${#libraries[@]} -gt 0 ]]; then
    environment+=("LD_PRELOAD=$(IFS=: && echo "${libraries[*]}")${LD_PRELOAD:+:$LD_PRELOAD}")
    # A program under AddressSanitizer refuses to start behind another library; UPA leaves it alone.
    environment+=("ASAN_OPTIONS=verify_asan_link_order=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}")
  fi
  exec env "${environment[@]}" "$@"
}
