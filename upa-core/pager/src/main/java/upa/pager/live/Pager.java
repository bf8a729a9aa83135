package upa.pager.live;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import upa.pager.host.PolicySpec;
import upa.pager.host.PolicyThread;
import upa.pager.host.PolicyWatch;
import upa.pager.place.Migration;
import upa.pager.place.PlaceWord;
import upa.pager.posix.Linux;
import upa.pager.posix.Posix;
import upa.pager.store.PageIo;
import upa.pager.store.StoreException;
import upa.pager.store.StoreSpec;
import upa.policy.Place;
import upa.policy.PolicyContext;
import upa.policy.PolicyException;
import upa.policy.PolicyStatistics;

/**
 * A pager: listens for processes of its user, and has a {@link Session} for each. It ends when the process for which it
 * was started has ended and no session is left.
 */
public final class Pager implements AutoCloseable {
    /** Least memory that a process may be held to. */
    public static final long LEAST_BOUND = 4 << 20;

    private static final int PAGE_SHIFT = 12;
    private static final int POLL_MILLIS = 200;
    private static final int LINGER_POLLS = 5;
    private static final int SAMPLE_MILLIS = 100;
    /** Most bytes of a command of {@code upa policy}. */
    static final int MOST_COMMAND_BYTES = 8192;

    private final int forPid;
    private final Path path;
    private final int listener;
    private final Session.Terms terms;
    private final Consumer<String> log;
    private final PolicyWatch watch = new PolicyWatch();
    private final ExecutorService writers = Executors.newSingleThreadExecutor(
            task -> Thread.ofPlatform().daemon().name("writer").unstarted(task));
    private final List<Session> sessions = new CopyOnWriteArrayList<>();
    /** Sessions, and those that are over but not yet done with what they leave in stores. */
    private final AtomicInteger running = new AtomicInteger();

    private Pager(int forPid, Path path, int listener, Session.Terms terms, Consumer<String> log) {
        this.forPid = forPid;
        this.path = path;
        this.listener = listener;
        this.terms = terms;
        this.log = log;
    }

    /**
     * Starts a pager, which does nothing until {@link #run}.
     *
     * @param forPid     process for which it is started: it ends after that one and all that are paged
     * @param policy     of each process, until another is set
     * @param boundBytes memory of each process, at least {@link #LEAST_BOUND}
     * @param stores     where pages go
     * @param log        takes lines for the user
     * @return the pager
     * @throws PolicyException if there is no such policy, or it cannot be had with these options
     * @throws PagerException if this machine or user cannot have one
     * @throws StoreException if a store cannot be had
     */
    public static Pager start(int forPid, PolicySpec policy, long boundBytes, StoreSpec stores, Consumer<String> log)
            throws PagerException, StoreException {
        if (boundBytes < LEAST_BOUND) {
            throw new PagerException(
                    "memory=" + boundBytes + " is too little, the least is " + (LEAST_BOUND >> 20) + "M");
        }
        String missing = Uffd.missing();
        if (missing != null) {
            throw new PagerException("no paging on this machine: " + missing);
        }
        Path path;
        try {
            path = PagerSocket.make(forPid);
            Files.deleteIfExists(path);
        } catch (IOException e) {
            throw new PagerException("no place for the pager's socket: " + e.getMessage());
        }
        if (!Linux.isSocketPath(path.toString())) {
            throw new PagerException("no place for the pager's socket: path=" + path + " is too long");
        }
        List<Place> places;
        try (StoreChain chain = StoreChain.open(stores)) {
            // Each process has stores of its own: here it is only seen whether there can be such ones.
            places = chain.places();
        }
        int listener = Linux.listen(path.toString());
        if (listener < 0) {
            throw new PagerException("cannot listen at path=" + path + ": errno=" + -listener);
        }
        try {
            Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rw-------"));
        } catch (IOException e) {
            Posix.close(listener);
            throw new PagerException("the pager's socket cannot be the user's alone: " + e.getMessage());
        }
        Session.Terms terms = new Session.Terms(policy, (int) (boundBytes >> PAGE_SHIFT), stores, places);
        Pager pager = new Pager(forPid, path, listener, terms, log);
        try {
            // Its name, options and constructor, before a program relies on it.
            new PolicyThread(
                            new LiveMechanism(
                                    new PageStates(PolicyContext.BLOCK_PAGES),
                                    places,
                                    new Counters(),
                                    PolicyContext.BLOCK_PAGES,
                                    () -> {}),
                            policy,
                            pager.watch,
                            log)
                    .close();
        } catch (PolicyException e) {
            pager.close();
            throw e;
        }
        return pager;
    }

    /** {@return where processes connect: the value of UPA_PAGER} */
    public Path path() {
        return path;
    }

    /**
     * Loads what a session will need, and ends: run when this is built, so that the virtual machine can keep it.
     *
     * @throws StoreException if a store cannot be had
     */
    public void warm() throws StoreException {
        try (StoreChain chain = StoreChain.open(terms.stores());
                Arena arena = Arena.ofConfined()) {
            PageIo io = new PageIo(arena, 1);
            MemorySegment page = arena.allocate(PageIo.PAGE_BYTES);
            for (int i = 0; i < PageIo.PAGE_BYTES; i += Integer.BYTES) {
                page.set(ValueLayout.JAVA_INT, i, i * i);
            }
            PageStates states = new PageStates(PolicyContext.BLOCK_PAGES);
            Migration migration =
                    chain.migration(states, Runnable::run, Runnable::run, (number, word) -> chain.free(word));
            migration.tier(PlaceWord.STAGING, new StagingArea(slot -> page));
            states.set(0, PlaceWord.of(PlaceWord.STAGING, 0, 0));
            migration
                    .move(new int[1], 1, PlaceWord.STAGING, chain.route(0), io, Migration.Told.NOBODY)
                    .join();
            chain.read(states.get(0), io).join();
            chain.free(states.get(0));
            states.set(0, PageStates.memory());
            LiveMechanism mechanism =
                    new LiveMechanism(states, terms.places(), new Counters(), PolicyContext.BLOCK_PAGES, () -> {});
            try (PolicyThread policies = new PolicyThread(mechanism, terms.policy(), watch, log)) {
                policies.tell(upa.policy.PageBatch.Cause.FIRST_TOUCH, new int[] {1}, 1);
                policies.want(1, false);
                policies.replace(PolicySpec.parse("s3-fifo+stride")).join();
            }
            answer("status");
        }
    }

    /** Serves until the process for which it was started has ended and no session is left. */
    public void run() {
        Thread unasked = new Thread(this::exits);
        Runtime.getRuntime().addShutdownHook(unasked);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment ready = Linux.pollSet(arena, listener);
            for (int idle = 0; idle < LINGER_POLLS; ) {
                if (Linux.poll(ready, POLL_MILLIS) > 0) {
                    int fd = Linux.accept(listener);
                    if (fd >= 0) {
                        accept(fd);
                    }
                }
                idle = running.get() == 0 && !Linux.exists(forPid) ? idle + 1 : 0;
            }
        }
        Runtime.getRuntime().removeShutdownHook(unasked);
    }

    /** Somebody ends this process: if it is a policy, the programs go on with another one. */
    private void exits() {
        if (sessions.stream().filter(Session::blameForExit).count() > 0) {
            Session.fail();
        }
    }

    private void accept(int fd) {
        if (Linux.peerUid(fd) != Linux.uid()) {
            Posix.close(fd);
            return;
        }
        // Who connects and says nothing keeps only its own thread waiting.
        Thread.ofPlatform().daemon().name("session").start(() -> greet(fd));
    }

    private void greet(int fd) {
        int[] fds = new int[2 + Wire.MOST_KEPT];
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment first = arena.allocate(MOST_COMMAND_BYTES, Long.BYTES);
            long n = Linux.receive(fd, first, fds);
            Client.Hello hello = Client.hello(first, n, fds);
            if (hello != null) {
                serve(fd, hello);
                return;
            }
            for (int other : fds) {
                if (other >= 0) {
                    Posix.close(other);
                }
            }
            if (n > 0) {
                byte[] command = first.asSlice(0, n).toArray(ValueLayout.JAVA_BYTE);
                byte[] answer =
                        answerAny(new String(command, StandardCharsets.UTF_8)).getBytes(StandardCharsets.UTF_8);
                Linux.send(fd, arena.allocateFrom(ValueLayout.JAVA_BYTE, answer));
            }
            Posix.close(fd);
        }
    }

    private void serve(int fd, Client.Hello hello) {
        Client client = Client.of(fd, hello);
        if (client == null) {
            hello.close();
            Posix.close(fd);
            return;
        }
        Session session = new Session(hello, client, terms, writers, watch, log, sessions::remove);
        sessions.add(session);
        running.incrementAndGet();
        try {
            session.run();
        } finally {
            running.decrementAndGet();
        }
    }

    // ---- upa policy ---------------------------------------------------------------------------------

    /** Whoever connects may say anything. */
    private String answerAny(String command) {
        try {
            return answer(command);
        } catch (NumberFormatException | IndexOutOfBoundsException | InvalidPathException e) {
            return "1\nnot a command of upa policy: " + e.getMessage();
        }
    }

    /** An answer begins with the exit status of the command. */
    private String answer(String command) {
        String[] words = command.split(" ", 3);
        switch (words[0]) {
            case "status" -> {
                StringBuilder text = new StringBuilder("0\n");
                sessions.stream()
                        .filter(s -> words.length == 1 || words[1].equals(Integer.toString(s.pid())))
                        .forEach(s -> text.append(PagerReport.status(s)));
                return text.toString();
            }
            case "stats" -> {
                return find(words).map(s -> "0\n" + PagerReport.statistics(s)).orElse("1\nno such process");
            }
            case "set" -> {
                return find(words)
                        .map(s -> set(s, words.length > 2 ? words[2] : ""))
                        .orElse("1\nno such process");
            }
            case "move" -> {
                return find(words)
                        .map(s -> move(s, words.length > 2 ? words[2] : ""))
                        .orElse("1\nno such process");
            }
            case "record" -> {
                return find(words)
                        .map(s -> record(s, words.length > 2 ? words[2] : ""))
                        .orElse("1\nno such process");
            }
            case "limit" -> {
                return find(words)
                        .map(s -> limit(s, words.length > 2 ? words[2] : ""))
                        .orElse("1\nno such process");
            }
            default -> {
                return "1\nunknown command";
            }
        }
    }

    private Optional<Session> find(String[] words) {
        return sessions.stream()
                .filter(s -> words.length > 1 && words[1].equals(Integer.toString(s.pid())))
                .findFirst();
    }

    private static String set(Session session, String text) {
        try {
            session.replace(PolicySpec.parse(text));
            return "0\n";
        } catch (PolicyException e) {
            return "1\n" + e.getMessage();
        }
    }

    private static String move(Session session, String stored) {
        String[] names = stored.split(" ", 2);
        try {
            return "0\n"
                    + session.move(names[0], names.length > 1 ? names[1] : "").join() + "\n";
        } catch (PagerException e) {
            return "1\n" + e.getMessage();
        } catch (CompletionException e) {
            return "1\n" + e.getCause().getMessage();
        }
    }

    /** {@code SECONDS FILE}: takes as long, or until the process ends. */
    private String record(Session session, String text) {
        String[] words = text.split(" ", 2);
        PolicyThread policies = session.process.policies();
        if (policies == null) {
            return "1\npid=" + session.pid() + " is far below its bound: there is nothing to record yet";
        }
        Path file = Path.of(words[1]);
        try (Recorder recorder = new Recorder(file, "pid=" + session.pid() + " name=" + session.name())) {
            if (!policies.observe(recorder)) {
                return "1\npid=" + session.pid() + " is being recorded already";
            }
            long end = System.nanoTime() + Integer.parseInt(words[0]) * 1_000_000_000L;
            while (System.nanoTime() - end < 0 && recorder.failure().isEmpty() && sessions.contains(session)) {
                PolicyStatistics now = policies.statistics();
                recorder.sample(
                        session.process.states.resident(),
                        session.process.states.outside(),
                        session.process.mechanism.boundPages(),
                        now.faults(),
                        now.evictions());
                Thread.sleep(SAMPLE_MILLIS);
            }
            policies.stopObserving();
            return recorder.failure().isEmpty()
                    ? "0\nrecorded events=" + recorder.events() + " in file=" + file + "\n"
                    : "1\ncannot write file=" + file + ": " + recorder.failure();
        } catch (IOException e) {
            return "1\ncannot write file=" + file + ": " + e.getMessage();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return "1\nthe pager ends";
        }
    }

    /** {@code memory=BYTES} and {@code rate=BYTES}, that of moves between its stores. All of it, or nothing. */
    private static String limit(Session session, String text) {
        long memory = -1;
        long rate = -1;
        for (String part : text.split(" ")) {
            long bytes = Long.parseLong(part.substring(part.indexOf('=') + 1));
            if (part.startsWith("memory=")) {
                memory = bytes;
            } else {
                rate = bytes;
            }
        }
        StoreChain stores = session.process.stores();
        if (rate >= 0 && stores == null) {
            return "1\npid=" + session.pid() + " is far below its bound, and has nothing in stores yet";
        }
        if (rate >= 0) {
            stores.rate().set(rate);
        }
        if (memory >= 0) {
            session.process.mechanism.limit((int) Math.min(memory >> PAGE_SHIFT, Integer.MAX_VALUE));
        }
        return "0\n";
    }

    @Override
    public void close() {
        Posix.close(listener);
        try {
            Files.deleteIfExists(path);
        } catch (IOException e) {
            log.accept("cannot delete path=" + path + ": " + e.getMessage());
        }
        writers.shutdown();
        watch.close();
    }
}
