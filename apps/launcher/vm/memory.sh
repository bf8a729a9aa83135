#!/bin/busybox sh
# Inside the VM: programs with less memory than they use, the rest of it in swap; and groups of cgroup v2 that just have
# room for what a program uses. TAP; exit status 1 if one failed.
n=0 failed=0
group=/sys/fs/cgroup/program
report() { # STATUS NAME
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2 # exit status $1"
		failed=1
		sed 's/^/# /' /tmp/output
	fi
}
swapped() { sed -n 's/^pswpout //p' /proc/vmstat; }
# swapping LIMIT COMMAND...: fails too if nothing has gone to swap
swapping() {
	local status before
	before=$(swapped)
	mkdir $group
	echo "$1" >$group/memory.max
	shift
	# shellcheck disable=SC2016 # that shell's own
	sh -c 'echo $$ >/sys/fs/cgroup/program/cgroup.procs; exec "$@"' - "$@" >/tmp/output 2>&1
	status=$?
	for _ in 1 2 3 4 5 6 7 8 9; do
		rmdir $group && break
		sleep 1
	done
	[ "$status" = 0 ] || return "$status"
	[ "$(swapped)" -gt "$before" ] || { echo "nothing has been swapped out" >>/tmp/output && return 1; }
}
echo "TAP version 13"
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
swapon /dev/nvme0n1
swapping 24M /memory/region_stress 100
report $? "region_stress in 24 MiB and swap"
swapping 1G /memory/region_lazy
report $? "region_lazy beside swap"
for libraries in /memory/libupa_mmap.so /memory/libupa_mmap.so:/memory/libupa_malloc.so; do
	swapping 6M env LD_PRELOAD=$libraries /memory/preload_agent ownership 10
	report $? "pages keep their content in 6 MiB and swap, LD_PRELOAD=$libraries"
done
/memory/llfree_lazy >/tmp/output 2>&1
report $? "llfree_lazy beside swap"
swapoff /dev/nvme0n1
mkdir -p /usr/lib # where other allocators would be
# Nothing of version 2 may be left out.
/memory/bash /memory/gives_back_test.sh /memory /memory >/tmp/output 2>&1 &&
	! grep -E 'in /sys/fs/cgroup$|does not limit memory' /tmp/output
report $? "no program is killed in a group of cgroup v2 that has room for glibc's peak and a tenth"
echo "1..$n"
exit $failed
