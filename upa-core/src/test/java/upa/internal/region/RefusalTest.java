package upa.internal.region;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;
import upa.core.SystemCallException;
import upa.internal.bindings.Libc;

/** The exception made of -errno. */
class RefusalTest {
    @Test
    void aRefusalSaysWhatWasAskedAndWhy() {
        SystemCallException e = assertThrows(
                SystemCallException.class, () -> Refusal.check(-Libc.EINVAL(), "madvise", 0x7f0000001000L, 4096));
        assertEquals("madvise failed: address=0x7f0000001000 bytes=4096 errno=EINVAL (22)", e.getMessage());
        assertEquals(22, e.errno());
    }

    @Test
    void resultsPass() {
        assertEquals(0, Refusal.check(0, "munmap", 4096, 4096));
        assertEquals(0x7f0000001000L, Refusal.check(0x7f0000001000L, "mmap", 0, 4096));
    }
}
