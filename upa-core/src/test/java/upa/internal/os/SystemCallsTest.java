package upa.internal.os;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.Test;
import upa.internal.bindings.Libc;

/** Results and -errno. */
class SystemCallsTest {
    private static final int PRIVATE = Libc.MAP_PRIVATE() | Libc.MAP_ANONYMOUS();

    @Test
    void aFailureIsMinusErrno() {
        long address = MemoryCalls.mmap(0, 8192, Libc.PROT_READ(), PRIVATE, -1, 0);
        assertFalse(Errno.isError(address));
        assertEquals(-Libc.EINVAL(), MemoryCalls.madvise(address + 1, 4096, Libc.MADV_DONTNEED()));
        assertEquals(0, MemoryCalls.munmap(address, 8192));
        assertEquals(-Libc.ENOMEM(), MemoryCalls.madvise(address, 8192, Libc.MADV_DONTNEED()));
    }

    @Test
    void errorsAreTheLastPageOfTheAddressSpace() {
        assertTrue(Errno.isError(-1));
        assertTrue(Errno.isError(-4095));
        assertFalse(Errno.isError(-4096));
        assertFalse(Errno.isError(0));
        assertFalse(Errno.isError(Long.MIN_VALUE));
    }

    @Test
    void errorsHaveNames() {
        assertEquals("ENOMEM (12)", Errno.name(12));
        assertEquals("EBADMSG (74)", Errno.name(-74));
        assertEquals("unknown (4000)", Errno.name(4000));
    }

    @Test
    void variadicCallsPassAllArguments() {
        int readWrite = Libc.PROT_READ() | Libc.PROT_WRITE();
        long from = MemoryCalls.mmap(0, 4096, readWrite, PRIVATE, -1, 0);
        long to = MemoryCalls.mmap(0, 4096, readWrite, PRIVATE, -1, 0);
        assertNotEquals(from, to);
        RawMemory.putLongOpaque(from, 123);
        assertEquals(to, MemoryCalls.mremap(from, 4096, 4096, Libc.MREMAP_MAYMOVE() | Libc.MREMAP_FIXED(), to));
        assertEquals(123, RawMemory.getLongOpaque(to));
        MemoryCalls.zero(to, 4096);
        assertEquals(0, RawMemory.getLongOpaque(to));
        assertEquals(0, MemoryCalls.munmap(to, 4096));
        assertEquals(-Libc.ENOENT(), FileCalls.open("/nowhere/at/all", Libc.O_RDWR(), 0));
        assertEquals(-9, FileCalls.close(-1));
    }

    @Test
    void everyThreadSeesItsOwnErrno() throws Exception {
        Runnable misaligned = () -> {
            for (int i = 0; i < 20_000; i++) {
                assertEquals(-Libc.EINVAL(), MemoryCalls.munmap(1, 4096));
            }
        };
        FutureTask<Void> other = new FutureTask<>(misaligned, null);
        Thread thread = new Thread(other);
        thread.start();
        for (int i = 0; i < 20_000; i++) {
            assertEquals(-9, FileCalls.ftruncate(-1, 0));
        }
        thread.join();
        other.get();
    }
}
