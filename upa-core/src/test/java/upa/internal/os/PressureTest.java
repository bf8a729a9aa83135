package upa.internal.os;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the kernel's texts say about memory, from files that the test writes. */
class PressureTest {
    private static final long MIB = 1 << 20;

    @TempDir
    private Path root;

    private long now = 5000;

    private void write(String name, Object text) throws IOException {
        Path file = root.resolve(name);
        Files.createDirectories(file.getParent());
        Files.writeString(file, text + "\n");
    }

    private long keepable(long kept) {
        return new Pressure(root).keepable(now, kept);
    }

    // ---- texts -----------------------------------------------------------------------------------------------

    @Test
    void numbers() {
        assertEquals(-1, Pressure.number(""));
        assertEquals(-1, Pressure.number("max\n"));
        assertEquals(0, Pressure.number("0"));
        assertEquals(512, Pressure.number("5.12 avg60=0.00"));
        assertEquals(104857600, Pressure.number("104857600\n"));
        assertTrue(Pressure.number("9".repeat(40)) > 1L << 59, "no overflow");
    }

    @Test
    void fields() {
        String text = "MemTotal:  8 kB\nMemAvailable:    1234 kB\nactive_file 77\nactive_files 5\n";
        assertEquals(1234, Pressure.field(text, "MemAvailable"));
        assertEquals(77, Pressure.field(text, "active_file"));
        assertEquals(-1, Pressure.field(text, "Mem"));
        assertEquals(-1, Pressure.field("", "MemAvailable"));
    }

    @Test
    void tasksThatWaitForMemory() {
        assertFalse(Pressure.stalls(""));
        assertFalse(Pressure.stalls("some avg10=5.00 avg60=9.00 avg300=9.00 total=1\n"));
        assertTrue(Pressure.stalls("some avg10=5.01 avg60=0.00 avg300=0.00 total=1\nfull avg10=0.00"));
        assertFalse(Pressure.stalls("some avg10=4.99\nfull avg10=90.00"), "the first line counts");
    }

    @Test
    void groupsOfBothVersionsWithAllAboveThem() {
        Path cgroup = Path.of("/sys/fs/cgroup");
        assertEquals(
                List.of(
                        new Pressure.Level(false, cgroup.resolve("memory/a/b")),
                        new Pressure.Level(false, cgroup.resolve("memory/a")),
                        new Pressure.Level(false, cgroup.resolve("memory")),
                        new Pressure.Level(true, cgroup.resolve("c")),
                        new Pressure.Level(true, cgroup)),
                Pressure.levels(Path.of("/"), "4:memory:/a/b\n3:cpu,cpuacct:/x\n2:memorystick:/y\n0::/c\nnonsense\n"));
        assertEquals(List.of(new Pressure.Level(true, cgroup)), Pressure.levels(Path.of("/"), "0::/\n"));
        assertEquals(
                List.of(new Pressure.Level(true, cgroup)),
                Pressure.levels(Path.of("/"), "0::/../../x\n"),
                "above what is to be seen");
        assertEquals(List.of(), Pressure.levels(Path.of("/"), ""));
    }

    // ---- what follows ----------------------------------------------------------------------------------------

    @Test
    void aShareOfEachLimitAndHalfOfWhatIsLeft() {
        assertEquals(Pressure.UNLIMITED, Pressure.keepable(-1, 0, 0, 0));
        assertEquals(Pressure.UNLIMITED, Pressure.keepable(1L << 60, 0, 0, 0));
        assertEquals(10 * MIB, Pressure.keepable(320 * MIB, 100 * MIB, 0, 0));
        assertEquals(5 * MIB, Pressure.keepable(320 * MIB, 310 * MIB, 0, 0));
        assertEquals(8 * MIB, Pressure.keepable(320 * MIB, 310 * MIB, 0, 6 * MIB), "what is kept is a part of it");
        assertEquals(9 * MIB, Pressure.keepable(320 * MIB, 310 * MIB, 8 * MIB, 0), "files go first");
        assertEquals(0, Pressure.keepable(320 * MIB, 400 * MIB, 0, 0));
        assertEquals(10 * MIB, Pressure.keepable(320 * MIB, -1, -1, 0), "unknown");
        assertEquals(Pressure.UNLIMITED, Pressure.keepableOfMachine(-1, 5));
        assertEquals(60 * MIB, Pressure.keepableOfMachine(100 * MIB, 20 * MIB));
    }

    @Test
    void nothingToBeReadLimitsNothing() {
        assertEquals(Pressure.UNLIMITED, keepable(MIB));
    }

    @Test
    void theMachine() throws IOException {
        write("proc/meminfo", "MemTotal:       100000 kB\nMemAvailable:       10240 kB");
        assertEquals(6 * MIB, keepable(2 * MIB));
    }

    @Test
    void theTightestGroupAboveTheProcess() throws IOException {
        write("proc/self/cgroup", "0::/top/mine");
        write("sys/fs/cgroup/top/mine/memory.max", "max");
        write("sys/fs/cgroup/top/mine/memory.high", 640 * MIB);
        write("sys/fs/cgroup/top/mine/memory.current", 100 * MIB);
        write("sys/fs/cgroup/top/memory.max", 320 * MIB);
        write("sys/fs/cgroup/top/memory.current", 312 * MIB);
        assertEquals(4 * MIB, keepable(0));
        write("sys/fs/cgroup/top/memory.stat", "anon 5\ninactive_file " + 4 * MIB + "\nactive_file " + 2 * MIB);
        assertEquals(7 * MIB, keepable(0));
        write("sys/fs/cgroup/top/memory.current", 100 * MIB);
        assertEquals(10 * MIB, keepable(0));
        write("sys/fs/cgroup/top/memory.max", "max");
        assertEquals(20 * MIB, keepable(0), "where the kernel slows down");
    }

    /** Version 1, in a container that sees its own group as the root. */
    @Test
    void theRootWhereTheGroupIsNotToBeSeen() throws IOException {
        write("proc/self/cgroup", "7:memory:/docker/0123\n0::/docker/0123");
        write("sys/fs/cgroup/memory/memory.limit_in_bytes", 320 * MIB);
        write("sys/fs/cgroup/memory/memory.usage_in_bytes", 312 * MIB);
        assertEquals(4 * MIB, keepable(0));
        write("sys/fs/cgroup/memory/memory.stat", "active_file 9999\ntotal_active_file " + 2 * MIB);
        assertEquals(5 * MIB, keepable(0));
        write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712");
        assertEquals(Pressure.UNLIMITED, keepable(0));
    }

    @Test
    void theSystemIsAskedOnceASecondAndGroupsEachTime() throws IOException {
        write("proc/self/cgroup", "0::/");
        write("sys/fs/cgroup/memory.max", 320 * MIB);
        write("sys/fs/cgroup/memory.current", 312 * MIB);
        Pressure pressure = new Pressure(root);
        assertEquals(4 * MIB, pressure.keepable(now, 0));
        write("proc/pressure/memory", "some avg10=50.00 avg60=0.00 avg300=0.00 total=1");
        write("sys/fs/cgroup/memory.current", 316 * MIB);
        assertEquals(2 * MIB, pressure.keepable(now + 999, 0));
        assertEquals(0, pressure.keepable(now + 1000, 0), "tasks wait for memory");
    }

    /** Who waits at the limit of a group of its own is not helped by others. */
    @Test
    void waitersCountWhereLittleIsAvailable() throws IOException {
        write("proc/pressure/memory", "some avg10=50.00 avg60=0.00 avg300=0.00 total=1");
        write("proc/meminfo", "MemTotal:       81920 kB\nMemAvailable:       10240 kB");
        assertEquals(5 * MIB, keepable(0));
        write("proc/meminfo", "MemTotal:       81921 kB\nMemAvailable:       10239 kB");
        assertEquals(0, keepable(0));
    }
}
