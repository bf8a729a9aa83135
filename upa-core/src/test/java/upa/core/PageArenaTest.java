package upa.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What page arenas do beyond the contract of arenas. */
class PageArenaTest {
    private static final long MIB = 1 << 20;

    private final Region region = PageArenaContract.staleRegion();

    @AfterEach
    void allPagesComeBack() {
        assertEquals(0, region.stats().allocatedBytes());
        region.validate();
        region.close();
    }

    @Test
    void memoryComesFromTheRegionAndIsPacked() {
        try (PageArena arena = PageArena.ofConfined(region)) {
            for (int i = 0; i < 1000; i++) {
                long address = arena.allocate(64, 8).address();
                assertTrue(address >= region.base() && address < region.base() + region.bytes());
            }
            assertEquals(65536, region.stats().allocatedBytes(), "1000 x 64 bytes are one chunk");
            arena.allocate(MIB);
            assertEquals(65536 + MIB, region.stats().allocatedBytes());
        }
    }

    @Test
    void unclearedSegmentsHoldOldBytes() {
        try (PageArena arena = PageArena.ofConfinedUncleared(region)) {
            assertEquals((byte) 0xdd, arena.allocate(100).get(ValueLayout.JAVA_BYTE, 50));
            assertEquals((byte) 0xdd, arena.allocate(MIB).get(ValueLayout.JAVA_BYTE, MIB - 1));
        }
        assertEquals(0, region.stats().clearedBytes());
    }

    @Test
    void alignmentsBeyondAPageHoldNoMoreThanTheBlock() {
        try (PageArena arena = PageArena.ofConfined(region)) {
            for (int i = 0; i < 8; i++) {
                assertEquals(0, arena.allocate(5000, 16 * MIB).address() % (16 * MIB));
            }
            assertEquals(8 * 8192, region.stats().allocatedBytes());
            assertThrows(OutOfMemoryError.class, () -> arena.allocate(1, 1L << 62));
            assertEquals(8 * 8192, region.stats().allocatedBytes());
        }
    }

    @Test
    void aFullRegionIsAnOutOfMemoryErrorThatLosesNothing() {
        try (PageArena arena = PageArena.ofConfined(region)) {
            List<MemorySegment> segments = new ArrayList<>();
            String message = assertThrows(OutOfMemoryError.class, () -> {
                        for (; ; ) {
                            segments.add(arena.allocate(7 * MIB));
                        }
                    })
                    .getMessage();
            assertTrue(message.contains("bytes=" + 7 * MIB), message);
            assertThrows(OutOfMemoryError.class, () -> arena.allocate(7 * MIB));
            assertEquals(segments.size() * 7 * MIB, region.stats().allocatedBytes());
            arena.allocate(16).fill((byte) 1);
        }
    }

    @Test
    void chunksKeptForReuseAreThereForOthers() {
        try (PageArena arena = PageArena.ofConfined(region)) {
            arena.allocate(1);
        }
        long all = region.map(region.bytes());
        assertNotEquals(Region.NO_MEMORY, all, "the kept chunk is freed when room is short");
        region.unmap(all, region.bytes());
        try (PageArena arena = PageArena.ofConfined(region)) {
            arena.allocate(1);
        }
        assertTrue(region.mapAt(region.base(), region.bytes(), 0));
        region.unmap(region.base(), region.bytes());
    }

    @Test
    void pagesUnmappedBySomebodyElseLoseNoOthers() {
        PageArena arena = PageArena.ofConfined(region);
        MemorySegment segment = arena.allocate(MIB);
        arena.allocate(2 * MIB);
        arena.allocate(16);
        region.unmap(segment.address(), segment.byteSize());
        String message =
                assertThrows(IllegalArgumentException.class, arena::close).getMessage();
        assertTrue(message.contains("not allocated"), message);
        assertThrows(IllegalStateException.class, arena::close);
    }

    @Test
    void arenasOverASharedRegionWork() throws Exception {
        try (SharedFile file = new SharedFile();
                Region shared = Region.createShared(file.path(), 8 * MIB)) {
            for (int i = 0; i < 3; i++) {
                try (Arena arena = PageArena.ofConfined(shared)) {
                    MemorySegment s = arena.allocate(3 * MIB);
                    assertEquals(0, s.get(ValueLayout.JAVA_LONG, MIB));
                    assertEquals(0, arena.allocate(8).get(ValueLayout.JAVA_LONG, 0));
                    s.fill((byte) 1);
                }
                assertEquals(0, shared.state().pages() - shared.state().stats().freePages());
            }
        }
    }

    @Test
    void manyThreadsAllocateFromOneSharedArena() throws InterruptedException {
        AtomicReference<Throwable> failure = new AtomicReference<>();
        try (PageArena arena = PageArena.ofShared(region)) {
            List<Thread> threads = new ArrayList<>();
            for (int t = 1; t <= 4; t++) {
                byte mark = (byte) t;
                threads.add(Thread.ofPlatform()
                        .uncaughtExceptionHandler((thread, e) -> failure.set(e))
                        .start(() -> {
                            List<MemorySegment> mine = new ArrayList<>();
                            for (int i = 0; i < 500; i++) {
                                MemorySegment s = arena.allocate(i % 50 == 0 ? 40_000 : 200);
                                assertEquals(-1, s.mismatch(MemorySegment.ofArray(new byte[(int) s.byteSize()])));
                                mine.add(s.fill(mark));
                            }
                            for (MemorySegment s : mine) {
                                for (long i = 0; i < s.byteSize(); i++) {
                                    assertEquals(mark, s.get(ValueLayout.JAVA_BYTE, i));
                                }
                            }
                        }));
            }
            for (Thread thread : threads) {
                thread.join();
            }
        }
        if (failure.get() != null) {
            throw new AssertionError(failure.get());
        }
    }
}
