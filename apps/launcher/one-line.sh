# one-line.sh: text that somebody else chose, within a line of ours. Sourced, never run.

# one_line TEXT...: prints it with each ASCII control character, of which a line break is one, as \n, \r, \t or \xNN
one_line() {
  local LC_ALL=C text="$*" line='' character i
  for ((i = 0; i < ${#text}; i++)); do
    character=${text:i:1}
    case $character in
      $'\n') character='\n' ;;
      $'\r') character='\r' ;;
      $'\t') character='\t' ;;
      [[:cntrl:]]) printf -v character '\\x%02x' "'$character" ;;
    esac
    line+=$character
  done
  printf '%s\n' "$line"
}
