package upa.pager.live;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.locks.LockSupport;
import upa.pager.posix.Linux;
import upa.pager.posix.Posix;

/** The userfaultfd of a process. Each call returns 0 or -errno. Belongs to one thread. */
final class Uffd implements AutoCloseable {
    static final int EVENT_FAULT = 0x12;
    static final int EVENT_FORK = 0x13;
    static final int EVENT_REMAP = 0x14;
    static final int EVENT_REMOVE = 0x15;
    static final int EVENT_UNMAP = 0x16;

    static final int MESSAGE_BYTES = 32;
    static final int MOST_MESSAGES = 32;

    private static final int PAGE_BYTES = 4096;
    /** Between two tries where there is no memory. */
    private static final long PAUSE_NANOS = 1_000_000;

    private static final long API = 0xc018aa3fL;
    private static final long REGISTER = 0xc020aa00L;
    private static final long UNREGISTER = 0x8010aa01L;
    private static final long WAKE = 0x8010aa02L;
    private static final long COPY = 0xc028aa03L;
    private static final long WRITEPROTECT = 0xc018aa06L;
    private static final long POISON = 0xc020aa08L;
    /** API version 0xaa, in the first field. */
    private static final long API_VERSION = 0xaa;
    /** Events of fork, remap, remove and unmap, thread numbers, poison, move: as the client asks for. */
    private static final long FEATURES = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 6 | 1 << 8 | 1 << 14 | 1 << 16;

    private static final long FEATURE_WP = 1;
    private static final long MODE_MISSING = 1;
    private static final long MODE_WP = 1 << 1;
    private static final long COPY_WP = 1 << 1;

    /** Flags of a fault. */
    private static final long FAULT_WRITE = 1;

    private static final long FAULT_WP = 1 << 1;

    /** Addresses of programs. */
    private static final long LOWEST = 1 << 16;

    private static final long HIGHEST =
            System.getProperty("os.arch").equals("aarch64") ? 0xffff_ffff_f000L : 0x7fff_ffff_f000L;

    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;

    private final int fd;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment argument = arena.allocate(LONG, 5);
    private final MemorySegment messages;

    Uffd(int fd) {
        this.fd = fd;
        messages = arena.allocate((long) MESSAGE_BYTES * MOST_MESSAGES, Long.BYTES);
    }

    /** Messages are read to there. */
    Uffd(int fd, MemorySegment messages) {
        this.fd = fd;
        this.messages = messages;
    }

    /** {@return why this process cannot page others, or null if it can} */
    static String missing() {
        int fd = Linux.userfaultfd();
        if (fd < 0) {
            return "userfaultfd is refused: errno=" + -fd;
        }
        Posix.close(fd);
        int error = has(FEATURES);
        return error == 0
                ? null
                : "userfaultfd has not all that is needed (events need CAP_SYS_PTRACE, moves" + " Linux 6.8): errno="
                        + -error;
    }

    /** Whether this process may have a userfaultfd with these features: 0 or -errno. */
    private static int has(long features) {
        int fd = Linux.userfaultfd();
        if (fd < 0) {
            return fd;
        }
        try (Arena arena = Arena.ofConfined()) {
            return Linux.ioctl(fd, API, arena.allocateFrom(LONG, API_VERSION, features, 0));
        } finally {
            Posix.close(fd);
        }
    }

    int fd() {
        return fd;
    }

    /** Puts content where there is none, and wakes who waits for it. */
    int copy(long address, MemorySegment page) {
        return copy(address, page, PAGE_BYTES);
    }

    /** The same for several pages in a row: bytes copied, which may be fewer, or -errno if none was. */
    int copy(long address, MemorySegment pages, long bytes) {
        return copy(address, pages, bytes, 0);
    }

    /** The same, and who writes to them is a fault until they are {@linkplain #unprotect unprotected}. */
    int copyProtected(long address, MemorySegment pages, long bytes) {
        return copy(address, pages, bytes, COPY_WP);
    }

    private int copy(long address, MemorySegment pages, long bytes, long mode) {
        int result = copyOnce(address, pages, bytes, mode);
        // Unmapped or moved while the kernel looked: whether there is an event to be read, it says the second time.
        result = result == -Linux.ENOENT ? copyOnce(address, pages, bytes, mode) : result;
        // If a mapping ends among the pages, the kernel refuses them all.
        return result == -Linux.ENOENT && bytes > PAGE_BYTES ? copyOnce(address, pages, PAGE_BYTES, mode) : result;
    }

    /**
     * Whether the kernel refuses for now only: since it has something to tell first, or has no memory, as of the
     * program's cgroup. Then this waits a little. Who gives up loses content.
     */
    static boolean refusesForNow(int result) {
        if (result == -Linux.ENOMEM) {
            LockSupport.parkNanos(PAUSE_NANOS);
        }
        return result == -Linux.EAGAIN || result == -Linux.ENOMEM;
    }

    private int copyOnce(long address, MemorySegment pages, long bytes, long mode) {
        argument.setAtIndex(LONG, 0, address);
        argument.setAtIndex(LONG, 1, pages.address());
        argument.setAtIndex(LONG, 2, bytes);
        argument.setAtIndex(LONG, 3, mode);
        argument.setAtIndex(LONG, 4, 0);
        int error = Linux.ioctl(fd, COPY, argument);
        long copied = argument.getAtIndex(LONG, 4);
        return copied > 0 ? (int) copied : error;
    }

    private int range(long request, long address, long bytes) {
        argument.setAtIndex(LONG, 0, address);
        argument.setAtIndex(LONG, 1, bytes);
        argument.setAtIndex(LONG, 2, request != REGISTER ? 0 : protects() ? MODE_MISSING | MODE_WP : MODE_MISSING);
        argument.setAtIndex(LONG, 3, 0);
        return Linux.ioctl(fd, request, argument);
    }

    /** Whether pages can be protected from being written to: not on all architectures. */
    static boolean protects() {
        return Protection.THERE;
    }

    private static final class Protection {
        private static final boolean THERE = has(FEATURES | FEATURE_WP) == 0;
    }

    /** Pages may be written to, and who waits for that goes on. */
    int unprotect(long address, long bytes) {
        return range(WRITEPROTECT, address, bytes);
    }

    int wake(long address) {
        return range(WAKE, address, PAGE_BYTES);
    }

    /** Has all threads that wait touch again what they wait for. */
    void wakeAll() {
        range(WAKE, LOWEST, HIGHEST - LOWEST);
    }

    int register(long address, long bytes) {
        return range(REGISTER, address, bytes);
    }

    /** Whether a fault is one of a thread that writes. */
    boolean isWrite(int i) {
        return (argument(i, 0) & FAULT_WRITE) != 0;
    }

    /** Whether a fault is one of a thread that writes to a protected page. */
    boolean isProtected(int i) {
        return (argument(i, 0) & FAULT_WP) != 0;
    }

    int unregister(long address, long bytes) {
        return range(UNREGISTER, address, bytes);
    }

    /** From now on touching the page is an error of the program's hardware: SIGBUS. */
    int poison(long address) {
        int result = range(POISON, address, PAGE_BYTES);
        return result == -Linux.ENOENT ? range(POISON, address, PAGE_BYTES) : result;
    }

    /** Reads what waits: how many messages, or -errno. */
    int read() {
        long n = Linux.read(fd, messages);
        return (int) (n < 0 ? n : n / MESSAGE_BYTES);
    }

    /** Reads one message to the place of message i: 1, 0 or -errno. */
    int read(int i) {
        long n = Linux.read(fd, messages.asSlice((long) i * MESSAGE_BYTES, MESSAGE_BYTES));
        return (int) (n < 0 ? n : n / MESSAGE_BYTES);
    }

    int event(int i) {
        return messages.get(ValueLayout.JAVA_BYTE, (long) i * MESSAGE_BYTES) & 0xff;
    }

    /** Of a fault: flags, address. Of a remap: from, to, length. Of a removal: start, end. */
    long argument(int i, int index) {
        return messages.get(LONG, (long) i * MESSAGE_BYTES + (long) (index + 1) * Long.BYTES);
    }

    /** Of a fault: the thread. Of a fork: the child's descriptor. */
    int number(int i) {
        boolean fork = event(i) == EVENT_FORK;
        return messages.get(INT, (long) i * MESSAGE_BYTES + (fork ? Long.BYTES : 3 * Long.BYTES));
    }

    @Override
    public void close() {
        Posix.close(fd);
        arena.close();
    }
}
