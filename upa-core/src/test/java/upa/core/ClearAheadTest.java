package upa.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static upa.core.RegionDescriptor.PAGE_BYTES;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.Test;

/** The thread that keeps free memory of a region zeroed. */
class ClearAheadTest {
    private static final long MIB = 1 << 20;
    /** For a machine on which much else runs: a thread that never comes is what is to be found. */
    private static final Duration LONG = Duration.ofMinutes(1);

    private static void await(String what, BooleanSupplier condition) throws InterruptedException {
        long deadline = System.nanoTime() + LONG.toNanos();
        while (!condition.getAsBoolean()) {
            assertTrue(System.nanoTime() < deadline, () -> "never: " + what);
            Thread.sleep(2);
        }
    }

    private static Region create(long bytes) {
        Region region = Region.create(bytes);
        region.retain(Retention.EVERYTHING);
        return region;
    }

    /** Leaves old bytes in so much free memory. */
    private static void use(Region region, long bytes) {
        long address = region.map(bytes);
        region.segment(address, bytes).fill((byte) 0x5a);
        region.unmap(address, bytes);
    }

    private static long threads() {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(t -> t.getName().equals("upa-clear-ahead"))
                .count();
    }

    @Test
    void nothingIsClearedUnlessThatIsWanted() throws InterruptedException {
        try (Region region = create(64 * MIB)) {
            use(region, 32 * MIB);
            Thread.sleep(20);
            assertEquals(0, region.stats().clearedBytes());
            assertEquals(0, threads());
        }
    }

    @Test
    void whatIsUsedUpIsReplaced() throws InterruptedException {
        try (Region region = create(64 * MIB)) {
            region.keepZeroed(4 * MIB + 1);
            use(region, 32 * MIB);
            for (int i = 1; i <= 10; i++) {
                long cleared = i * 4 * MIB;
                await("cleared=" + cleared, () -> region.stats().clearedBytes() >= cleared);
                long address = region.map(4 * MIB, Region.ZEROS);
                RegionContract.assertReads(region, address, 4 * MIB, 0);
                region.segment(address, 4 * MIB).fill((byte) i);
                region.unmap(address, 4 * MIB);
            }
            region.keepZeroed(2 * MIB - 1);
            await("the thread has ended", () -> threads() == 0);
            long cleared = region.stats().clearedBytes();
            use(region, 32 * MIB);
            Thread.sleep(20);
            assertEquals(cleared, region.stats().clearedBytes());
            region.validate();
        }
    }

    @Test
    void theBoundIsKeptAndMayChange() throws InterruptedException {
        try (Region region = create(64 * MIB)) {
            use(region, 32 * MIB);
            region.keepZeroed(6 * MIB);
            await("6 MiB", () -> region.stats().clearedBytes() == 6 * MIB);
            // Long enough for it to sleep longer and longer.
            Thread.sleep(50);
            assertEquals(6 * MIB, region.stats().clearedBytes());
            region.keepZeroed(20 * MIB);
            await("20 MiB", () -> region.stats().clearedBytes() == 20 * MIB);
            assertEquals(1, threads());
            Thread.sleep(20);
            assertEquals(20 * MIB, region.stats().clearedBytes());
        }
        await("the thread has ended", () -> threads() == 0);
    }

    /** While it clears some of the pages, too, which are free all the time. */
    @Test
    void noFreePageIsRefused() throws InterruptedException {
        try (Region region = create(8 * MIB)) {
            use(region, 8 * MIB);
            region.keepZeroed(8 * MIB);
            await("it is at work", () -> region.stats().clearedBytes() == 8 * MIB);
            for (int i = 0; i < 2000; i++) {
                assertNotEquals(Region.NO_MEMORY, region.map(8 * MIB), "i=" + i);
                region.unmap(region.base(), 8 * MIB);
                // Awake, and with one child or another in its hands.
                region.keepZeroed(8 * MIB);
                for (int spin = i % 100; spin > 0; spin--) {
                    Thread.onSpinWait();
                }
                assertTrue(region.mapAt(region.base(), 8 * MIB, 0), "i=" + i);
                region.unmap(region.base(), 8 * MIB);
                assertEquals(0, region.stats().allocatedBytes());
            }
        }
    }

    @Test
    void closingWaitsForIt() throws InterruptedException {
        for (int i = 0; i < 100; i++) {
            Region region = create(16 * MIB);
            use(region, 16 * MIB);
            region.keepZeroed(16 * MIB);
            region.close();
            assertThrows(IllegalStateException.class, () -> region.keepZeroed(16 * MIB));
        }
        await("all threads have ended", () -> threads() == 0);
    }

    @Test
    void aRegionThatCannotBeClosedKeepsItsThread() throws InterruptedException {
        try (Region region = create(16 * MIB)) {
            region.keepZeroed(4 * MIB);
            try (PageArena arena = PageArena.ofConfined(region)) {
                assertThrows(IllegalStateException.class, region::close);
                assertEquals(MIB, arena.allocate(MIB).byteSize());
            }
            use(region, 16 * MIB);
            await("4 MiB", () -> region.stats().clearedBytes() >= 4 * MIB);
        }
    }

    private static void startAndDrop() {
        Region region = create(16 * MIB);
        use(region, 16 * MIB);
        region.keepZeroed(16 * MIB);
    }

    @Test
    void aDroppedRegionTakesItsThreadAlong() throws InterruptedException {
        startAndDrop();
        await("the thread has ended", () -> {
            System.gc();
            return threads() == 0;
        });
    }

    // ---- who has what ----------------------------------------------------------------------------------------

    private record Block(long address, long pages, long stamp) {}

    /** Blocks that read zero when they come, and hold what their owner has written until they go. */
    private static void own(Region region, long seed) {
        Random random = new Random(seed);
        List<Block> blocks = new ArrayList<>();
        for (int i = 0; i < 1500; i++) {
            if (blocks.size() == 12 || !blocks.isEmpty() && random.nextInt(2) == 0) {
                Block b = blocks.remove(random.nextInt(blocks.size()));
                expect(region, b, b.stamp);
                region.unmap(b.address, b.pages * PAGE_BYTES);
                continue;
            }
            long pages = 1 + random.nextInt(700);
            long address = region.map(pages * PAGE_BYTES, Region.ZEROS);
            assertNotEquals(Region.NO_MEMORY, address);
            Block b = new Block(address, pages, seed << 32 | i + 1);
            expect(region, b, 0);
            for (long page = 0; page < pages; page++) {
                word(region, b, page).set(ValueLayout.JAVA_LONG, 0, b.stamp);
            }
            blocks.add(b);
        }
        blocks.forEach(b -> region.unmap(b.address, b.pages * PAGE_BYTES));
    }

    private static MemorySegment word(Region region, Block b, long page) {
        return region.segment(b.address + page * PAGE_BYTES + 8 * (b.address >> 12 & 511), 8);
    }

    private static void expect(Region region, Block b, long value) {
        for (long page = 0; page < b.pages; page++) {
            assertEquals(value, word(region, b, page).get(ValueLayout.JAVA_LONG, 0), b + " page=" + page);
        }
    }

    @Test
    void nobodyLosesWhatHeHolds() throws Exception {
        try (Region region = create(128 * MIB);
                ExecutorService threads = Executors.newFixedThreadPool(2)) {
            region.keepZeroed(32 * MIB);
            List<Callable<Void>> owners = new ArrayList<>();
            for (long seed = 1; seed <= 2; seed++) {
                long s = seed;
                owners.add(() -> {
                    own(region, s);
                    return null;
                });
            }
            for (Future<Void> owner : threads.invokeAll(owners)) {
                owner.get();
            }
            assertEquals(0, region.stats().allocatedBytes());
            region.keepZeroed(0);
            region.validate();
        }
    }
}
