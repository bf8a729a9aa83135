package upa.pager.posix;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;

/**
 * System calls by number, all through one downcall: to link each of libc's functions costs a start of the virtual
 * machine 5 ms. The numbers are those of x86-64 and of aarch64.
 */
enum SystemCall {
    READ(0, 63),
    WRITE(1, 64),
    CLOSE(3, 57),
    SEEK(8, 62),
    MMAP(9, 222),
    MUNMAP(11, 215),
    IOCTL(16, 29),
    PREAD(17, 67),
    PWRITE(18, 68),
    MADVISE(28, 233),
    SOCKET(41, 198),
    CONNECT(42, 203),
    SENDTO(44, 206),
    SENDMSG(46, 211),
    RECVMSG(47, 212),
    BIND(49, 200),
    LISTEN(50, 201),
    GETSOCKOPT(55, 209),
    KILL(62, 129),
    FTRUNCATE(77, 46),
    GETEUID(107, 175),
    OPENAT(257, 56),
    PPOLL(271, 73),
    MOVE_PAGES(279, 239),
    FALLOCATE(285, 47),
    ACCEPT4(288, 242),
    EVENTFD2(290, 19),
    DUP3(292, 24),
    MEMFD_CREATE(319, 279),
    USERFAULTFD(323, 282),
    PIDFD_OPEN(434, 434),
    PROCESS_MADVISE(440, 440);

    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;
    private static final VarHandle ERRNO =
            Linker.Option.captureStateLayout().varHandle(MemoryLayout.PathElement.groupElement("errno"));
    private static final ThreadLocal<MemorySegment> STATE =
            ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(Linker.Option.captureStateLayout()));
    private static final MethodHandle SYSCALL = Linker.nativeLinker()
            .downcallHandle(
                    Linker.nativeLinker().defaultLookup().findOrThrow("syscall"),
                    FunctionDescriptor.of(LONG, LONG, LONG, LONG, LONG, LONG, LONG, LONG),
                    Linker.Option.firstVariadicArg(1),
                    Linker.Option.captureCallState("errno"));

    private final long number;

    SystemCall(int x86, int arm) {
        number = System.getProperty("os.arch").equals("aarch64") ? arm : x86;
    }

    long make() {
        return make(0, 0, 0, 0, 0, 0);
    }

    long make(long a) {
        return make(a, 0, 0, 0, 0, 0);
    }

    long make(long a, long b) {
        return make(a, b, 0, 0, 0, 0);
    }

    long make(long a, long b, long c) {
        return make(a, b, c, 0, 0, 0);
    }

    long make(long a, long b, long c, long d) {
        return make(a, b, c, d, 0, 0);
    }

    long make(long a, long b, long c, long d, long e) {
        return make(a, b, c, d, e, 0);
    }

    /** {@return what the kernel returns, or -errno} Memory that it reads or writes has to be kept by the caller. */
    long make(long a, long b, long c, long d, long e, long f) {
        MemorySegment state = STATE.get();
        long result;
        try {
            result = (long) SYSCALL.invokeExact(state, number, a, b, c, d, e, f);
        } catch (Throwable t) {
            throw new AssertionError("a downcall threw", t);
        }
        return result == -1 ? -(int) ERRNO.get(state, 0L) : result;
    }
}
