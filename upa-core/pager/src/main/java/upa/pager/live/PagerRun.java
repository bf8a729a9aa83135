package upa.pager.live;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import upa.pager.host.PolicyThread;
import upa.pager.posix.Linux;
import upa.pager.posix.Posix;
import upa.pager.store.StoreException;
import upa.policy.Place;
import upa.policy.PolicyException;

/**
 * One {@code upa run --policy}: what its processes may have, and the socket at which they connect. It is over when its
 * process has ended and no session is left. The process that {@code upa run} has left behind stays connected meanwhile,
 * and asks the next pager for the same if this one dies; it is told when the run is over. The socket is that process's
 * too, so who connects while there is no pager waits there for the next.
 */
final class PagerRun implements AutoCloseable {
    /** How many come with its request. */
    static final int DESCRIPTORS = 3;

    private static final int PAGE_SHIFT = 12;
    private static final int POLL_MILLIS = 200;
    private static final int LINGER_POLLS = 5;
    private static final int RUNAWAY_POLL_MILLIS = 50;

    private final Pager pager;
    private final RunRequest request;
    private final Path path;
    /** Connected to the process that {@code upa run} has left behind. */
    private final int keeper;
    /** A descriptor of the run's process. */
    private final int process;
    /** The run's socket. */
    private final int listener;

    private final RunLog log;
    /** All threads that are there for this run alone. */
    private final ThreadGroup group = new ThreadGroup("run");

    private final List<Session> sessions = new CopyOnWriteArrayList<>();
    /** Sessions, and those that are over but not yet done with what they leave in stores. */
    private final AtomicInteger running = new AtomicInteger();

    private Session.Terms terms;
    private volatile boolean started;

    private PagerRun(Pager pager, int keeper, RunRequest request, int[] fds) {
        this.pager = pager;
        this.keeper = keeper;
        this.request = request;
        log = new RunLog(fds[0], pager.oneLine());
        process = fds[1];
        listener = fds[2];
        String name = pager.control().getFileName().toString();
        path = pager.control().resolveSibling(name.substring(0, name.lastIndexOf('.') + 1) + request.pid());
    }

    /** A run that has asked for what makes sense; its descriptors are its own then. Else it is told why not. */
    static Optional<PagerRun> of(Pager pager, int keeper, String text, int[] fds) {
        try {
            if (Arrays.stream(fds).anyMatch(fd -> fd < 0)) {
                throw new RunRequest.RefusedException(1, "a request that makes no sense: it has no descriptors");
            }
            return Optional.of(new PagerRun(pager, keeper, RunRequest.parse(text), fds));
        } catch (RunRequest.RefusedException e) {
            refuse(keeper, e);
            return Optional.empty();
        }
    }

    private static void refuse(int keeper, RunRequest.RefusedException e) {
        send(keeper, "failed\0" + e.status() + "\0" + e.getMessage());
    }

    private static void send(int keeper, String text) {
        try (Arena arena = Arena.ofConfined()) {
            Linux.send(keeper, arena.allocateFrom(ValueLayout.JAVA_BYTE, text.getBytes(StandardCharsets.UTF_8)));
        }
    }

    /** Opens it for processes. False: it has been told why that cannot be. */
    boolean start() {
        try {
            open();
            return true;
        } catch (RunRequest.RefusedException e) {
            refuse(keeper, e);
            return false;
        }
    }

    /** The next pager trusts what one before it has seen: a store may be away just now, and a policy was the last's. */
    private void open() throws RunRequest.RefusedException {
        List<Place> places = request.places();
        if (places == null) {
            String missing = Uffd.missing();
            if (missing != null) {
                throw new RunRequest.RefusedException(1, "no paging on this machine: " + missing);
            }
            // Each process has stores of its own: here it is only seen whether there can be such ones.
            try (StoreChain chain = StoreChain.open(request.stores())) {
                places = chain.places();
            } catch (StoreException e) {
                throw new RunRequest.RefusedException(1, e.getMessage());
            }
            tryPolicy(places);
        }
        terms = new Session.Terms(
                request.policy(), (int) (request.boundBytes() >> PAGE_SHIFT), request.stores(), places);
        started = true;
        send(keeper, "ready\0" + RunRequest.text(places));
    }

    private void tryPolicy(List<Place> places) throws RunRequest.RefusedException {
        try {
            PolicyTrial.run(request.policy(), places, pager.watch(), log, group);
        } catch (PolicyException e) {
            throw RunRequest.RefusedException.usage(e.getMessage());
        } catch (PagerException e) {
            throw new RunRequest.RefusedException(1, e.getMessage());
        }
    }

    /** Until it is over. */
    void serve() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment ready = Linux.pollSet(arena, listener, keeper, process);
            boolean ended = false;
            for (int idle = 0; idle < LINGER_POLLS; ) {
                boolean silent = Linux.poll(ready, ended ? POLL_MILLIS : -1) == 0;
                if (Linux.isReady(ready, 0)) {
                    int fd = Linux.accept(listener);
                    if (fd >= 0) {
                        accept(fd);
                    }
                }
                if (Linux.isReady(ready, 1)) {
                    // It has been killed: the run goes on.
                    Linux.ignore(ready, 1);
                }
                if (Linux.isReady(ready, 2)) {
                    ended = true;
                    Linux.ignore(ready, 2);
                }
                idle = ended && silent && running.get() == 0 ? idle + 1 : 0;
            }
        }
        send(keeper, "over");
    }

    private void accept(int fd) {
        if (Linux.peerUid(fd) != Linux.uid()) {
            Posix.close(fd);
            return;
        }
        running.incrementAndGet();
        ThreadGroup own = new ThreadGroup(group, "session");
        Thread.ofPlatform().group(own).daemon().name("session").start(() -> {
            try {
                greet(fd, own);
            } finally {
                running.decrementAndGet();
            }
        });
    }

    private void greet(int fd, ThreadGroup own) {
        int[] fds = new int[2 + Wire.MOST_KEPT];
        Client.Hello hello;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment first = arena.allocate(2L * Wire.HELLO_BYTES, Long.BYTES);
            hello = Client.hello(first, Linux.receive(fd, first, fds), fds);
        }
        if (hello == null) {
            Posix.closeAll(fds);
            Posix.close(fd);
            return;
        }
        hello = hello.of(Linux.peerPid(fd));
        Client client = Client.of(fd, hello);
        if (client == null) {
            hello.close();
            Posix.close(fd);
            return;
        }
        Session session = new Session(hello, client, terms, own, pager.watch(), log, sessions::remove);
        sessions.add(session);
        session.run();
    }

    Stream<Session> sessions() {
        return sessions.stream();
    }

    void log(String line) {
        log.accept(line);
    }

    /**
     * Whoever of this run has called System.exit() goes on without its policies.
     *
     * @param exiting groups of threads that are in it
     * @return whether it was one of these
     */
    boolean blameForExit(List<ThreadGroup> exiting) {
        if (exiting.stream().noneMatch(group::parentOf)) {
            return false;
        }
        if (!started) {
            refuse(keeper, new RunRequest.RefusedException(1, "the pager has died before it could begin"));
            return true;
        }
        sessions.stream()
                .filter(s -> exiting.stream().anyMatch(s.threads()::parentOf))
                .forEach(Session::blameForExit);
        return true;
    }

    /** Whether threads of its policies are still there after a while. */
    boolean hasRunaways(long millis) {
        long end = System.nanoTime() + millis * 1_000_000;
        while (PolicyThread.hasThreads(group)) {
            if (System.nanoTime() - end > 0) {
                return true;
            }
            try {
                Thread.sleep(RUNAWAY_POLL_MILLIS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return false;
            }
        }
        return false;
    }

    @Override
    public void close() {
        try {
            Files.deleteIfExists(path);
        } catch (IOException e) {
            log("cannot delete path=" + path + ": " + e.getMessage());
        }
        Posix.close(listener);
        Posix.close(process);
        log.close();
    }
}
