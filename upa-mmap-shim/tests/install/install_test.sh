#!/usr/bin/env bash
# install_test.sh SOURCE_DIRECTORY BUILD_DIRECTORY: installs what was built into a folder of its own, moves that, and
# uses it as somebody else would: by find_package(), FetchContent, pkg-config, and `upa run`.
set -euo pipefail

source=$1
build=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
wrong() { echo "FAILED: $*"; failed=1; }

cmake --install "$build" --prefix "$work/first" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
mv "$work/first" "$work/upa tree"
prefix="$work/upa tree"
libraries=$(dirname "$(find "$prefix" -name 'libupa.so.1' | head -n 1)")
expected="bin/upa bin/upa-run include/upa/llfree.h include/upa/mman.h include/upa/region.h include/upa/version.h
  share/man/man1/upa.1 share/man/man1/upa-run.1 share/man/man3/upa_region.3 share/man/man7/libupa_mmap.7
  share/bash-completion/completions/upa"
for file in $expected; do
  [[ -s $prefix/$file ]] || wrong "not installed: $file"
done
for file in libupa.so libupa.so.1 upa/libupa_mmap.so upa/libupa_blocks.so pkgconfig/upa.pc \
  cmake/upa/upa-config.cmake; do
  [[ -s $libraries/$file ]] || wrong "not installed: $file"
done
readelf -dW "$libraries/libupa.so" | grep -q 'SONAME.*\[libupa\.so\.1\]' ||
  wrong "the library has no soname libupa.so.1"
# Nothing of the machine that built it.
! grep -rIlF "$source" "$prefix" || wrong "installed files name the sources"

# project NAME TEXT: a consumer's CMakeLists.txt, configured, built and run
project() {
  mkdir "$work/$1"
  cp "$source/upa-mmap-shim/tests/install/consumer.c" "$work/$1/"
  printf 'cmake_minimum_required(VERSION 3.18...3.25)\nproject(consumer LANGUAGES C)\n%s\n' "$2" \
    >"$work/$1/CMakeLists.txt"
  cmake -S "$work/$1" -B "$work/$1/build" -G Ninja -DCMAKE_PREFIX_PATH="$prefix" \
    -DFETCHCONTENT_SOURCE_DIR_UPA="$source" >"$work/log" 2>&1 && cmake --build "$work/$1/build" >>"$work/log" 2>&1 ||
    { tail -n 30 "$work/log"; wrong "$1: does not build"; return; }
  [[ $("$work/$1/build/consumer") == "consumer of upa "* ]] || wrong "$1: does not run"
  echo "$1: built and run"
}
consumer=$'add_executable(consumer consumer.c)\ntarget_link_libraries(consumer PRIVATE upa::upa)'
project find_package $'find_package(upa 1.0 REQUIRED)\n'"$consumer"
project fetch_content \
  $'include(FetchContent)\nFetchContent_Declare(upa SOURCE_DIR elsewhere)\nFetchContent_MakeAvailable(upa)\n'"$consumer"
mkdir "$work/other_version"
printf 'cmake_minimum_required(VERSION 3.18...3.25)\nproject(x LANGUAGES C)\nfind_package(upa 2.0 REQUIRED)\n' \
  >"$work/other_version/CMakeLists.txt"
! cmake -S "$work/other_version" -B "$work/other_version/build" -DCMAKE_PREFIX_PATH="$prefix" >/dev/null 2>&1 ||
  wrong "version 2.0 is found, where 1.0 is installed"

# by_pkg_config FOLDER: a consumer of what is installed with its libraries in the folder
by_pkg_config() {
  local flags
  command -v pkg-config >/dev/null || { echo "left out: pkg-config is not installed"; return; }
  flags=$(PKG_CONFIG_PATH="$1/pkgconfig" pkg-config --cflags --libs upa) || { wrong "pkg-config: status $?"; return; }
  eval "cc -o '$work/by-pkg-config' '$source/upa-mmap-shim/tests/install/consumer.c' $flags" ||
    wrong "pkg-config: does not build"
  [[ $(LD_LIBRARY_PATH=$1 "$work/by-pkg-config") == \
    "consumer of upa $(PKG_CONFIG_PATH="$1/pkgconfig" pkg-config --modversion upa)" ]] ||
    wrong "pkg-config: does not run"
  echo "pkg-config: built and run"
}
by_pkg_config "$libraries"

# Folders of another depth, and absolute ones, as some distributions give them; DESTDIR in front.
elsewhere="$build/elsewhere"
cmake -S "$source" -B "$elsewhere" -G Ninja -DUPA_DLMALLOC=OFF -DCMAKE_INSTALL_PREFIX="/opt/the upa" \
  -DCMAKE_INSTALL_LIBDIR="/opt/the upa/lib/x/y" -DCMAKE_INSTALL_INCLUDEDIR="/opt/other/include" \
  -DCMAKE_INSTALL_BINDIR=libexec/upa/bin >"$work/log" 2>&1 &&
  cmake --build "$elsewhere" --target upa upa_mmap upa_blocks upa-run-installed upa-installed >>"$work/log" 2>&1 ||
  { tail -n 30 "$work/log"; wrong "does not build for folders of another depth"; }
for component in runtime development; do
  DESTDIR="$work/staged at" cmake --install "$elsewhere" --component "$component" >"$work/log" 2>&1 ||
    { cat "$work/log"; wrong "does not install with DESTDIR"; }
done
said=$("$work/staged at/opt/the upa/libexec/upa/bin/upa" run --stats -- "$build/tests/redirect_blocks" 2>&1) ||
  wrong "upa run of folders of another depth: status $?: $said"
[[ $said == *"mmap, under"* ]] || wrong "upa run of folders of another depth serves nothing: $said"
by_pkg_config "$work/staged at/opt/the upa/lib/x/y"

[[ $("$prefix/bin/upa" --version) == "upa 1."* ]] || wrong "upa --version"
said=$("$prefix/bin/upa" run --stats -- "$build/tests/redirect_blocks" 2>&1) || wrong "upa run: status $?"
[[ $said == *"mmap, under"* ]] || wrong "upa run serves nothing: $said"
# What is no variable's name stays in the environment: bash exports functions so.
said=$(env 'A B=c' "$prefix/bin/upa" run -- bash -c 'f() { echo ran; }; export -f f; exec "$@"' bash \
  "$prefix/bin/upa" run -- /usr/bin/env bash -c 'f; exec env' 2>&1) || wrong "upa run within upa run: status $?: $said"
[[ $said == ran$'\n'* && $said == *$'\n''A B=c'* ]] || wrong "upa run loses of the environment: $said"
for to in '>/dev/full' '>&-'; do
  status=0
  bash -c "exec \"\$1\" --help $to" bash "$prefix/bin/upa" 2>"$work/said" || status=$?
  [[ $status -eq 1 && $(<"$work/said") == 'upa: cannot write to standard output: '* ]] ||
    wrong "upa --help $to: status $status: $(<"$work/said")"
done
status=0
"$prefix/bin/upa" $'a\nb' 2>"$work/said" || status=$?
[[ $status -eq 2 && $(<"$work/said") == 'upa: unknown command=a\nb: installed are '* ]] ||
  wrong "upa of a command with a line break: status $status: $(<"$work/said")"
status=0
"$prefix/bin/upa" bench >/dev/null 2>"$work/said" || status=$?
[[ $status -eq 2 && $(<"$work/said") == "upa: unknown command=bench"* ]] ||
  wrong "upa bench: status $status: $(<"$work/said")"
bash -c 'source "$1"; COMP_WORDS=(upa run --bac); COMP_CWORD=2; _upa; [[ ${COMPREPLY[*]} == --backend ]] &&
  COMP_WORDS=(upa run --backend pt); COMP_CWORD=3; _upa; [[ ${COMPREPLY[*]} == "pte pte-raw" ]]' bash \
  "$prefix/share/bash-completion/completions/upa" || wrong "shell completion"
# What the pages say is all there is, and no more: options, and variables with their values and defaults.
man_text() { sed -e 's/\\-/-/g' -e 's/\\f.//g' "$prefix/share/man/$1"; }
for option in $("$prefix/bin/upa-run" --help | sed -nE 's/^  (--[a-z-]+).*/\1/p' | sort -u); do
  man_text man1/upa-run.1 | grep -qE -- "^\.BI? $option( |=|\$)" || wrong "upa-run(1) lacks $option"
done
man_text man7/libupa_mmap.7 | awk '
  /^\.B UPA_[A-Z_]+$/ { name = $2; text = ""; next }
  /^\.(TP|SH)/ { if (name) print name text; name = "" }
  name { text = text " " $0 }' | grep 'Value:' | sort >"$work/in the page"
UPA_SETTINGS=print LD_PRELOAD=$build/lib/libupa_mmap.so /bin/true | paste -sd '\t\n' |
  sed -E 's/ {2,}/ /g; s/^(UPA_[A-Z_]+) (.)(.*)\t ?(.*)/\1 \u\2\3. Value: \4./' | sort >"$work/in the library"
[[ -s "$work/in the page" ]] || wrong "libupa_mmap(7) has no variables"
diff "$work/in the page" "$work/in the library" || wrong "libupa_mmap(7) has other variables than the library"
if command -v man >/dev/null; then
  for page in "$prefix"/share/man/man*/*; do
    said=$(man --warnings -E UTF-8 -l "$page" 2>&1 >/dev/null) || true
    [[ -z $said ]] || wrong "manual page $(basename "$page"): $said"
  done
fi
exit "$failed"
