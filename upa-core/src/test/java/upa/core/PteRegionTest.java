package upa.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

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

    @Test
    void aTouchInstallsWholeTables() {
        long address = region.map(8 * MIB);
        fill(address, 8 * MIB, 1);
        long faults = region.stats().frames().faults();
        assertTrue(faults <= 8, "faults=" + faults + " for 2048 pages");
    }
}
