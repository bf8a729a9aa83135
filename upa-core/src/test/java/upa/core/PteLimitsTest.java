package upa.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** What an ordinary user may not, with the device his and 8 MiB to lock: {@code ./upa vm test} runs it as such. */
class PteLimitsTest {
    private static final long MIB = 1 << 20;

    @BeforeAll
    static void assumeOrdinaryUser() {
        assumeTrue(
                Boolean.getBoolean("upa.test.ordinary"), "needs /dev/upa and a user who may lock no more than 8 MiB");
    }

    private static String refused(int errno, PteOptions options) {
        SystemCallException e = assertThrows(SystemCallException.class, () -> Region.create(16 * MIB, options));
        assertEquals(errno, e.errno(), e.getMessage());
        return e.getMessage();
    }

    @Test
    void aPoolBeyondTheLockedMemoryLimitIsRefused() {
        String message = refused(12, PteOptions.guarded(16 * MIB));
        for (String part :
                new String[] {"poolBytes=16777216", "lockedBytes=", "RLIMIT_MEMLOCK=8388608", "ENOMEM", "ulimit -l"}) {
            assertTrue(message.contains(part), message);
        }
    }

    @Test
    void rawModesAreRefused() {
        String message = refused(1, PteOptions.raw(2 * MIB));
        assertTrue(
                message.contains("raw=1") && message.contains("CAP_SYS_RAWIO") && message.contains("EPERM"), message);
    }

    /** The limit is met while growing: a shortage like any other. */
    @Test
    void thePoolGrowsUpToTheLimit() {
        try (Region region = Region.create(16 * MIB, PteOptions.guarded(2 * MIB).withMaxPoolBytes(16 * MIB))) {
            assertNotEquals(Region.NO_MEMORY, region.map(4 * MIB));
            assertEquals(Region.NO_MEMORY, region.map(8 * MIB));
            region.validate();
            assertEquals(4 * MIB, region.stats().allocatedBytes());
        }
    }
}
