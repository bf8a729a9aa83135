#!/bin/busybox sh
# Inside the VM: runs every test program of /tests, one line each, and says in the kernel log which one is running.
# Usage: all.sh [NAME...]     exit status 1 if one failed.
passed=0 failed=0 skipped=0
cd /tests
# shellcheck disable=SC2048
for test in ${*:-*}; do
	case $test in *.sh) continue ;; esac
	echo "upa-test: $test" >/dev/kmsg
	timeout 300 ./"$test" >/tmp/output 2>&1
	status=$?
	case $status in
	0) result=pass passed=$((passed + 1)) ;;
	77) result=skip skipped=$((skipped + 1)) ;;
	*) result="FAIL (exit status $status)" failed=$((failed + 1)) ;;
	esac
	echo "$result $test"
	sed 's/^/    /' /tmp/output
done
echo "counts $passed $failed $skipped"
[ $failed -eq 0 ]
