package upa.pager.live;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import upa.pager.host.PolicyWatch;
import upa.pager.host.Thrown;
import upa.pager.posix.Linux;
import upa.pager.posix.Posix;

/**
 * The pager of a user: has a {@link PagerRun} for each {@code upa run --policy}, and a {@link Session} for each process
 * of those. It ends some seconds after the last run.
 *
 * <p>It listens at one socket. Who comes there is a run, which stays connected until it is over, or wants an answer to
 * a command of {@code upa policy}, or owns a region of the device ({@link RegionRun}). A run that comes as the pager is
 * about to end loses its connection: then it starts another.
 */
public final class Pager implements AutoCloseable {
    /** Least memory that a process may be held to. */
    public static final long LEAST_BOUND = 4 << 20;
    /** How long a pager without runs waits for another. */
    static final long LINGER_MILLIS = 5000;

    private static final int POLL_MILLIS = 250;
    /** Most bytes of a command of {@code upa policy}. */
    static final int MOST_COMMAND_BYTES = 8192;
    /** Most bytes of what a run says of itself. */
    static final int MOST_REQUEST_BYTES = 1 << 16;

    private static final int MOST_ANSWER_BYTES = 1 << 15;
    private static final long RUNAWAY_MILLIS = 3000;
    private static final int RESERVE_BYTES = 1 << 18;

    private final Path control;
    private final long lingerMillis;
    private final int listener;
    private final UnaryOperator<String> oneLine;
    private final PolicyWatch watch = new PolicyWatch(this::outOfMemory);
    private final List<PagerRun> runs = new CopyOnWriteArrayList<>();
    private final List<RegionRun> regions = new CopyOnWriteArrayList<>();
    private final PagerAnswers answers = new PagerAnswers(this);
    /** Runs, and those that are about to be. */
    private final AtomicInteger open = new AtomicInteger();
    /** The users of all runs hear of regions, or who has started this. */
    private Consumer<String> regionLog = this::log;
    /** Memory for the last words. */
    private byte[] reserve = new byte[RESERVE_BYTES];
    /** When there was one last. */
    private volatile long lastNanos = System.nanoTime();

    /**
     * A pager, which does nothing until {@link #run}.
     *
     * @param control  path of a socket of this user alone
     * @param listener its descriptor, which listens; the pager's from now on
     * @param oneLine  makes one line of text for a terminal
     */
    public Pager(Path control, int listener, UnaryOperator<String> oneLine) {
        this(control, listener, oneLine, LINGER_MILLIS);
    }

    /** For tests: one that is in a hurry. */
    Pager(Path control, int listener, UnaryOperator<String> oneLine, long lingerMillis) {
        this.control = control;
        this.lingerMillis = lingerMillis;
        this.listener = listener;
        this.oneLine = oneLine;
    }

    /**
     * A pager of regions of the device, at the socket where {@code upa_region_admit()} looks for one.
     *
     * @param oneLine makes one line of text for a terminal
     * @param log     takes lines for the user
     * @return one that serves until it is ended
     * @throws PagerException if there is one already, or the socket cannot be had
     */
    public static Pager ofRegions(UnaryOperator<String> oneLine, Consumer<String> log) throws PagerException {
        Path control = PagerSocket.ofRegions();
        Pager pager = new Pager(control, PagerSocket.listen(control), oneLine, Long.MAX_VALUE / 1_000_000);
        pager.regionLog(line -> log.accept(oneLine.apply("upa: " + line)));
        return pager;
    }

    /** {@return path of the socket at which it listens} */
    Path control() {
        return control;
    }

    /** {@return notices policies that do not return} */
    PolicyWatch watch() {
        return watch;
    }

    /** {@return makes one line of text} */
    UnaryOperator<String> oneLine() {
        return oneLine;
    }

    /** {@return those of all runs} */
    Stream<Session> sessions() {
        return runs.stream().flatMap(PagerRun::sessions);
    }

    /** {@return those of the device that it pages, now} */
    Collection<RegionRun> regions() {
        return regions;
    }

    /** Owners of regions have no standard error here: who is told what becomes of them. */
    void regionLog(Consumer<String> log) {
        regionLog = log;
    }

    /** Says something to the users of all runs. */
    public void log(String line) {
        runs.forEach(run -> run.log(line));
    }

    /** Serves until there has been no run for some seconds. */
    public void run() {
        Thread unasked = new Thread(this::exits);
        Runtime.getRuntime().addShutdownHook(unasked);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment ready = Linux.pollSet(arena, listener);
            while (open.get() > 0 || System.nanoTime() - lastNanos < lingerMillis * 1_000_000) {
                if (Linux.poll(ready, (int) Math.min(POLL_MILLIS, lingerMillis)) > 0) {
                    int fd = Linux.accept(listener);
                    if (fd >= 0) {
                        accept(fd);
                    }
                }
            }
        }
        Runtime.getRuntime().removeShutdownHook(unasked);
    }

    private void accept(int fd) {
        // Who connects and says nothing keeps only its own thread waiting.
        Thread.ofPlatform().daemon().name("run").start(() -> {
            boolean given = false;
            try {
                given = Peer.mayAsk(fd) && greet(fd);
            } finally {
                if (!given) {
                    Posix.close(fd);
                }
            }
        });
    }

    /** Whether the descriptor is another's now. */
    private boolean greet(int fd) {
        int[] fds = new int[PagerRun.DESCRIPTORS];
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment first = arena.allocate(MOST_REQUEST_BYTES, Long.BYTES);
            long n = Linux.receive(fd, first, fds);
            if (n <= 0) {
                Posix.closeAll(fds);
                return false;
            }
            String text = new String(first.asSlice(0, n).toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8);
            boolean isRegion = text.startsWith(RegionRequest.FIRST);
            if (isRegion || text.startsWith(RunRequest.FIRST)) {
                open.incrementAndGet();
                try {
                    if (isRegion) {
                        Posix.closeAll(fds);
                        RegionRun.serve(fd, text, regionLog, regions);
                    } else {
                        register(fd, text, fds);
                    }
                } finally {
                    lastNanos = System.nanoTime();
                    open.decrementAndGet();
                }
                return isRegion;
            }
            Posix.closeAll(fds);
            byte[] answer = answers.answer(text).getBytes(StandardCharsets.UTF_8);
            for (int i = 0; i < answer.length; i += MOST_ANSWER_BYTES) {
                byte[] part = Arrays.copyOfRange(answer, i, Math.min(answer.length, i + MOST_ANSWER_BYTES));
                Linux.send(fd, arena.allocateFrom(ValueLayout.JAVA_BYTE, part));
            }
            return false;
        }
    }

    /** Serves a run until it is over. */
    private void register(int fd, String text, int[] fds) {
        Optional<PagerRun> made = PagerRun.of(this, fd, text, fds);
        if (made.isEmpty()) {
            Posix.closeAll(fds);
            return;
        }
        PagerRun run = made.get();
        runs.add(run);
        try {
            if (run.start()) {
                run.serve();
            }
        } finally {
            run.close();
            runs.remove(run);
        }
        if (run.hasRunaways(RUNAWAY_MILLIS)) {
            // A thread that does not end can only end with this process: the others go on with the next pager.
            Session.fail();
        }
    }

    /** Somebody ends this process: if it is a policy, the programs go on with another one. From a shutdown hook. */
    private void exits() {
        List<Thread> exiting = Thread.getAllStackTraces().entrySet().stream()
                .filter(t -> isIn(t.getValue(), "java.lang.Shutdown"))
                .map(Map.Entry::getKey)
                .toList();
        List<ThreadGroup> groups = exiting.stream()
                .map(Thread::getThreadGroup)
                .filter(g -> g != null)
                .toList();
        boolean blamed = false;
        for (PagerRun run : runs) {
            blamed |= run.blameForExit(groups);
        }
        if (!blamed && exiting.stream().noneMatch(t -> isIn(t.getStackTrace(), "java.lang.Terminator"))) {
            // A thread that none of them has started, as those of a pool that all share.
            blamed = sessions().filter(Session::blameForExit).count() > 0;
        }
        if (blamed) {
            Session.fail();
        }
    }

    /**
     * A thread has ended that should not.
     *
     * @param thread which one
     * @param why    what it has thrown
     */
    public void failed(Thread thread, Throwable why) {
        watch.failed(why);
        log("the pager's thread=" + thread.getName() + " has failed: " + Thrown.text(why));
    }

    /** Nobody knows what the heap holds, and whether it will go: the next pager begins with an empty one. */
    private void outOfMemory() {
        reserve = null;
        try {
            String most = watch.fullestFromJars();
            sessions().forEach(s -> s.blameForMemory(most));
        } finally {
            Session.fail();
        }
    }

    private static boolean isIn(StackTraceElement[] trace, String type) {
        return Arrays.stream(trace).anyMatch(f -> f.getClassName().startsWith(type));
    }

    /** The socket goes first: who finds none starts another pager, and who has come loses its connection. */
    @Override
    public void close() {
        try {
            Files.deleteIfExists(control);
        } catch (IOException e) {
            // Who finds it there and nobody behind it takes its place.
            log("cannot delete path=" + control + ": " + e.getMessage());
        }
        Posix.close(listener);
        watch.close();
    }
}
