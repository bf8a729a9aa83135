package upa.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import upa.llfree.LlFree;

/**
 * Misuse of regions and arenas that other tests have no place for: an exception says name=value, and nothing is lost.
 */
class MisuseTest {
    private static final long MIB = 1 << 20;

    private final Region region = Region.create(64 * MIB);

    @AfterEach
    void nothingLost() {
        region.validate();
        assertEquals(0, region.stats().allocatedBytes());
        region.close();
    }

    private static void refused(Class<? extends Exception> kind, String part, Executable misuse) {
        String message = assertThrows(kind, misuse).getMessage();
        assertTrue(message.contains(part), () -> "no \"" + part + "\" in: " + message);
    }

    @Test
    void nullHasAName() {
        refused(NullPointerException.class, "hugePages=null", () -> Region.create(MIB, (HugePages) null));
        refused(NullPointerException.class, "options=null", () -> Region.create(MIB, (PteOptions) null));
        refused(NullPointerException.class, "path=null", () -> Region.createShared(null, MIB));
        refused(NullPointerException.class, "path=null", () -> Region.attach(null));
        refused(NullPointerException.class, "segment=null", () -> region.unmap(null));
        refused(
                NullPointerException.class,
                "device=null",
                () -> PteOptions.guarded(MIB).withDevice(null));
        refused(
                IllegalArgumentException.class,
                "backEnd=null",
                () -> new PteOptions(null, MIB, MIB, 0, false, PteOptions.DEVICE));
        refused(NullPointerException.class, "segment=null", () -> LlFree.create(null, 1, 1));
        refused(NullPointerException.class, "segment=null", () -> LlFree.attach(null));
        for (Executable open : List.<Executable>of(
                () -> PageArena.ofConfined(null),
                () -> PageArena.ofShared(null),
                () -> PageArena.ofConfinedUncleared(null))) {
            refused(NullPointerException.class, "region=null", open);
        }
    }

    @Test
    void argumentsOfArenasHaveNames() {
        try (PageArena arena = PageArena.ofConfined(region)) {
            refused(IllegalArgumentException.class, "byteSize=-1", () -> arena.allocate(-1));
            refused(IllegalArgumentException.class, "byteAlignment=3", () -> arena.allocate(8, 3));
            refused(IllegalArgumentException.class, "byteAlignment=0", () -> arena.allocate(8, 0));
        }
    }

    @Test
    void whatAnArenaHoldsIsNotUnmappedBehindItsBack() {
        MemorySegment closed;
        try (PageArena arena = PageArena.ofConfined(region)) {
            MemorySegment segment = arena.allocate(MIB);
            refused(IllegalArgumentException.class, "segment=", () -> region.unmap(segment));
            segment.fill((byte) 1);
            closed = segment;
        }
        // Its pages are somebody else's now.
        MemorySegment next = region.mapSegment(MIB, 0);
        assertEquals(closed.address(), next.address());
        refused(IllegalArgumentException.class, "segment=", () -> region.unmap(closed));
        next.fill((byte) 2);
        region.unmap(next);
    }

    @Test
    void segmentsOfOthersAreNotUnmapped() {
        try (Region other = Region.create(MIB)) {
            MemorySegment segment = other.mapSegment(4096, 0);
            refused(IllegalArgumentException.class, "segment=", () -> region.unmap(segment));
            refused(
                    IllegalArgumentException.class,
                    "segment=",
                    () -> region.unmap(Arena.global().allocate(4096, 4096)));
            assertEquals(4096, other.stats().allocatedBytes());
        }
    }

    @Test
    void partsOfASegmentAreUnmappedInAnyOrder() {
        MemorySegment segment = region.mapSegment(16384, 0);
        region.unmap(segment.asSlice(4096, 4096));
        refused(IllegalArgumentException.class, "not allocated", () -> region.unmap(segment));
        region.unmap(segment.asSlice(0, 4096).asReadOnly());
        region.unmap(region.segment(segment.address() + 8192, 8192));
    }

    @Test
    void anArenaClosedTwiceFreesOnce() {
        PageArena arena = PageArena.ofConfined(region);
        MemorySegment segment = arena.allocate(MIB);
        arena.close();
        long address = region.map(MIB);
        assertEquals(segment.address(), address);
        assertThrows(IllegalStateException.class, arena::close);
        assertEquals(MIB, region.stats().allocatedBytes());
        assertThrows(IllegalStateException.class, () -> segment.get(ValueLayout.JAVA_BYTE, 0));
        region.unmap(address, MIB);
    }

    @Test
    void aRegionRefusedToCloseStaysUsable() {
        PageArena arena = PageArena.ofConfined(region);
        for (int i = 0; i < 3; i++) {
            refused(IllegalStateException.class, "uses=1", region::close);
            arena.allocate(8).fill((byte) 1);
        }
        arena.close();
        long address = region.map(4096, Region.ZEROS);
        assertFalse(address == Region.NO_MEMORY);
        region.unmap(address, 4096);
    }
}
