package upa.internal.region.device;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import upa.core.PagerTerms;
import upa.internal.bindings.Libc;
import upa.internal.os.Errno;
import upa.internal.os.FileCalls;
import upa.internal.os.SocketCalls;

/**
 * Admits pagers of a region, and revokes their right. What goes over the socket is said in {@code admit.c} of the C
 * library. The socket stays open as long as the pager may say more; that is read at the next admission.
 *
 * <p>No thread here waits for the next pager, as one of the C library does, and touches do not wait for one: a Java
 * thread in a touch holds up every safepoint of the JVM, which holds up whoever would admit the next.
 */
final class Admission {
    private static final long MAGIC = 0x3145474150415055L;
    private static final long AT_WORK = -1;
    private static final int STORES = 12;
    private static final int MOST_ERRNO = 4095;
    private static final int NUMBERS = 9;
    private static final int ANSWER_MILLIS = 60_000;
    private static final int START_MILLIS = 60_000;
    private static final int MOST_TRIES = 1000;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;

    private final UpaDevice device;
    private final PagedLayout layout;
    /** Frees frames that a pager had in hand when it was killed. */
    private final Runnable mend;
    /** For the next pager; -1: none. */
    private final int[] kept = new int[STORES];

    private final MemorySegment number = Arena.ofAuto().allocate(LONG);
    private int socket = -1;

    Admission(UpaDevice device, PagedLayout layout, Runnable mend) {
        this.device = device;
        this.layout = layout;
        this.mend = mend;
        Arrays.fill(kept, -1);
    }

    /** Hands the region to a pager. Throws as {@code Region.admit}. */
    synchronized void admit(PagerTerms terms) throws IOException {
        if (hasPager()) {
            throw new IllegalStateException("the region has a pager");
        }
        String path = terms.socket() == null ? defaultPath() : terms.socket().toString();
        if (!SocketCalls.fits(path)) {
            throw new IllegalArgumentException("too long for a socket: path=" + path);
        }
        int fd = SocketCalls.connect(path);
        if (fd < 0) {
            throw new IOException("no pager listens at socket=" + path + " errno=" + Errno.name(fd)
                    + ": ./upa pager --regions is one");
        }
        try {
            ask(fd, path, terms);
            greet(fd, path);
            awaitStart(path);
        } catch (IOException | RuntimeException e) {
            if (socket != fd) {
                FileCalls.close(fd);
            }
            throw e;
        }
    }

    /** Where {@code upa pager --regions} listens. */
    private static String defaultPath() throws IOException {
        String runtime = System.getenv("XDG_RUNTIME_DIR");
        boolean isOurs = runtime != null
                && runtime.startsWith("/")
                && Files.isDirectory(Path.of(runtime))
                && Files.getAttribute(Path.of(runtime), "unix:uid").equals(SocketCalls.user());
        return (isOurs ? runtime + "/upa" : "/tmp/upa-" + SocketCalls.user()) + "/regions.control";
    }

    /** Whether there is one still, as far as its socket tells. */
    private boolean hasPager() {
        while (socket >= 0) {
            long got = receive(socket);
            if (got <= 0) {
                return got == 0;
            }
        }
        return false;
    }

    /** One number of the pager's is taken, with its descriptor: 1; 0 if there is none now, -errno if it has gone. */
    private long receive(int fd) {
        int[] fds = new int[1];
        long n = SocketCalls.receive(fd, number, fds);
        long store = number.get(LONG, 0);
        boolean isStore = n == Long.BYTES && store >= 0 && store < STORES;
        if (fds[0] >= 0 && isStore) {
            close((int) store);
            kept[(int) store] = fds[0];
        } else if (fds[0] >= 0) {
            FileCalls.close(fds[0]);
        }
        if (n < 0) {
            return n == -Libc.EAGAIN() || n == -Libc.EINTR() ? 0 : n;
        }
        return n == Long.BYTES ? 1 : -Libc.EIO();
    }

    private void close(int store) {
        if (kept[store] >= 0) {
            FileCalls.close(kept[store]);
            kept[store] = -1;
        }
    }

    private void ask(int fd, String path, PagerTerms terms) throws IOException {
        int peer = SocketCalls.peer(fd);
        if (peer != SocketCalls.user() && peer != 0) {
            throw new IOException("another user's: pager at socket=" + path + " user=" + peer);
        }
        String request = "region 1\nmemory=" + terms.memoryBytes() + "\n"
                + (terms.policy().isEmpty() ? "" : "policy=" + terms.policy() + "\n")
                + (terms.stores().isEmpty() ? "" : "stores=" + terms.stores() + "\n")
                + "pid=" + ProcessHandle.current().pid() + "\n";
        try (Arena arena = Arena.ofConfined()) {
            SocketCalls.send(fd, arena.allocateFrom(ValueLayout.JAVA_BYTE, request.getBytes(StandardCharsets.UTF_8)));
        }
        long answer = SocketCalls.await(fd, ANSWER_MILLIS) > 0 && receive(fd) > 0 ? number.get(LONG, 0) : AT_WORK;
        if (answer < 0 || answer > MOST_ERRNO) {
            throw new IOException("no answer of a pager: socket=" + path);
        }
        if (answer != 0) {
            throw new IllegalArgumentException(
                    "the pager refuses " + terms + " errno=" + Errno.name(-answer) + ": its log says why");
        }
    }

    private void greet(int fd, String path) throws IOException {
        int pager = newPager();
        if (socket >= 0) {
            FileCalls.close(socket);
            socket = -1;
        }
        try (Arena arena = Arena.ofConfined()) {
            mend.run();
            int[] fds = new int[2 + STORES];
            int count = 2;
            fds[0] = pager;
            fds[1] = device.descriptor();
            long stores = 0;
            for (int s = 0; s < STORES; s++) {
                if (kept[s] >= 0) {
                    fds[count++] = kept[s];
                    stores |= 1L << s;
                }
            }
            MemorySegment greeting = arena.allocateFrom(
                    LONG,
                    MAGIC,
                    layout.pages(),
                    layout.frames(),
                    layout.stateBytes(),
                    layout.bits(),
                    layout.header(),
                    layout.places(),
                    layout.kept(),
                    stores);
            long sent = SocketCalls.send(fd, greeting, Arrays.copyOf(fds, count));
            if (sent != NUMBERS * Long.BYTES) {
                throw new IOException("the pager has gone: socket=" + path + " errno=" + Errno.name(sent));
            }
            socket = fd;
        } finally {
            FileCalls.close(pager);
        }
    }

    /** The descriptor of one that was killed just now may be open for a moment. */
    private int newPager() throws IOException {
        for (int tries = 0; tries < MOST_TRIES; tries++) {
            long pager = device.admit();
            if (pager >= 0) {
                device.makeNonBlocking((int) pager);
                return (int) pager;
            }
            if (pager != -Libc.EBUSY()) {
                throw new IOException("UPADEV_ADMIT failed: errno=" + Errno.name(pager));
            }
            try {
                Thread.sleep(1);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                break;
            }
        }
        throw new IllegalStateException("the region has a pager");
    }

    private void awaitStart(String path) throws IOException {
        long got;
        do {
            got = SocketCalls.await(socket, START_MILLIS) > 0 ? receive(socket) : -Libc.EIO();
        } while (got == 0 || got > 0 && number.get(LONG, 0) != AT_WORK);
        if (got < 0) {
            device.revoke();
            throw new IOException("the pager could not begin: socket=" + path + ": its log says why");
        }
    }

    /** Takes the pager's right away. False if none was ever admitted. */
    synchronized boolean revoke() {
        return device.revoke() != -Libc.ENOENT();
    }

    synchronized void end() {
        for (int s = 0; s < STORES; s++) {
            close(s);
        }
        if (socket >= 0) {
            FileCalls.close(socket);
            socket = -1;
        }
    }
}
