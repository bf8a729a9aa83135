#!/usr/bin/env bash
# Usage: clang_format_test.sh ROOT. All C is as clang-format 14 writes it by the .clang-format of its folder; other
# versions write some of it otherwise. Skipped where that version is not installed, or this is no git checkout.
set -euo pipefail
root=$1 format=
for name in clang-format-14 clang-format; do
  if [[ "$($name --version 2>/dev/null)" == *'version 14.'* ]]; then format=$name; break; fi
done
[[ -n $format ]] || { echo "skipped: no clang-format 14"; exit 77; }
git -C "$root" rev-parse 2>/dev/null || { echo "skipped: no git checkout"; exit 77; }
files=()
while IFS= read -r -d '' name; do
  [[ ! -f $root/$name ]] || files+=("$root/$name")
done < <(git -C "$root" ls-files -z '*.c' '*.h')
[[ ${#files[@]} -gt 200 ]] || { echo "FAILED: only ${#files[@]} files found"; exit 1; }
"$format" --dry-run --Werror --ferror-limit=3 "${files[@]}"
