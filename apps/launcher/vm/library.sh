#!/bin/busybox sh
# Inside the VM: the tests of the C library on its back ends pte and pte-raw, and a shell with the preloaded library.
# TAP; exit status 1 if one failed.
n=0 failed=0
report() { # STATUS NAME
	n=$((n + 1))
	case $1 in
	0) echo "ok $n - $2" ;;
	77) echo "ok $n - $2 # SKIP $(sed -n 's/^skipped: //p' /tmp/output | head -n 1)" ;;
	*)
		echo "not ok $n - $2 # exit status $1"
		failed=1
		# What it said stands below its result, where whoever shows failures only looks for it.
		sed 's/^/# /' /tmp/output
		;;
	esac
}
echo "TAP version 13"
# The program's own mappings are the kernel's, and malloc's calls say the same; but all frames count as locked.
conformance() {
	/preload/conformance quick >/tmp/kernel 2>&1 &&
		LD_PRELOAD=/preload/libupa_mmap.so /preload/conformance quick >/tmp/ours 2>&1 || return 1
	sed -i /^unlocked_by_unmapping/d /tmp/kernel /tmp/ours
	diff /tmp/kernel /tmp/ours
}
# Large strings, subshells and commands, served by the device.
shell() {
	LD_PRELOAD=/preload/libupa_mmap.so UPA_STATS=1 /preload/bash -c '
		x=$(printf "%0200000d" 7); x=$x$x$x; y=$x$x$x
		[ "${#y}" = 1800000 ] && [ "$(echo ${#x})" = 600000 ] &&
			(z=$y$y; [ "${z:3599999}" = 7 ]) && /bin/true' 2>&1 || return 1
}
used_device() { shell | grep "memory comes from /dev/upa"; }
# A program as Debian ships it, whose output has to be that of a run without the library; its memory comes from the
# device.
sorted() {
	seq 1 20000 | awk '{ print ($1 * 7919) % 20011 }' >/tmp/numbers
	/preload/sort -n /tmp/numbers >/tmp/expected || return 1
	LD_PRELOAD=/preload/libupa_mmap.so UPA_STATS=1 \
		/preload/sort -n /tmp/numbers >/tmp/sorted 2>/tmp/said || return 1
	[ -s /tmp/expected ] && cmp /tmp/expected /tmp/sorted && grep "memory comes from /dev/upa" /tmp/said
}
# The processor here has protection keys, which others lack: they go along when memory moves.
keys() {
	/preload/remapped >/tmp/kernel 2>&1 &&
		LD_PRELOAD=/preload/libupa_mmap.so /preload/remapped >/tmp/ours 2>&1 || return 1
	grep -q 'key [1-9]' /tmp/kernel && diff /tmp/kernel /tmp/ours
}
if [ -d /preload ]; then
	keys >/tmp/output 2>&1
	report $? "preload: protection keys, on ordinary memory"
fi
for kind in pte pte-blocks pte-raw; do
	export UPA_BACKEND="${kind%-blocks}" UPA_BLOCKS=0
	[ "$kind" = "$UPA_BACKEND" ] || UPA_BLOCKS=1
	# region_test comes first: where the back end is not to be had, as raw modes on the debug kernel, it says so.
	# shellcheck disable=SC2045 # in reverse
	for test in $(ls -r /library/*); do
		steps=
		[ "${test##*/}" != region_stress ] || steps=400
		echo "upa-test: $test on $kind" >/dev/kmsg
		"$test" $steps >/tmp/output 2>&1
		status=$?
		report $status "${test##*/} on $kind"
		[ $status -ne 77 ] || [ "${test##*/}" != region_test ] || continue 2
	done
	[ -d /preload ] && [ "$UPA_BLOCKS" = 0 ] || continue
	for test in conformance shell used_device sorted; do
		$test >/tmp/output 2>&1
		report $? "preload $test on $UPA_BACKEND"
	done
done
echo "1..$n"
exit $failed
