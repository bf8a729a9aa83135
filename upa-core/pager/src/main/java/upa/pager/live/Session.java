package upa.pager.live;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.function.Consumer;
import upa.pager.host.PolicySpec;
import upa.pager.host.PolicyThread;
import upa.pager.host.PolicyWatch;
import upa.pager.place.PlaceWord;
import upa.pager.posix.Linux;
import upa.pager.posix.Posix;
import upa.pager.store.PageIo;
import upa.policy.PageBatch.Cause;
import upa.policy.PolicyException;

/**
 * One process that is paged. Its thread alone changes where a page is, and it never waits for a policy.
 *
 * <p>While an order to move pages is under way, nothing is read from the userfaultfd. So whatever the kernel tells of
 * unmapped, moved and dropped pages is known before such a page could be moved, or the kernel refuses to move it.
 */
final class Session implements Runnable {
    private static final int PAGE_BYTES = PageIo.PAGE_BYTES;
    private static final int PAGE_SHIFT = 12;
    private static final int IDLE_MILLIS = 100;
    private static final int PAGES_BETWEEN_EVENTS = 64;
    private static final long DEATH_NANOS = 2_000_000_000;
    private static final long RETRY_NANOS = 200_000_000;
    private static final int MOST_READS = 3;
    private static final int MOST_AHEAD = 64;
    /** Nothing is mapped there: the kernel maps nothing so low. */
    private static final long NOWHERE = 1 << 16;

    /** Told in the session's thread when it is over. */
    interface Ended {
        void ended(Session session);
    }

    private record Fault(int page, int thread, boolean write) {}

    /** A page that has moved out of the region and needs its content there. Its word is its own. */
    private record Departure(long address, long word, MemorySegment staged) {}

    private final Client.Hello hello;
    private final int pages;
    private final Client client;
    private final Uffd uffd;
    private final StoreChain stores;
    private final PolicySpec firstPolicy;
    private final PolicyWatch watch;
    private final Consumer<String> log;
    private final Ended ended;

    final PageStates states;
    final LiveMechanism mechanism;
    final Counters counters = new Counters();
    private final Evictor evictor;
    final Mover mover;
    private volatile PolicyThread policies;
    private volatile String problem = "";

    private final Arena arena = Arena.ofAuto();
    private final int wake = Linux.eventfd();
    private final MemorySegment one = arena.allocate(8, 8);
    private final MemorySegment zeros = arena.allocate((long) MOST_AHEAD * PAGE_BYTES, PAGE_BYTES);
    private final MemorySegment scratch = arena.allocate(PAGE_BYTES, PAGE_BYTES);
    private final MemorySegment ready;
    private final MemorySegment woken;
    private final Queue<Runnable> completions = new ConcurrentLinkedQueue<>();
    private final ArrayDeque<Fault> faults = new ArrayDeque<>();
    /** Addresses out of the region: what has moved there stays registered, and is not paged. */
    private final ArrayDeque<Long> outsideFaults = new ArrayDeque<>();

    private final List<Departure> departures = new ArrayList<>();
    private final ArrayDeque<PageIo> readers = new ArrayDeque<>();
    private boolean closed;
    private final int[] single = new int[1];
    private int freezes;
    private boolean active;
    private boolean told;
    /** An order that takes its time is under way; the userfaultfd is read meanwhile. */
    private boolean busy;

    private boolean over;
    private int nextTouch = -1;
    private int ahead = 1;

    Session(
            Client.Hello hello,
            Client client,
            StoreChain stores,
            ExecutorService writers,
            PolicySpec policy,
            PolicyWatch watch,
            int boundPages,
            Consumer<String> log,
            Ended ended) {
        this.hello = hello;
        this.client = client;
        this.stores = stores;
        this.firstPolicy = policy;
        this.watch = watch;
        this.ended = ended;
        this.log = line -> log.accept("pid=" + hello.pid() + " (" + hello.name() + "): " + line);
        pages = (int) (hello.bytes() >> PAGE_SHIFT);
        uffd = new Uffd(hello.uffd());
        states = new PageStates(pages);
        mechanism = new LiveMechanism(states, stores, counters, boundPages, this::wake);
        ready = Linux.pollSet(arena, uffd.fd(), wake, client.fd());
        woken = Linux.pollSet(arena, wake);
        evictor = new Evictor(this, client, stores, writers);
        mover = new Mover(stores, states, mechanism, this::later);
    }

    int pid() {
        return hello.pid();
    }

    String name() {
        return hello.name();
    }

    boolean isActive() {
        return policies != null;
    }

    String problem() {
        return problem;
    }

    PolicyThread policies() {
        return policies;
    }

    /** Has the session's thread look at what has been asked for, from any thread. */
    private synchronized void wake() {
        if (!closed) {
            one.set(ValueLayout.JAVA_LONG, 0, 1);
            Linux.write(wake, one);
        }
    }

    private long address(int page) {
        return hello.base() + ((long) page << PAGE_SHIFT);
    }

    @Override
    public void run() {
        try {
            client.send(Wire.WELCOME, 0, 0, (long) mechanism.boundPages() << PAGE_SHIFT);
            while (!over) {
                turn(mover.waitsForRate() ? 1 : IDLE_MILLIS);
            }
        } catch (Client.GoneException e) {
            end();
        } catch (Throwable t) {
            // Its pages are the process's: without them it must not go on.
            log.accept("the pager has failed, and holds pages=" + states.outside() + " of it: " + t);
            if (states.outside() > 0) {
                Linux.kill(hello.pid(), 9);
            }
        } finally {
            close();
        }
    }

    private void turn(int timeoutMillis) throws Client.GoneException {
        boolean idle = faults.isEmpty()
                && outsideFaults.isEmpty()
                && completions.isEmpty()
                && !client.hasWaiting()
                && !mechanism.hasFetches();
        Linux.poll(ready, idle ? timeoutMillis : 0);
        if (Linux.isReady(ready, 1)) {
            Linux.read(wake, scratch.asSlice(0, 8));
        }
        complete();
        events();
        serveFaults();
        for (Client.Message m = client.next(); m != null && !over; m = client.next()) {
            take(m);
        }
        if (mechanism.takeLimited()) {
            client.send(Wire.WELCOME, 0, 0, (long) mechanism.boundPages() << PAGE_SHIFT);
        }
        if (active && !over) {
            serveFetches();
            evictor.putBackRefused();
            evictor.balance();
            mover.step();
        }
    }

    private void complete() {
        for (Runnable r = completions.poll(); r != null; r = completions.poll()) {
            r.run();
        }
    }

    // ---- what the client says -----------------------------------------------------------------------

    private void take(Client.Message m) throws Client.GoneException {
        switch (m.kind()) {
            case Wire.DONE -> busy = false;
            case Wire.ACTIVATE -> activate();
            case Wire.FREEZE -> {
                freezes += m.count();
                bringAll();
                client.send(Wire.GRANTED, 0, m.ticket(), 0);
            }
            case Wire.THAW -> freezes = Math.max(0, freezes - m.count());
            case Wire.LEAVE -> {
                log.accept("does what does not go with paging: its memory has no bound any more");
                leave();
                client.send(Wire.LEFT, 0, 0, 0);
            }
            default -> log.accept("a message that makes no sense: kind=" + m.kind());
        }
    }

    private void leave() throws Client.GoneException {
        freezes++;
        bringAll();
        uffd.unregister(hello.base(), hello.bytes());
        over = true;
    }

    /** Registers the region, and finds what is in memory. From then on every change is seen. */
    private void activate() throws Client.GoneException {
        if (active) {
            return;
        }
        register(0, pages);
        PolicyThread started = new PolicyThread(mechanism, firstPolicy, watch, line -> {
            problem = line;
            log.accept(line);
        });
        policies = started;
        active = true;
    }

    /** What cannot be registered, since something else is mapped there, is not looked at either. */
    private void register(int first, int count) throws Client.GoneException {
        if (uffd.register(address(first), (long) count << PAGE_SHIFT) == 0) {
            scan(first, count);
        } else if (count > upa.policy.PolicyContext.BLOCK_PAGES) {
            int half = count / 2;
            register(first, half);
            register(first + half, count - half);
        }
    }

    private void scan(int first, int count) throws Client.GoneException {
        for (int at = first; at < first + count; at += Wire.SCAN_PAGES) {
            int n = Math.min(Wire.SCAN_PAGES, first + count - at);
            client.send(Wire.SCAN, n, 0, at);
            if (client.await() == 0) {
                for (int i = 0; i < n; i++) {
                    if (client.isPresent(i)) {
                        states.set(at + i, PageStates.memory());
                    }
                }
            } else if (n > 1) {
                scan(at, n / 2);
                scan(at + n / 2, n - n / 2);
            }
        }
    }

    // ---- what the kernel says -----------------------------------------------------------------------

    private void events() {
        readEvents();
        while (!departures.isEmpty()) {
            Departure d = departures.getFirst();
            int result = d.staged == null ? put(uffd, d.address, d.word) : Math.min(0, uffd.copy(d.address, d.staged));
            if (result == -Linux.EAGAIN) {
                readEvents();
                continue;
            }
            departures.removeFirst();
            stores.free(d.word);
        }
    }

    private void readEvents() {
        int n;
        while ((n = uffd.read()) > 0) {
            for (int i = 0; i < n; i++) {
                switch (uffd.event(i)) {
                    case Uffd.EVENT_FAULT -> fault(uffd.argument(i, 1), uffd.number(i), uffd.argument(i, 0));
                    case Uffd.EVENT_FORK -> forked(uffd.number(i));
                    case Uffd.EVENT_REMAP -> remapped(uffd.argument(i, 0), uffd.argument(i, 1), uffd.argument(i, 2));
                    case Uffd.EVENT_REMOVE -> drop(uffd.argument(i, 0), uffd.argument(i, 1), Cause.FREED);
                    case Uffd.EVENT_UNMAP -> drop(uffd.argument(i, 0), uffd.argument(i, 1), Cause.UNMAPPED);
                    default -> log.accept("an event that makes no sense: event=" + uffd.event(i));
                }
            }
        }
    }

    private void fault(long address, int thread, long flags) {
        long page = address - hello.base() >> PAGE_SHIFT;
        if (page < 0 || page >= pages) {
            outsideFaults.add(address & -PAGE_BYTES);
            return;
        }
        faults.add(new Fault((int) page, thread, (flags & 1) != 0));
    }

    /** The program's content is gone, and with it what a store has of it. */
    private void drop(long start, long end, Cause cause) {
        if (cause == Cause.FREED) {
            // Of unmapped addresses nothing is inferred: they may be another mapping's by now.
            departures.removeIf(d -> {
                boolean gone = d.address >= start && d.address < end;
                stores.free(gone ? d.word : 0);
                return gone;
            });
        }
        int first = Math.clamp(start - hello.base() >> PAGE_SHIFT, 0, pages);
        int last = Math.clamp(end - hello.base() + PAGE_BYTES - 1 >> PAGE_SHIFT, 0, pages);
        int[] gone = new int[512];
        int count = 0;
        for (int page = first; page < last; page++) {
            long was = states.get(page);
            if (was == 0) {
                continue;
            }
            states.set(page, 0);
            stores.free(was);
            gone[count++] = page;
            if (count == gone.length) {
                tell(cause, gone, count);
                count = 0;
            }
        }
        tell(cause, gone, count);
    }

    /** Pages have other addresses now: within the region their words go with them, outside their content has to. */
    private void remapped(long from, long to, long length) {
        // Those that were on their way to where this begins go on from there.
        departures.replaceAll(d -> d.address < from || d.address >= from + length
                ? d
                : new Departure(d.address - from + to, d.word, d.staged));
        int first = Math.clamp(from - hello.base() >> PAGE_SHIFT, 0, pages);
        int last = Math.clamp(from + length - hello.base() >> PAGE_SHIFT, 0, pages);
        for (int page = first; page < last; page++) {
            long word = states.set(page, 0);
            if (word != 0) {
                single[0] = page;
                tell(Cause.UNMAPPED, single, 1);
                // Of a store that is reading it, the result will be of no use.
                arrive(
                        word == PageStates.LOST ? word : PlaceWord.claimed(word, PlaceWord.FREE),
                        address(page) - from + to);
            }
        }
    }

    private void arrive(long word, long address) {
        long target = address - hello.base() >> PAGE_SHIFT;
        boolean staged = PlaceWord.place(word) == PlaceWord.STAGING;
        if (target >= 0 && target < pages) {
            stores.free(states.set((int) target, word));
            if (staged) {
                evictor.moved(PlaceWord.slot(word), (int) target);
            } else if (PlaceWord.place(word) == PlaceWord.MEMORY) {
                single[0] = (int) target;
                tell(Cause.FETCHED, single, 1);
            }
        } else if (PageStates.isOutside(word) || word == PageStates.LOST) {
            departures.add(new Departure(
                    address,
                    word,
                    !staged
                            ? null
                            : Arena.ofAuto()
                                    .allocate(PAGE_BYTES, PAGE_BYTES)
                                    .copyFrom(client.staged(PlaceWord.slot(word)))));
        }
    }

    /** A child without its own content would read zeros: it gets all that is outside of memory, and is then let go. */
    private void forked(int childFd) {
        try (Uffd child = new Uffd(childFd)) {
            new ChildFill(child, hello.base(), pages, states, word -> content(word) ? scratch : null).fill();
        }
    }

    // ---- pages come in ------------------------------------------------------------------------------

    /** The content of a page outside of memory, into the scratch page. Waits for the store. False: it is lost. */
    private boolean content(long word) {
        switch (PlaceWord.place(word)) {
            case PlaceWord.PATTERN -> {
                for (int at = 0; at < PAGE_BYTES; at += Integer.BYTES) {
                    scratch.set(ValueLayout.JAVA_INT, at, PlaceWord.pattern(word));
                }
                return true;
            }
            case PlaceWord.STAGING -> {
                scratch.copyFrom(client.staged(PlaceWord.slot(word)));
                return true;
            }
            default -> {
                return word != PageStates.LOST && read(word);
            }
        }
    }

    private boolean read(long word) {
        PageIo io = reader();
        try {
            int damaged = 0;
            while (true) {
                PageIo.Result result = stores.read(word, io).join().result(0);
                if (result == PageIo.Result.OK) {
                    scratch.copyFrom(io.page(0));
                    return true;
                }
                if (result != PageIo.Result.UNREACHABLE && ++damaged == MOST_READS) {
                    lost(word, result);
                    return false;
                }
                if (result == PageIo.Result.UNREACHABLE) {
                    complain("store=" + stores.name(word) + " does not answer: threads wait for pages there");
                }
                Thread.sleep(20);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        } finally {
            readers.add(io);
        }
    }

    private PageIo reader() {
        PageIo io = readers.poll();
        return io != null ? io : new PageIo(arena, 1);
    }

    private void lost(long word, PageIo.Result result) {
        counters.lost++;
        complain("store=" + stores.name(word) + " does not return what was written (" + result
                + "): who touches the page gets SIGBUS");
    }

    void complain(String line) {
        if (!line.equals(problem)) {
            problem = line;
            log.accept(line);
        }
    }

    /** Puts the content of a page outside of memory to an address; 0 or -errno. */
    private int put(Uffd at, long address, long word) {
        if (content(word)) {
            int n = at.copy(address, scratch);
            return n < 0 ? n : 0;
        }
        return at.poison(address);
    }

    private void serveFaults() throws Client.GoneException {
        int n = faults.size();
        for (int i = 0; i < n; i++) {
            Fault f = faults.poll();
            serve(f);
        }
        serveOutside();
    }

    /** All that has moved there has its content by now; if the kernel has news of a move, it refuses. */
    private void serveOutside() {
        int n = outsideFaults.size();
        for (int i = 0; i < n; i++) {
            long address = outsideFaults.poll();
            int result = uffd.copy(address, zeros.asSlice(0, PAGE_BYTES));
            if (result == -Linux.EAGAIN) {
                outsideFaults.add(address);
            } else if (result < 0) {
                uffd.wake(address);
            }
        }
    }

    private void again(int page) {
        faults.add(new Fault(page, 0, false));
    }

    private void serve(Fault f) throws Client.GoneException {
        evictor.makeRoom();
        long word = states.get(f.page());
        if (word == PageStates.LOST) {
            poison(f.page());
        } else if (!PageStates.isOutside(word)) {
            touch(f.page());
        } else if (StoreChain.isStored(word)) {
            if (PlaceWord.claim(word) != PlaceWord.WANTED) {
                counters.fault(f.page(), mechanism.boundPages());
                tellFault(f);
                fetch(f.page(), word, Cause.FETCHED, 0);
            }
        } else {
            boolean staged = PlaceWord.place(word) == PlaceWord.STAGING;
            content(word);
            if (enter(f.page(), word, scratch, staged ? Cause.RESCUED : Cause.FETCHED)) {
                if (staged) {
                    counters.rescues++;
                } else {
                    counters.fault(f.page(), mechanism.boundPages());
                    tellFault(f);
                }
            }
        }
    }

    /** A page without content reads zero; if the program goes from page to page, so do the next ones. */
    private void touch(int page) {
        int n = 1;
        if (page == nextTouch) {
            ahead = Math.min(2 * ahead, MOST_AHEAD);
            int room = mechanism.boundPages() - states.resident();
            while (n < ahead && n < room && page + n < pages && states.get(page + n) == 0) {
                n++;
            }
        } else {
            ahead = 1;
        }
        int result = uffd.copy(address(page), zeros.asSlice(0, (long) n << PAGE_SHIFT), (long) n << PAGE_SHIFT);
        if (result == -Linux.EAGAIN) {
            again(page);
            return;
        }
        if (result < 0) {
            // There already: another thread's fault came first. Or not mapped any more.
            uffd.wake(address(page));
            return;
        }
        int made = result >> PAGE_SHIFT;
        nextTouch = page + made;
        int[] touched = new int[made];
        for (int i = 0; i < made; i++) {
            touched[i] = page + i;
            states.set(page + i, PageStates.memory());
        }
        counters.firstTouches += made;
        tell(Cause.FIRST_TOUCH, touched, made);
    }

    private void fetch(int page, long found, Cause cause, int damaged) {
        PageIo io = reader();
        // Who moves it to another store loses his claim.
        long word = PlaceWord.claimed(found, PlaceWord.FREE);
        long claimed = PlaceWord.claimed(word, PlaceWord.WANTED);
        states.set(page, claimed);
        var read = stores.read(word, io);
        if (read.isDone()) {
            fetched(page, word, io, cause, damaged);
        } else {
            read.whenComplete((done, failure) -> {
                later(() -> fetched(page, word, io, cause, damaged));
            });
        }
    }

    private void fetched(int page, long word, PageIo io, Cause cause, int damaged) {
        boolean mine = states.get(page) == PlaceWord.claimed(word, PlaceWord.WANTED);
        PageIo.Result result = io.result(0);
        if (!mine) {
            // Dropped or moved meanwhile; somebody may wait for it all the same.
            again(page);
        } else if (result == PageIo.Result.OK) {
            states.set(page, word);
            enter(page, word, io.page(0), cause);
        } else if (result == PageIo.Result.UNREACHABLE) {
            states.set(page, word);
            complain("store=" + stores.name(word) + " does not answer: threads wait for pages there");
            retryLater(page);
        } else if (damaged + 1 < MOST_READS) {
            readers.add(io);
            fetch(page, word, cause, damaged + 1);
            return;
        } else {
            states.set(page, PageStates.LOST);
            lost(word, result);
            stores.free(word);
            poison(page);
        }
        readers.add(io);
    }

    private void poison(int page) {
        int result = uffd.poison(address(page));
        if (result == -Linux.EAGAIN) {
            again(page);
        } else if (result < 0) {
            uffd.wake(address(page));
        }
    }

    private void retryLater(int page) {
        Thread.ofVirtual().start(() -> {
            try {
                Thread.sleep(RETRY_NANOS / 1_000_000);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            later(() -> again(page));
        });
    }

    /** Makes a page resident. False if it has to be tried again. */
    private boolean enter(int page, long word, MemorySegment content, Cause cause) {
        int result = uffd.copy(address(page), content);
        if (result == -Linux.EAGAIN) {
            again(page);
            return false;
        }
        if (result == -Linux.EEXIST) {
            // Cannot be, but for a mapping of which the kernel has said nothing: what is there is what counts.
            complain("page=" + page + " is in memory and in a store: memory counts");
            states.set(page, 0);
            stores.free(word);
        }
        if (result < 0) {
            uffd.wake(address(page));
            return false;
        }
        states.set(page, PageStates.memory());
        stores.free(word);
        single[0] = page;
        tell(cause, single, 1);
        return true;
    }

    private void serveFetches() {
        for (int page = mechanism.nextFetch(); page >= 0; page = mechanism.nextFetch()) {
            long word = states.get(page);
            if (states.resident() >= mechanism.boundPages() || freezes > 0) {
                continue;
            }
            if (StoreChain.isStored(word) && PlaceWord.claim(word) == PlaceWord.FREE) {
                counters.prefetches++;
                fetch(page, word, Cause.PREFETCHED, 0);
            } else if (PlaceWord.place(word) == PlaceWord.PATTERN) {
                counters.prefetches++;
                content(word);
                enter(page, word, scratch, Cause.PREFETCHED);
            }
        }
    }

    /** Brings all in. Faults and events are served meanwhile; nothing leaves, since it is frozen. */
    private void bringAll() throws Client.GoneException {
        while (states.outside() > 0) {
            int page = 0;
            int sinceEvents = 0;
            while ((page = states.nextOutside(page)) >= 0) {
                long word = states.get(page);
                if (PlaceWord.claim(word) != PlaceWord.WANTED) {
                    if (content(word)) {
                        enter(page, word, scratch, Cause.FETCHED);
                    } else {
                        states.set(page, PageStates.LOST);
                        stores.free(word);
                        poison(page);
                    }
                }
                page++;
                if (++sinceEvents == PAGES_BETWEEN_EVENTS) {
                    sinceEvents = 0;
                    events();
                    complete();
                }
            }
            events();
            complete();
            serveFaults();
            if (states.outside() > 0) {
                Linux.poll(woken, 1);
            }
        }
        tellEvicted(false);
    }

    void tellEvicted(boolean now) throws Client.GoneException {
        if (told != now) {
            told = now;
            client.send(Wire.EVICTED, 0, 0, now ? 1 : 0);
        }
    }

    // ---- for the evictor ----------------------------------------------------------------------------

    boolean mayOrder() {
        return active && freezes == 0 && !busy;
    }

    /** An order during which faults are served, since it may wait for one itself. */
    void orderSlowly(int kind, int count) throws Client.GoneException {
        busy = true;
        client.send(kind, count, 0, 0);
    }

    void awaitStores(int millis) {
        Linux.poll(woken, millis);
        complete();
    }

    /** Has the session's thread do something, from any thread. */
    void later(Runnable completion) {
        completions.add(completion);
        wake();
    }

    int putBack(int page, MemorySegment content) {
        return uffd.copy(address(page), content);
    }

    // ---- the rest -----------------------------------------------------------------------------------

    void tell(Cause cause, int[] list, int count) {
        if (policies != null && count > 0) {
            policies.tell(cause, list, count);
        }
    }

    private void tellFault(Fault f) {
        if (policies != null) {
            policies.fault(f.page(), f.thread(), f.write());
        }
    }

    /** The socket is closed: the process has ended or is another program now; if not, it must get all that it has. */
    private void end() {
        long deadline = System.nanoTime() + DEATH_NANOS;
        try {
            while (!isDead()) {
                if (System.nanoTime() - deadline > 0) {
                    log.accept("its client is gone: its memory has no bound any more");
                    told = false;
                    freezes++;
                    while (states.outside() > 0 && !isDead()) {
                        bringAll();
                    }
                    uffd.unregister(hello.base(), hello.bytes());
                    return;
                }
                events();
                complete();
                serveFaults();
                Thread.sleep(1);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (Client.GoneException e) {
            // Nobody is left to be told.
            return;
        }
    }

    /** A page to an address where it cannot go: the kernel first looks whether there is a process. */
    private boolean isDead() {
        return uffd.copy(NOWHERE, zeros.asSlice(0, PAGE_BYTES)) == -Linux.ESRCH;
    }

    private void close() {
        if (policies != null) {
            policies.close();
        }
        ended.ended(this);
        // They read the staging area.
        while (evictor.isWriting() || mover.isMoving()) {
            Linux.poll(woken, IDLE_MILLIS);
            Linux.read(wake, scratch.asSlice(0, Long.BYTES));
            complete();
        }
        for (int page = states.nextOutside(0); page >= 0; page = states.nextOutside(page + 1)) {
            stores.free(states.get(page));
        }
        states.clear();
        uffd.close();
        client.close();
        synchronized (this) {
            closed = true;
            Posix.close(wake);
            mover.end();
        }
    }

    /**
     * Moves all pages in one store to another, from any thread.
     *
     * @return what came of it, in a line; or fails with a {@link PagerException}
     */
    java.util.concurrent.CompletableFuture<String> move(int from, int to) {
        var done = mover.request(from, to);
        wake();
        synchronized (this) {
            if (closed) {
                mover.end();
            }
        }
        return done;
    }

    /**
     * Chooses other policies, from any thread.
     *
     * @throws PolicyException if they cannot be had; the old ones stay
     */
    void replace(PolicySpec spec) {
        PolicyThread now = policies;
        if (now == null) {
            throw new PolicyException("pid=" + pid() + " is far below its bound, and has no policy yet");
        }
        try {
            now.replace(spec).join();
        } catch (java.util.concurrent.CompletionException e) {
            if (e.getCause() instanceof PolicyException p) {
                throw p;
            }
            throw e;
        }
    }
}
