package upa.pager.posix;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.ref.Reference;
import java.nio.charset.StandardCharsets;

/** Calls on sockets, memory and other descriptors. Each returns what the kernel returns, or -errno. */
public final class Linux {
    /** Negated result: no such process. */
    public static final int ESRCH = 3;
    /** Negated result: interrupted by a signal. */
    public static final int EINTR = 4;
    /** Negated result: nothing there. */
    public static final int ENOENT = 2;
    /** Negated result: try again. */
    public static final int EAGAIN = 11;
    /** Negated result: in use. */
    public static final int EBUSY = 16;
    /** Negated result: already there. */
    public static final int EEXIST = 17;
    /** Negated result: too little memory, of a node for instance. */
    public static final int ENOMEM = 12;
    /** Negated result: not allowed. */
    public static final int EPERM = 1;
    /** Negated result: not allowed; of a page: others have it too. */
    public static final int EACCES = 13;
    /** Negated result: no memory of one's own, as the zero page. */
    public static final int EFAULT = 14;
    /** {@link #poll}: something can be read. */
    public static final short POLLIN = 1;

    private static final short POLLOUT = 4;
    /** {@link #madvise}: the memory is given back, and reads zero. */
    public static final int MADV_DONTNEED = 4;
    /** {@link #madvise}: the same of a file in memory. */
    public static final int MADV_REMOVE = 9;
    /** {@link #madvise(int, MemorySegment, int)}: the memory is hardly used; a huge page in part: it is divided. */
    public static final int MADV_COLD = 20;
    /** {@link #madvise(int, MemorySegment, int)}: the memory goes to swap. */
    public static final int MADV_PAGEOUT = 21;
    /** {@link #seek}: where the next content begins. */
    public static final int SEEK_DATA = 3;
    /** {@link #seek}: where it ends. */
    public static final int SEEK_HOLE = 4;

    /** Pages that no other process has, too. */
    private static final int MPOL_MF_MOVE = 2;

    private static final int AF_UNIX = 1;
    private static final int SOCK_SEQPACKET_CLOEXEC = 5 | 02000000;
    private static final int SOL_SOCKET = 1;
    private static final int SO_PEERCRED = 17;
    private static final int SO_PEERPIDFD = 77;
    private static final int SCM_RIGHTS = 1;
    private static final int MSG_NOSIGNAL = 0x4000;
    private static final int MSG_CMSG_CLOEXEC = 0x40000000;
    private static final int PATH_BYTES = 108;
    private static final int PROT_READ_WRITE = 3;
    private static final int MAP_SHARED = 1;
    private static final int MAP_PRIVATE_SPARSE = 2 | 0x20 | 0x4000;

    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;
    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT;

    /** What poll(2) must not wait: a struct timespec of zeros, which the kernel may write, with zeros. */
    private static final MemorySegment NO_TIME = Arena.global().allocate(LONG, 2);

    private Linux() {}

    /** {@return the effective user of this process} */
    public static int uid() {
        return (int) SystemCall.GETEUID.make();
    }

    /**
     * A descriptor of poll(2).
     *
     * @param fds as from {@link #pollSet}
     * @param timeoutMillis at most how long, or -1
     * @return how many are ready
     */
    public static int poll(MemorySegment fds, int timeoutMillis) {
        try (Arena arena = timeoutMillis > 0 ? Arena.ofConfined() : null) {
            MemorySegment timeout = timeoutMillis < 0 ? MemorySegment.NULL : NO_TIME;
            if (timeoutMillis > 0) {
                timeout = arena.allocateFrom(LONG, timeoutMillis / 1000, timeoutMillis % 1000 * 1_000_000L);
            }
            return (int)
                    SystemCall.PPOLL.make(fds.address(), fds.byteSize() / Long.BYTES, timeout.address(), 0, Long.BYTES);
        } finally {
            Reference.reachabilityFence(fds);
        }
    }

    /**
     * What to wait for: each descriptor until it can be read.
     *
     * @param arena owns the result
     * @param fds   descriptors
     * @return for {@link #poll} and {@link #isReady}
     */
    public static MemorySegment pollSet(Arena arena, int... fds) {
        MemorySegment set = arena.allocate((long) fds.length * Long.BYTES, Long.BYTES);
        for (int i = 0; i < fds.length; i++) {
            set.set(INT, (long) i * Long.BYTES, fds[i]);
            set.set(SHORT, (long) i * Long.BYTES + Integer.BYTES, POLLIN);
        }
        return set;
    }

    /**
     * What to wait for: a descriptor until it can be written.
     *
     * @param arena owns the result
     * @param fd    a descriptor
     * @return for {@link #poll}
     */
    public static MemorySegment pollSetToWrite(Arena arena, int fd) {
        MemorySegment set = pollSet(arena, fd);
        set.set(SHORT, Integer.BYTES, POLLOUT);
        return set;
    }

    /**
     * Waits for one of them no longer.
     *
     * @param fds as from {@link #pollSet}
     * @param i   index of a descriptor
     */
    public static void ignore(MemorySegment fds, int i) {
        fds.set(INT, (long) i * Long.BYTES, -1);
    }

    /**
     * After {@link #poll}.
     *
     * @param fds as it was given
     * @param i   index of a descriptor
     * @return whether it can be read, or has failed
     */
    public static boolean isReady(MemorySegment fds, int i) {
        return fds.get(SHORT, (long) i * Long.BYTES + Integer.BYTES + Short.BYTES) != 0;
    }

    private static MemorySegment address(Arena arena, String path) {
        byte[] bytes = path.getBytes(StandardCharsets.UTF_8);
        MemorySegment address = arena.allocate(Short.BYTES + PATH_BYTES, Short.BYTES);
        address.set(SHORT, 0, (short) AF_UNIX);
        MemorySegment.copy(bytes, 0, address, ValueLayout.JAVA_BYTE, Short.BYTES, bytes.length);
        return address;
    }

    /**
     * Whether a path fits into the address of a socket.
     *
     * @param path of a socket
     * @return whether it does
     */
    public static boolean isSocketPath(String path) {
        return path.getBytes(StandardCharsets.UTF_8).length < PATH_BYTES;
    }

    /**
     * Makes a socket of messages that listens.
     *
     * @param path where, a new file
     * @return a descriptor or -errno
     */
    public static int listen(String path) {
        int fd = (int) SystemCall.SOCKET.make(AF_UNIX, SOCK_SEQPACKET_CLOEXEC, 0);
        if (fd < 0) {
            return fd;
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment address = address(arena, path);
            long error = SystemCall.BIND.make(fd, address.address(), address.byteSize());
            if (error == 0) {
                error = SystemCall.LISTEN.make(fd, 64);
            }
            if (error != 0) {
                Posix.close(fd);
                return (int) error;
            }
            return fd;
        }
    }

    /**
     * Connects to a socket of messages.
     *
     * @param path where
     * @return a descriptor or -errno
     */
    public static int connect(String path) {
        int fd = (int) SystemCall.SOCKET.make(AF_UNIX, SOCK_SEQPACKET_CLOEXEC, 0);
        if (fd < 0) {
            return fd;
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment address = address(arena, path);
            int error = (int) SystemCall.CONNECT.make(fd, address.address(), address.byteSize());
            if (error != 0) {
                Posix.close(fd);
                return error;
            }
            return fd;
        }
    }

    /**
     * accept4(2).
     *
     * @param fd that listens
     * @return a descriptor or -errno
     */
    public static int accept(int fd) {
        return (int) SystemCall.ACCEPT4.make(fd, 0, 0, 02000000);
    }

    /**
     * The user at the other end of a socket.
     *
     * @param fd connected
     * @return the effective user when it connected, or -errno
     */
    public static int peerUid(int fd) {
        return option(fd, SO_PEERCRED, 3, 1);
    }

    /**
     * The process at the other end of a socket.
     *
     * @param fd connected
     * @return its number when it connected, 0 if this process cannot see it, or -errno
     */
    public static int peerPid(int fd) {
        return option(fd, SO_PEERCRED, 3, 0);
    }

    /**
     * The same process, whoever has its number by now.
     *
     * @param fd connected
     * @return a descriptor; or -errno, as from a kernel before 6.5
     */
    public static int peerPidfd(int fd) {
        return option(fd, SO_PEERPIDFD, 1, 0);
    }

    private static int option(int fd, int name, int numbers, int wanted) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment value = arena.allocate(INT, numbers);
            MemorySegment size = arena.allocateFrom(INT, numbers * Integer.BYTES);
            long error = SystemCall.GETSOCKOPT.make(fd, SOL_SOCKET, name, value.address(), size.address());
            return error == 0 ? value.getAtIndex(INT, wanted) : (int) error;
        }
    }

    /**
     * Receives a message with descriptors.
     *
     * @param fd  connected
     * @param to  gets the message
     * @param fds gets descriptors; what is missing is set to -1; of more than fit, none
     * @return its bytes, 0 at the end, or -errno
     */
    public static long receive(int fd, MemorySegment to, int[] fds) {
        java.util.Arrays.fill(fds, -1);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment vector = arena.allocate(LONG, 2);
            vector.setAtIndex(LONG, 0, to.address());
            vector.setAtIndex(LONG, 1, to.byteSize());
            long room = 16 + ((long) fds.length * Integer.BYTES + 7 & ~7L);
            MemorySegment control = arena.allocate(room, Long.BYTES);
            MemorySegment message = arena.allocate(LONG, 7);
            message.setAtIndex(LONG, 2, vector.address());
            message.setAtIndex(LONG, 3, 1);
            message.setAtIndex(LONG, 4, control.address());
            message.setAtIndex(LONG, 5, fds.length == 0 ? 0 : room);
            long n = SystemCall.RECVMSG.make(fd, message.address(), MSG_CMSG_CLOEXEC);
            if (n > 0
                    && message.getAtIndex(LONG, 5) >= 16
                    && control.get(INT, 8) == SOL_SOCKET
                    && control.get(INT, 12) == SCM_RIGHTS) {
                long count = (control.get(LONG, 0) - 16) / Integer.BYTES;
                for (int i = 0; i < count && i < fds.length; i++) {
                    fds[i] = control.get(INT, 16 + (long) i * Integer.BYTES);
                }
            }
            return n;
        }
    }

    /**
     * send(2).
     *
     * @param fd   connected
     * @param from the message
     * @return its bytes or -errno
     */
    public static long send(int fd, MemorySegment from) {
        try {
            return SystemCall.SENDTO.make(fd, from.address(), from.byteSize(), MSG_NOSIGNAL);
        } finally {
            Reference.reachabilityFence(from);
        }
    }

    /**
     * Sends a message with descriptors.
     *
     * @param fd   connected
     * @param from the message
     * @param with descriptors, of which the receiver gets some of its own
     * @return its bytes or -errno
     */
    public static long send(int fd, MemorySegment from, int... with) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment vector = arena.allocate(LONG, 2);
            vector.setAtIndex(LONG, 0, from.address());
            vector.setAtIndex(LONG, 1, from.byteSize());
            long bytes = 16 + (long) with.length * Integer.BYTES;
            MemorySegment control = arena.allocate(bytes + 7 & ~7L, Long.BYTES);
            control.set(LONG, 0, bytes);
            control.set(INT, 8, SOL_SOCKET);
            control.set(INT, 12, SCM_RIGHTS);
            MemorySegment.copy(with, 0, control, INT, 16, with.length);
            MemorySegment message = arena.allocate(LONG, 7);
            message.setAtIndex(LONG, 2, vector.address());
            message.setAtIndex(LONG, 3, 1);
            message.setAtIndex(LONG, 4, control.address());
            message.setAtIndex(LONG, 5, control.byteSize());
            return SystemCall.SENDMSG.make(fd, message.address(), MSG_NOSIGNAL);
        }
    }

    /**
     * Makes a file in memory, without content.
     *
     * @param name  for who looks into /proc
     * @param bytes its size
     * @return a descriptor or -errno
     */
    public static int memfd(String name, long bytes) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment text = arena.allocateFrom(name);
            int fd = (int) SystemCall.MEMFD_CREATE.make(text.address(), 1);
            int error = fd < 0 ? fd : Posix.ftruncate(fd, bytes);
            if (error < 0 && fd >= 0) {
                Posix.close(fd);
            }
            return error < 0 ? error : fd;
        }
    }

    /**
     * lseek(2).
     *
     * @param fd     a file
     * @param offset where to begin
     * @param whence as {@link #SEEK_DATA}
     * @return an offset, or -errno
     */
    public static long seek(int fd, long offset, int whence) {
        return SystemCall.SEEK.make(fd, offset, whence);
    }

    /**
     * read(2).
     *
     * @param fd a descriptor
     * @param to gets what is read
     * @return bytes or -errno
     */
    public static long read(int fd, MemorySegment to) {
        try {
            return SystemCall.READ.make(fd, to.address(), to.byteSize());
        } finally {
            Reference.reachabilityFence(to);
        }
    }

    /**
     * write(2).
     *
     * @param fd   a descriptor
     * @param from is written
     * @return bytes or -errno
     */
    public static long write(int fd, MemorySegment from) {
        try {
            return SystemCall.WRITE.make(fd, from.address(), from.byteSize());
        } finally {
            Reference.reachabilityFence(from);
        }
    }

    /** {@return a descriptor of eventfd(2) that does not block, or -errno} */
    public static int eventfd() {
        return (int) SystemCall.EVENTFD2.make(0, 02000000 | 04000);
    }

    /** {@return a descriptor of userfaultfd(2) that does not block, or -errno} */
    public static int userfaultfd() {
        return (int) SystemCall.USERFAULTFD.make(02000000 | 04000);
    }

    /**
     * dup3(2).
     *
     * @param fd a descriptor
     * @param to the same file from now on, also in programs that this one executes
     * @return {@code to}, or -errno
     */
    public static int duplicate(int fd, int to) {
        return (int) SystemCall.DUP3.make(fd, to, 0);
    }

    /**
     * ioctl(2).
     *
     * @param fd       a descriptor
     * @param request  its number
     * @param argument read and written
     * @return what it returns, or -errno
     */
    public static int ioctl(int fd, long request, MemorySegment argument) {
        try {
            return (int) SystemCall.IOCTL.make(fd, request, argument.address());
        } finally {
            Reference.reachabilityFence(argument);
        }
    }

    /**
     * Maps a file in memory, shared.
     *
     * @param fd    of the file
     * @param bytes from its beginning
     * @return the memory, or null if the kernel refuses; {@link #unmap} ends it
     */
    public static MemorySegment map(int fd, long bytes) {
        return map(fd, bytes, MAP_SHARED, 0);
    }

    /**
     * Takes memory from the kernel, page by page as it is touched.
     *
     * @param bytes how much
     * @return the memory, or null if the kernel refuses; {@link #unmap} ends it
     */
    public static MemorySegment map(long bytes) {
        return map(-1, bytes, MAP_PRIVATE_SPARSE, 0);
    }

    /**
     * Maps a part of a file or device, shared.
     *
     * @param fd     of the file
     * @param bytes  how many
     * @param offset in the file, whole pages
     * @return the memory, or null if the kernel refuses; {@link #unmap} ends it
     */
    public static MemorySegment map(int fd, long bytes, long offset) {
        return map(fd, bytes, MAP_SHARED, offset);
    }

    private static MemorySegment map(int fd, long bytes, int flags, long offset) {
        long at = SystemCall.MMAP.make(0, bytes, PROT_READ_WRITE, flags, fd, offset);
        return at < 0 && at > -4096 ? null : MemorySegment.ofAddress(at).reinterpret(bytes);
    }

    /**
     * munmap(2).
     *
     * @param memory as from {@link #map}; must not be used any more
     */
    public static void unmap(MemorySegment memory) {
        SystemCall.MUNMAP.make(memory.address(), memory.byteSize());
    }

    /**
     * madvise(2).
     *
     * @param memory whole pages
     * @param advice as {@link #MADV_DONTNEED}
     * @return 0 or -errno
     */
    public static int madvise(MemorySegment memory, int advice) {
        return (int) SystemCall.MADVISE.make(memory.address(), memory.byteSize(), advice);
    }

    /**
     * Advice on memory of another process: process_madvise(2).
     *
     * @param pidfd  of the process, as from {@link #pidfd}
     * @param ranges pairs of address and length in bytes
     * @param advice as {@link #MADV_PAGEOUT}
     * @return bytes of which the kernel has taken note, or -errno
     */
    public static long madvise(int pidfd, MemorySegment ranges, int advice) {
        try {
            return SystemCall.PROCESS_MADVISE.make(pidfd, ranges.address(), ranges.byteSize() / 16, advice, 0);
        } finally {
            Reference.reachabilityFence(ranges);
        }
    }

    /**
     * Moves pages of a process to nodes, or asks where they are: move_pages(2).
     *
     * @param pid       of the process
     * @param count     how many pages
     * @param addresses of the pages, 8 bytes each
     * @param nodes     where each is to go, 4 bytes each; {@link MemorySegment#NULL}: only ask
     * @param status    gets the node of each or -errno, 4 bytes each; stays as it is if the kernel has given up before
     * @return 0; how many have not moved though they could; or -errno
     */
    public static long movePages(
            int pid, int count, MemorySegment addresses, MemorySegment nodes, MemorySegment status) {
        try {
            return SystemCall.MOVE_PAGES.make(
                    pid,
                    count,
                    addresses.address(),
                    nodes.address(),
                    status.address(),
                    nodes.equals(MemorySegment.NULL) ? 0 : MPOL_MF_MOVE);
        } finally {
            Reference.reachabilityFence(addresses);
            Reference.reachabilityFence(nodes);
            Reference.reachabilityFence(status);
        }
    }

    /**
     * A descriptor of a process.
     *
     * @param pid its number
     * @return a descriptor or -errno
     */
    public static int pidfd(int pid) {
        return (int) SystemCall.PIDFD_OPEN.make(pid, 0);
    }

    /**
     * kill(2).
     *
     * @param pid    a process
     * @param signal its number
     * @return 0 or -errno
     */
    public static int kill(int pid, int signal) {
        return (int) SystemCall.KILL.make(pid, signal);
    }
}
