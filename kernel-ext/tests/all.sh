#!/bin/busybox sh
# Inside the VM: runs test programs of /tests, and says in the kernel log which one is running.
# Usage: all.sh ["NAME [ARGUMENT...]"]...     TAP, one result for each program; exit status 1 if one failed.
cd /tests
# shellcheck disable=SC2046,SC2010 # names of our own
[ $# -gt 0 ] || set -- $(ls | grep -v '\.sh$')
echo "TAP version 13"
echo "1..$#"
n=0 failed=0
for test; do
	n=$((n + 1))
	echo "upa-test: $test" >/dev/kmsg
	# shellcheck disable=SC2086 # a program and its arguments
	./$test >/tmp/output 2>&1
	status=$?
	case $status in
	0) echo "ok $n - $test" ;;
	77) echo "ok $n - $test # SKIP $(sed -n 's/^# skipped: //p' /tmp/output | head -n 1)" ;;
	*)
		echo "not ok $n - $test # exit status $status"
		failed=1
		;;
	esac
	sed 's/^/# /' /tmp/output
done
exit $failed
