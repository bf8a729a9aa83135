#!/usr/bin/env bash
# settings_test.sh LIB_DIRECTORY: each UPA_* variable of the library's own list takes what the list says and refuses
# what it does not, and its default is the one that the list names.
set -euo pipefail

upa="$1/libupa_mmap.so"
list=$(UPA_SETTINGS=print LD_PRELOAD=$upa /bin/true)
failed=0

# said NAME=VALUE...: what the library says of it
said() { env "$@" LD_PRELOAD="$upa" /bin/true 2>&1; }

# expect NAME EXPECTED ACTUAL
expect() { [[ $2 == "$3" ]] || { printf 'FAILED: %s\nexpected: %s\nactual: %s\n' "$1" "$2" "$3"; failed=1; }; }

# takes NAME VALUE...; refuses NAME VALUE...: its values being as the list says
takes() {
  local name=$1 value
  shift
  for value; do
    expect "$name=$value" '' "$(said "$name=$value")"
  done
}
refuses() {
  local name=$1 values value
  values=$(grep -A 1 "^$name " <<<"$list" | sed -nE '2s/^ +([^;]*).*/\1/p')
  shift
  for value; do
    expect "$name=$value" "upa: $name=$value is not $values; its default holds" "$(said "$name=$value")"
  done
}

for name in UPA_REGION_BYTES UPA_POOL_BYTES; do
  takes "$name" 2M 16T 2097152 3G 4096K
  refuses "$name" 1M 2097151 17T 16385G 1 -5 lots 2m 2MB 2M2 M 99999999999999999999999
done
takes UPA_LEAST_BYTES 0 1 16T 64K
refuses UPA_LEAST_BYTES 17T 0x10 ' 1'
takes UPA_RETAIN 0 10 1000
refuses UPA_RETAIN 1001 -1 10% 1K 4294967306
takes UPA_DECAY_MS 0 3600000
refuses UPA_DECAY_MS 3600001 1s 1.5
takes UPA_BACKEND linear
refuses UPA_BACKEND Linear module 0
for name in UPA_RECLAIM UPA_BLOCKS UPA_AGENT UPA_STRICT UPA_REDIRECT UPA_BRK UPA_UNCLEARED UPA_HUGE UPA_OFF \
  UPA_STATS; do
  [[ $name == UPA_STATS ]] && takes "$name" 0 '' || takes "$name" 0 1 ''
  refuses "$name" 2 yes 01x -1
done
refuses UPA_LAUNCHED me 4194305
refuses UPA_SETTINGS all printed
takes UPA_TRACE ''
# What others of the project read is no mistake; all else is, but empty.
takes UPA_FULL '' 1
takes UPA_DEFERRED_BYTES 0
takes UPA_DEBIAN_ARCHIVE x
takes UPA_RETIAN ''
takes UPAX y
takes XUPA_RETAIN y
for name in UPA_RETIAN UPA_RETAINS UPA_RETAI UPA_ UPA_retain; do
  expect "$name" "upa: $name is none of UPA's variables; it is ignored" "$(said "$name=5")"
done
long=UPA_$(printf '%0200d' 0)
expect "a long name" "upa: ${long:0:63} is none of UPA's variables; it is ignored" "$(said "$long=5")"
# What would break the line, and what is too long.
expect "a line break" "upa: UPA_RETAIN=a\\nb\\x1b[1m is not a percentage from 0 to 1000; its default holds" \
  "$(said UPA_RETAIN=$'a\nb\e[1m')"
expect "a name with one" "upa: UPA_A\\nB is none of UPA's variables; it is ignored" "$(said UPA_A$'\n'B=1)"
long=$(printf '%05000d' 0 | tr 0 x)
expect "a long value" "upa: UPA_RETAIN=${long:0:1013}... is not a percentage from 0 to 1000; its default holds" \
  "$(said UPA_RETAIN="$long")"
# Several, each in its line.
expect "two" 2 "$(said UPA_RETAIN=x UPA_HUGE=y | grep -c 'its default holds')"

# Of the list: names in order, each with values and default, none too long for a terminal.
expect "lines" "$(grep -c . <<<"$list")" $((2 * $(grep -c '^UPA_' <<<"$list")))
expect "width" '' "$(awk 'length > 110' <<<"$list")"
defaults='UPA_LEAST_BYTES 0
UPA_RETAIN 10
UPA_DECAY_MS 1000
UPA_BACKEND linear
UPA_RECLAIM 0
UPA_BLOCKS 0
UPA_AGENT 1
UPA_STRICT 0
UPA_STATS 0
UPA_PAGER_BYTES 0
UPA_REDIRECT 1
UPA_BRK 1
UPA_UNCLEARED 1
UPA_HUGE 1
UPA_AHEAD 1
UPA_OFF 0'
expect "defaults" "$defaults" \
  "$(awk '/^UPA_/ { name = $1 } / default: [0-9a-z]+$/ && !/none$/ { print name, $NF }' <<<"$list")"
# The program does not run, and its status is 0.
expect "instead of the program" 0 "$(UPA_SETTINGS=print LD_PRELOAD=$upa sh -c 'echo ran' | grep -c ran)"
UPA_SETTINGS=print LD_PRELOAD=$upa /bin/false >/dev/null || { echo "FAILED: status"; failed=1; }
exit "$failed"
