package upa.tools.reclaim;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import upa.tools.top.Orders.Outcome;
import upa.tools.top.Sample;
import upa.tools.top.TopException;

class WatchTest {

    private static final long MIB = 1 << 20;
    private static final long TOTAL = 16_000 * MIB;

    @TempDir
    Path root;

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final Map<Long, Long> kept = new TreeMap<>();
    private final List<Long> silent = new ArrayList<>();
    private final List<Long> asked = new ArrayList<>();
    private Path proc;
    private Path cgroups;
    private long now = 1_000_000;

    /** Programs that keep so much, and give back what they are told to. */
    private final class Programs implements Watch.Keepers {
        @Override
        public Collection<Long> find() {
            return List.copyOf(kept.keySet());
        }

        @Override
        public Sample read(long pid) throws TopException {
            if (!kept.containsKey(pid)) {
                throw new TopException(TopException.Reason.GONE, "there is no process=" + pid);
            }
            return new Sample(pid, 1, "p", 0, 0, 0, 0, 0, 0, 0, 0, kept.get(pid), 0, 0, 0, 0, -1, 0, 0, 0, 0, "");
        }

        @Override
        public Outcome reclaim(long pid, long keep) throws TopException {
            synchronized (asked) {
                asked.add(pid);
                if (silent.contains(pid)) {
                    throw new TopException(TopException.Reason.SILENT, "process=" + pid + " is silent");
                }
                return new Outcome(pid, "p", kept.put(pid, Math.min(keep, kept.get(pid))), keep);
            }
        }
    }

    @BeforeEach
    void folders() throws IOException {
        proc = Files.createDirectories(root.resolve("proc"));
        cgroups = Files.createDirectories(root.resolve("cgroup"));
        available(TOTAL);
    }

    private void available(long bytes) throws IOException {
        Files.writeString(
                proc.resolve("meminfo"),
                "MemTotal: " + TOTAL / 1024 + " kB\nMemFree: 1 kB\nMemAvailable: " + bytes / 1024 + " kB\n");
    }

    private void stalled(long micros) throws IOException {
        Files.createDirectories(proc.resolve("pressure"));
        Files.writeString(
                proc.resolve("pressure/memory"),
                "some avg10=0.00 avg60=0.00 avg300=0.00 total=" + micros
                        + "\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n");
    }

    private void inGroup(long pid, String text) throws IOException {
        Files.createDirectories(proc.resolve(Long.toString(pid)));
        Files.writeString(proc.resolve(pid + "/cgroup"), text);
    }

    private static void group(Path folder, String... namesAndTexts) throws IOException {
        Files.createDirectories(folder);
        for (int i = 0; i < namesAndTexts.length; i += 2) {
            Files.writeString(folder.resolve(namesAndTexts[i]), namesAndTexts[i + 1] + "\n");
        }
    }

    private Watch watch(long mark, long keep) {
        return new Watch(new Programs(), proc, cgroups, mark, keep, new PrintStream(out, true, StandardCharsets.UTF_8));
    }

    private String said() {
        String text = out.toString(StandardCharsets.UTF_8);
        out.reset();
        return text;
    }

    private long look(Watch watch) {
        now += 250;
        return watch.look(now);
    }

    @Test
    void nothingWithoutPressure() throws IOException {
        kept.put(1L, 500 * MIB);
        Watch watch = watch(0, 0);
        assertTrue(watch.isPossible());
        assertEquals(0, look(watch));
        available(TOTAL / 16);
        assertEquals(0, look(watch));
        assertEquals("", said());
        Files.delete(proc.resolve("meminfo"));
        assertFalse(watch.isPossible());
        assertEquals(0, look(watch));
    }

    @Test
    void ofTheLargestWhatIsMissing() throws IOException {
        kept.putAll(Map.of(1L, 100 * MIB, 2L, 700 * MIB, 3L, 200 * MIB));
        // An eighth more than the mark is wanted, once less is available than it.
        Watch watch = watch(1600 * MIB, 0);
        available(1500 * MIB);
        assertEquals(300 * MIB, look(watch));
        assertEquals(Map.of(1L, 100 * MIB, 2L, 400 * MIB, 3L, 200 * MIB), kept);
        assertEquals("pressure=available process=2 p: given back 300.0 MiB, kept 400.0 MiB\n", said());
        available(1600 * MIB);
        assertEquals(0, look(watch));
        available(1590 * MIB);
        assertEquals(210 * MIB, look(watch));
        assertEquals(Map.of(1L, 100 * MIB, 2L, 195 * MIB, 3L, 195 * MIB), kept);
        available(1400 * MIB);
        assertEquals(400 * MIB, look(watch));
        assertEquals(Map.of(1L, 30 * MIB, 2L, 30 * MIB, 3L, 30 * MIB), kept);
        available(0);
        assertEquals(90 * MIB, look(watch));
        assertEquals(0, look(watch));
    }

    @Test
    void whatEachMayKeepStays() throws IOException {
        kept.putAll(Map.of(1L, 100 * MIB, 2L, 50 * MIB, 3L, 64 * MIB + MIB - 1));
        Watch watch = watch(TOTAL, 64 * MIB);
        available(0);
        assertEquals(36 * MIB, look(watch));
        assertEquals(Map.of(1L, 64 * MIB, 2L, 50 * MIB, 3L, 64 * MIB + MIB - 1), kept);
    }

    @Test
    void halfOfAllWhileTasksWaitAndMemoryIsShort() throws IOException {
        kept.put(1L, 100 * MIB);
        Watch watch = watch(1, 0);
        stalled(5_000_000);
        available(TOTAL / 8);
        // Since when, is not known yet.
        assertEquals(0, look(watch));
        stalled(5_250_000);
        assertEquals(0, look(watch), "memory is not short: they wait for something else");
        available(TOTAL / 8 - MIB);
        stalled(5_262_500);
        assertEquals(0, look(watch));
        stalled(5_275_001);
        assertEquals(50 * MIB, look(watch));
        assertTrue(said().startsWith("pressure=stalls process=1 "));
        stalled(5_287_502);
        assertEquals(25 * MIB, look(watch));
        assertEquals(0, look(watch));
    }

    @Test
    void withinGroupsOfVersion2() throws IOException {
        Path limited = cgroups.resolve("limited");
        group(
                limited,
                "memory.max",
                "max",
                "memory.high",
                Long.toString(160 * MIB),
                "memory.current",
                Long.toString(158 * MIB),
                "memory.stat",
                "anon 1\ninactive_file " + 6 * MIB + "\nactive_file " + 2 * MIB,
                "memory.events",
                "low 0\nhigh 3\nmax 1\noom 0");
        group(limited.resolve("inner"), "memory.max", "max", "memory.high", "max");
        inGroup(1, "0::/limited/inner\n");
        inGroup(2, "0::/limited\n");
        inGroup(3, "0::/\n");
        kept.putAll(Map.of(1L, 20 * MIB, 2L, 10 * MIB, 3L, 500 * MIB));
        Watch watch = watch(1, 0);
        // In use are 150 of 160 MiB, which is the fifteenth sixteenth.
        assertEquals(0, look(watch));
        Files.writeString(limited.resolve("memory.current"), Long.toString(159 * MIB));
        assertEquals(11 * MIB, look(watch));
        assertEquals(Map.of(1L, 9 * MIB + MIB / 2, 2L, 9 * MIB + MIB / 2, 3L, 500 * MIB), kept);
        assertTrue(said().startsWith("pressure=" + limited + " process=1 "));
        // It has been met: then a quarter is to be free.
        Files.writeString(limited.resolve("memory.current"), Long.toString(132 * MIB));
        assertEquals(0, look(watch));
        Files.writeString(limited.resolve("memory.events"), "low 0\nhigh 4\nmax 1\noom 0\n");
        assertEquals(14 * MIB, look(watch));
        assertEquals(0, look(watch));
        Files.writeString(limited.resolve("memory.high"), "max\n");
        Files.writeString(limited.resolve("memory.events"), "low 0\nhigh 5\nmax 1\noom 0\n");
        assertEquals(0, look(watch), "there is no limit");
    }

    @Test
    void withinGroupsOfVersion1() throws IOException {
        group(
                cgroups.resolve("memory/a/b"),
                "memory.limit_in_bytes",
                Long.toString(160 * MIB),
                "memory.usage_in_bytes",
                Long.toString(158 * MIB),
                "memory.stat",
                "inactive_file " + 100 * MIB + "\ntotal_inactive_file 0\ntotal_active_file 0",
                "memory.failcnt",
                "0");
        group(cgroups.resolve("memory/a"), "memory.limit_in_bytes", "9223372036854771712");
        inGroup(1, "9:name=systemd:/x\n4:memory:/a/b\n0::/../elsewhere\n");
        kept.put(1L, 100 * MIB);
        assertEquals(18 * MIB, look(watch(1, 0)));
    }

    @Test
    void whoIsSilentIsLeftAloneForAWhile() throws IOException {
        kept.putAll(Map.of(1L, 100 * MIB, 2L, 100 * MIB));
        silent.add(1L);
        Watch watch = watch(TOTAL, 0);
        available(0);
        assertEquals(100 * MIB, look(watch));
        assertEquals(0, look(watch));
        assertEquals(1, asked.stream().filter(pid -> pid == 1).count());
        assertEquals("process=1 is silent", said().lines().findFirst().orElseThrow());
        silent.clear();
        now += 10_000;
        assertEquals(100 * MIB, look(watch));
    }

    @Test
    void programsComeAndGo() throws IOException {
        Watch watch = watch(TOTAL, 0);
        available(0);
        assertEquals(0, look(watch));
        kept.put(1L, 100 * MIB);
        now += 2000;
        assertEquals(100 * MIB, look(watch));
        kept.clear();
        assertEquals(0, look(watch));
    }
}
