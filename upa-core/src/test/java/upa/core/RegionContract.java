package upa.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static upa.core.RegionDescriptor.CHILD_BYTES;
import static upa.core.RegionDescriptor.PAGE_BYTES;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import upa.llfree.LlFree;

/** What a region that one thread uses does on every back end. */
abstract class RegionContract {
    static final long MIB = 1 << 20;
    static final long BYTES = 64 * MIB;

    Region region;

    abstract Region create(long bytes);

    @BeforeEach
    void createRegion() {
        region = create(BYTES);
    }

    @AfterEach
    void nothingLost() {
        region.validate();
        region.close();
    }

    static String messageOf(Class<? extends Throwable> expected, Executable misuse) {
        return assertThrows(expected, misuse).getMessage();
    }

    static void contains(String message, Object... parts) {
        for (Object part : parts) {
            assertTrue(message.contains(part.toString()), () -> "no \"" + part + "\" in: " + message);
        }
    }

    final void fill(long address, long bytes, int value) {
        region.segment(address, bytes).fill((byte) value);
    }

    final void assertReads(long address, long bytes, int value) {
        assertReads(region, address, bytes, value);
    }

    static void assertReads(Region region, long address, long bytes, int value) {
        byte[] expected = new byte[1 << 20];
        Arrays.fill(expected, (byte) value);
        MemorySegment heap = MemorySegment.ofArray(expected);
        for (long i = 0; i < bytes; i += heap.byteSize()) {
            long n = Math.min(heap.byteSize(), bytes - i);
            assertEquals(-1, region.segment(address + i, n).mismatch(heap.asSlice(0, n)), "at offset=" + i);
        }
    }

    // ---- map and unmap ----

    @ParameterizedTest
    @ValueSource(longs = {1, 4095, 4096, 4097, 65536, 2 * MIB - 1, 2 * MIB, 2 * MIB + 1, 33 * MIB, 64 * MIB})
    void aBlockIsAlignedWritableAndAccountedFor(long bytes) {
        long address = region.map(bytes);
        assertNotEquals(Region.NO_MEMORY, address);
        assertEquals(0, address % (bytes >= CHILD_BYTES ? CHILD_BYTES : PAGE_BYTES));
        assertTrue(address >= region.base() && address + bytes <= region.base() + region.bytes());
        long held = (bytes + 4095) / 4096 * 4096;
        assertEquals(held, region.stats().allocatedBytes());
        fill(address, held, 7);
        assertReads(address, held, 7);
        region.unmap(address, bytes);
        assertEquals(0, region.stats().allocatedBytes());
    }

    @Test
    void sizesAreRoundedUpToChildren() {
        try (Region small = create(1)) {
            assertEquals(CHILD_BYTES, small.bytes());
            assertEquals(0, small.base() % CHILD_BYTES);
        }
    }

    @Test
    void aShortageIsAValue() {
        assertEquals(Region.NO_MEMORY, region.map(BYTES + 1));
        assertEquals(Region.NO_MEMORY, region.map(Long.MAX_VALUE));
        long all = region.map(BYTES);
        assertEquals(Region.NO_MEMORY, region.map(1));
        assertEquals(Region.NO_MEMORY, region.map(1, Region.ZEROS | Region.FAULTED));
        assertTrue(region.stats().failures() >= 3);
        contains(messageOf(OutOfMemoryError.class, () -> region.mapSegment(5000, 0)), "bytes=5000", "bytes=" + BYTES);
        region.unmap(all, BYTES);
        assertNotEquals(Region.NO_MEMORY, region.map(BYTES));
    }

    @ParameterizedTest
    @ValueSource(longs = {0, -1, Long.MIN_VALUE})
    void sizesOutOfRangeAreMisuse(long bytes) {
        long address = region.map(1);
        for (Executable misuse : List.<Executable>of(
                () -> region.map(bytes),
                () -> region.map(bytes, Region.ZEROS),
                () -> region.mapSegment(bytes, 0),
                () -> region.mapAt(region.base(), bytes, 0),
                () -> region.unmap(address, bytes),
                () -> region.resize(address, bytes, 4096, 0),
                () -> region.segment(address, bytes),
                () -> create(bytes))) {
            contains(messageOf(IllegalArgumentException.class, misuse), "bytes=" + bytes);
        }
        contains(
                messageOf(IllegalArgumentException.class, () -> region.resize(address, 1, bytes, 0)),
                "newBytes=" + bytes);
        assertEquals(PAGE_BYTES, region.stats().allocatedBytes());
    }

    @Test
    void negativeAmountsAreMisuse() {
        contains(messageOf(IllegalArgumentException.class, () -> region.giveBack(-1)), "retainBytes=-1");
        contains(messageOf(IllegalArgumentException.class, () -> region.populate(-2)), "bytes=-2");
        contains(messageOf(IllegalArgumentException.class, () -> region.clear(-3)), "bytes=-3");
        contains(messageOf(IllegalArgumentException.class, () -> region.clearAhead(-4)), "bytes=-4");
        contains(messageOf(IllegalArgumentException.class, () -> region.keepZeroed(-5)), "bytes=-5");
    }

    @Test
    void unknownFlagsAreMisuse() {
        long address = region.map(1);
        for (Executable misuse : List.<Executable>of(
                () -> region.map(1, 8),
                () -> region.mapSegment(1, 8),
                () -> region.mapAt(region.base(), 1, 8),
                () -> region.resize(address, 1, 2, 8))) {
            contains(messageOf(IllegalArgumentException.class, misuse), "flags=8");
        }
        contains(messageOf(IllegalArgumentException.class, () -> region.map(1, Region.IN_PLACE)), "flags=4");
        contains(
                messageOf(IllegalArgumentException.class, () -> region.resize(address, 1, 2, Region.FAULTED)),
                "flags=2");
    }

    @Test
    void rangesThatAreNoneOfTheCallersBlocksAreMisuse() {
        long address = region.map(3 * PAGE_BYTES);
        long end = region.base() + region.bytes();
        record Wrong(long address, long bytes, String what) {}
        for (Wrong w : List.of(
                new Wrong(address + 1, 1, "misaligned"),
                new Wrong(address + 2048, 4096, "misaligned"),
                new Wrong(region.base() - 4096, 4096, "not in the region"),
                new Wrong(end, 4096, "not in the region"),
                new Wrong(0, 4096, "not in the region"),
                new Wrong(address, Long.MAX_VALUE, "not in the region"),
                new Wrong(-4096, 8192, "not in the region"),
                new Wrong(address, BYTES + 1, "not in the region"))) {
            for (Executable misuse : List.<Executable>of(
                    () -> region.unmap(w.address, w.bytes),
                    () -> region.mapAt(w.address, w.bytes, 0),
                    () -> region.resize(w.address, w.bytes, 1, 0))) {
                contains(
                        messageOf(IllegalArgumentException.class, misuse),
                        w.what,
                        String.format("address=%#x", w.address),
                        "bytes=" + w.bytes);
            }
        }
        assertEquals(3 * PAGE_BYTES, region.stats().allocatedBytes());
        contains(messageOf(IllegalArgumentException.class, () -> region.segment(end - 1, 2)), "bytes=2");
        contains(
                messageOf(IllegalArgumentException.class, () -> region.unmap(MemorySegment.ofArray(new byte[1]))),
                "segment=");
    }

    @Test
    void doubleUnmapIsMisuseAndFreesNothing() {
        long address = region.map(8 * PAGE_BYTES);
        region.unmap(address + 2 * PAGE_BYTES, PAGE_BYTES);
        contains(
                messageOf(IllegalArgumentException.class, () -> region.unmap(address, 8 * PAGE_BYTES)),
                String.format("address=%#x", address),
                "bytes=32768",
                "not allocated");
        contains(
                messageOf(IllegalArgumentException.class, () -> region.resize(address, 8 * PAGE_BYTES, 1, 0)),
                "not allocated",
                "oldBytes=32768");
        assertEquals(7 * PAGE_BYTES, region.stats().allocatedBytes());
        region.unmap(address, 2 * PAGE_BYTES);
        region.unmap(address + 3 * PAGE_BYTES, 5 * PAGE_BYTES);
        contains(messageOf(IllegalArgumentException.class, () -> region.unmap(address, 1)), "not allocated");
    }

    @Test
    void partsOfABlockAndSeveralBlocksCanBeFreed() {
        assertTrue(region.mapAt(region.base() + MIB, MIB, 0));
        assertTrue(region.mapAt(region.base() + 2 * MIB, MIB, 0));
        assertFalse(region.mapAt(region.base() + 3 * MIB - PAGE_BYTES, MIB, 0), "overlaps");
        region.unmap(region.base() + MIB + MIB / 2, MIB);
        assertEquals(MIB, region.stats().allocatedBytes());
        assertTrue(region.mapAt(region.base() + MIB + MIB / 2, MIB, Region.ZEROS));
    }

    // ---- contents ----

    @ParameterizedTest
    @ValueSource(longs = {4096, 65536, MIB, 2 * MIB, 5 * MIB + 4096, 48 * MIB})
    void zerosAreZeroWhateverWasThere(long bytes) {
        for (int round = 0; round < 3; round++) {
            long stale = region.map(BYTES);
            fill(stale, BYTES, 0xff);
            region.unmap(stale, BYTES);
            region.giveBack(round * 16 * MIB);
            long address = region.map(bytes, Region.ZEROS);
            assertReads(address, bytes, 0);
            region.unmap(address, bytes);
        }
        assertTrue(region.stats().clearedBytes() > 0);
    }

    @Test
    void recycledPagesKeepTheirMemory() {
        long address = region.map(MIB);
        fill(address, MIB, 5);
        region.unmap(address, MIB);
        assertTrue(region.stats().retainedBytes() >= MIB);
        assertEquals(address, region.map(MIB));
        assertReads(address, MIB, 5);
    }

    // ---- resize ----

    @Test
    void resizeInPlaceAndBack() {
        long address = region.map(MIB);
        fill(address, MIB, 3);
        assertEquals(address, region.resize(address, MIB, 4 * MIB, Region.IN_PLACE | Region.ZEROS));
        assertReads(address, MIB, 3);
        assertReads(address + MIB, 3 * MIB, 0);
        assertEquals(address, region.resize(address, 4 * MIB, 4096, 0));
        assertReads(address, 4096, 3);
        assertEquals(4096, region.stats().allocatedBytes());
        assertEquals(address, region.resize(address, 1, 4096, 0), "the same number of pages");
    }

    @ParameterizedTest
    @ValueSource(longs = {4096, MIB, 2 * MIB, 4 * MIB, 9 * MIB + 4096})
    void resizeByMovingKeepsTheContents(long bytes) {
        assertTrue(region.mapAt(region.base(), bytes, 0));
        assertTrue(region.mapAt(region.base() + (bytes + 4095) / 4096 * 4096, 4096, 0));
        fill(region.base(), bytes, 9);
        assertEquals(Region.NO_MEMORY, region.resize(region.base(), bytes, 2 * bytes, Region.IN_PLACE));
        long moved = region.resize(region.base(), bytes, 2 * bytes, Region.ZEROS);
        assertNotEquals(region.base(), moved);
        assertReads(moved, bytes, 9);
        assertReads(moved + bytes, bytes, 0);
        assertEquals(2 * bytes + 4096, region.stats().allocatedBytes());
        assertEquals(bytes, region.stats().movedBytes());
        assertReads(region.map(bytes, Region.ZEROS), bytes, 0);
    }

    @Test
    void aBlockMovedBeforeCanBeMovedAgain() {
        try (Region wide = create(1L << 30)) {
            long address = wide.map(4 * MIB);
            wide.segment(address, 4 * MIB).fill((byte) 0x5a);
            long bytes = 4 * MIB;
            for (int i = 0; i < 6; i++) {
                wide.mapAt(address + bytes, 4096, 0);
                address = wide.resize(address, bytes, bytes + 4 * MIB, 0);
                bytes += 4 * MIB;
                assertNotEquals(Region.NO_MEMORY, address);
                MemorySegment s = wide.segment(address, 4 * MIB);
                assertEquals(-1, s.mismatch(MemorySegment.ofArray(filled((int) (4 * MIB), 0x5a))));
            }
            wide.validate();
        }
    }

    @Test
    void movingAgainAndAgainReusesTheMemoryThatMovesLeaveBehind() {
        try (Region wide = create(1L << 30)) {
            for (int i = 0; i < 20; i++) {
                long address = wide.map(8 * MIB);
                wide.segment(address, 8 * MIB).fill((byte) i);
                boolean blocked = wide.mapAt(address + 8 * MIB, 4096, 0);
                long moved = wide.resize(address, 8 * MIB, 16 * MIB, 0);
                assertNotEquals(address, moved);
                assertEquals(
                        -1, wide.segment(moved, 8 * MIB).mismatch(MemorySegment.ofArray(filled((int) (8 * MIB), i))));
                wide.segment(moved, 16 * MIB).fill((byte) 1);
                wide.unmap(moved, 16 * MIB);
                if (blocked) {
                    wide.unmap(address + 8 * MIB, 4096);
                }
            }
            assertTrue(
                    wide.stats().retainedBytes() <= 40 * MIB, () -> wide.stats().toString());
            wide.validate();
        }
    }

    private static byte[] filled(int bytes, int value) {
        byte[] a = new byte[bytes];
        Arrays.fill(a, (byte) value);
        return a;
    }

    @Test
    void aResizeThatFindsNoRoomChangesNothing() {
        long address = region.map(MIB);
        fill(address, MIB, 4);
        assertEquals(Region.NO_MEMORY, region.resize(address, MIB, BYTES + 1, 0));
        assertEquals(Region.NO_MEMORY, region.resize(address, MIB, Long.MAX_VALUE, 0));
        assertTrue(region.mapAt(address + MIB, 40 * MIB, 0));
        assertEquals(Region.NO_MEMORY, region.resize(address, MIB, 30 * MIB, 0));
        assertReads(address, MIB, 4);
        assertEquals(41 * MIB, region.stats().allocatedBytes());
    }

    // ---- giving back, populating, clearing ----

    @Test
    void populateAndClearWorkAhead() {
        assertEquals(4 * MIB, region.populate(5 * MIB));
        long address = region.map(4 * MIB);
        fill(address, 4 * MIB, 6);
        region.unmap(address, 4 * MIB);
        assertEquals(2 * MIB, region.clear(3 * MIB));
        assertEquals(2 * MIB, region.clear(64 * MIB));
        assertEquals(0, region.clear(64 * MIB));
        long cleared = region.stats().clearedBytes();
        assertReads(region.map(4 * MIB, Region.ZEROS), 4 * MIB, 0);
        assertEquals(cleared, region.stats().clearedBytes(), "nothing was left to clear");
    }

    /** As region_clear_ahead.c has it for C. */
    @Test
    void clearAheadKeepsToItsBound() {
        long address = region.map(32 * MIB);
        fill(address, 32 * MIB, 6);
        region.unmap(address, 32 * MIB);
        assertEquals(0, region.clearAhead(2 * MIB - 1), "less than it works by");
        assertEquals(8 * MIB, region.clearAhead(8 * MIB));
        assertEquals(0, region.clearAhead(8 * MIB), "there is enough");
        assertEquals(6 * MIB, region.clearAhead(15 * MIB));
        long cleared = region.stats().clearedBytes();
        assertEquals(14 * MIB, cleared);
        long zeros = region.map(8 * MIB, Region.ZEROS);
        assertReads(zeros, 8 * MIB, 0);
        assertEquals(cleared, region.stats().clearedBytes(), "what has been cleared is not cleared again");
        assertEquals(18 * MIB, region.clearAhead(Long.MAX_VALUE), "no more than there is");
        assertEquals(0, region.clearAhead(Long.MAX_VALUE));
        assertEquals(2, region.stats().maps());
        assertEquals(1, region.stats().unmaps());
    }

    @Test
    void clearAheadServesWhoUsesParts() {
        long address = region.map(4 * MIB);
        fill(address, 4 * MIB, 6);
        region.unmap(address, 4 * MIB);
        assertEquals(4 * MIB, region.clearAhead(4 * MIB));
        for (int i = 0; i < 5; i++) {
            long cleared = region.stats().clearedBytes();
            long part = region.map(MIB / 2, Region.ZEROS);
            assertReads(part, MIB / 2, 0);
            assertEquals(cleared, region.stats().clearedBytes());
            fill(part, MIB / 2, i + 1);
            region.unmap(part, MIB / 2);
            assertEquals(2 * MIB, region.clearAhead(4 * MIB), "the block of which a part was used");
        }
    }

    // ---- closing ----

    @Test
    void everythingThrowsAfterClose() {
        Region closed = create(BYTES);
        MemorySegment segment = closed.mapSegment(100, Region.ZEROS);
        assertEquals(100, segment.byteSize());
        long address = segment.address();
        LlFree state = closed.state();
        closed.close();
        for (Executable use : List.<Executable>of(
                closed::close,
                () -> closed.map(1),
                () -> closed.map(1, Region.ZEROS),
                () -> closed.mapSegment(1, 0),
                () -> closed.mapAt(address, 1, 0),
                () -> closed.unmap(address, 1),
                () -> closed.resize(address, 1, 2, 0),
                () -> closed.giveBack(0),
                () -> closed.populate(1),
                () -> closed.clear(1),
                () -> closed.clearAhead(1),
                () -> closed.keepZeroed(1),
                closed::stats,
                closed::recover,
                closed::validate,
                () -> PageArena.ofConfined(closed),
                () -> PageArena.ofShared(closed))) {
            contains(messageOf(IllegalStateException.class, use), "region is closed", "bytes=" + BYTES);
        }
        assertThrows(IllegalStateException.class, () -> segment.get(ValueLayout.JAVA_BYTE, 0));
        assertThrows(IllegalStateException.class, state::validate, "what is left of the state is empty memory");
    }

    @Test
    void anOpenArenaKeepsTheRegionOpen() {
        MemorySegment segment;
        try (PageArena arena = PageArena.ofConfined(region);
                PageArena other = PageArena.ofShared(region)) {
            segment = arena.allocate(MIB);
            contains(messageOf(IllegalStateException.class, region::close), "in use", "uses=2");
            segment.fill((byte) 1);
            other.allocate(1);
        }
        assertThrows(IllegalStateException.class, () -> segment.fill((byte) 2));
        assertEquals(0, region.stats().allocatedBytes());
    }
}
