package upa.core;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import upa.internal.os.MemoryCalls;

/** Asks the kernel which pages have memory behind them. */
final class Residency {
    private Residency() {}

    static void assertResident(long address, long bytes, long expectedPages) {
        long n = (bytes + RegionDescriptor.PAGE_BYTES - 1) / RegionDescriptor.PAGE_BYTES;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment resident = arena.allocate(n);
            assertEquals(0, MemoryCalls.mincore(address, bytes, resident));
            long found = 0;
            for (long i = 0; i < n; i++) {
                found += resident.get(ValueLayout.JAVA_BYTE, i) & 1;
            }
            assertEquals(expectedPages, found, "pages resident");
        }
    }
}
