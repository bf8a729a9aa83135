package upa.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.FutureTask;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Starts programs while it holds a region on the module's device, and looks at what they see. How the JDK starts them
 * (jdk.lang.Process.launchMechanism) is settled once in a JVM's life, hence the main method.
 */
final class StartsProcesses {
    private static final long MIB = 1 << 20;
    private static final int BYTES = 30_000;
    private static final Path USERS = Path.of("/sys/module/upa/refcnt");

    private StartsProcesses() {}

    /** Argument: pte or pte-raw. */
    public static void main(String[] arguments) throws Exception {
        run(arguments[0].equals("pte") ? PteOptions.guarded(16 * MIB) : PteOptions.raw(16 * MIB));
    }

    static void run(PteOptions options) throws Exception {
        String users = Files.readString(USERS);
        List<Process> children = new ArrayList<>();
        try (Region region = Region.create(64 * MIB, options)) {
            MemorySegment kept = region.mapSegment(MIB, 0).fill((byte) 3);
            AtomicBoolean enough = new AtomicBoolean();
            FutureTask<?> other = new FutureTask<>(() -> work(region, enough), null);
            Thread.ofPlatform().start(other);
            for (int i = 0; i < 2; i++) {
                children.add(startAndLook());
                assertTrue(reads(kept, 3 + i), "the region has changed");
                kept.fill((byte) (4 + i));
            }
            enough.set(true);
            other.get();
            region.validate();
            assertNotEquals(users, Files.readString(USERS), "the module does not count the region");
        }
        // Programs that are still there hold nothing of it.
        assertTrue(children.stream().allMatch(Process::isAlive), "a child has ended");
        assertEquals(users, Files.readString(USERS), "the frames have not gone back");
        for (Process child : children) {
            child.outputWriter().close();
            assertEquals(0, child.waitFor());
        }
    }

    /** Writes and moves blocks meanwhile: a fork that took part of the region along would show in them. */
    private static void work(Region region, AtomicBoolean enough) {
        for (int round = 1; !enough.get(); round++) {
            MemorySegment block = region.mapSegment(BYTES, 0).fill((byte) round);
            long moved = region.resize(block.address(), BYTES, MIB, Region.ZEROS);
            assertNotEquals(Region.NO_MEMORY, moved);
            assertTrue(reads(region.segment(moved, BYTES), round), "a block has changed: round=" + round);
            region.unmap(moved, MIB);
        }
    }

    /** The program started says what it sees, and waits until its input ends. */
    private static Process startAndLook() throws IOException {
        Process child = new ProcessBuilder(
                        "sh", "-c", "cat /proc/$$/maps; ls -l /proc/$$/fd; echo end; read -r line; true")
                .redirectErrorStream(true)
                .start();
        BufferedReader output = child.inputReader();
        int lines = 0;
        for (String line; !"end".equals(line = output.readLine()); lines++) {
            assertTrue(line != null && !line.contains("upa"), "a child sees " + line);
        }
        assertTrue(lines > 5, "the child has said nothing");
        return child;
    }

    private static boolean reads(MemorySegment segment, int value) {
        byte[] expected = new byte[(int) segment.byteSize()];
        Arrays.fill(expected, (byte) value);
        return segment.mismatch(MemorySegment.ofArray(expected)) < 0;
    }
}
