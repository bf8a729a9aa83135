package upa.pager.live;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import upa.pager.posix.Posix;

/**
 * Notices that the kernel writes the core file of a process. A process that could, has asked for its pages before
 * ({@code core.h}). Belongs to the session's thread.
 */
final class CoreWatch implements AutoCloseable {
    private static final int STATUS_BYTES = 4096;
    private static final String DUMPING = "\nCoreDumping:\t1\n";

    private final int fd;
    private final MemorySegment text;

    CoreWatch(Arena arena, int pid) {
        fd = Posix.open("/proc/" + pid + "/status", 0, 0);
        text = arena.allocate(STATUS_BYTES);
    }

    boolean isDumping() {
        long n = fd < 0 ? 0 : Posix.pread(fd, text, 0);
        return n > 0 && says(new String(text.asSlice(0, n).toArray(ValueLayout.JAVA_BYTE), StandardCharsets.US_ASCII));
    }

    /** Whether this is the status of a process whose core file is being written. */
    static boolean says(String status) {
        return status.contains(DUMPING);
    }

    @Override
    public void close() {
        if (fd >= 0) {
            Posix.close(fd);
        }
    }
}
