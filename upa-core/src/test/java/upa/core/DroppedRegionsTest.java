package upa.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.ref.Reference;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Regions that nobody closes: unmapped once nothing reaches them, and not before. */
class DroppedRegionsTest {
    private static final long MIB = 1 << 20;
    /** So large that fewer than the regions made here fit into the address space at once. */
    private static final long LARGE = 256L << 30;

    private static final int REGIONS = 2000;

    private static boolean isMapped(long address) throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/self/maps"))) {
            String[] range = line.split(" ")[0].split("-");
            if (Long.parseUnsignedLong(range[0], 16) <= address && address < Long.parseUnsignedLong(range[1], 16)) {
                return true;
            }
        }
        return false;
    }

    /** Whether the collector and the cleaner take a mapping away, for which they get some time. */
    private static boolean isUnmapped(long address) throws Exception {
        for (int i = 0; i < 50; i++) {
            if (!isMapped(address)) {
                return true;
            }
            System.gc();
            Thread.sleep(20);
        }
        return false;
    }

    @Test
    void thousandsOfRegionsAreDroppedAndNotClosed() {
        for (int i = 0; i < REGIONS; i++) {
            Region region = Region.create(LARGE);
            long address = region.map(4096);
            region.segment(address, 8).set(ValueLayout.JAVA_LONG, 0, i);
            assertEquals(i, region.segment(address, 8).get(ValueLayout.JAVA_LONG, 0));
        }
    }

    @Test
    void regionsThatAreReachedStayUntilTheAddressesEnd() {
        List<Region> reached = new ArrayList<>();
        String message = assertThrows(SystemCallException.class, () -> {
                    for (; ; ) {
                        reached.add(Region.create(8 * LARGE));
                    }
                })
                .getMessage();
        assertTrue(message.contains("errno=ENOMEM (12)") && message.contains("regions="), message);
        reached.forEach(region -> assertTrue(region.map(4096) != Region.NO_MEMORY));
        reached.forEach(Region::close);
    }

    private static MemorySegment segmentOfADroppedRegion() {
        return Region.create(64 * MIB).mapSegment(MIB, 0).fill((byte) 7);
    }

    @Test
    void aSegmentKeepsItsRegion() throws Exception {
        MemorySegment segment = segmentOfADroppedRegion();
        long address = segment.address();
        for (int i = 0; i < 5; i++) {
            System.gc();
            Thread.sleep(20);
            assertEquals(7, segment.get(ValueLayout.JAVA_BYTE, MIB - 1));
        }
        MemorySegment slice = segment.asSlice(4096, 8).asReadOnly();
        segment = null;
        System.gc();
        Thread.sleep(20);
        assertEquals(7, slice.get(ValueLayout.JAVA_BYTE, 0));
        slice = null;
        assertTrue(isUnmapped(address));
    }

    private static List<MemorySegment> segmentsOfADroppedArena() {
        PageArena arena = PageArena.ofConfined(Region.create(64 * MIB));
        return List.of(arena.allocate(100).fill((byte) 1), arena.allocate(MIB).fill((byte) 2));
    }

    /** Nobody closes the arena either: as long as its segments may be reached, which nobody knows, its region stays. */
    @Test
    void aSegmentOfAnArenaKeepsTheRegion() throws Exception {
        List<MemorySegment> segments = segmentsOfADroppedArena();
        for (int i = 0; i < 5; i++) {
            System.gc();
            Thread.sleep(20);
            assertEquals(1, segments.get(0).get(ValueLayout.JAVA_BYTE, 99));
            assertEquals(2, segments.get(1).get(ValueLayout.JAVA_BYTE, 99));
        }
    }

    @Test
    void anArenaKeepsItsRegion() throws Exception {
        PageArena arena = PageArena.ofConfined(Region.create(64 * MIB));
        long address = arena.allocate(MIB).address();
        for (int i = 0; i < 5; i++) {
            System.gc();
            Thread.sleep(20);
            assertTrue(isMapped(address));
        }
        arena.allocate(MIB).fill((byte) 1);
        Reference.reachabilityFence(arena);
        arena.close();
        arena = null;
        assertTrue(isUnmapped(address));
    }

    /** What lies at its addresses afterwards is somebody else's. */
    @Test
    void aRegionThatHasBeenClosedIsNotUnmappedAgain() throws Exception {
        long address = closedRegion();
        assertFalse(isMapped(address));
        List<Region> others = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            others.add(Region.create(64 * MIB));
        }
        for (int i = 0; i < 5; i++) {
            System.gc();
            Thread.sleep(20);
        }
        for (Region other : others) {
            other.mapSegment(64 * MIB, 0).fill((byte) 1);
            other.close();
        }
    }

    private static long closedRegion() {
        Region region = Region.create(64 * MIB);
        region.close();
        return region.base();
    }
}
