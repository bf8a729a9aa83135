package upa.core.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.Test;
import upa.core.SystemCallException;
import upa.core.internal.bindings.Libc;

/** Results, -errno and the exception made of it. */
class SystemCallsTest {
    private static final int PRIVATE = Libc.MAP_PRIVATE() | Libc.MAP_ANONYMOUS();

    @Test
    void aFailureIsMinusErrnoAndNamesItself() {
        long address = SystemCalls.mmap(0, 8192, Libc.PROT_READ(), PRIVATE, -1, 0);
        assertEquals(address, SystemCalls.check(address, "mmap", 0, 8192));
        long error = SystemCalls.madvise(address + 1, 4096, Libc.MADV_DONTNEED());
        assertEquals(-Libc.EINVAL(), error);
        SystemCallException e = assertThrows(SystemCallException.class,
                () -> SystemCalls.check(error, "madvise", address + 1, 4096));
        assertEquals(String.format("madvise failed: address=%#x bytes=4096 errno=EINVAL (22)", address + 1), e.getMessage());
        assertEquals(22, e.errno());
        assertEquals(0, SystemCalls.munmap(address, 8192));
        assertEquals(-Libc.ENOMEM(), SystemCalls.madvise(address, 8192, Libc.MADV_DONTNEED()));
    }

    @Test
    void errorsHaveNames() {
        assertEquals("ENOMEM (12)", SystemCalls.errorName(12));
        assertEquals("EBADMSG (74)", SystemCalls.errorName(-74));
        assertEquals("unknown (4000)", SystemCalls.errorName(4000));
    }

    @Test
    void variadicCallsPassAllArguments() {
        int readWrite = Libc.PROT_READ() | Libc.PROT_WRITE();
        long from = SystemCalls.mmap(0, 4096, readWrite, PRIVATE, -1, 0);
        long to = SystemCalls.mmap(0, 4096, readWrite, PRIVATE, -1, 0);
        assertNotEquals(from, to);
        RawMemory.putLongOpaque(from, 123);
        assertEquals(to, SystemCalls.mremap(from, 4096, 4096, Libc.MREMAP_MAYMOVE() | Libc.MREMAP_FIXED(), to));
        assertEquals(123, RawMemory.getLongOpaque(to));
        SystemCalls.zero(to, 4096);
        assertEquals(0, RawMemory.getLongOpaque(to));
        assertEquals(0, SystemCalls.munmap(to, 4096));
        assertEquals(-Libc.ENOENT(), SystemCalls.open("/nowhere/at/all", Libc.O_RDWR(), 0));
        assertEquals(-9, SystemCalls.close(-1));
    }

    @Test
    void everyThreadSeesItsOwnErrno() throws Exception {
        Runnable misaligned = () -> {
            for (int i = 0; i < 20_000; i++) {
                assertEquals(-Libc.EINVAL(), SystemCalls.munmap(1, 4096));
            }
        };
        FutureTask<Void> other = new FutureTask<>(misaligned, null);
        Thread thread = new Thread(other);
        thread.start();
        for (int i = 0; i < 20_000; i++) {
            assertEquals(-9, SystemCalls.ftruncate(-1, 0));
        }
        thread.join();
        other.get();
    }
}
