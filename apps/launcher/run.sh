# run.sh: a program with its memory from UPA. Sourced by ./upa; puts the libraries in front of the program's own and is then gone.

run_usage() {
  cat <<'END'
usage: ./upa run [OPTION...] [--] PROGRAM [ARGUMENT...]

Runs PROGRAM, which need not know of it, with its private anonymous memory from UPA.

  --malloc libc   keep libc's malloc, or the one that the program is linked with; its calls of mmap and brk come to UPA (default)
  --malloc dl     dlmalloc instead, several heaps for several threads
  --malloc PATH   any other malloc library (libjemalloc.so.2, say) instead
  --no-upa        the same on the kernel's mmap, for comparison
  --backend NAME  where the memory comes from: linear (the kernel, default); pte or pte-raw: the module of kernel-ext, for malloc's
                  memory only, since it cannot protect or replace pages
  --strict        touching memory after munmap faults, always; without it, memory that came from UPA can still be read
                  and written until it is used again. A system call for each request, but no page faults
  --stats         a table on standard error when a process exits; a line if UPA served it nothing
  --trace FILE    records the process's page requests in FILE, those of its children in FILE.PID (./upa trace reads them)

Environment variables, which the library prints itself:

END
  print_settings
}

# The library's own list.
print_settings() {
  local library="$root/build/release/lib/libupa_mmap.so"
  if [[ -e $library ]]; then
    env -u LD_PRELOAD sh -c 'UPA_SETTINGS=print LD_PRELOAD=$1 /bin/true' sh "$library" | sed 's/^/  /'
  else
    echo "  (after ./upa build)"
  fi
}

# a malloc library the dynamic linker can preload
check_malloc() {
  local said
  said=$(LD_PRELOAD="$1" /bin/true 2>&1) || true
  [[ -z $said ]] || fail "cannot load malloc library=$1: $(sed -E 's/^.*cannot be preloaded \(([^)]*)\).*$/\1/; q' <<<"$said")"
}

is_trace() { [[ -f $1 && (! -s $1 || $(head -c 7 -- "$1" | tr -d '\0') == UPATRAC) ]]; }

# Makes way for a trace: former ones of that name go, anything else stays. Sets `trace` to the absolute path.
check_trace() {
  local file=$1 old
  [[ ! -d $file ]] || fail "cannot write trace file=$file: it is a directory"
  [[ -d $(dirname -- "$file") ]] || fail "cannot write trace file=$file: there is no such directory"
  [[ -w $(dirname -- "$file") ]] || fail "cannot write trace file=$file: its directory is not writable"
  [[ ! -e $file && ! -L $file ]] || is_trace "$file" || fail "cannot write trace file=$file: it exists and is not a trace"
  trace=$(cd "$(dirname -- "$file")" && pwd)/$(basename -- "$file")
  for old in "$trace" "$trace".*; do
    [[ $old == "$trace" || ${old#"$trace".} =~ ^[0-9]+$ ]] && is_trace "$old" && rm -f -- "$old"
  done
  # A whole start of a trace, as the program itself will need it: there may be no room.
  (: >"$trace") 2>/dev/null && fallocate -l 256K "$trace" 2>/dev/null || { rm -f -- "$trace"; fail "cannot write trace file=$file: no room for 256 KiB"; }
  rm -f -- "$trace"
}

# The library says what is wrong with a value, or that there is no such variable, but then goes on.
check_variables() {
  local said fault='(^|'$'\n'')upa: ([^'$'\n'']*); (its default holds|it is ignored)('$'\n''|$)'
  said=$(UPA_TRACE='' UPA_LAUNCHED=0 LD_PRELOAD="$root/build/release/lib/libupa_mmap.so" /bin/true 2>&1) || true
  [[ ! $said =~ $fault ]] || usage_error "variable ${BASH_REMATCH[2]}"
  # What malloc() of this machine's libc would not get otherwise.
  [[ $said != *'upa: only part comes from UPA: '* ]] || needs_blocks=1
}

# check_program FILE: says so if the libraries will not be loaded, and whether malloc() needs one more of them
check_program() {
  local kind rest
  read -r kind rest < <("$root/build/release/bin/upa-program" "$1") || true
  case $kind in
    none) echo "upa: nothing comes from UPA: program=$1: $rest" >&2 ;;
    musl) needs_blocks=1 ;;
  esac
}

run_program() {
  local malloc=libc upa=1 trace= needs_blocks= file entry libraries=() environment=() help='./upa run'
  while [[ $# -gt 0 ]]; do
    case $1 in
      --malloc)
        [[ $# -gt 1 && -n $2 ]] || usage_error "option --malloc needs libc, dl or the path of a library"
        malloc=$2
        shift
        ;;
      --malloc=?*) malloc=${1#*=} ;;
      --backend)
        [[ $# -gt 1 && $2 =~ ^(linear|pte|pte-raw)$ ]] || usage_error "option --backend needs linear, pte or pte-raw"
        environment+=("UPA_BACKEND=$2")
        shift
        ;;
      --backend=linear | --backend=pte | --backend=pte-raw) environment+=("UPA_BACKEND=${1#*=}") ;;
      --no-upa) upa= ;;
      --strict) environment+=(UPA_STRICT=1) ;;
      --stats) environment+=(UPA_STATS=1) ;;
      --trace)
        [[ $# -gt 1 && -n $2 ]] || usage_error "option --trace needs the name of a file"
        trace=$2
        shift
        ;;
      --trace=?*) trace=${1#*=} ;;
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
  [[ -n $upa || -z $trace && ${#environment[@]} -eq 0 ]] ||
    usage_error "option --no-upa excludes --trace, --stats, --strict and --backend, which are UPA's"
  file=$(type -P -- "$1") || file=$1
  [[ -e $file ]] || { echo "upa: there is no program=$1" >&2; exit 127; }
  [[ -x $file && ! -d $file ]] || { echo "upa: cannot execute program=$1" >&2; exit 126; }
  if [[ -n $trace ]]; then
    check_trace "$trace"
    environment+=("UPA_TRACE=$trace")
  fi
  set_up_packages
  build_c release
  if [[ -n $upa ]]; then
    check_variables
    check_program "$file"
    # This process, which is about to be the program, says it if UPA can serve nothing or only part.
    environment+=("UPA_LAUNCHED=$$")
  fi
  [[ -z $upa ]] || libraries+=("$root/build/release/lib/libupa_mmap.so")
  case $malloc in
    libc) [[ -z $upa || -z $needs_blocks ]] || libraries+=("$root/build/release/lib/libupa_blocks.so") ;;
    dl)
      [[ -e $root/build/release/lib/libupa_malloc.so ]] || { rm -f "$root/build/stamp/c-release"; build_c release; }
      [[ -e $root/build/release/lib/libupa_malloc.so ]] ||
        fail "no --malloc dl: dlmalloc's source could not be fetched: the reason is in log=build/log/c-release.log"
      libraries+=("$root/build/release/lib/libupa_malloc.so")
      ;;
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
  # Not by env, to which a program called a=b would be a variable.
  for entry in "${environment[@]}"; do export "${entry?}"; done
  exec -- "$@"
}
