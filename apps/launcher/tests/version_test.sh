#!/usr/bin/env bash
# version_test.sh ROOT: one version number in all parts: CMakeLists.txt of the project decides it.
set -euo pipefail
root=$1
failed=0

is() { # WHAT VERSION
  [[ $2 == "$version" ]] || { echo "FAILED: $1 says version='$2', CMakeLists.txt '$version'"; failed=1; }
}
# in_file FILE PATTERN: what the first group matches; nothing if the file has no such line
in_file() { sed -nE "s/^.*$2.*$/\1/p" "$root/$1" | head -n 1; }

version=$(in_file CMakeLists.txt 'project\(upa VERSION ([0-9]+\.[0-9]+\.[0-9]+)')
[[ -n $version ]] || { echo "FAILED: CMakeLists.txt says no version"; exit 1; }
is "./upa --version" "$("$root/upa" --version | sed 's/^upa //')"

header=upa-mmap-shim/include/upa/version.h
is "$header" "$(in_file "$header" 'define UPA_VERSION "([^"]*)"')"
parts=()
for part in MAJOR MINOR PATCH; do
  parts+=("$(in_file "$header" "define UPA_VERSION_$part ([0-9]+)")")
done
is "$header, in numbers," "$(IFS=. && echo "${parts[*]}")"

# Until it is released, Maven calls it a snapshot.
while IFS= read -r pom; do
  text=$(sed -nE '/<groupId>io\.github\.upa-allocator</,/<\/version>/ s/^.*<version>([^<$]*)<\/version>.*$/\1/p' \
    "$pom" | sort -u)
  is "${pom#"$root"/}" "${text%-SNAPSHOT}"
done < <(find "$root/pom.xml" "$root"/*/pom.xml "$root"/*/*/pom.xml "$root"/*/*/*/pom.xml \
  -not -path '*/target/*' 2>/dev/null)

if grep -q MODULE_VERSION "$root"/kernel-ext/module/*.c; then
  is "the kernel module" "$(cat "$root"/kernel-ext/module/*.c | sed -nE 's/^MODULE_VERSION\("([^"]*)"\).*/\1/p')"
fi
exit "$failed"
