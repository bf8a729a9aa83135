package upa.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static upa.core.RegionDescriptor.PAGE_BYTES;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** A region of the back end pte. */
class PteRegionTest extends PteRegionContract {
    @BeforeAll
    static void assumeAvailable() {
        assumeAvailable(PteOptions.guarded(2 * MIB));
    }

    @Override
    PteOptions options(long poolBytes) {
        return PteOptions.guarded(poolBytes);
    }

    @Test
    void giveBackShrinksThePool() {
        Region shrinking = Region.create(BYTES, options(32 * MIB));
        assertTrue(shrinking.mapAt(shrinking.base(), 32 * MIB, 0));
        shrinking.segment(shrinking.base(), 32 * MIB).fill((byte) 1);
        shrinking.unmap(shrinking.base() + MIB, 31 * MIB);
        assertEquals(24 * MIB, shrinking.giveBack(7 * MIB), "in units of 2 MiB");
        assertEquals(8 * MIB, shrinking.stats().frames().poolBytes());
        assertReads(shrinking, shrinking.base(), MIB, 1);
        assertEquals(6 * MIB, shrinking.giveBack(0), "one block holds pages in use");
        assertEquals(30 * MIB, shrinking.stats().givenBackBytes());
        assertEquals(0, shrinking.giveBack(0));
        shrinking.validate();
        assertTrue(shrinking.mapAt(shrinking.base() + 32 * MIB, 31 * MIB, Region.ZEROS));
        assertReads(shrinking, shrinking.base() + 32 * MIB, 31 * MIB, 0);
        assertEquals(32 * MIB, shrinking.stats().frames().poolBytes());
        assertReads(shrinking, shrinking.base(), MIB, 1);
        shrinking.validate();
        shrinking.close();
    }

    /** Of each 4 MiB of the pool a page is in use, the last of them at its end. */
    private Region withAPageInEach4MiB(long maxDeferredBytes) {
        Region sparse =
                Region.create(BYTES, options(32 * MIB).withReclaim(true).withMaxDeferredBytes(maxDeferredBytes));
        assertTrue(sparse.mapAt(sparse.base(), 32 * MIB, 0));
        sparse.segment(sparse.base(), 32 * MIB).fill((byte) 1);
        for (long i = 0; i < 32 * MIB; i += 4 * MIB) {
            sparse.unmap(sparse.base() + i, 4 * MIB - PAGE_BYTES);
        }
        return sparse;
    }

    private static void assertKept(Region sparse) {
        for (long i = 4 * MIB; i <= 32 * MIB; i += 4 * MIB) {
            assertReads(sparse, sparse.base() + i - PAGE_BYTES, PAGE_BYTES, 1);
        }
    }

    @Test
    void giveBackReturnsFreeFramesFromAnywhere() {
        Region sparse = withAPageInEach4MiB(32 * MIB);
        long given = sparse.giveBack(0);
        assertTrue(given >= 12 * MIB, "given=" + given);
        assertEquals(given, sparse.stats().frames().goneBytes());
        assertEquals(32 * MIB - 8 * PAGE_BYTES - given, sparse.stats().retainedBytes());
        assertEquals(0, sparse.giveBack(0));
        sparse.validate();
        assertTrue(sparse.mapAt(sparse.base() + 32 * MIB, 30 * MIB, Region.ZEROS));
        assertReads(sparse, sparse.base() + 32 * MIB, 30 * MIB, 0);
        assertEquals(2 * MIB - 8 * PAGE_BYTES, sparse.stats().frames().goneBytes(), "what is used has memory again");
        assertKept(sparse);
        sparse.validate();
        sparse.close();
    }

    @Test
    void memoryPressureTakesFreeFramesAndLeavesThoseInUse() throws Exception {
        // The frames of all free pages leave them at once.
        Region sparse = withAPageInEach4MiB(0);
        assertEquals(0, sparse.stats().frames().deferredBytes());
        for (int i = 0; i < 50 && sparse.stats().frames().goneBytes() < 8 * MIB; i++) {
            Files.writeString(Path.of("/proc/sys/vm/drop_caches"), "2");
            Thread.sleep(100); // a region in which nothing was found is left alone for a second
        }
        assertTrue(
                sparse.stats().frames().goneBytes() >= 8 * MIB,
                () -> sparse.stats().toString());
        assertKept(sparse);
        assertTrue(sparse.mapAt(sparse.base() + 32 * MIB, 30 * MIB, Region.ZEROS));
        assertReads(sparse, sparse.base() + 32 * MIB, 30 * MIB, 0);
        assertKept(sparse);
        sparse.validate();
        sparse.close();
    }

    @Test
    void whatStillHasMemoryIsPreferred() {
        Region kept = Region.create(BYTES, options(32 * MIB).withReclaim(true).withMaxDeferredBytes(32 * MIB));
        assertTrue(kept.mapAt(kept.base(), 32 * MIB, 0));
        kept.segment(kept.base(), 32 * MIB).fill((byte) 1);
        kept.unmap(kept.base(), 32 * MIB);
        assertEquals(16 * MIB, kept.giveBack(16 * MIB));
        long faults = kept.stats().frames().faults();
        for (int i = 0; i < 4; i++) {
            kept.segment(kept.map(4 * MIB), 4 * MIB).fill((byte) 2);
        }
        assertEquals(16 * MIB, kept.stats().frames().goneBytes());
        assertEquals(faults, kept.stats().frames().faults());
        kept.validate();
        kept.segment(kept.map(4 * MIB), 4 * MIB).fill((byte) 2);
        assertEquals(12 * MIB, kept.stats().frames().goneBytes());
        kept.validate();
        kept.close();
    }

    @Test
    void aTouchInstallsWholeTables() {
        long address = region.map(8 * MIB);
        fill(address, 8 * MIB, 1);
        long faults = region.stats().frames().faults();
        assertTrue(faults <= 8, "faults=" + faults + " for 2048 pages");
    }
}
