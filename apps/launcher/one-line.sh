# one-line.sh: text that somebody else chose, within a line of ours. Sourced, never run.

# one_line TEXT...: prints it with each control character, of which a line break is one, as \n, \r, \t or \xNN; U+0080
# to U+009F are some, too, in UTF-8
one_line() (
  # In a subshell: where the locale is not there, bash complains when it gets it back.
  LC_ALL=C text="$*" line=''
  for ((i = 0; i < ${#text}; i++)); do
    character=${text:i:1}
    case $character in
      $'\n') character='\n' ;;
      $'\r') character='\r' ;;
      $'\t') character='\t' ;;
      [[:cntrl:]]) printf -v character '\\x%02x' "'$character" ;;
      $'\xc2')
        if [[ ${text:i+1:1} == [$'\x80'-$'\x9f'] ]]; then
          printf -v character %d "'${text:i+1:1}"
          printf -v character '\\x%02x' $((character & 255))
          i=$((i + 1))
        fi
        ;;
    esac
    line+=$character
  done
  printf '%s\n' "$line"
)
