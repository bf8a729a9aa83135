package upa.pager.posix;

import java.lang.foreign.AddressLayout;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;

/** Calls on files. Each returns what the kernel returns, or -errno. */
public final class Posix {
    /** {@link #open}: reading and writing without the page cache, a new file, closed on exec. */
    public static final int CREATE_NEW_DIRECT = 02 | 0100 | 0200 | 040000 | 02000000;
    /** Negated result: a file system or device is full. */
    public static final int ENOSPC = 28;
    /** Negated result: a quota is used up. */
    public static final int EDQUOT = 122;
    /** {@link #fallocate}: frees the blocks of a range, which then reads zero; the size stays. */
    public static final int PUNCH_HOLE_KEEP_SIZE = 0x02 | 0x01;

    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;
    private static final AddressLayout ADDRESS = ValueLayout.ADDRESS;
    private static final VarHandle ERRNO =
            Linker.Option.captureStateLayout().varHandle(MemoryLayout.PathElement.groupElement("errno"));
    static final ThreadLocal<MemorySegment> STATE =
            ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(Linker.Option.captureStateLayout()));

    private static final MethodHandle OPEN =
            handle("open", FunctionDescriptor.of(INT, ADDRESS, INT, INT), Linker.Option.firstVariadicArg(2));
    private static final MethodHandle CLOSE = handle("close", FunctionDescriptor.of(INT, INT));
    private static final MethodHandle PREAD = handle("pread", FunctionDescriptor.of(LONG, INT, ADDRESS, LONG, LONG));
    private static final MethodHandle PWRITE = handle("pwrite", FunctionDescriptor.of(LONG, INT, ADDRESS, LONG, LONG));
    private static final MethodHandle FTRUNCATE = handle("ftruncate", FunctionDescriptor.of(INT, INT, LONG));
    private static final MethodHandle FALLOCATE = handle("fallocate", FunctionDescriptor.of(INT, INT, INT, LONG, LONG));

    private Posix() {}

    static MethodHandle handle(String name, FunctionDescriptor descriptor, Linker.Option... more) {
        Linker.Option[] options = new Linker.Option[more.length + 1];
        System.arraycopy(more, 0, options, 1, more.length);
        options[0] = Linker.Option.captureCallState("errno");
        Linker linker = Linker.nativeLinker();
        return linker.downcallHandle(linker.defaultLookup().findOrThrow(name), descriptor, options);
    }

    static int result(int returned, MemorySegment state) {
        return returned == -1 ? -(int) ERRNO.get(state, 0L) : returned;
    }

    static long result(long returned, MemorySegment state) {
        return returned == -1 ? -(int) ERRNO.get(state, 0L) : returned;
    }

    static AssertionError impossible(Throwable t) {
        return new AssertionError("a downcall threw", t);
    }

    /**
     * open(2).
     *
     * @param path  of the file
     * @param flags as {@link #CREATE_NEW_DIRECT}
     * @param mode  permissions of a new file
     * @return a descriptor or -errno
     */
    public static int open(String path, int flags, int mode) {
        MemorySegment state = STATE.get();
        try (Arena arena = Arena.ofConfined()) {
            return result((int) OPEN.invokeExact(state, arena.allocateFrom(path), flags, mode), state);
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    /**
     * close(2).
     *
     * @param fd an open file
     * @return 0 or -errno
     */
    public static int close(int fd) {
        MemorySegment state = STATE.get();
        try {
            return result((int) CLOSE.invokeExact(state, fd), state);
        } catch (Throwable t) {
            throw impossible(t);
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
        MemorySegment state = STATE.get();
        try {
            return result((int) FALLOCATE.invokeExact(state, fd, mode, offset, bytes), state);
        } catch (Throwable t) {
            throw impossible(t);
        }
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
        MemorySegment state = STATE.get();
        try {
            return result((long) PREAD.invokeExact(state, fd, to, to.byteSize(), offset), state);
        } catch (Throwable t) {
            throw impossible(t);
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
        MemorySegment state = STATE.get();
        try {
            return result((long) PWRITE.invokeExact(state, fd, from, from.byteSize(), offset), state);
        } catch (Throwable t) {
            throw impossible(t);
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
        MemorySegment state = STATE.get();
        try {
            return result((int) FTRUNCATE.invokeExact(state, fd, bytes), state);
        } catch (Throwable t) {
            throw impossible(t);
        }
    }
}
