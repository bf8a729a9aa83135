package upa.pager.live;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Queue;
import upa.pager.posix.Linux;
import upa.pager.posix.Posix;
import upa.pager.store.PageIo;

/** The process at the other end of a socket: messages, orders, and the memory that it shares. Belongs to one thread. */
final class Client implements AutoCloseable {
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;

    /** The process is gone, or has closed its end. */
    static final class GoneException extends Exception {
        private static final long serialVersionUID = 1;

        GoneException() {
            super("the process has closed its socket", null, false, false);
        }
    }

    /**
     * What it says of itself.
     *
     * @param kept  descriptors that a former pager has left with it; -1: none
     * @param again whether there was one
     * @param known address of a page that tells a forked child that it will get what it inherits
     */
    record Hello(
            int pid, String name, long base, long bytes, int uffd, int file, int[] kept, boolean again, long known) {
        int pages() {
            return (int) (bytes / PageIo.PAGE_BYTES);
        }

        /** The same by the number that the kernel says: a process in another namespace knows itself by another. */
        Hello of(int seen) {
            return seen > 0 ? new Hello(seen, name, base, bytes, uffd, file, kept, again, known) : this;
        }

        /** Closes all its descriptors. */
        void close() {
            Posix.close(uffd);
            Posix.close(file);
            Posix.closeAll(kept);
        }
    }

    /** A message of it. */
    record Message(int kind, int count, int ticket, long argument) {}

    private final int fd;
    private final int fileFd;
    private final MemorySegment file;
    /** Of the last order; those of a former pager have others. */
    private int ticket = (int) System.nanoTime();

    private final Arena arena = Arena.ofShared();
    private final MemorySegment out = arena.allocate(Wire.MESSAGE_BYTES, Long.BYTES);
    private final MemorySegment in = arena.allocate(Wire.MESSAGE_BYTES, Long.BYTES);
    private final MemorySegment ready;
    private final Queue<Message> waiting = new ArrayDeque<>();

    /**
     * Makes the client of a connection, which is its own from now on.
     *
     * @param fd   connected
     * @param hello what was said there; the file is the client's now
     * @return null if its memory cannot be mapped
     */
    static Client of(int fd, Hello hello) {
        MemorySegment file = Linux.map(hello.file(), Wire.WORDS_OFFSET + (long) hello.pages() * Long.BYTES);
        return file == null ? null : new Client(fd, hello.file(), file);
    }

    private Client(int fd, int fileFd, MemorySegment file) {
        this.fd = fd;
        this.fileFd = fileFd;
        this.file = file;
        ready = Linux.pollSet(arena, fd);
    }

    /** Reads the first message of a process; null if it is none that makes sense. */
    static Hello hello(MemorySegment m, long n, int[] fds) {
        if (n != Wire.HELLO_BYTES
                || m.get(LONG, 0) != Wire.MAGIC
                || m.get(INT, Wire.HELLO_VERSION) != Wire.VERSION
                || fds[0] < 0
                || fds[1] < 0) {
            return null;
        }
        long base = m.get(LONG, Wire.HELLO_BASE);
        long bytes = m.get(LONG, Wire.HELLO_LENGTH);
        int mask = m.get(INT, Wire.HELLO_KEPT);
        if (bytes <= 0
                || bytes % PageIo.PAGE_BYTES != 0
                || base % PageIo.PAGE_BYTES != 0
                || bytes / PageIo.PAGE_BYTES > upa.policy.PolicyContext.MAX_PAGES
                || Integer.bitCount(mask) != known(fds) - 2) {
            return null;
        }
        int[] kept = new int[Wire.MOST_KEPT];
        int next = 2;
        for (int i = 0; i < kept.length; i++) {
            kept[i] = (mask & 1 << i) != 0 ? fds[next++] : -1;
        }
        return new Hello(
                m.get(INT, Wire.HELLO_PID),
                text(m.asSlice(Wire.HELLO_NAME, Wire.HELLO_BYTES - Wire.HELLO_NAME))
                        .replaceAll("[^ -~]", "?"),
                base,
                bytes,
                fds[0],
                fds[1],
                kept,
                m.get(INT, Wire.HELLO_AGAIN) != 0,
                m.get(LONG, Wire.HELLO_KNOWN));
    }

    private static int known(int[] fds) {
        int n = 0;
        while (n < fds.length && fds[n] >= 0) {
            n++;
        }
        return n;
    }

    /** Text that ends with 0, or with the range. */
    static String text(MemorySegment range) {
        byte[] bytes = range.toArray(ValueLayout.JAVA_BYTE);
        int length = 0;
        while (length < bytes.length && bytes[length] != 0) {
            length++;
        }
        return new String(bytes, 0, length, StandardCharsets.UTF_8);
    }

    int fd() {
        return fd;
    }

    /** Gives an order. */
    void order(int kind, int count, long argument) throws GoneException {
        send(kind, count, ++ticket, argument);
    }

    /** Whether this says that the last order has been carried out. */
    boolean isDone(Message m) {
        return m.kind() == Wire.DONE && m.ticket() == ticket;
    }

    /** Leaves a descriptor with the process, for the next pager; -1: none any more. */
    void keep(int number, int descriptor) throws GoneException {
        if (descriptor < 0) {
            send(Wire.KEEP, number, 0, 0);
            return;
        }
        write(Wire.KEEP, number, 0, 0);
        if (Linux.send(fd, out, descriptor) != Wire.MESSAGE_BYTES) {
            throw new GoneException();
        }
    }

    /**
     * A child needs what the process keeps from now on, and may run.
     *
     * @param member whose child it is
     * @param child  its number
     * @param fds    its userfaultfd, and the file with its words
     */
    void born(int member, int child, int... fds) throws GoneException {
        write(Wire.BORN, member, child + 1, 0);
        if (Linux.send(fd, out, fds) != Wire.MESSAGE_BYTES) {
            throw new GoneException();
        }
    }

    /** A child that a member has forked needs nothing, and may run. */
    void bornFree(int member) throws GoneException {
        send(Wire.BORN, member, 0, 0);
    }

    /**
     * The child that a member of the family has forked, and that waits until what it needs is kept.
     *
     * @param result one of Wire.UNBORN_...
     * @param fd     a userfaultfd of it, or -1
     */
    record Unborn(int result, int fd) {}

    /** Asks for the child that a member has forked; other messages come later. */
    Unborn unborn(int member) throws GoneException {
        int[] with = new int[1];
        order(Wire.UNBORN, member, 0);
        while (true) {
            Message m = message(Linux.receive(fd, in, with));
            if (isDone(m)) {
                return new Unborn(m.count(), with[0]);
            }
            waiting.add(m);
        }
    }

    private void write(int kind, int count, int ticket, long argument) {
        out.set(INT, 0, kind);
        out.set(INT, Wire.MESSAGE_COUNT, count);
        out.set(INT, Wire.MESSAGE_TICKET, ticket);
        out.set(LONG, Wire.MESSAGE_ARGUMENT, argument);
    }

    void send(int kind, int count, int ticket, long argument) throws GoneException {
        write(kind, count, ticket, argument);
        long n;
        do {
            n = Linux.send(fd, out);
        } while (n == -Linux.EINTR);
        if (n != Wire.MESSAGE_BYTES) {
            throw new GoneException();
        }
    }

    private Message read() throws GoneException {
        long n;
        do {
            n = Linux.read(fd, in);
        } while (n == -Linux.EINTR);
        return message(n);
    }

    private Message message(long n) throws GoneException {
        if (n != Wire.MESSAGE_BYTES) {
            throw new GoneException();
        }
        return new Message(
                in.get(INT, 0),
                in.get(INT, Wire.MESSAGE_COUNT),
                in.get(INT, Wire.MESSAGE_TICKET),
                in.get(LONG, Wire.MESSAGE_ARGUMENT));
    }

    /** The next message, or null if there is none now. */
    Message next() throws GoneException {
        if (!waiting.isEmpty()) {
            return waiting.remove();
        }
        return Linux.poll(ready, 0) > 0 ? read() : null;
    }

    /** Waits until the order under way has been carried out, and returns its result; other messages come later. */
    int await() throws GoneException {
        while (true) {
            Message m = read();
            if (isDone(m)) {
                return m.count();
            }
            waiting.add(m);
        }
    }

    boolean hasWaiting() {
        return !waiting.isEmpty();
    }

    void page(int i, int page, int slot) {
        file.setAtIndex(INT, Wire.PAGES_OFFSET / Integer.BYTES + i, page);
        file.setAtIndex(INT, Wire.PAGES_OFFSET / Integer.BYTES + Wire.ORDER_PAGES + i, slot);
    }

    /** Of page i of an order: 0 or -errno. */
    int result(int i) {
        return file.getAtIndex(INT, Wire.RESULTS_OFFSET / Integer.BYTES + i);
    }

    boolean isPresent(int i) {
        return (file.get(ValueLayout.JAVA_BYTE, Wire.PRESENT_OFFSET + i) & 1) != 0;
    }

    MemorySegment staged(int slot) {
        return file.asSlice(Wire.STAGING_OFFSET + (long) slot * PageIo.PAGE_BYTES, PageIo.PAGE_BYTES);
    }

    /** What the pager keeps there for the next one. */
    MemorySegment kept() {
        return file.asSlice(Wire.KEPT_OFFSET, Wire.KEPT_BYTES);
    }

    MemorySegment words() {
        return file.asSlice(Wire.WORDS_OFFSET);
    }

    /** The first page from there on whose word may have been written; -1: none. */
    int nextWritten(int page) {
        long at = Linux.seek(fileFd, Wire.WORDS_OFFSET + (long) page * Long.BYTES, Linux.SEEK_DATA);
        return at < 0 ? -1 : (int) ((at - Wire.WORDS_OFFSET) / Long.BYTES);
    }

    /** The first page from there on whose word has not been written. */
    int endOfWritten(int page) {
        long at = Linux.seek(fileFd, Wire.WORDS_OFFSET + (long) page * Long.BYTES, Linux.SEEK_HOLE);
        return (int) ((at - Wire.WORDS_OFFSET) / Long.BYTES);
    }

    @Override
    public void close() {
        Posix.close(fd);
        Posix.close(fileFd);
        Linux.unmap(file);
        arena.close();
    }
}
