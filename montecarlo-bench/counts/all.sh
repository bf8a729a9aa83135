#!/bin/busybox sh
# Inside the VM: runs every measurement program (dlmalloc_cost if the libraries are there), one header for all, and
# then, if it is there, the Monte-Carlo driver, whose output goes to /out/driver/CONTESTANT-WORKLOAD; that of a run
# which failed ends in .failed.
echo "# fact Kernel $(uname -sr), $(uname -v)"
echo "# fact Command_line $(cat /proc/cmdline)"
echo "# fact Processor $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1)," \
	"software emulation, one instruction a nanosecond"
echo "# fact Memory $(sed -n 's/^MemTotal: *//p' /proc/meminfo)"
# Huge pages for who asks for them.
echo madvise >/sys/kernel/mm/transparent_hugepage/enabled
rows() { # PROGRAM [BACK-END]...: the first ones with their header
	local program=/counts/bin/$1
	shift
	"$program" "$@" >/tmp/rows || exit 1
	[ -e /tmp/header ] && sed 1d /tmp/rows || cat /tmp/rows
	touch /tmp/header
}
# Each in a process of its own: raw modes leave a notifier in their address space, and guarded ones then tell it of each
# unmapping.
for backend in raw-pte raw-pmd guarded-batch guarded-fault kernel-thp kernel-populate kernel; do
	rows page_cost $backend
done
rows shootdown
rows harvest_cost
[ ! -e /driver/lib/libdlmalloc_kernel.so ] || rows dlmalloc_cost
[ -x /driver/bin/upa-driver ] || exit 0

export LD_LIBRARY_PATH=/driver/lib
mkdir -p /out/driver
measure() { # CONTESTANT WORKLOAD OPTION...
	local contestant=$1 workload=$2 output=/out/driver/$1-$2
	shift 2
	/driver/bin/upa-driver --contestant $contestant --workload $workload "$@" >$output 2>&1 ||
		mv $output $output.failed
}
# One nanosecond is one instruction here, so that budgets are of instructions too.
largest=,16M live=64
[ -z "$UPA_FULL" ] || largest=,16M,64M,256M live=512
for contestant in kernel kernel-populate kernel-huge upa upa-uncleared upa-pte upa-pte-uncleared upa-pte-raw \
	upa-pte-raw-uncleared; do
	measure $contestant touch --sizes 4K,16K,64K,256K,1M,4M$largest --budget-ms 1
	measure $contestant ring --live $live --steps $((2 * live))
done
for contestant in dlmalloc-kernel dlmalloc-upa-uncleared; do
	measure $contestant touch --phase warm --live 16 --sizes 64,4K,64K,1M,4M --budget-ms 1
	measure $contestant ring --live $live --steps $((2 * live))
done
