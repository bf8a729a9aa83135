package upa.internal.os;

import static upa.internal.os.Downcall.*;

import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import upa.internal.bindings.Libc;

/** System calls on an open device. A call returns what the kernel returns, or -errno. */
public final class DeviceCalls {
    private static final MethodHandle IOCTL = handle(
            Libc.ioctl.address(),
            Libc.ioctl.makeInvoker(Libc.C_POINTER).descriptor(),
            ERRNO,
            Linker.Option.firstVariadicArg(2));
    private static final MethodHandle FSYNC = handle(Libc.fsync$address(), Libc.fsync$descriptor(), ERRNO);
    private static final MethodHandle DUP2 = handle(Libc.dup2$address(), Libc.dup2$descriptor(), ERRNO);

    private DeviceCalls() {}

    /** ioctl(2) with an argument that is a number or an address. */
    public static long ioctl(int fd, long request, long argument) {
        MemorySegment state = state();
        try {
            return result((int) IOCTL.invokeExact(state, fd, request, argument), state);
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    /** fsync(2). */
    public static long fsync(int fd) {
        MemorySegment state = state();
        try {
            return result((int) FSYNC.invokeExact(state, fd), state);
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    /** dup2(2). */
    public static long dup2(int fd, int as) {
        MemorySegment state = state();
        try {
            return result((int) DUP2.invokeExact(state, fd, as), state);
        } catch (Throwable t) {
            throw impossible(t);
        }
    }
}
