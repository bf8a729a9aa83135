package upa.pager.live;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.Arrays;
import upa.pager.host.PolicyThread;
import upa.pager.place.Migration;
import upa.pager.place.PlaceWord;
import upa.pager.posix.Linux;
import upa.pager.store.PageIo;
import upa.policy.PageBatch.Cause;

/**
 * How the pages of one session come into memory. Belongs to the session's thread.
 *
 * <p>A page is put to its address before its word says so, and its slot is free only after that: if the pager is killed
 * in between, the page is in memory and in a store, and memory counts.
 */
final class FaultServer {
    private static final int PAGE_BYTES = PageIo.PAGE_BYTES;
    private static final int PAGE_SHIFT = 12;
    private static final long RETRY_NANOS = 200_000_000;
    private static final int MOST_READS = 3;
    private static final int MOST_AHEAD = 64;
    /** Pages that are read at a time when all are brought in. */
    private static final int MOST_READ_AHEAD = 64;

    /** Of pages that nobody waits for. */
    private static final int MOST_BATCHES = 4;

    private record Fault(int page, int thread, boolean write, boolean isProtected) {}

    private final PagedProcess process;
    private final Evictor evictor;
    private final PageStates states;
    private final LiveMechanism mechanism;
    private final Counters counters;
    private final Uffd uffd;
    private final MemorySegment scratch;
    private final MemorySegment zeros;
    private final ArrayDeque<Fault> faults = new ArrayDeque<>();
    /** Addresses out of the region: what has moved there stays registered, and is not paged. */
    private final ArrayDeque<Long> outsideFaults = new ArrayDeque<>();

    private final ArrayDeque<PageIo> readers = new ArrayDeque<>();
    private final int[] single = new int[1];
    private int underWay;
    private final ArrayDeque<PageIo> batches = new ArrayDeque<>();
    private int batchesUnderWay;
    private boolean retries;
    private int nextTouch = -1;
    private int ahead = 1;

    FaultServer(PagedProcess process, Evictor evictor) {
        this.process = process;
        this.evictor = evictor;
        states = process.states;
        mechanism = process.mechanism;
        counters = process.counters;
        uffd = process.uffd;
        scratch = process.scratch;
        zeros = process.arena.allocate((long) MOST_AHEAD * PAGE_BYTES, PAGE_BYTES);
    }

    boolean isIdle() {
        return faults.isEmpty() && outsideFaults.isEmpty();
    }

    /** Notes a fault that the kernel tells of. */
    void fault(long address, int thread, boolean write, boolean isProtected) {
        int page = process.page(address);
        if (page < 0) {
            outsideFaults.add(address & -PAGE_BYTES);
        } else {
            faults.add(new Fault(page, thread, write, isProtected));
        }
    }

    // ---- content ------------------------------------------------------------------------------------

    /** The content of a page outside of memory, into the scratch page. Waits for the store. False: it is lost. */
    boolean content(long word) {
        switch (PlaceWord.place(word)) {
            case PlaceWord.PATTERN -> {
                for (int at = 0; at < PAGE_BYTES; at += Integer.BYTES) {
                    scratch.set(ValueLayout.JAVA_INT, at, PlaceWord.pattern(word));
                }
                return true;
            }
            case PlaceWord.STAGING -> {
                scratch.copyFrom(process.client.staged(PlaceWord.slot(word)));
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
                PageIo.Result result = process.stores().read(word, io).join().result(0);
                if (result == PageIo.Result.OK) {
                    scratch.copyFrom(io.page(0));
                    return true;
                }
                if (result != PageIo.Result.UNREACHABLE && ++damaged == MOST_READS) {
                    lost(word, result);
                    return false;
                }
                if (result == PageIo.Result.UNREACHABLE) {
                    doesNotAnswer(word);
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
        return io != null ? io : new PageIo(process.arena, 1);
    }

    private void doesNotAnswer(long word) {
        process.complain("store=" + process.stores().name(word) + " does not answer: threads wait for pages there");
    }

    private void lost(long word, PageIo.Result result) {
        counters.lost++;
        process.complain("store=" + process.stores().name(word) + " does not return what was written (" + result
                + "): who touches the page gets SIGBUS");
    }

    /** Puts the content of a page outside of memory to an address; 0 or -errno. */
    int put(Uffd at, long address, long word) {
        if (content(word)) {
            int n = at.copy(address, scratch);
            return n < 0 ? n : 0;
        }
        return at.poison(address);
    }

    // ---- faults -------------------------------------------------------------------------------------

    void serve() throws Client.GoneException {
        int n = faults.size();
        for (int i = 0; i < n; i++) {
            serve(faults.poll());
        }
        serveOutside();
    }

    /** All that has moved there has its content by now; if the kernel has news of a move, it refuses. */
    private void serveOutside() {
        int n = outsideFaults.size();
        for (int i = 0; i < n; i++) {
            long address = outsideFaults.poll();
            int result = uffd.copy(address, zeros.asSlice(0, PAGE_BYTES));
            // It may have come with a copy.
            result = result == -Linux.EEXIST ? uffd.unprotect(address, PAGE_BYTES) : result;
            if (result == -Linux.EAGAIN) {
                outsideFaults.add(address);
            } else if (result < 0) {
                uffd.wake(address);
            }
        }
    }

    private void again(int page) {
        retries = true;
        faults.add(new Fault(page, 0, false, false));
    }

    /** Whether the kernel has refused a page: a thread that has dropped memory must run before it does not. */
    boolean takeRetries() {
        boolean was = retries;
        retries = false;
        return was;
    }

    private void serve(Fault f) throws Client.GoneException {
        if (f.isProtected() && write(f)) {
            return;
        }
        evictor.makeRoom();
        long word = states.get(f.page());
        if (word == PageStates.LOST) {
            poison(f.page());
        } else if (!PageStates.isOutside(word)) {
            touch(f.page());
        } else if (PlaceWord.claim(word) != PlaceWord.WANTED) {
            if (PlaceWord.place(word) != PlaceWord.STAGING) {
                count(f);
            }
            // Of one that is about to be written to, a copy would be of no use.
            fetch(f.page(), Cause.FETCHED, !f.write() && f.thread() != 0 && process.copies.keeps(word), 0);
        }
    }

    /** A protected page is about to be written to. False if it is not in memory by now. */
    private boolean write(Fault f) {
        boolean hadCopy = PlaceWord.isClean(states.get(f.page()));
        boolean wasChosen = states.isChosen(f.page());
        // First the word, then the thread: who is killed in between leaves a page that is protected for nothing.
        if (!process.migration().written(f.page())) {
            return false;
        }
        if (hadCopy) {
            process.copies.overwritten();
            single[0] = f.page();
            process.tell(wasChosen ? Cause.RESCUED : Cause.WRITTEN, single, 1);
        }
        int result = uffd.unprotect(process.address(f.page()), PAGE_BYTES);
        if (result == -Linux.EAGAIN) {
            retries = true;
            faults.add(f);
        } else if (result < 0) {
            uffd.wake(process.address(f.page()));
        }
        return true;
    }

    /** One that is tried again is no other fault. */
    private void count(Fault f) {
        if (f.thread() == 0) {
            return;
        }
        int distance = counters.fault(f.page(), mechanism.boundPages());
        PolicyThread policies = process.policies();
        if (policies != null) {
            policies.fault(f.page(), f.thread(), f.write(), distance);
        }
    }

    /** A page without content reads zero; if the program goes from page to page, so do the next ones. */
    private void touch(int page) {
        int n = 1;
        if (page == nextTouch) {
            ahead = Math.min(2 * ahead, MOST_AHEAD);
            int room = mechanism.boundPages() - states.resident();
            while (n < ahead && n < room && page + n < process.pages && states.get(page + n) == 0) {
                n++;
            }
        } else {
            ahead = 1;
        }
        int result = uffd.copy(process.address(page), zeros.asSlice(0, (long) n << PAGE_SHIFT), (long) n << PAGE_SHIFT);
        if (result == -Linux.EAGAIN) {
            again(page);
            return;
        }
        if (result < 0) {
            // There already: another thread's fault came first. Or not mapped any more.
            uffd.wake(process.address(page));
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
        process.tell(Cause.FIRST_TOUCH, touched, made);
    }

    /** Brings in a page that nobody reads yet; who moves it to another store loses his claim. */
    private void fetch(int page, Cause cause, boolean keeps, int damaged) {
        PageIo io = reader();
        underWay++;
        Arrival arrival = new Arrival(states.get(page), cause, keeps, damaged);
        process.migration().fetch(page, keeps, io, arrival).whenComplete((moved, failure) -> {
            readers.add(io);
            underWay--;
        });
    }

    /** What becomes of a page that is to come into memory. */
    private final class Arrival implements Migration.Told {
        private final long word;
        private final Cause cause;
        private final boolean keeps;
        private final int damaged;

        Arrival(long word, Cause cause, boolean keeps, int damaged) {
            this.word = word;
            this.cause = cause;
            this.keeps = keeps;
            this.damaged = damaged;
        }

        @Override
        public void moved(int page, long now) {
            boolean staged = PlaceWord.place(word) == PlaceWord.STAGING;
            if (staged) {
                counters.rescues++;
            }
            single[0] = page;
            process.tell(staged ? Cause.RESCUED : cause, single, 1);
        }

        @Override
        public void stays(int page, Migration.Stay why, PageIo.Result result) {
            switch (why) {
                // Dropped or moved meanwhile; somebody may wait for it all the same.
                case TAKEN, STALE -> again(page);
                case REFUSED -> refused(page);
                case FAILED -> failed(page, result);
                default -> throw new IllegalStateException("why=" + why);
            }
        }

        private void refused(int page) {
            int error = process.memory.error(page);
            if (error == -Linux.EAGAIN) {
                again(page);
                return;
            }
            if (error == -Linux.EEXIST) {
                // Of a mapping of which the kernel has said nothing, or in swap when the pager before was killed: what
                // is there is what counts.
                process.complain("page=" + page + " is in memory and in a store: memory counts");
                process.release(page, states.set(page, 0));
            }
            uffd.wake(process.address(page));
        }

        private void failed(int page, PageIo.Result result) {
            if (result == PageIo.Result.UNREACHABLE) {
                doesNotAnswer(word);
                retryLater(page);
            } else if (damaged + 1 < MOST_READS) {
                fetch(page, cause, keeps, damaged + 1);
            } else {
                process.release(page, states.set(page, PageStates.LOST));
                lost(word, result);
                poison(page);
            }
        }
    }

    private void poison(int page) {
        int result = uffd.poison(process.address(page));
        if (result == -Linux.EAGAIN) {
            again(page);
        } else if (result < 0) {
            uffd.wake(process.address(page));
        }
    }

    private void retryLater(int page) {
        Thread.ofVirtual().start(() -> {
            try {
                Thread.sleep(RETRY_NANOS / 1_000_000);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            process.later(() -> again(page));
        });
    }

    // ---- without a fault ----------------------------------------------------------------------------

    /** Whether a policy wants something of which the reading can begin now. */
    boolean mayPrefetch() {
        return mechanism.hasFetches() && batchesUnderWay < MOST_BATCHES;
    }

    /** Brings in what policies ask for, while there is room: pages of one place at once. */
    void prefetch() {
        int[] pages = new int[MOST_AHEAD];
        int place = PlaceWord.NONE;
        int count = 0;
        int[] near = new int[process.far() == null ? 0 : MOST_AHEAD];
        int nearCount = 0;
        while (mayPrefetch()) {
            int page = mechanism.nextFetch();
            long word = page < 0 ? 0 : states.get(page);
            if (page >= 0 && nearCount < near.length && states.isAside(page)) {
                near[nearCount++] = page;
            }
            if (!PageStates.isOutside(word)
                    || PlaceWord.place(word) == PlaceWord.STAGING
                    || PlaceWord.claim(word) != PlaceWord.FREE
                    || states.resident() + count >= mechanism.boundPages()) {
                continue;
            }
            if (count == pages.length || count > 0 && PlaceWord.place(word) != place) {
                prefetch(pages, count, place);
                count = 0;
            }
            place = PlaceWord.place(word);
            pages[count++] = page;
        }
        if (count > 0) {
            prefetch(pages, count, place);
        }
        bringNear(near, nearCount);
    }

    private void bringNear(int[] pages, int count) {
        int most = Math.min(count, mechanism.boundPages() - states.resident());
        if (most > 0) {
            Arrays.sort(pages, 0, most);
            counters.prefetches += process.far().bringNear(pages, most);
        }
    }

    private void prefetch(int[] pages, int count, int place) {
        Arrays.sort(pages, 0, count);
        counters.prefetches += count;
        batchesUnderWay++;
        PageIo free = batches.poll();
        PageIo io = free != null ? free : new PageIo(process.arena, MOST_AHEAD);
        long word = PlaceWord.of(place, 0, 0);
        boolean keeps = process.copies.keeps(word);
        Arrival arrival = new Arrival(word, Cause.PREFETCHED, keeps, 0);
        process.migration().fetch(pages, count, place, keeps, io, arrival).whenComplete((moved, failure) -> {
            batches.add(io);
            batchesUnderWay--;
        });
    }

    /** Brings a page in. It may be there only later: reads of stores go on meanwhile. */
    void bring(int page) {
        long word = states.get(page);
        if (PageStates.isOutside(word) && PlaceWord.claim(word) != PlaceWord.WANTED) {
            fetch(page, Cause.FETCHED, false, 0);
        }
    }

    /** Whether so many pages are being read that no others should be brought in. */
    boolean isBusy() {
        return underWay >= MOST_READ_AHEAD;
    }
}
