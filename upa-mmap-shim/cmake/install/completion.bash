# bash completion for upa(1) and upa-run(1)
_upa() {
  local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} first=1 i
  local options='--malloc --no-upa --backend --strict --stats --trace --help'
  COMPREPLY=()
  if [[ ${COMP_WORDS[0]##*/} == upa ]]; then
    if [[ $COMP_CWORD -eq 1 ]]; then
      mapfile -t COMPREPLY < <(compgen -W 'run --version --help' -- "$word")
      return
    fi
    [[ ${COMP_WORDS[1]} == run ]] || return
    first=2
  fi
  # Once the program is there, what follows is its own.
  for ((i = first; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      --malloc | --backend | --trace) ((i++)) ;;
      --) break ;;
      -*) ;;
      *)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return
        ;;
    esac
  done
  case $previous in
    --malloc) mapfile -t COMPREPLY < <(compgen -W 'libc dl auto jemalloc mimalloc tcmalloc' -- "$word"; compgen -f -- "$word") ;;
    --backend) mapfile -t COMPREPLY < <(compgen -W 'linear pte pte-raw' -- "$word") ;;
    --trace) mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
    *)
      if [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
      else
        mapfile -t COMPREPLY < <(compgen -c -- "$word"; compgen -f -- "$word")
      fi
      ;;
  esac
}
complete -F _upa upa upa-run
