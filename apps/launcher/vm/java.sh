#!/bin/busybox sh
# Inside the VM: the Java tests of the back ends pte and pte-raw, as root and then as a user who may lock 8 MiB and no
# more. TAP, one result for each test method; exit status 1 if one failed.
junit() { # OPTION-OF-JAVA -c CLASS...
	echo "java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC --enable-native-access=ALL-UNNAMED $1
		-cp '/java/classes:/java/test-classes:/java/lib/*' org.junit.platform.console.ConsoleLauncher execute
		--disable-banner --disable-ansi-colors --details=testfeed $2" | tr '\n' ' '
}
echo "TAP version 13"
eval "$(junit '' '-c upa.core.PteRegionTest -c upa.core.PteRawRegionTest')" >/tmp/root 2>&1
echo "exit status $? of the tests as root" >>/tmp/root
chown nobody /dev/upa
su nobody -c "ulimit -l 8192; $(junit -Dupa.test.ordinary=true '-c upa.core.PteLimitsTest')" >/tmp/nobody 2>&1
echo "exit status $? of the tests as nobody" >>/tmp/nobody
cat /tmp/root /tmp/nobody | awk -f /junit-tap.awk
