package upa.pager.posix;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;

/** Calls on files. Each returns what the kernel returns, or -errno. */
public final class Posix {
    /** {@link #open}: reading and writing without the page cache, a new file, closed on exec. */
    public static final int CREATE_NEW_DIRECT = 02 | 0100 | 0200 | direct() | 02000000;
    /** Negated result: a file system or device is full. */
    public static final int ENOSPC = 28;
    /** Negated result: a file system cannot do that. */
    public static final int EINVAL = 22;
    /** Negated result: a quota is used up. */
    public static final int EDQUOT = 122;
    /** {@link #fallocate}: frees the blocks of a range, which then reads zero; the size stays. */
    public static final int PUNCH_HOLE_KEEP_SIZE = 0x02 | 0x01;

    private static final long AT_FDCWD = -100;

    /** O_DIRECT: on Arm the kernel has it and O_DIRECTORY the other way round. */
    private static int direct() {
        return System.getProperty("os.arch").equals("aarch64") ? 0200000 : 040000;
    }

    private Posix() {}

    /**
     * open(2).
     *
     * @param path  of the file
     * @param flags as {@link #CREATE_NEW_DIRECT}
     * @param mode  permissions of a new file
     * @return a descriptor or -errno
     */
    public static int open(String path, int flags, int mode) {
        try (Arena arena = Arena.ofConfined()) {
            return (int)
                    SystemCall.OPENAT.make(AT_FDCWD, arena.allocateFrom(path).address(), flags, mode);
        }
    }

    /**
     * close(2).
     *
     * @param fd an open file
     * @return 0 or -errno
     */
    public static int close(int fd) {
        return (int) SystemCall.CLOSE.make(fd);
    }

    /**
     * Closes several files.
     *
     * @param fds open files; what is negative is none
     */
    public static void closeAll(int... fds) {
        for (int fd : fds) {
            if (fd >= 0) {
                close(fd);
            }
        }
    }

    /**
     * fallocate(2).
     *
     * @param fd     an open file
     * @param mode   what is done
     * @param offset of the range
     * @param bytes  its length
     * @return 0 or -errno
     */
    public static int fallocate(int fd, int mode, long offset, long bytes) {
        return (int) SystemCall.FALLOCATE.make(fd, mode, offset, bytes);
    }

    /**
     * pread(2).
     *
     * @param fd     an open file
     * @param to     is filled
     * @param offset in the file
     * @return bytes read, 0 at the end, or -errno
     */
    public static long pread(int fd, MemorySegment to, long offset) {
        try {
            return SystemCall.PREAD.make(fd, to.address(), to.byteSize(), offset);
        } finally {
            Reference.reachabilityFence(to);
        }
    }

    /**
     * pwrite(2).
     *
     * @param fd     an open file
     * @param from   is written
     * @param offset in the file
     * @return bytes written, or -errno
     */
    public static long pwrite(int fd, MemorySegment from, long offset) {
        try {
            return SystemCall.PWRITE.make(fd, from.address(), from.byteSize(), offset);
        } finally {
            Reference.reachabilityFence(from);
        }
    }

    /**
     * ftruncate(2).
     *
     * @param fd    an open file
     * @param bytes its new size
     * @return 0 or -errno
     */
    public static int ftruncate(int fd, long bytes) {
        return (int) SystemCall.FTRUNCATE.make(fd, bytes);
    }
}
