#!/usr/bin/env bash
# Usage: shellcheck_test.sh ROOT. No script has anything that shellcheck warns of. Skipped where it is not installed, or
# this is no git checkout.
set -euo pipefail
root=$1
command -v shellcheck >/dev/null || { echo "skipped: no shellcheck"; exit 77; }
git -C "$root" rev-parse 2>/dev/null || { echo "skipped: no git checkout"; exit 77; }

# What it is wrong about here:
exclude=(
  SC1007 # local a= b= c=...: empty on purpose
  SC2034 # a variable that only those use who source the file
  SC2054 # a comma in a word of QEMU's
  SC2100 # a hyphen in a word
  SC2148 # no first line: files that are sourced
  SC2154 # a variable that the sourced file sets
  SC2164 # cd without a way out: set -e is one
  SC2187 # busybox's shell
)
scripts=()
while IFS= read -r -d '' name; do
  [[ -f $root/$name ]] || continue
  case $name in
    *.sh) scripts+=("$root/$name") ;;
    *.*) ;;
    *)
      IFS= read -r first <"$root/$name" 2>/dev/null || true
      [[ ! ${first:-} =~ ^'#!'.*sh( |$) ]] || scripts+=("$root/$name")
      ;;
  esac
done < <(git -C "$root" ls-files -z)
[[ ${#scripts[@]} -gt 20 ]] || { echo "FAILED: only ${#scripts[@]} scripts found"; exit 1; }
shellcheck --severity=warning --exclude="$(IFS=, && echo "${exclude[*]}")" "${scripts[@]}"
