package upa.core.internal;

import java.lang.foreign.AddressLayout;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;
import upa.core.SystemCallException;
import upa.core.internal.bindings.Libc;

/**
 * The system calls of regions: the one place with handles for libc. Descriptors and addresses are those of the
 * generated bindings, with addresses as {@code long} and errno captured.
 *
 * <p>A call returns what the kernel returns, or -errno; {@link #check} makes an exception of that. No call is
 * {@link Linker.Option#critical critical}: each of them, memset included, may fault or sleep, which a critical call
 * must not, since it holds up every safepoint of the process.
 */
public final class SystemCalls {
    private static final Linker.Option ERRNO = Linker.Option.captureCallState("errno");
    private static final VarHandle ERRNO_VALUE = Linker.Option.captureStateLayout()
            .varHandle(MemoryLayout.PathElement.groupElement("errno"));
    /** A thread keeps the segment into which its calls put errno. */
    private static final ThreadLocal<MemorySegment> STATE =
            ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(Linker.Option.captureStateLayout()));

    private static final MethodHandle MMAP = handle(Libc.mmap$address(), Libc.mmap$descriptor(), ERRNO);
    private static final MethodHandle MUNMAP = handle(Libc.munmap$address(), Libc.munmap$descriptor(), ERRNO);
    private static final MethodHandle MADVISE = handle(Libc.madvise$address(), Libc.madvise$descriptor(), ERRNO);
    private static final MethodHandle MINCORE = handle(Libc.mincore$address(), Libc.mincore$descriptor(), ERRNO);
    private static final MethodHandle MEMSET = handle(Libc.memset$address(), Libc.memset$descriptor());
    private static final MethodHandle CLOSE = handle(Libc.close$address(), Libc.close$descriptor(), ERRNO);
    private static final MethodHandle FTRUNCATE = handle(Libc.ftruncate$address(), Libc.ftruncate$descriptor(), ERRNO);
    private static final MethodHandle LSEEK = handle(Libc.lseek$address(), Libc.lseek$descriptor(), ERRNO);
    private static final MethodHandle PREAD = handle(Libc.pread$address(), Libc.pread$descriptor(), ERRNO);
    private static final MethodHandle MREMAP = handle(Libc.mremap.address(),
            Libc.mremap.makeInvoker(Libc.C_POINTER).descriptor(), ERRNO, Linker.Option.firstVariadicArg(4));
    private static final MethodHandle OPEN = handle(Libc.open.address(),
            Libc.open.makeInvoker(Libc.C_INT).descriptor(), ERRNO, Linker.Option.firstVariadicArg(2));
    private static final MethodHandle IOCTL = handle(Libc.ioctl.address(),
            Libc.ioctl.makeInvoker(Libc.C_POINTER).descriptor(), ERRNO, Linker.Option.firstVariadicArg(2));
    private static final MethodHandle DUP2 = handle(Libc.dup2$address(), Libc.dup2$descriptor(), ERRNO);
    private static final MethodHandle FSYNC = handle(Libc.fsync$address(), Libc.fsync$descriptor(), ERRNO);
    private static final MethodHandle PRCTL = handle(Libc.prctl.address(),
            Libc.prctl.makeInvoker(Libc.C_LONG, Libc.C_POINTER, Libc.C_LONG, Libc.C_POINTER).descriptor(), ERRNO,
            Linker.Option.firstVariadicArg(1));

    private SystemCalls() {
    }

    private static MethodHandle handle(MemorySegment function, FunctionDescriptor descriptor, Linker.Option... options) {
        MemoryLayout[] arguments = descriptor.argumentLayouts().stream().map(SystemCalls::raw)
                .toArray(MemoryLayout[]::new);
        return Linker.nativeLinker().downcallHandle(function,
                FunctionDescriptor.of(raw(descriptor.returnLayout().orElseThrow()), arguments), options);
    }

    private static MemoryLayout raw(MemoryLayout layout) {
        return layout instanceof AddressLayout ? ValueLayout.JAVA_LONG : layout;
    }

    private static long result(long returned, MemorySegment state) {
        return returned == -1 ? -(int) ERRNO_VALUE.get(state, 0L) : returned;
    }

    private static AssertionError impossible(Throwable t) {
        return new AssertionError("a downcall threw", t);
    }

    /** mmap(2). */
    public static long mmap(long address, long bytes, int protection, int flags, int fd, long offset) {
        MemorySegment state = STATE.get();
        try {
            return result((long) MMAP.invokeExact(state, address, bytes, protection, flags, fd, offset), state);
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    /** munmap(2). */
    public static long munmap(long address, long bytes) {
        MemorySegment state = STATE.get();
        try {
            return result((int) MUNMAP.invokeExact(state, address, bytes), state);
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    /** mremap(2) with MREMAP_FIXED. */
    public static long mremap(long address, long oldBytes, long newBytes, int flags, long newAddress) {
        MemorySegment state = STATE.get();
        try {
            return result((long) MREMAP.invokeExact(state, address, oldBytes, newBytes, flags, newAddress), state);
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    /** madvise(2). */
    public static long madvise(long address, long bytes, int advice) {
        MemorySegment state = STATE.get();
        try {
            return result((int) MADVISE.invokeExact(state, address, bytes, advice), state);
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    /** mincore(2): one byte per page, of which bit 0 says whether the page is resident. */
    public static long mincore(long address, long bytes, MemorySegment resident) {
        MemorySegment state = STATE.get();
        try {
            return result((int) MINCORE.invokeExact(state, address, bytes, resident.address()), state);
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    /** Names anonymous memory in /proc/PID/maps: PR_SET_VMA of prctl(2). */
    public static long nameMemory(long address, long bytes, String name) {
        MemorySegment state = STATE.get();
        try (Arena arena = Arena.ofConfined()) {
            long text = arena.allocateFrom(name).address();
            return result((int) PRCTL.invokeExact(state, Libc.PR_SET_VMA(), (long) Libc.PR_SET_VMA_ANON_NAME(), address,
                    bytes, text), state);
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    /** open(2). */
    public static long open(String path, int flags, int mode) {
        MemorySegment state = STATE.get();
        try (Arena arena = Arena.ofConfined()) {
            long text = arena.allocateFrom(path).address();
            return result((int) OPEN.invokeExact(state, text, flags, mode), state);
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    /** close(2). */
    public static long close(int fd) {
        MemorySegment state = STATE.get();
        try {
            return result((int) CLOSE.invokeExact(state, fd), state);
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    /** dup2(2). */
    public static long dup2(int fd, int as) {
        MemorySegment state = STATE.get();
        try {
            return result((int) DUP2.invokeExact(state, fd, as), state);
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    /** fsync(2). */
    public static long fsync(int fd) {
        MemorySegment state = STATE.get();
        try {
            return result((int) FSYNC.invokeExact(state, fd), state);
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    /** ioctl(2) with an argument that is a number or an address. */
    public static long ioctl(int fd, long request, long argument) {
        MemorySegment state = STATE.get();
        try {
            return result((int) IOCTL.invokeExact(state, fd, request, argument), state);
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    /** ftruncate(2). */
    public static long ftruncate(int fd, long bytes) {
        MemorySegment state = STATE.get();
        try {
            return result((int) FTRUNCATE.invokeExact(state, fd, bytes), state);
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    /** The size of a file: SEEK_END of lseek(2). */
    public static long fileBytes(int fd) {
        MemorySegment state = STATE.get();
        try {
            return result((long) LSEEK.invokeExact(state, fd, 0L, Libc.SEEK_END()), state);
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    /** pread(2). */
    public static long pread(int fd, MemorySegment to, long offset) {
        MemorySegment state = STATE.get();
        try {
            return result((long) PREAD.invokeExact(state, fd, to.address(), to.byteSize(), offset), state);
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

    /** {@return the name and number of an error, e.g. {@code ENOMEM (12)}; the argument is the number or its negative} */
    public static String errorName(long errno) {
        int number = (int) Math.abs(errno);
        MemorySegment name = Libc.strerrorname_np(number);
        return (name.address() == 0 ? "unknown" : name.reinterpret(Long.MAX_VALUE).getString(0)) + " (" + number + ")";
    }

    /**
     * Passes on what a call on memory has returned, unless that is -errno.
     *
     * @throws SystemCallException with the call, the address, the size and the error
     */
    public static long check(long result, String call, long address, long bytes) {
        // The last page of the address space is nobody's, so an address is never in -4095 .. -1.
        if (result < 0 && result >= -4095) {
            throw new SystemCallException(String.format("%s failed: address=%#x bytes=%d errno=%s", call, address, bytes,
                    errorName(result)), (int) -result);
        }
        return result;
    }
}
