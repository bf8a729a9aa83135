package upa.internal.os;

import static upa.internal.os.Downcall.*;

import java.lang.foreign.Arena;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import upa.internal.bindings.Libc;

/** System calls on files. A call returns what the kernel returns, or -errno. */
public final class FileCalls {
    private static final MethodHandle OPEN = handle(
            Libc.open.address(),
            Libc.open.makeInvoker(Libc.C_INT).descriptor(),
            ERRNO,
            Linker.Option.firstVariadicArg(2));
    private static final MethodHandle CLOSE = handle(Libc.close$address(), Libc.close$descriptor(), ERRNO);
    private static final MethodHandle FTRUNCATE = handle(Libc.ftruncate$address(), Libc.ftruncate$descriptor(), ERRNO);
    private static final MethodHandle LSEEK = handle(Libc.lseek$address(), Libc.lseek$descriptor(), ERRNO);
    private static final MethodHandle PREAD = handle(Libc.pread$address(), Libc.pread$descriptor(), ERRNO);

    private FileCalls() {}

    /** open(2). */
    public static long open(String path, int flags, int mode) {
        MemorySegment state = state();
        try (Arena arena = Arena.ofConfined()) {
            long text = arena.allocateFrom(path).address();
            return result((int) OPEN.invokeExact(state, text, flags, mode), state);
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    /** close(2). */
    public static long close(int fd) {
        MemorySegment state = state();
        try {
            return result((int) CLOSE.invokeExact(state, fd), state);
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    /** ftruncate(2). */
    public static long ftruncate(int fd, long bytes) {
        MemorySegment state = state();
        try {
            return result((int) FTRUNCATE.invokeExact(state, fd, bytes), state);
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    /** The size of a file: SEEK_END of lseek(2). */
    public static long fileBytes(int fd) {
        MemorySegment state = state();
        try {
            return result((long) LSEEK.invokeExact(state, fd, 0L, Libc.SEEK_END()), state);
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    /** pread(2). */
    public static long pread(int fd, MemorySegment to, long offset) {
        MemorySegment state = state();
        try {
            return result((long) PREAD.invokeExact(state, fd, to.address(), to.byteSize(), offset), state);
        } catch (Throwable t) {
            throw impossible(t);
        }
    }
}
