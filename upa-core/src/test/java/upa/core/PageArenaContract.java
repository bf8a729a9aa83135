package upa.core;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.AfterEach;

/** A page arena over a region the first pages of which are stale; every test leaves the region empty. */
abstract class PageArenaContract extends ArenaContract {
    final Region region = staleRegion();

    static Region staleRegion() {
        Region region = Region.create(256 << 20);
        MemorySegment all = region.mapSegment(8 << 20, 0);
        all.fill((byte) 0xdd);
        region.unmap(all);
        return region;
    }

    @AfterEach
    void allPagesComeBack() {
        assertEquals(0, region.stats().allocatedBytes());
        region.validate();
        region.close();
    }
}
