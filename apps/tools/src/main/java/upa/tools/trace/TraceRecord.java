package upa.tools.trace;

/**
 * One page request.
 *
 * @param index   its place among the records, from 0
 * @param ns      nanoseconds since the trace began
 * @param kind    what was asked for
 * @param address as {@link Kind} says
 * @param bytes   as {@link Kind} says
 * @param thread  id of the thread that asked
 * @param flags   {@link #SERVED} and so on
 * @param detail  protection, advice or mremap's flags
 */
public record TraceRecord(long index, long ns, Kind kind, long address, long bytes, int thread, int flags, int detail) {

    /** Served by UPA: the pages come from, or stay in, its region or the heap that it keeps. */
    public static final int SERVED = 1;
    /** Failed with an errno; nothing has changed. */
    public static final int FAILED = 2;
    /** {@link Kind#MAP}: of anonymous memory. */
    public static final int ANONYMOUS = 4;
    /** {@link Kind#MAP}: shared. */
    public static final int SHARED = 8;
    /** {@link Kind#MAP}: at an address that the program has chosen. */
    public static final int FIXED = 16;
    /** {@link Kind#MAP}: MAP_NORESERVE. */
    public static final int NORESERVE = 32;
    /** {@link Kind#MAP}: a stack. */
    public static final int STACK = 64;
    /** {@link Kind#BREAK}: it moved down. */
    public static final int SHRINKS = 128;

    private static final int READ_WRITE = 3;
    private static final int MADV_DONTNEED = 4;
    private static final int MADV_FREE = 8;

    /** What was asked for, in the order of the numbers in the file, from 1. */
    public enum Kind {
        /** mmap: the address it returned (if it failed, the hint), the bytes asked for. */
        MAP,
        /** munmap: the start, the bytes. */
        UNMAP,
        /** mremap: the block as it was. If it succeeded, the next RESIZED of the same thread says what it became. */
        RESIZE,
        /** mremap: the block as it is then. */
        RESIZED,
        /** madvise: the start, the bytes. */
        ADVISE,
        /** mprotect: the start, the bytes. */
        PROTECT,
        /** brk: the program's new break, and by how many bytes it moved. */
        BREAK
    }

    /**
     * One of the flags.
     *
     * @param flag {@link #SERVED} and so on
     * @return whether it is set
     */
    public boolean is(int flag) {
        return (flags & flag) != 0;
    }

    /**
     * {@return whether it got private anonymous memory to read and write, where the kernel liked: what UPA can serve}
     */
    public boolean isMemoryRequest() {
        return kind == Kind.MAP && is(ANONYMOUS) && !is(SHARED | FIXED | STACK | FAILED) && detail == READ_WRITE;
    }

    /**
     * {@return whether it got such memory at an address of the program's, mostly within what it has reserved before}
     */
    public boolean isCommit() {
        return kind == Kind.MAP && is(ANONYMOUS) && is(FIXED) && !is(SHARED | STACK | FAILED) && detail == READ_WRITE;
    }

    /** {@return whether it gave memory back and kept the addresses: madvise with MADV_DONTNEED or MADV_FREE} */
    public boolean isPurge() {
        return kind == Kind.ADVISE && !is(FAILED) && (detail == MADV_DONTNEED || detail == MADV_FREE);
    }
}
