package upa.core;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** A region of the back end pte-raw. */
class PteRawRegionTest extends PteRegionContract {
    @BeforeAll
    static void assumeAvailable() {
        assumeAvailable(PteOptions.raw(2 * MIB));
    }

    @Override
    PteOptions options(long poolBytes) {
        return PteOptions.raw(poolBytes);
    }

    @Test
    void thePoolNeverShrinks() {
        long address = region.map(8 * MIB);
        fill(address, 8 * MIB, 1);
        region.unmap(address, 8 * MIB);
        assertEquals(0, region.giveBack(0));
        assertEquals(8 * MIB, region.stats().frames().poolBytes());
    }

    @Test
    void noPageFaults() {
        fill(region.map(8 * MIB), 8 * MIB, 1);
        assertEquals(0, region.stats().frames().faults());
    }
}
