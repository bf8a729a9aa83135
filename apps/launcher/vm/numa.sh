#!/bin/busybox sh
# Inside the VM: programs whose pages go to a second, smaller node without CPUs, and from there to compressed memory; or
# there while the kernel swaps.
# TAP; exit status 1 if one failed.
# shellcheck disable=SC2317 # functions are given to others
n=0 failed=0 program='' socket=''
export XDG_RUNTIME_DIR=/tmp/runtime
mkdir -p /tmp/runtime
report() { # WHAT-IS-WRONG NAME
	n=$((n + 1))
	if [ -z "$1" ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		failed=1
		printf '%s\n' "$1" | sed 's/^/# /'
	fi
}
start_program() { # STORE MIB MODE...
	rm -f /tmp/input
	mkfifo /tmp/input
	# Both ends, so that it does not wait here.
	exec 3<>/tmp/input
	store=$1 mib=$2
	shift 2
	/upa/build/release/bin/upa-run --built /upa --policy clock --memory 8M --store "$store" -- \
		/programs/pager_checker "$mib" 2 until-input "$@" <&3 >/tmp/out 2>/tmp/err &
	program=$!
}
ask() { # COMMAND...
	socket=$(echo /tmp/runtime/upa/*.control)
	/programs/ask_pager "$socket" "$*"
}
# The process that serves the socket; another takes its place.
pager() {
	for process in /proc/[0-9]*; do
		if tr '\0' ' ' <"$process/cmdline" 2>/dev/null | grep -q 'Main serve --control /tmp/runtime/'; then
			echo "${process#/proc/}"
		fi
	done
}
stats() { ask stats $program; }
stat() { # NAME     a figure of them
	stats | sed -n "s/^$1  *//p"
}
store() { # NAME WORD     a figure of the line of a store
	stats | sed -n "s/^store $1 .* $2 \([0-9]*\).*/\1/p"
}
# Where the staging window begins, which is 16 MiB: what has been staged stays there for a while.
window() {
	while read -r range _; do
		from=${range%-*} to=${range#*-}
		[ $((0x$to - 0x$from)) -ne 16777216 ] || echo "$from"
	done </proc/$program/maps
}
# The program's pages on a node as the kernel counts them: those of its large mappings, without that window.
on_node() { # NODE
	awk -v node="N$1=" -v window="$(window)" '$1 != window {
			pages = 0
			for (i = 3; i <= NF; i++) {
				if (index($i, "anon=") == 1) { all = substr($i, 6) + 0 }
				if (index($i, node) == 1) { pages = substr($i, length(node) + 1) + 0 }
			}
			if (all > 1024) { sum += pages }
			all = 0
		} END { print sum + 0 }' /proc/$program/numa_maps
}
# Waits until a command succeeds; a minute of the VM, or two.
await() { # COMMAND...
	for _ in $(seq 300); do
		if "$@" >/dev/null 2>&1; then return 0; fi
		sleep 0.2
	done
	return 1
}
at_least() { # NUMBER COMMAND...
	least=$1
	shift
	[ "$("$@")" -ge "$least" ]
}
finish() { # sets what is wrong with the contents
	wrong=
	echo end >&3
	wait $program || wrong="exit status $? of the checker: $(cat /tmp/err)"
	exec 3>&-
	grep -q ' wrong 0$' /tmp/out || wrong="$wrong checker: $(cat /tmp/out /tmp/err)"
	echo "checker: $(cat /tmp/out)" >&2
}
# Both counts at one time: the program stands still, and with it whatever would move pages. A fork takes it over its
# bound for a while, and the kernel moves pages unasked: so it is tried again. More than SIZE is never on the node.
compare() { # MOST
	for _ in $(seq 40); do
		kill -STOP $program
		sleep 0.3
		far=$(on_node 1) near=$(on_node 0)
		said=$(stat 'on the far node, pages') resident=$(stat 'resident, pages') bound=$(stat 'bound, pages')
		kill -CONT $program
		counts="node 1: kernel $far, pager $said, at most $1; node 0: kernel $near, pager $resident,"
		counts="$counts bound $bound"
		echo "$counts" >&2
		if [ "$far" -gt "$1" ]; then break; fi
		# What is in an order just now one of the two has not seen yet.
		if [ $((far - said)) -le 256 ] && [ $((said - far)) -le 256 ] && [ "$said" -gt 0 ] &&
			[ "$near" -le $((bound + 256)) ]; then
			return
		fi
		sleep 0.5
	done
	echo "$counts"
}

exec 2>/tmp/notes
echo "TAP version 13"
status=0
/upa/build/release/bin/upa-run --built /upa --policy clock --memory 8M --store numa:7 -- true \
	>/tmp/out 2>/tmp/refused || status=$?
wrong=
[ $status -eq 2 ] && [ "$(wc -l </tmp/refused)" -eq 1 ] &&
	grep -q 'there is no node=7 with memory; .*: 0 (.*CPUs 0-1), 1 (.*without CPUs)' /tmp/refused ||
	wrong="exit status $status: $(cat /tmp/refused)"
report "$wrong" 'a node that there is not is refused, and the others are named'

start_program numa:1:64M 24 remap drop
wrong=
await at_least 1500 stat 'on the far node, pages' || wrong="hardly a page has left: $(stats)"
report "$wrong" 'pages leave for the node'
wrong=
await at_least 32 stat '  of these used, and near again' || wrong="what is used stays far: $(stats)"
report "$wrong" 'pages that are used come back'
report "$(compare 16384)" 'the pager counts what the kernel counts'
stats >&2
finish
report "$wrong" 'no byte is wrong on the node'

start_program numa:1:8M,lz4:64M 32 fork drop
wrong=
await at_least 2000 store lz4 pages || wrong="hardly a page is in lz4: $(stats)"
await at_least 100 stat 'sent on from there to stores' || wrong="$wrong nothing goes on from the node"
report "$wrong" 'a node that is full means the next store, and what is cold there goes on'
report "$(compare 2048)" 'the node holds no more than it may'
wrong=
ask move $program numa lz4 >/tmp/moved && grep -q '^moved pages=[1-9]' /tmp/moved ||
	wrong="move: $(cat /tmp/moved)"
report "$wrong" 'all on the node can be moved to a store'
# How many depends on the room that evictions leave meanwhile.
wrong=
ask move $program lz4 numa >/tmp/moved
grep -q '^moved pages=[0-9]' /tmp/moved || wrong="move: $(cat /tmp/moved)"
cat /tmp/moved >&2
report "$wrong" 'and what is in a store to the node'
killed=$(pager)
wrong=
kill -9 "$killed" || wrong="there is no pager: $killed"
await at_least 500 stat 'on the far node, pages' || wrong="$wrong the next pager does not go on: $(cat /tmp/err)"
[ "$(pager)" != "$killed" ] || wrong="$wrong the pager is the same"
report "$wrong" 'another pager finds what is on the node'
report "$(compare 2048)" 'and counts as the kernel does'
stats >&2
finish
report "$wrong" 'no byte is wrong in a chain'
# Others have most of the node's memory: the kernel says ENOMEM long before SIZE is reached.
free_there() { sed -n 's/^Node 1 MemFree: *\([0-9]*\) kB/\1/p' /sys/devices/system/node/node1/meminfo; }
mkdir -p /tmp/others
wrong=
mount -t tmpfs -o mpol=bind:1,size=250m others /tmp/others || wrong='no tmpfs of the node'
dd if=/dev/zero of=/tmp/others/file bs=1M count=$((($(free_there) >> 10) - 24)) 2>/dev/null ||
	wrong="$wrong it takes no others: $(free_there) kB are free"
start_program numa:1:200M 56 drop
await grep -q 'the far node takes no more pages: they stay in memory' /tmp/err ||
	wrong="$wrong nothing is said: $(cat /tmp/err) $(stats)"
stats | grep -q '^not moved between nodes: .*ENOMEM [1-9]' || wrong="$wrong nothing is counted: $(stats)"
[ "$(wc -l </tmp/err)" -eq 1 ] || wrong="$wrong more than a line: $(cat /tmp/err)"
report "$wrong" 'what a node has no memory for stays, is counted and said'
stats >&2
finish
report "$wrong" 'no byte is wrong beside a node without memory'
start_program numa:1:200M,lz4:64M 56 drop
wrong=
await at_least 2000 store lz4 pages || wrong="hardly a page is in lz4: $(stats)"
stats | grep -q '^not moved between nodes: .*ENOMEM [1-9]' || wrong="$wrong nothing is counted: $(stats)"
report "$wrong" 'what a node has no memory for goes to the next store'
stats >&2
finish
report "$wrong" 'no byte is wrong there either'

# Of what the pager has left in memory the program's group has no room for half: the kernel swaps it, while pages move.
swapon /dev/nvme0n1
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
mkdir /sys/fs/cgroup/program
swapped() { sed -n 's/^pswpout //p' /proc/vmstat; }
before=$(swapped)
start_program lz4:64M 32 drop remap
wrong=
await at_least 2000 store lz4 pages || wrong="hardly a page is in lz4: $(stats)"
echo $program >/sys/fs/cgroup/program/cgroup.procs
echo 4M >/sys/fs/cgroup/program/memory.max
await at_least $((before + 4000)) swapped || wrong="$wrong the kernel swaps hardly a page: $before, $(swapped)"
sleep 20
report "$wrong" 'the kernel swaps what the pager has left'
stats >&2
finish
report "$wrong" 'no byte is wrong beside swap'
sed 's/^/# /' /tmp/notes
echo "1..$n"
exit $failed
