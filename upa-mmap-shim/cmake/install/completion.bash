# bash completion for upa(1) and upa-run(1), and for ./upa in the project's folder
_upa() {
  local word=${COMP_WORDS[COMP_CWORD]} previous= first=1 i commands='run --version --help'
  local options='--malloc --no-upa --backend --strict --policy --memory --store --stats --trace --help'
  COMPREPLY=()
  if [[ ${COMP_WORDS[0]##*/} == upa ]]; then
    [[ ! -e $(dirname -- "${COMP_WORDS[0]}")/apps/launcher/main.sh ]] ||
      commands+=' top reclaim trace policy pager bench apps vm test doctor build package'
    if [[ $COMP_CWORD -eq 1 ]]; then
      mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$word")
      return
    fi
    if [[ ${COMP_WORDS[1]} != run ]]; then
      mapfile -t COMPREPLY < <(compgen -f -- "$word")
      return
    fi
    first=2
  fi
  # Once the program is there, what follows is its own. Readline makes three words of --name=value.
  for ((i = first; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      --malloc | --backend | --trace | --policy | --memory | --store | --stats)
        previous=${COMP_WORDS[i]}
        if [[ ${COMP_WORDS[i + 1]} == = ]]; then
          ((i += 2))
        elif [[ $previous != --stats ]]; then
          ((i++))
        fi
        ;;
      --)
        first=
        ((i++))
        [[ $i -ge COMP_CWORD ]] || first=none
        break
        ;;
      -*) ;;
      *)
        first=none
        break
        ;;
    esac
  done
  if [[ $first == none ]]; then
    mapfile -t COMPREPLY < <(compgen -f -- "$word")
    return
  fi
  # The word is an option's value if the loop has gone past it.
  [[ $i -gt COMP_CWORD ]] || previous=
  [[ $word != = ]] || word=
  case $previous in
    --malloc)
      mapfile -t COMPREPLY < <(compgen -W 'libc dl auto jemalloc mimalloc tcmalloc' -- "$word"; compgen -f -- "$word")
      ;;
    --backend) mapfile -t COMPREPLY < <(compgen -W 'linear pte pte-raw' -- "$word") ;;
    --trace) mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
    --stats) mapfile -t COMPREPLY < <(compgen -W 'json json:' -- "$word"; compgen -f -- "$word") ;;
    --memory) ;;
    --policy)
      mapfile -t COMPREPLY < <(compgen -W '2q clock csr-window fifo huge placement populate-ahead rules s3-fifo
        sequential sieve stride working-set zero-ahead' -- "$word")
      ;;
    --store) mapfile -t COMPREPLY < <(compgen -W 'lz4 zstd file: redis:// numa:' -- "$word") ;;
    *)
      if [[ -n $first && $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
      else
        mapfile -t COMPREPLY < <(compgen -c -- "$word"; compgen -f -- "$word")
      fi
      ;;
  esac
}
complete -o filenames -F _upa upa upa-run
