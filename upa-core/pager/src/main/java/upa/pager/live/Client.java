package upa.pager.live;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Arrays;
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

    /** What it says of itself. */
    record Hello(int pid, String name, long base, long bytes, int uffd, int file) {}

    /** A message of it. */
    record Message(int kind, int count, int ticket) {}

    private final int fd;
    private final MemorySegment file;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment out = arena.allocate(Wire.MESSAGE_BYTES, Long.BYTES);
    private final MemorySegment in = arena.allocate(Wire.MESSAGE_BYTES, Long.BYTES);
    private final MemorySegment ready;
    private final Queue<Message> waiting = new ArrayDeque<>();

    Client(int fd, MemorySegment file) {
        this.fd = fd;
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
        byte[] name =
                m.asSlice(Wire.HELLO_NAME, Wire.HELLO_BYTES - Wire.HELLO_NAME).toArray(ValueLayout.JAVA_BYTE);
        int length = 0;
        while (length < name.length && name[length] != 0) {
            length++;
        }
        long base = m.get(LONG, Wire.HELLO_BASE);
        long bytes = m.get(LONG, Wire.HELLO_LENGTH);
        if (bytes <= 0
                || bytes % PageIo.PAGE_BYTES != 0
                || base % PageIo.PAGE_BYTES != 0
                || bytes / PageIo.PAGE_BYTES > upa.policy.PolicyContext.MAX_PAGES) {
            return null;
        }
        String text = new String(Arrays.copyOf(name, length), StandardCharsets.UTF_8).replaceAll("[^ -~]", "?");
        return new Hello(m.get(INT, Wire.HELLO_PID), text, base, bytes, fds[0], fds[1]);
    }

    int fd() {
        return fd;
    }

    void send(int kind, int count, int ticket, long argument) throws GoneException {
        out.set(INT, 0, kind);
        out.set(INT, Wire.MESSAGE_COUNT, count);
        out.set(INT, Wire.MESSAGE_TICKET, ticket);
        out.set(LONG, Wire.MESSAGE_ARGUMENT, argument);
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
        if (n != Wire.MESSAGE_BYTES) {
            throw new GoneException();
        }
        return new Message(in.get(INT, 0), in.get(INT, Wire.MESSAGE_COUNT), in.get(INT, Wire.MESSAGE_TICKET));
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
            if (m.kind() == Wire.DONE) {
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

    @Override
    public void close() {
        Posix.close(fd);
        Linux.unmap(file);
        arena.close();
    }
}
