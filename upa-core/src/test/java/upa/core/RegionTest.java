package upa.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;
import static upa.core.RegionDescriptor.PAGE_BYTES;

import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A private region of the back end linear: the contract, and what the kernel is asked for. */
class RegionTest extends RegionContract {
    @Override
    Region create(long bytes) {
        return keeping(Region.create(bytes));
    }

    /** Nothing goes back by itself: what the tests say of free memory must not depend on time. */
    static Region keeping(Region region) {
        region.retain(Retention.EVERYTHING);
        return region;
    }

    @Test
    void sizesBeyondTheAddressSpaceAreMisuse() {
        contains(
                messageOf(IllegalArgumentException.class, () -> Region.create(RegionDescriptor.MAX_BYTES + 1)),
                "bytes=" + (RegionDescriptor.MAX_BYTES + 1));
    }

    @Test
    void populatedPagesHaveMemory() {
        assertEquals(4 * MIB, region.populate(5 * MIB));
        Residency.assertResident(region.base(), 4 * MIB, 4 * MIB / PAGE_BYTES);
    }

    @ParameterizedTest
    @ValueSource(longs = {2 * MIB, 4 * MIB, 9 * MIB + 4096})
    void aLargeBlockThatMovesLeavesNoMemoryBehind(long bytes) {
        assertTrue(region.mapAt(region.base(), bytes, 0));
        assertTrue(region.mapAt(region.base() + (bytes + 4095) / 4096 * 4096, 4096, 0));
        fill(region.base(), bytes, 9);
        region.resize(region.base(), bytes, 2 * bytes, 0);
        Residency.assertResident(region.base(), bytes, 0);
    }

    /** Eight blocks of 4 MiB, every other one freed: what is free and populated is nowhere wide enough for the next. */
    @ParameterizedTest
    @ValueSource(ints = {0, Region.ZEROS})
    void aRunWithoutMemoryTakesThatOfFreeChildrenElsewhere(int flags) {
        for (int i = 0; i < 8; i++) {
            assertTrue(region.mapAt(region.base() + i * 4 * MIB, 4 * MIB, 0));
            fill(region.base() + i * 4 * MIB, 4 * MIB, 1 + i);
        }
        for (int i = 0; i < 8; i += 2) {
            region.unmap(region.base() + i * 4 * MIB, 4 * MIB);
        }
        long large = region.map(13 * MIB, flags);
        assertEquals(12 * MIB, region.stats().movedBytes());
        assertEquals(4 * MIB, region.stats().retainedBytes());
        Residency.assertResident(large, 12 * MIB, 12 * MIB / PAGE_BYTES);
        Residency.assertResident(region.base(), BYTES, 32 * MIB / PAGE_BYTES);
        if (flags == Region.ZEROS) {
            assertReads(large, 13 * MIB, 0);
        }
        for (int i = 1; i < 8; i += 2) {
            assertReads(region.base() + i * 4 * MIB, 4 * MIB, 1 + i);
        }
        // What has given its memory away reads zero, and what has got it is stale when it is free.
        region.unmap(large, 13 * MIB);
        long again = region.map(16 * MIB, Region.ZEROS);
        assertReads(again, 16 * MIB, 0);
    }

    @Test
    void aRegionMayBeFarLargerThanMemory() {
        try (Region huge = Region.create(16L << 40)) {
            long address = huge.map(8L << 40);
            huge.segment(address + (8L << 40) - 8, 8).set(ValueLayout.JAVA_LONG, 0, 1);
            huge.unmap(address, 8L << 40);
            RegionStats s = huge.stats();
            assertTrue(s.metadataBytes() * 10_000 <= s.capacityBytes(), s::toString);
        }
    }

    @Test
    void aRangeTheKernelHasNoRoomForIsASystemCallException() {
        SystemCallException e =
                assertThrows(SystemCallException.class, () -> Region.create(RegionDescriptor.MAX_BYTES));
        contains(e.getMessage(), "mmap failed: address=0", "bytes=", "errno=ENOMEM (12)");
        assertEquals(12, e.errno());
    }

    @Test
    void clearingPutsNoMemoryBehindPagesThatHaveNone() {
        long address = region.map(32 * MIB);
        fill(address + 16 * MIB, PAGE_BYTES, 0xff);
        region.unmap(address, 32 * MIB);
        long again = region.map(BYTES, Region.ZEROS);
        assertEquals(address, again);
        Residency.assertResident(again, 32 * MIB, 1);
        assertReads(again + 16 * MIB, PAGE_BYTES, 0);
    }

    @Test
    void faultedPagesHaveMemory() {
        long address = region.map(MIB, Region.FAULTED);
        Residency.assertResident(address, MIB, MIB / PAGE_BYTES);
        assertReads(address, MIB, 0);
    }

    @Test
    void giveBackLeavesWhatIsRetained() {
        long address = region.map(32 * MIB);
        fill(address, 32 * MIB, 1);
        region.unmap(address + PAGE_BYTES, 32 * MIB - PAGE_BYTES);
        long retained = region.stats().retainedBytes();
        assertTrue(retained >= 32 * MIB - PAGE_BYTES);
        long given = region.giveBack(8 * MIB);
        assertTrue(given >= retained - 8 * MIB, "given=" + given);
        assertTrue(region.stats().retainedBytes() <= 8 * MIB);
        assertEquals(given, region.stats().givenBackBytes());
        assertReads(address, PAGE_BYTES, 1);
        region.giveBack(0);
        assertEquals(0, region.stats().retainedBytes());
        Residency.assertResident(address, 32 * MIB, 1);
        assertEquals(0, region.giveBack(0));
    }

    @Test
    void giveBackTakesFragments() {
        long address = region.map(2 * MIB);
        fill(address, 2 * MIB, 1);
        for (long i = 0; i < 2 * MIB; i += 2 * PAGE_BYTES) {
            region.unmap(address + i, PAGE_BYTES);
        }
        assertEquals(MIB, region.giveBack(0));
        Residency.assertResident(address, 2 * MIB, MIB / PAGE_BYTES);
        for (long i = PAGE_BYTES; i < 2 * MIB; i += 2 * PAGE_BYTES) {
            assertReads(address + i, PAGE_BYTES, 1);
        }
    }

    @ParameterizedTest
    @EnumSource(HugePages.class)
    void hugePageAdviceReachesTheKernel(HugePages advice) throws IOException {
        assumeTrue(
                Files.exists(Path.of("/sys/kernel/mm/transparent_hugepage/enabled")), "no huge pages in this kernel");
        try (Region advised = Region.create(BYTES, advice)) {
            String flags = vmFlags(advised.base());
            assertEquals(advice == HugePages.ADVISE, flags.contains(" hg"), flags);
            assertEquals(advice == HugePages.AVOID, flags.contains(" nh"), flags);
        }
    }

    private static String vmFlags(long address) throws IOException {
        boolean found = false;
        for (String line : Files.readAllLines(Path.of("/proc/self/smaps"))) {
            found |= line.startsWith(String.format("%x-", address));
            if (found && line.startsWith("VmFlags:")) {
                return line;
            }
        }
        throw new AssertionError(String.format("no mapping at address=%#x", address));
    }
}
