#!/bin/busybox sh
# Inside the VM: the Java pager of the device, and the program that owns the region. TAP, one result for each test
# method; exit status 1 if one failed. "cost": figures instead, see upa.pager.live.DeviceCost.
cd /tmp || exit 1
class_path='/java/pager:/java/core:/java/test-classes:/java/lib/*'
# One compiler, which works before the method goes on: an instruction is then always the same.
if [ "$1" = cost ]; then
	exec java -Xbatch -XX:+UseSerialGC --enable-native-access=ALL-UNNAMED -Dupa.test.owner=/java/paged_owner \
		-cp "$class_path" upa.pager.live.DeviceCost
fi
java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC --enable-native-access=ALL-UNNAMED -Dupa.test.owner=/java/paged_owner \
	-cp "$class_path" org.junit.platform.console.ConsoleLauncher execute \
	--disable-banner --disable-ansi-colors --details=testfeed -c upa.pager.live.DevicePagerTest \
	-c upa.pager.live.JavaOwnerTest >/tmp/said 2>&1
echo "exit status $? of the tests" >>/tmp/said
awk -f /junit-tap.awk /tmp/said
