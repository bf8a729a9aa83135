#!/bin/bash
# import_rules.sh - which folder may include what: imports run downwards only.
#
#   os < llfree < region < region's back ends < mman < preload's base < preload/{policy,observe} < gate
#     < preload/{upkeep,pager} < preload/agent < stand_aside < preload/entry < preload
#
# A folder may include itself and what stands before it in this line. The preload's base are its files settings and
# clock, which know of nothing but the library; its gate and what makes it stand aside are files too. Beyond that:
#   - a back end includes no other, but fenced/ may use linear/;
#   - preload/policy decides on facts that it is given: it makes no system call, so it includes no header of one, nor
#     os/os.h, and nothing else of the preload;
#   - kernel-ext/ is below all of this: nothing there names a folder of the floors above.
# Usage: import_rules.sh [REPOSITORY]     exit status 1 and a line for each import against the rules.
set -euo pipefail
export LC_ALL=C

# Imports that are to go, as "file: import". Nothing else is let through, and one that is no longer needed is a fault.
allowed=()

# These answer in REPLY: a subshell for each import would cost most of the time.

# rank FOLDER: its place in the line above; empty if it has none.
rank() {
  case $1 in
    uapi) REPLY=0 ;;
    os) REPLY=1 ;;
    llfree) REPLY=2 ;;
    region) REPLY=3 ;;
    region/linear | region/device) REPLY=4 ;;
    region/fenced) REPLY=5 ;;
    mman) REPLY=6 ;;
    preload/base) REPLY=7 ;;
    preload/policy | preload/observe) REPLY=8 ;;
    preload/gate) REPLY=9 ;;
    preload/upkeep | preload/pager) REPLY=10 ;;
    preload/agent) REPLY=11 ;;
    preload/stand_aside) REPLY=12 ;;
    preload/entry) REPLY=13 ;;
    preload) REPLY=14 ;;
    *) REPLY= ;;
  esac
}

# folder_of PATH: of a file below lib/ or preload/, or of an import.
folder_of() {
  case $1 in
    region/linear/* | region/device/* | region/fenced/*) REPLY=${1%/*} ;;
    os/* | llfree/* | region/* | mman/*) REPLY=${1%%/*} ;;
    policy/* | observe/* | upkeep/* | pager/* | agent/* | entry/*) REPLY=preload/${1%%/*} ;;
    upa/api.h | upa/version.h | */kernel-ext/include/uapi/upa.h) REPLY=uapi ;;
    upa/llfree.h) REPLY=llfree ;;
    upa/region.h | upa/pager.h) REPLY=region ;;
    upa/mman.h | upa/hint.h) REPLY=mman ;;
    upa/trace.h | upa/view.h) REPLY=preload/observe ;;
    */*) REPLY= ;;
    settings.[ch] | clock.[ch] | report_target.h) REPLY=preload/base ;;
    gate.[ch] | stand_aside.[ch]) REPLY=preload/${1%.?} ;;
    *) REPLY=preload ;;
  esac
}

# Headers by which a program asks the kernel for something.
system_call_header() {
  case $1 in
    os/os.h | sys/* | linux/* | asm/* | unistd.h | fcntl.h | sched.h | spawn.h | signal.h | poll.h) return 0 ;;
  esac
  return 1
}

# judge FILE-FOLDER IMPORT: why the import is against the rules; empty if it is not.
judge() {
  local folder=$1 import=$2 target mine its
  if [[ $folder == preload/policy ]] && system_call_header "$import"; then
    REPLY='policy makes no system calls'
    return
  fi
  folder_of "$import"
  target=$REPLY
  rank "$folder"
  mine=$REPLY
  rank "$target"
  its=$REPLY
  REPLY=
  if [[ -z $its ]]; then
    REPLY='this folder has no place in import_rules.sh'
  elif ((its > mine)); then
    REPLY="$folder is below $target"
  elif [[ $folder == region/* && $target == region/* && $folder != "$target" &&
    $folder:$target != region/fenced:region/linear ]]; then
    REPLY='a back end uses no other'
  elif [[ $folder == preload/policy && $target == preload/* && $target != preload/policy ]]; then
    REPLY='policy is below what asks it'
  fi
}

# check REPOSITORY: prints "file: import: reason" for each fault.
check() {
  local shim=$1/upa-mmap-shim file name folder line import
  while read -r file; do
    name=${file#"$shim"/}
    case $name in
      lib/*) folder_of "${name#lib/}" ;;
      *) folder_of "${name#preload/}" ;;
    esac
    folder=$REPLY
    [[ -n $folder ]] || { echo "$name: this folder has no place in import_rules.sh"; continue; }
    while read -r line; do
      import=${line#*[\"<]} import=${import%[\">]*}
      # <name> is the system's, but <upa/name> ours.
      if [[ $line == *'<'* && $import != upa/* ]]; then
        [[ $folder == preload/policy ]] && system_call_header "$import" || continue
      fi
      judge "$folder" "$import"
      [[ -z $REPLY ]] || echo "$name: $import: $REPLY"
    done < <(grep -E '^[[:blank:]]*#[[:blank:]]*include' "$file")
  done < <(find "$shim/lib" "$shim/preload" -name '*.[ch]' | sort)
  if [[ -d $1/kernel-ext ]]; then
    (cd "$1" && grep -rlE --exclude='*.md' 'upa-mmap-shim|upa-core|montecarlo-bench|apps/' kernel-ext | sort |
      sed 's/$/: names a floor above: kernel-ext is below all/') || true
  fi
}

# Faults that are not allowed, and permissions without a fault.
report() {
  local fault key permission bad=0 used=() IFS="|"
  while read -r fault; do
    key=${fault%: *}
    for permission in "${allowed[@]}"; do
      [[ $key == "$permission" ]] && { used+=("$permission"); continue 2; }
    done
    echo "$fault"
    bad=1
  done < <(check "$1")
  for permission in "${allowed[@]}"; do
    if [[ "|${used[*]-}|" != *"|$permission|"* ]]; then
      echo "$permission: allowed in import_rules.sh, but there is no such import"
      bad=1
    fi
  done
  return $bad
}

# Every rule finds its fault in a tree made for that.
self_test() {
  local tree faults
  tree=$(mktemp -d)
  put() { mkdir -p "$(dirname "$tree/$1")" && printf '%s\n' "${@:2}" >"$tree/$1"; }
  put upa-mmap-shim/lib/os/a.h '#include <upa/llfree.h>'
  put upa-mmap-shim/lib/llfree/a.c '#include "os/os.h"' '#include "region/types.h"'
  put upa-mmap-shim/lib/region/a.c '#include "region/device/device.h"' '#include <sys/mman.h>' \
    '#include "llfree/state.h"'
  put upa-mmap-shim/lib/region/linear/a.c '#include "mman/ranges.h"' '#include "region/types.h"'
  put upa-mmap-shim/lib/region/fenced/a.c '#include "region/linear/linear.h"' '#include "region/device/frame_words.h"'
  put upa-mmap-shim/lib/region/device/a.c '#  include "settings.h"'
  put upa-mmap-shim/lib/mman/a.c '#include "policy/retain.h"' '#include <upa/region.h>' '#include <upa/view.h>'
  put upa-mmap-shim/lib/other/a.c '#include "os/os.h"'
  put upa-mmap-shim/preload/policy/a.c '#include <sys/mman.h>' '#include "os/os.h"' '#include "entry/heap.h"' \
    '#include "policy/b.h"' '#include <unistd.h>' '#include <string.h>' '#include "settings.h"'
  put upa-mmap-shim/preload/entry/a.c '#include "policy/retain.h"' '#include "stand_aside.h"' '#include "nowhere/a.h"'
  put upa-mmap-shim/preload/upkeep/a.c '#include "gate.h"' '#include "entry/entry.h"' '#include "policy/heat.h"'
  put upa-mmap-shim/preload/gate.c '#include "observe/view_writer.h"' '#include "upkeep/heap.h"' \
    '#include "stand_aside.h"'
  put upa-mmap-shim/preload/stand_aside.c '#include "upkeep/heap.h"' '#include "entry/entry.h"'
  put upa-mmap-shim/preload/settings.c '#include "observe/trace_writer.h"' '#include "os/message.h"'
  put upa-mmap-shim/preload/observe/a.c '#include "settings.h"' '#include "os/message.h"' '#include "gate.h"'
  put upa-mmap-shim/preload/a.c '#include "entry/heap.h"' '#include "mman/ranges.h"' '#include <sys/mman.h>'
  put kernel-ext/vm/run 'upa-mmap-shim/lib'
  faults=$(check "$tree")
  rm -rf "$tree"
  diff <(cut -d: -f1,2 <<<"$faults" | sort) - <<'END' && return
kernel-ext/vm/run: names a floor above
lib/llfree/a.c: region/types.h
lib/mman/a.c: policy/retain.h
lib/mman/a.c: upa/view.h
lib/os/a.h: upa/llfree.h
lib/other/a.c: this folder has no place in import_rules.sh
lib/region/a.c: region/device/device.h
lib/region/device/a.c: settings.h
lib/region/fenced/a.c: region/device/frame_words.h
lib/region/linear/a.c: mman/ranges.h
preload/entry/a.c: nowhere/a.h
preload/gate.c: stand_aside.h
preload/gate.c: upkeep/heap.h
preload/observe/a.c: gate.h
preload/policy/a.c: entry/heap.h
preload/policy/a.c: os/os.h
preload/policy/a.c: settings.h
preload/policy/a.c: sys/mman.h
preload/policy/a.c: unistd.h
preload/settings.c: observe/trace_writer.h
preload/stand_aside.c: entry/entry.h
preload/upkeep/a.c: entry/entry.h
END
  echo "import_rules.sh does not find what it should (<: found, >: to be found)"
  return 1
}

self_test
report "${1:-$(cd "$(dirname "$0")/../.." && pwd)}"
