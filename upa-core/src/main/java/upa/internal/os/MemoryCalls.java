package upa.internal.os;

import static upa.internal.os.Downcall.*;

import java.lang.foreign.Arena;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import upa.internal.bindings.Libc;

/** System calls on memory, and libc's memset. A call returns what the kernel returns, or -errno. */
public final class MemoryCalls {
    private static final MethodHandle MMAP = handle(Libc.mmap$address(), Libc.mmap$descriptor(), ERRNO);
    private static final MethodHandle MUNMAP = handle(Libc.munmap$address(), Libc.munmap$descriptor(), ERRNO);
    private static final MethodHandle MREMAP = handle(
            Libc.mremap.address(),
            Libc.mremap.makeInvoker(Libc.C_POINTER).descriptor(),
            ERRNO,
            Linker.Option.firstVariadicArg(4));
    private static final MethodHandle MADVISE = handle(Libc.madvise$address(), Libc.madvise$descriptor(), ERRNO);
    private static final MethodHandle MINCORE = handle(Libc.mincore$address(), Libc.mincore$descriptor(), ERRNO);
    private static final MethodHandle PRCTL = handle(
            Libc.prctl.address(),
            Libc.prctl
                    .makeInvoker(Libc.C_LONG, Libc.C_POINTER, Libc.C_LONG, Libc.C_POINTER)
                    .descriptor(),
            ERRNO,
            Linker.Option.firstVariadicArg(1));
    private static final MethodHandle MEMSET = handle(Libc.memset$address(), Libc.memset$descriptor());

    private MemoryCalls() {}

    /** mmap(2). */
    public static long mmap(long address, long bytes, int protection, int flags, int fd, long offset) {
        MemorySegment state = state();
        try {
            return result((long) MMAP.invokeExact(state, address, bytes, protection, flags, fd, offset), state);
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    /** munmap(2). */
    public static long munmap(long address, long bytes) {
        MemorySegment state = state();
        try {
            return result((int) MUNMAP.invokeExact(state, address, bytes), state);
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    /** mremap(2) with MREMAP_FIXED. */
    public static long mremap(long address, long oldBytes, long newBytes, int flags, long newAddress) {
        MemorySegment state = state();
        try {
            return result((long) MREMAP.invokeExact(state, address, oldBytes, newBytes, flags, newAddress), state);
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    /** madvise(2). */
    public static long madvise(long address, long bytes, int advice) {
        MemorySegment state = state();
        try {
            return result((int) MADVISE.invokeExact(state, address, bytes, advice), state);
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    /** mincore(2): one byte per page, of which bit 0 says whether the page is resident. */
    public static long mincore(long address, long bytes, MemorySegment resident) {
        MemorySegment state = state();
        try {
            return result((int) MINCORE.invokeExact(state, address, bytes, resident.address()), state);
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    /** Names anonymous memory in /proc/PID/maps: PR_SET_VMA of prctl(2). */
    public static long nameMemory(long address, long bytes, String name) {
        MemorySegment state = state();
        try (Arena arena = Arena.ofConfined()) {
            long text = arena.allocateFrom(name).address();
            return result(
                    (int) PRCTL.invokeExact(
                            state, Libc.PR_SET_VMA(), (long) Libc.PR_SET_VMA_ANON_NAME(), address, bytes, text),
                    state);
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    /** memset(3) with zero. Who calls has made sure that the memory stays mapped. */
    public static void zero(long address, long bytes) {
        try {
            long ignored = (long) MEMSET.invokeExact(address, 0, bytes);
        } catch (Throwable t) {
            throw impossible(t);
        }
    }
}
