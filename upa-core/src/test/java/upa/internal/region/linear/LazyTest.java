package upa.internal.region.linear;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;
import static upa.core.RegionDescriptor.PAGE_BYTES;
import static upa.llfree.LlFreeDescriptor.CHILD_PAGES;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import upa.core.HugePages;
import upa.core.RegionDescriptor;
import upa.internal.bindings.Libc;
import upa.internal.os.MemoryCalls;
import upa.internal.os.RawMemory;
import upa.llfree.LlFree;

/**
 * A private region some of whose free memory the kernel may take at any instant: whoever gets such memory keeps it, and
 * zeros are zeros. The kernel is made to take what it may. The C twin of this is
 * upa-mmap-shim/tests/region/region_lazy.c.
 */
class LazyTest {
    private static final int MADV_PAGEOUT = 21;
    private static final long OLD = 0x5a5a5a5a5a5a5a5aL;
    private static final long PAGES = 16384;

    private LinearBackEnd region;
    private LlFree pages;

    @BeforeEach
    void create() {
        region = LinearBackEnd.create(PAGES * PAGE_BYTES, HugePages.AVOID);
        pages = region.state().pages;
        leaveLazy(0, 1);
        write(1, 1, OLD);
        takeAway(0, 2);
        assumeTrue(resident(0, 2) == 1, "a kernel that does not take free memory when told to");
        advise(0, 2, Libc.MADV_DONTNEED());
        assertTrue(pages.getAt(1, 0, CHILD_PAGES) >= 0);
        pages.putRun(1, 0, CHILD_PAGES, LlFree.PUT_ABSENT);
    }

    @AfterEach
    void end() {
        region.validate();
        region.unmap();
    }

    private long addressOf(long page) {
        return region.state().addressOf(page);
    }

    private void advise(long first, long n, int advice) {
        assertEquals(0, MemoryCalls.madvise(addressOf(first), n * PAGE_BYTES, advice));
    }

    private void takeAway(long first, long n) {
        advise(first, n, MADV_PAGEOUT);
    }

    /** The second word of each page: what the first one holds is of no interest once it has been handed out. */
    private void write(long first, long n, long value) {
        for (long page = first; page < first + n; page++) {
            RawMemory.putLongOpaque(addressOf(page) + 8, value);
        }
    }

    private void assertHolds(long value, long first, long n) {
        for (long page = first; page < first + n; page++) {
            long at = page;
            assertEquals(value, RawMemory.getLongOpaque(addressOf(page) + 8), () -> "page=" + at);
        }
    }

    private long resident(long first, long n) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment resident = arena.allocate(n);
            assertEquals(0, MemoryCalls.mincore(addressOf(first), n * PAGE_BYTES, resident));
            long total = 0;
            for (long i = 0; i < n; i++) {
                total += resident.get(ValueLayout.JAVA_BYTE, i) & 1;
            }
            return total;
        }
    }

    /** Leaves free memory of old bytes that the kernel may take, as a scavenger does. */
    private void leaveLazy(long first, long n) {
        assertTrue(pages.getAt(1, first, n) >= 0);
        write(first, n, OLD);
        advise(first, n, Libc.MADV_FREE());
        pages.setStale(first, n);
        pages.setLazy(first, n);
        pages.putRun(1, first, n, LlFree.PUT_UNTOUCHED);
    }

    private long get(long n, int flags) {
        long result = region.get(0, n, flags);
        assertTrue(result >= 0, () -> "result=" + result);
        if (flags == LlFree.GET_ZEROS) {
            region.clear(0, LlFree.pageOf(result), n, LlFree.holds(result));
        }
        return LlFree.pageOf(result);
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 20, 256, 512, 1300, 8500})
    void whatIsTakenStays(long n) {
        leaveLazy(0, 10_240);
        assertEquals(0, get(n, 0));
        takeAway(0, 10_240);
        assertHolds(OLD, 0, n);
        long settled = (n + CHILD_PAGES - 1) / CHILD_PAGES * CHILD_PAGES;
        assertEquals(settled, resident(0, settled));
        for (long child = 0; child < 20; child++) {
            assertEquals(child * CHILD_PAGES >= n, pages.lazy(child * CHILD_PAGES), "child=" + child);
        }
        region.put(0, 0, n);
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 20, 256, 512, 1300})
    void zerosAreZerosAndStay(long n) {
        for (boolean isTaken : new boolean[] {false, true}) {
            leaveLazy(0, 2048);
            if (isTaken) {
                takeAway(0, 2048);
            }
            assertEquals(0, get(n, LlFree.GET_ZEROS));
            assertHolds(0, 0, n);
            write(0, n, OLD);
            takeAway(0, n);
            assertHolds(OLD, 0, n);
            region.put(0, 0, n);
        }
    }

    @Test
    void whatTheKernelHasTakenStaysAway() {
        leaveLazy(0, 4096);
        takeAway(0, 4096);
        long left = resident(0, 3072);
        assertTrue(left < 256, () -> "the kernel has left resident=" + left);
        assertEquals(0, get(3000, 0));
        assertTrue(resident(0, 3072) <= left, () -> "resident=" + resident(0, 3072) + " left=" + left);
        region.put(0, 0, 3000);
    }

    @Test
    void exactlyThesePagesStay() {
        leaveLazy(0, 4096);
        assertTrue(region.getAt(0, 300, 2000) >= 0);
        takeAway(0, 4096);
        assertHolds(OLD, 300, 2000);
        region.put(0, 300, 2000);
    }

    /** A block moves by page tables to where memory may vanish; that is exchanged for its own. */
    @Test
    void whatMovesStays() {
        assertTrue(region.getAt(0, 0, 1536) >= 0);
        leaveLazy(4096, 2048);
        write(0, 1536, 7);
        assertEquals(4096, region.relocate(0, 0, 1536, 2048));
        takeAway(0, PAGES);
        assertHolds(7, 4096, 1536);
        assertHolds(OLD, 4096 + 1536, 512);
        region.put(0, 4096, 2048);
    }

    @Test
    void whatIsScavengedStays() {
        leaveLazy(10_240, 2048);
        // What lies between is too short for the run.
        assertTrue(region.getAt(0, 10_240 - 1, 1) >= 0);
        assertTrue(region.getAt(0, 10_240 + 2048, 1) >= 0);
        assertEquals(0, get(4096, 0));
        takeAway(0, PAGES);
        assertEquals(2048, resident(0, 4096));
        region.put(0, 0, 4096);
        region.put(0, 10_240 - 1, 1);
        region.put(0, 10_240 + 2048, 1);
    }

    // ---- who marks it ----------------------------------------------------------------------------------------

    private void leaveStale(long first, long n) {
        assertTrue(region.getAt(0, first, n) >= 0);
        write(first, n, OLD);
        region.put(0, first, n);
    }

    @Test
    void whatIsFreeIsMarkedFromTheFarEnd() {
        leaveStale(0, 4096);
        assertEquals(0, region.makeLazy(0, 4096, PAGES));
        assertEquals(0, pages.stats().lazyPages());
        // Whole children: eight there are, three of them may stay unmarked.
        assertEquals(2560, region.makeLazy(0, 1536, PAGES));
        assertEquals(2560, pages.stats().lazyPages());
        assertEquals(4096, pages.stats().retainedPages());
        for (long child = 0; child < 8; child++) {
            assertEquals(child >= 3, pages.lazy(child * CHILD_PAGES), "child=" + child);
        }
        assertEquals(0, region.makeLazy(0, 1536, PAGES));
        takeAway(0, 4096);
        assertEquals(1536, resident(0, 1536));
        long left = resident(1536, 2560);
        assertTrue(left < 256, () -> "the kernel has left resident=" + left);
        assertEquals(4096, pages.stats().retainedPages());
        long found = region.findTaken(0);
        assertTrue(found >= 2560 - left * CHILD_PAGES && found <= 2560, () -> "found=" + found);
        assertEquals(4096 - found, pages.stats().retainedPages());
        assertEquals(found, region.state().sum(RegionDescriptor.TAKEN_PAGES));
        assertEquals(0, region.findTaken(0));
        assertHolds(OLD, 0, 1536);
    }

    @Test
    void noMoreIsMarkedThanWanted() {
        leaveStale(0, 4096);
        assertEquals(512, region.makeLazy(0, 0, 512));
        assertTrue(pages.lazy(7 * CHILD_PAGES));
        assertEquals(1024, region.makeLazy(0, 0, 513));
        assertEquals(2560, region.makeLazy(0, 0, PAGES));
        assertEquals(0, region.makeLazy(0, 0, PAGES));
        assertEquals(0, region.findTaken(0), "all has memory");
    }

    @Test
    void whatIsInUseIsNotMarked() {
        leaveStale(0, 4096);
        assertTrue(region.getAt(0, 700, 1) >= 0);
        write(700, 1, 7);
        // All but the child that has a page in use.
        assertEquals(3584, region.makeLazy(0, 0, PAGES));
        assertTrue(!pages.lazy(CHILD_PAGES));
        takeAway(0, PAGES);
        assertHolds(7, 700, 1);
        region.findTaken(0);
        assertHolds(7, 700, 1);
        region.put(0, 700, 1);
    }

    /** What must not stay unmarked and cannot be marked goes: from the far end, as far as it has to. */
    @Test
    void whatCannotBeMarkedIsGivenBack() {
        leaveStale(0, 4096);
        assertTrue(region.getAt(0, 3500, 10) >= 0);
        write(3500, 10, 7);
        assertEquals(0, region.leaveUnmarked(0, 4086));
        assertEquals(512, region.leaveUnmarked(0, 3584));
        assertEquals(512, region.leaveUnmarked(0, 3072));
        assertEquals(4086, pages.stats().retainedPages());
        assertEquals(2560, region.leaveUnmarked(0, 251), "as much again stays");
        assertEquals(502, region.leaveUnmarked(0, 250));
        assertEquals(3584, pages.stats().lazyPages());
        assertEquals(0, region.leaveUnmarked(0, 0));
        assertHolds(7, 3500, 10);
        region.put(0, 3500, 10);
    }

    @Test
    void nothingOfASharedRegionIsMarked() throws Exception {
        Path file = Files.createTempDirectory("upa").resolve("region");
        LinearBackEnd shared = LinearBackEnd.createShared(file, PAGES * PAGE_BYTES);
        try {
            assertTrue(shared.getAt(0, 0, 1024) >= 0);
            shared.put(0, 0, 1024);
            assertEquals(0, shared.makeLazy(0, 0, PAGES));
            assertEquals(0, shared.state().pages.stats().lazyPages());
            assertEquals(1024, shared.state().pages.stats().retainedPages());
            assertEquals(512, shared.leaveUnmarked(0, 512));
            assertEquals(512, shared.state().pages.stats().retainedPages());
        } finally {
            shared.unmap();
            Files.delete(file);
            Files.delete(file.getParent());
        }
    }

    /** Who gets pages while others are marked and taken has them alone, and reads zeros where they were asked for. */
    @Test
    void nothingIsLostWhileItIsMarkedAndTaken() throws Exception {
        AtomicBoolean ends = new AtomicBoolean();
        AtomicReference<Throwable> wrong = new AtomicReference<>();
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            int slot = i;
            threads.add(Thread.ofPlatform().start(() -> {
                try {
                    owns(slot, ends);
                } catch (Throwable t) {
                    wrong.compareAndSet(null, t);
                    ends.set(true);
                }
            }));
        }
        long marked = 0;
        long end = System.nanoTime() + 3_000_000_000L;
        while (System.nanoTime() < end && !ends.get()) {
            marked += region.makeLazy(3, 0, PAGES);
            MemoryCalls.madvise(addressOf(0), PAGES * PAGE_BYTES, MADV_PAGEOUT);
            region.findTaken(3);
        }
        ends.set(true);
        for (Thread thread : threads) {
            thread.join();
        }
        if (wrong.get() != null) {
            throw new AssertionError(wrong.get());
        }
        assertTrue(marked > 0, "nothing was marked: the test means nothing");
        assertEquals(0, region.state().pages.pages() - pages.stats().freePages());
    }

    private void owns(int slot, AtomicBoolean ends) {
        Random random = new Random(slot);
        Map<Long, Long> blocks = new HashMap<>();
        while (!ends.get() || !blocks.isEmpty()) {
            if (blocks.size() < 6 && !ends.get()) {
                long n = random.nextInt(1, 1200);
                boolean zeros = random.nextBoolean();
                long result = region.get(slot, n, zeros ? LlFree.GET_ZEROS : 0);
                if (result < 0) {
                    continue;
                }
                long page = LlFree.pageOf(result);
                if (zeros) {
                    region.clear(slot, page, n, LlFree.holds(result));
                    assertHolds(0, page, n);
                }
                write(page, n, page << 8 | slot + 1);
                blocks.put(page, n);
            } else {
                long page = blocks.keySet().iterator().next();
                long n = blocks.remove(page);
                assertHolds(page << 8 | slot + 1, page, n);
                region.put(slot, page, n);
            }
        }
    }
}
