package upa.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A JVM in a cgroup that limits memory: it lives where one lives that gives back by hand whatever it has freed. Skipped
 * where no group can be made.
 */
class MemoryLimitTest {
    private static final long MIB = 1 << 20;
    private static final long USED = 75 * MIB;
    /** As a shell tells of a process that was killed by SIGKILL. */
    private static final int KILLED = 128 + 9;

    /** By whom memory is given back: what the program is told. */
    private enum Way {
        BY_HAND,
        BY_ITSELF,
        BY_NOBODY
    }

    /** The files of a version of cgroups. */
    private enum Version {
        ONE("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.max_usage_in_bytes", "memory.swappiness"),
        TWO("/sys/fs/cgroup", "memory.max", "memory.peak", "memory.swap.max");

        final Path root;
        final String limit;
        final String peak;
        /** With 0 in it, nothing goes to swap. */
        final String swap;

        Version(String root, String limit, String peak, String swap) {
            this.root = Path.of(root);
            this.limit = limit;
            this.peak = peak;
            this.swap = swap;
        }
    }

    /** A group of its own for each run. */
    private record Group(Version version, Path folder) implements AutoCloseable {
        private static Group make() throws IOException {
            for (Version version : Version.values()) {
                Path folder = version.root.resolve(
                        "upa-test-" + ProcessHandle.current().pid());
                try {
                    Files.createDirectory(folder);
                } catch (IOException e) {
                    continue;
                }
                if (Files.exists(folder.resolve(version.peak))) {
                    return new Group(version, folder);
                }
                Files.delete(folder);
            }
            return null;
        }

        private void limit(long bytes) throws IOException {
            Files.writeString(folder.resolve(version.limit), Long.toString(bytes));
            if (Files.exists(folder.resolve(version.swap))) {
                Files.writeString(folder.resolve(version.swap), "0");
            }
        }

        private long peak() throws IOException {
            return Long.parseLong(Files.readString(folder.resolve(version.peak)).strip());
        }

        /** The kernel may still count the process that has ended. */
        @Override
        public void close() throws IOException {
            for (int tries = 0; ; tries++) {
                try {
                    Files.delete(folder);
                    return;
                } catch (IOException e) {
                    if (tries == 600) {
                        throw e;
                    }
                    try {
                        Thread.sleep(100);
                    } catch (InterruptedException interrupted) {
                        throw new IOException(interrupted);
                    }
                }
            }
        }
    }

    private record Result(int status, long peak) {}

    private static Result run(Way way, String what, long block, long limit)
            throws IOException, InterruptedException, URISyntaxException {
        Path classes = Path.of(
                Region.class.getProtectionDomain().getCodeSource().getLocation().toURI());
        Group made = Group.make();
        assumeTrue(made != null, "no cgroup can be made");
        try (Group group = made) {
            group.limit(limit);
            Process process = new ProcessBuilder(
                            "sh",
                            "-c",
                            "echo $$ >\"$1\" && shift && exec \"$@\"",
                            "sh",
                            group.folder.resolve("cgroup.procs").toString(),
                            Path.of(System.getProperty("java.home"), "bin", "java")
                                    .toString(),
                            "--enable-native-access=ALL-UNNAMED",
                            "--illegal-native-access=deny",
                            "-XX:TieredStopAtLevel=1",
                            "-XX:+UseSerialGC",
                            "-Xms16m",
                            "-Xmx16m",
                            "-cp",
                            classes + ":" + classes.resolveSibling("test-classes"),
                            MemoryLimitTest.class.getName(),
                            way.name(),
                            what,
                            Long.toString(block))
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
            int status = process.waitFor();
            return new Result(status, group.peak());
        }
    }

    /** What a tenth more than that takes which gives back by hand. */
    private static long limitFor(String what, long block) throws IOException, InterruptedException, URISyntaxException {
        long peak = 0;
        for (int i = 0; i < 2; i++) {
            Result result = run(Way.BY_HAND, what, block, 1024 * MIB);
            assertEquals(0, result.status);
            peak = Math.max(peak, result.peak);
        }
        return peak / 10 * 11;
    }

    @ParameterizedTest
    @ValueSource(longs = {2_000, 60_000, 200_000, MIB, 10 * MIB, USED})
    void itLivesWhereOneDoesThatGivesBackByHand(long block) throws Exception {
        long limit = limitFor("arena", block);
        for (int i = 0; i < 2; i++) {
            assertEquals(0, run(Way.BY_ITSELF, "arena", block, limit).status, "limit=" + limit);
        }
    }

    @Test
    void andIfThreadsAndResizesFree() throws Exception {
        long limit = limitFor("others", MIB);
        for (int i = 0; i < 2; i++) {
            assertEquals(0, run(Way.BY_ITSELF, "others", MIB, limit).status, "limit=" + limit);
        }
    }

    /** Else the tests above mean nothing. */
    @Test
    void whoGivesNothingBackIsKilled() throws Exception {
        long limit = limitFor("arena", MIB);
        assertEquals(KILLED, run(Way.BY_NOBODY, "arena", MIB, limit).status, "limit=" + limit);
    }

    // ---- the program -----------------------------------------------------------------------------------------

    /** Arguments: a way; what frees; the size of blocks. */
    public static void main(String[] arguments) throws Exception {
        Way way = Way.valueOf(arguments[0]);
        long block = Long.parseLong(arguments[2]);
        try (Region region = Region.create(1024 * MIB)) {
            region.retain(
                    way == Way.BY_NOBODY
                            ? Retention.EVERYTHING
                            : way == Way.BY_HAND ? new Retention(0, Duration.ZERO) : Retention.DEFAULT);
            for (int i = 0; i < 3; i++) {
                if (arguments[1].equals("arena")) {
                    inArena(region, block);
                } else {
                    byOthers(region, block);
                }
                if (way == Way.BY_HAND) {
                    region.giveBack(0);
                }
            }
            // Of this nobody is told.
            try (Arena arena = Arena.ofConfined()) {
                arena.allocate(USED);
            }
        }
    }

    private static void inArena(Region region, long block) {
        try (PageArena arena = PageArena.ofConfinedUncleared(region)) {
            for (long used = 0; used + block <= USED; used += block) {
                arena.allocate(block).fill((byte) 1);
            }
        }
    }

    /** Blocks that one thread takes, another shrinks and frees. */
    private static void byOthers(Region region, long block) throws InterruptedException {
        int n = (int) (USED / block);
        long[] addresses = new long[n];
        for (int i = 0; i < n; i++) {
            MemorySegment segment = region.mapSegment(block, 0).fill((byte) 1);
            addresses[i] = segment.address();
        }
        Thread other = Thread.ofPlatform().start(() -> {
            for (long address : addresses) {
                region.resize(address, block, block / 4, 0);
                region.unmap(address, block / 4);
            }
        });
        other.join();
    }
}
