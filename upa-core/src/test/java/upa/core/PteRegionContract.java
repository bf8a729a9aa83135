package upa.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;
import static upa.core.RegionDescriptor.PAGE_BYTES;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a region does whose page frames the process holds itself, on a machine with the kernel module. */
abstract class PteRegionContract extends RegionContract {
    private static final long POOL = 8 * MIB;
    private static final int STRESS_STEPS = "1".equals(System.getenv("UPA_FULL")) ? 20_000 : 500;

    abstract PteOptions options(long poolBytes);

    /** The contract's regions: frames are fetched as they are needed. */
    @Override
    final Region create(long bytes) {
        return Region.create(bytes, options(2 * MIB).withMaxPoolBytes(128 * MIB));
    }

    /** Skips the tests of a class where there is no such back end. */
    static void assumeAvailable(PteOptions options) {
        assumeTrue(
                Files.isWritable(PteOptions.DEVICE),
                "no " + PteOptions.DEVICE + ": upa.ko is not loaded, or not for this user");
        try {
            Region.create(1, options).close();
        } catch (SystemCallException e) {
            assumeTrue(!e.getMessage().contains("raw modes are off"), e.getMessage());
            throw e;
        }
    }

    @Test
    void vectors() throws Exception {
        PteOptions options = options(2 * MIB);
        for (Path file : RegionVectors.files()) {
            RegionVectors.run(file, new RegionVectors.Maker() {
                @Override
                public BackEnd backEnd() {
                    return options.backEnd();
                }

                @Override
                public Region region(long bytes, HugePages hugePages, long poolBytes, long deferredBytes) {
                    return Region.create(
                            bytes,
                            new PteOptions(options.backEnd(), 0, poolBytes, deferredBytes, false, PteOptions.DEVICE));
                }
            });
        }
    }

    final Region openWith(long poolBytes) {
        return Region.create(BYTES, options(poolBytes));
    }

    private static FrameStats frames(Region region) {
        return region.stats().frames();
    }

    /** The frame that stands at a page, as the table has it. */
    private static int frameAt(Region region, long address) {
        return region.frameAt(address);
    }

    private static void quiet(Region region) {
        region.validate();
        FrameStats s = frames(region);
        assertEquals(s.poolBytes(), s.freeBytes() + s.attachedBytes());
        assertEquals(region.stats().allocatedBytes() + s.deferredBytes(), s.attachedBytes(), "a frame is lost");
        region.close();
    }

    @Test
    void theBackEndIsTheOneAskedFor() {
        assertEquals(options(1).backEnd(), region.backEnd());
        assertTrue(region.toString().contains(options(1).backEnd().toString()), region.toString());
    }

    @Test
    void aFreedPageKeepsItsFrameAndIsTakenFirst() {
        long address = region.map(3 * PAGE_BYTES);
        fill(address, 3 * PAGE_BYTES, 7);
        int frame = frameAt(region, address);
        region.unmap(address, 3 * PAGE_BYTES);
        assertEquals(3 * PAGE_BYTES, frames(region).deferredBytes());
        assertEquals(frame, frameAt(region, address), "unmapping is deferred");
        assertEquals(address, region.map(3 * PAGE_BYTES));
        assertEquals(frame, frameAt(region, address));
        assertReads(address, 3 * PAGE_BYTES, 7);
        assertEquals(0, frames(region).batches(), "nothing was taken away");
    }

    @Test
    void framesComeFromOtherFreePagesInOneBatch() {
        Region small = openWith(POOL);
        long first = small.map(POOL);
        small.segment(first, POOL).fill((byte) 5);
        small.unmap(first, POOL);
        // Elsewhere: every frame stands at a free page that is not wanted.
        assertTrue(small.mapAt(small.base() + 32 * MIB, POOL, Region.ZEROS));
        assertReads(small, small.base() + 32 * MIB, POOL, 0);
        FrameStats s = frames(small);
        assertEquals(POOL, s.detachedBytes());
        assertEquals(1, s.batches());
        assertTrue(s.shootdowns() <= 2, s::toString);
        assertEquals(0, s.deferredBytes());
        small.unmap(small.base() + 32 * MIB, POOL);
        quiet(small);
    }

    @Test
    void framesScatteredOverTheTableAreFoundOneByOne() {
        Region small = openWith(POOL);
        assertTrue(small.mapAt(small.base(), POOL, 0));
        for (long i = 0; i < POOL; i += 2 * PAGE_BYTES) {
            small.segment(small.base() + i, 8).set(ValueLayout.JAVA_LONG, 0, i + 1);
            small.unmap(small.base() + i + PAGE_BYTES, PAGE_BYTES);
        }
        assertTrue(small.mapAt(small.base() + 32 * MIB, POOL / 2, Region.ZEROS));
        assertReads(small, small.base() + 32 * MIB, POOL / 2, 0);
        assertFalse(small.mapAt(small.base() + 48 * MIB, PAGE_BYTES, 0), "the pool is empty");
        for (long i = 0; i < POOL; i += 2 * PAGE_BYTES) {
            assertEquals(
                    i + 1,
                    small.segment(small.base() + i, 8).get(ValueLayout.JAVA_LONG, 0),
                    "the other pages kept theirs");
        }
        quiet(small);
    }

    @Test
    void anEmptyPoolIsAValueAndLosesNothing() {
        Region small = openWith(POOL);
        long address = small.map(POOL - 3 * PAGE_BYTES);
        small.segment(address, POOL - 3 * PAGE_BYTES).fill((byte) 1);
        assertEquals(Region.NO_MEMORY, small.map(4 * PAGE_BYTES), "addresses there are");
        assertEquals(Region.NO_MEMORY, small.map(4 * PAGE_BYTES, Region.ZEROS | Region.FAULTED));
        assertEquals(Region.NO_MEMORY, small.resize(address, POOL - 3 * PAGE_BYTES, POOL + PAGE_BYTES, 0));
        small.validate();
        assertTrue(small.stats().failures() >= 2, () -> small.stats().toString());
        assertEquals(POOL - 3 * PAGE_BYTES, small.stats().allocatedBytes());
        assertReads(small, address, POOL - 3 * PAGE_BYTES, 1);
        assertNotEquals(Region.NO_MEMORY, small.map(3 * PAGE_BYTES));
        assertEquals(0, frames(small).freeBytes());
        quiet(small);
    }

    @Test
    void thePoolGrowsOnlyWhenNothingIsFree() {
        Region growing = Region.create(BYTES, options(2 * MIB).withMaxPoolBytes(6 * MIB));
        long address = growing.map(2 * MIB);
        growing.unmap(address, 2 * MIB);
        assertTrue(growing.mapAt(growing.base() + 32 * MIB, 2 * MIB, 0));
        assertEquals(2 * MIB, frames(growing).poolBytes(), "the frames of the free block were taken");
        assertTrue(growing.mapAt(growing.base() + 16 * MIB, 3 * MIB, Region.ZEROS));
        assertReads(growing, growing.base() + 16 * MIB, 3 * MIB, 0);
        assertEquals(6 * MIB, frames(growing).poolBytes());
        assertEquals(Region.NO_MEMORY, growing.map(2 * MIB), "the pool must not be larger");
        quiet(growing);
    }

    @ParameterizedTest
    @ValueSource(longs = {PAGE_BYTES, 100 * PAGE_BYTES, 2 * MIB, 5 * MIB + PAGE_BYTES})
    void aBlockThatMovesTakesItsFramesAlong(long bytes) {
        for (boolean populated : new boolean[] {false, true}) {
            // No frames to spare, if the block is to go where some are.
            Region moving = openWith(populated ? bytes + PAGE_BYTES + 12 * MIB : 32 * MIB);
            assertTrue(moving.mapAt(moving.base(), bytes, 0));
            assertTrue(moving.mapAt(moving.base() + bytes, PAGE_BYTES, 0));
            List<Integer> before = new ArrayList<>();
            for (long i = 0; i < bytes; i += PAGE_BYTES) {
                moving.segment(moving.base() + i, 8).set(ValueLayout.JAVA_LONG, 0, i + 1);
                before.add(frameAt(moving, moving.base() + i));
            }
            if (populated) {
                // Where the block will go: then the frames change places.
                assertTrue(moving.mapAt(moving.base() + 8 * MIB, 12 * MIB, 0));
                moving.segment(moving.base() + 8 * MIB, 12 * MIB).fill((byte) 0x77);
                moving.unmap(moving.base() + 8 * MIB, 12 * MIB);
            }
            long free = frames(moving).freeBytes();
            long moved = moving.resize(moving.base(), bytes, 2 * bytes, Region.ZEROS);
            assertNotEquals(Region.NO_MEMORY, moved);
            assertNotEquals(moving.base(), moved);
            for (long i = 0; i < bytes; i += PAGE_BYTES) {
                assertEquals(before.get((int) (i / PAGE_BYTES)), frameAt(moving, moved + i), "copied at offset=" + i);
                assertEquals(i + 1, moving.segment(moved + i, 8).get(ValueLayout.JAVA_LONG, 0));
            }
            assertReads(moving, moved + bytes, bytes, 0);
            assertEquals(bytes, moving.stats().movedBytes());
            assertEquals(1, frames(moving).batches());
            if (populated && bytes >= 2 * MIB) {
                assertEquals(free, frames(moving).freeBytes(), "nothing was freed and nothing taken");
            }
            quiet(moving);
        }
    }

    /** What is still mapped stays so, for requests that can use it. */
    @Test
    void aBlockThatMovesLeavesFramesOfFreePagesAloneIfThereAreOthers() {
        Region moving = openWith(32 * MIB);
        assertTrue(moving.mapAt(moving.base(), 2 * MIB, 0));
        assertTrue(moving.mapAt(moving.base() + 2 * MIB, PAGE_BYTES, 0));
        assertTrue(moving.mapAt(moving.base() + 8 * MIB, 12 * MIB, 0));
        moving.unmap(moving.base() + 8 * MIB, 12 * MIB);
        long free = frames(moving).freeBytes();
        assertNotEquals(Region.NO_MEMORY, moving.resize(moving.base(), 2 * MIB, 4 * MIB, 0));
        assertEquals(12 * MIB, frames(moving).deferredBytes());
        assertEquals(free - 2 * MIB, frames(moving).freeBytes());
        quiet(moving);
    }

    @Test
    void thePoolKeepsItsSizeUnlessItIsGivenBack() {
        assertEquals(Retention.EVERYTHING, region.retention());
        region.retain(Retention.EVERYTHING);
        contains(
                messageOf(IllegalArgumentException.class, () -> region.retain(Retention.DEFAULT)),
                "backEnd=",
                "percent=10");
        assertEquals(Retention.EVERYTHING, region.retention());
    }

    @Test
    void deferredPagesStayWithinTheirBound() {
        long bound = MIB;
        Region bounded = Region.create(BYTES, options(16 * MIB).withMaxDeferredBytes(bound));
        long[] blocks = new long[24];
        for (int round = 0; round < 3; round++) {
            for (int i = 0; i < blocks.length; i++) {
                blocks[i] = bounded.map(300_000);
                bounded.segment(blocks[i], 300_000).fill((byte) i);
            }
            for (long block : blocks) {
                bounded.unmap(block, 300_000);
                assertTrue(
                        frames(bounded).deferredBytes() <= bound,
                        () -> frames(bounded).toString());
            }
        }
        FrameStats s = frames(bounded);
        assertTrue(s.batches() > 0 && s.batches() <= 3 * blocks.length / 2, s::toString);
        quiet(bounded);
        Region strict = Region.create(BYTES, options(16 * MIB).withMaxDeferredBytes(0));
        long address = strict.map(MIB);
        strict.segment(address, MIB).fill((byte) 1);
        strict.unmap(address, MIB);
        assertEquals(0, frames(strict).deferredBytes());
        assertEquals(1, frames(strict).batches());
        quiet(strict);
    }

    /** Where unmapping is not deferred, use after unmap shows. */
    @Test
    void aTouchAfterUnmapIsAnInternalError() {
        Region strict = Region.create(BYTES, options(2 * MIB).withMaxDeferredBytes(0));
        long address = strict.map(MIB);
        MemorySegment stale = strict.segment(address, MIB);
        stale.fill((byte) 1);
        strict.unmap(address, MIB);
        assertThrows(InternalError.class, () -> {
            stale.get(ValueLayout.JAVA_LONG, 4096);
            Thread.yield(); // the JVM raises it some instructions later
        });
        quiet(strict);
    }

    @Test
    void populatedPagesNeedNoCall() {
        long address = region.map(MIB, Region.FAULTED);
        long faults = frames(region).faults();
        assertReads(address, MIB, 0);
        assertEquals(faults, frames(region).faults());
    }

    @Test
    void arenasWorkOnIt() {
        for (int round = 0; round < 3; round++) {
            try (PageArena arena = PageArena.ofConfined(region)) {
                for (long bytes : new long[] {8, 5000, 70_000, 3 * MIB}) {
                    var segment = arena.allocate(bytes, 8);
                    assertReads(segment.address(), bytes, 0);
                    segment.fill((byte) 0x55);
                }
                assertEquals(0, arena.allocate(MIB, 4 * MIB).address() % (4 * MIB));
            }
        }
    }

    @Test
    void programsStartedHaveNoneOfTheRegion() throws Exception {
        StartsProcesses.run(options(16 * MIB));
    }

    @Test
    void programsStartedByForkHaveNoneOfTheRegion() throws IOException, InterruptedException {
        Process holder = new ProcessBuilder(
                        ProcessHandle.current().info().command().orElseThrow(),
                        "-XX:TieredStopAtLevel=1",
                        "-XX:+UseSerialGC",
                        "--enable-native-access=ALL-UNNAMED",
                        "-Djdk.lang.Process.launchMechanism=FORK",
                        "-cp",
                        System.getProperty("java.class.path"),
                        StartsProcesses.class.getName(),
                        options(1).backEnd().toString())
                .redirectErrorStream(true)
                .start();
        String said = new String(holder.getInputStream().readAllBytes());
        assertEquals(0, holder.waitFor(), said);
    }

    @Test
    void closingUnderThreadsAtWorkIsNoFault() throws Exception {
        for (int round = 0; round < 2; round++) {
            RegionStressTest.closeUnderThreadsAtWork(
                    Region.create(16 * MIB, options(4 * MIB).withMaxDeferredBytes(MIB)));
        }
    }

    /** Threads that together want more than the pool has, so that frames wander between pages all the time. */
    @Test
    void noFrameIsEverHeldTwice() throws Exception {
        PteOptions scarce = options(4 * MIB).withMaxPoolBytes(16 * MIB).withMaxDeferredBytes(10 * MIB);
        try (Region contended = Region.create(32 * MIB, scarce)) {
            FrameOwnership ownership = new FrameOwnership(contended);
            AtomicInteger ids = new AtomicInteger(1);
            RegionStressTest.run(false, 3, () -> ownership.work(ids.getAndIncrement(), STRESS_STEPS));
            contended.validate();
            RegionStats s = contended.stats();
            assertEquals(0, s.allocatedBytes());
            assertEquals(
                    s.frames().poolBytes(), s.frames().freeBytes() + s.frames().deferredBytes(), "a frame is lost");
            assertTrue(s.frames().batches() > 10, () -> "too little pressure to prove anything: " + s);
        }
    }
}
