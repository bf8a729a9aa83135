#!/bin/busybox sh
# Inside the VM: the Java tests of the back ends pte and pte-raw, as root and then as a user who may lock 8 MiB and no more.
# Last line: counts PASSED FAILED SKIPPED. Exit status 1 if one failed.
junit() { # OPTION-OF-JAVA -c CLASS...
	echo "java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC --enable-native-access=ALL-UNNAMED $1
		-cp '/java/classes:/java/test-classes:/java/lib/*' org.junit.platform.console.ConsoleLauncher execute
		--disable-banner --disable-ansi-colors --details=summary $2" | tr '\n' ' '
}
eval "$(junit '' '-c upa.core.PteRegionTest -c upa.core.PteRawRegionTest')" >/tmp/root 2>&1
chown nobody /dev/upa
su nobody -c "ulimit -l 8192; $(junit -Dupa.test.ordinary=true '-c upa.core.PteLimitsTest')" >/tmp/nobody 2>&1
cat /tmp/root /tmp/nobody | grep -v -e ' containers ' -e '^$'
awk '
	/ tests successful / { passed += $2 }
	/ tests failed / { failed += $2; runs++ }
	/ tests (skipped|aborted) / || / containers (skipped|aborted) / { skipped += $2 }
	/ containers failed / { failed += $2 }
	END {
		failed += 2 - runs # a JVM that died
		print "counts", passed + 0, failed, skipped + 0
		exit failed > 0
	}' /tmp/root /tmp/nobody
