package upa.internal.os;

import static upa.internal.os.Downcall.*;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** System calls on sockets of messages between processes of a machine. A call returns a result, or -errno. */
public final class SocketCalls {
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;
    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT;

    private static final short AF_UNIX = 1;
    private static final int SEQPACKET_CLOEXEC = 5 | 02000000;
    private static final int SOL_SOCKET = 1;
    private static final int SCM_RIGHTS = 1;
    private static final int SO_PEERCRED = 17;
    private static final int NO_SIGNAL = 0x4000;
    private static final int CLOEXEC_DONT_WAIT = 0x40000000 | 0x40;
    private static final int POLLIN = 1;
    private static final int PATH_BYTES = 108;
    /** Bytes of a header of what comes with a message. */
    private static final int CONTROL = 16;

    private static final MethodHandle SOCKET = find("socket", INT, INT, INT, INT);
    private static final MethodHandle CONNECT = find("connect", INT, INT, LONG, INT);
    private static final MethodHandle GETSOCKOPT = find("getsockopt", INT, INT, INT, INT, LONG, LONG);
    private static final MethodHandle SENDMSG = find("sendmsg", LONG, INT, LONG, INT);
    private static final MethodHandle RECVMSG = find("recvmsg", LONG, INT, LONG, INT);
    private static final MethodHandle POLL = find("poll", INT, LONG, LONG, INT);
    private static final MethodHandle GETEUID = find("geteuid", INT);

    private SocketCalls() {}

    private static MethodHandle find(String name, MemoryLayout returned, MemoryLayout... arguments) {
        return handle(
                Linker.nativeLinker().defaultLookup().findOrThrow(name),
                FunctionDescriptor.of(returned, arguments),
                ERRNO);
    }

    /** {@return whether a path fits into the address of a socket} */
    public static boolean fits(String path) {
        int bytes = path.getBytes(StandardCharsets.UTF_8).length;
        return bytes > 0 && bytes < PATH_BYTES;
    }

    /** geteuid(2). */
    public static int user() {
        try {
            return (int) GETEUID.invokeExact(state());
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    /** A socket that is connected to who listens at a path. */
    public static int connect(String path) {
        MemorySegment state = state();
        try (Arena arena = Arena.ofConfined()) {
            int fd = (int) result((int) SOCKET.invokeExact(state, (int) AF_UNIX, SEQPACKET_CLOEXEC, 0), state);
            if (fd < 0) {
                return fd;
            }
            MemorySegment address = arena.allocate(Short.BYTES + PATH_BYTES, Short.BYTES);
            address.set(SHORT, 0, AF_UNIX);
            byte[] text = path.getBytes(StandardCharsets.UTF_8);
            MemorySegment.copy(text, 0, address, ValueLayout.JAVA_BYTE, Short.BYTES, text.length);
            int error = (int)
                    result((int) CONNECT.invokeExact(state, fd, address.address(), (int) address.byteSize()), state);
            if (error < 0) {
                FileCalls.close(fd);
            }
            return error < 0 ? error : fd;
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    /** The effective user at the other end, when it connected or began to listen. */
    public static int peer(int fd) {
        MemorySegment state = state();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment credentials = arena.allocate(INT, 3);
            MemorySegment size = arena.allocateFrom(INT, 3 * Integer.BYTES);
            int error = (int) result(
                    (int) GETSOCKOPT.invokeExact(
                            state, fd, SOL_SOCKET, SO_PEERCRED, credentials.address(), size.address()),
                    state);
            return error < 0 ? error : credentials.getAtIndex(INT, 1);
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    /** poll(2): 1 if there is a message or the other end has gone, 0 if not within the time. */
    public static int await(int fd, int millis) {
        MemorySegment state = state();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment one = arena.allocate(LONG);
            one.set(INT, 0, fd);
            one.set(SHORT, Integer.BYTES, (short) POLLIN);
            return (int) result((int) POLL.invokeExact(state, one.address(), 1L, millis), state);
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    /** struct msghdr with one vector and room for so many descriptors. */
    private static MemorySegment message(Arena arena, MemorySegment data, int fds) {
        MemorySegment vector = arena.allocateFrom(LONG, data.address(), data.byteSize());
        MemorySegment message = arena.allocate(LONG, 7);
        message.setAtIndex(LONG, 2, vector.address());
        message.setAtIndex(LONG, 3, 1);
        if (fds > 0) {
            MemorySegment control = arena.allocate(CONTROL + (long) fds * Integer.BYTES + 7 & ~7L, Long.BYTES);
            message.setAtIndex(LONG, 4, control.address());
            message.setAtIndex(LONG, 5, control.byteSize());
        }
        return message;
    }

    private static MemorySegment control(MemorySegment message) {
        return MemorySegment.ofAddress(message.getAtIndex(LONG, 4)).reinterpret(message.getAtIndex(LONG, 5));
    }

    /** Sends a message with descriptors; how many bytes. */
    public static long send(int fd, MemorySegment from, int... with) {
        MemorySegment state = state();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment message = message(arena, from, with.length);
            if (with.length > 0) {
                MemorySegment control = control(message);
                control.set(LONG, 0, CONTROL + (long) with.length * Integer.BYTES);
                control.set(INT, 8, SOL_SOCKET);
                control.set(INT, 12, SCM_RIGHTS);
                MemorySegment.copy(with, 0, control, INT, CONTROL, with.length);
            }
            return result((long) SENDMSG.invokeExact(state, fd, message.address(), NO_SIGNAL), state);
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    /** Takes a message that is there; how many bytes, 0 at the end. Descriptors that do not come are -1. */
    public static long receive(int fd, MemorySegment to, int[] fds) {
        MemorySegment state = state();
        Arrays.fill(fds, -1);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment message = message(arena, to, fds.length);
            long n = result((long) RECVMSG.invokeExact(state, fd, message.address(), CLOEXEC_DONT_WAIT), state);
            if (n >= 0 && message.getAtIndex(LONG, 5) >= CONTROL) {
                MemorySegment control = control(message);
                if (control.get(INT, 8) == SOL_SOCKET && control.get(INT, 12) == SCM_RIGHTS) {
                    int count = (int) (control.get(LONG, 0) - CONTROL) / Integer.BYTES;
                    MemorySegment.copy(control, INT, CONTROL, fds, 0, Math.min(count, fds.length));
                }
            }
            return n;
        } catch (Throwable t) {
            throw impossible(t);
        }
    }
}
