package upa.pager.live;

import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import upa.pager.host.Mechanism;
import upa.pager.place.PlaceWord;
import upa.policy.Place;
import upa.policy.PolicyStatistics;
import upa.policy.Pressure;

/**
 * The pages of a process as its policies see them: what they ask for is noted, and done by the session's thread. What
 * this pager cannot do is refused, and counted as a proposal without effect.
 */
final class LiveMechanism implements Mechanism {
    private static final int MOST_VICTIMS = 1 << 14;
    private static final int MOST_FETCHES = 256;
    private static final int MOST_MIGRATIONS = 1 << 14;

    private final PageStates states;
    private final Counters counters;
    private final List<Place> places;
    private final Runnable wake;
    /** The bound is never above it: both change together. */
    private int mostPages;

    private volatile int bound;
    /** Place in the upper half. */
    private final Queue<Long> victims = new ConcurrentLinkedQueue<>();

    private final AtomicInteger victimCount = new AtomicInteger();
    private final Queue<Integer> fetches = new ConcurrentLinkedQueue<>();
    private final AtomicInteger fetchCount = new AtomicInteger();
    /** Place in the upper half. */
    private final Queue<Long> migrations = new ConcurrentLinkedQueue<>();

    private final AtomicInteger migrationCount = new AtomicInteger();
    /** Of pages on the far node; place in the upper half. */
    private final Queue<Long> leaving = new ConcurrentLinkedQueue<>();

    private final AtomicInteger leavingCount = new AtomicInteger();
    private final AtomicBoolean giveBack = new AtomicBoolean();
    private final AtomicBoolean limited = new AtomicBoolean();

    LiveMechanism(PageStates states, List<Place> places, Counters counters, int boundPages, Runnable wake) {
        this.states = states;
        this.counters = counters;
        this.wake = wake;
        this.places = places;
        mostPages = boundPages;
        bound = boundPages;
    }

    int victims() {
        return victimCount.get();
    }

    /** The next page that a policy has proposed, its place in the upper half; -1: none. */
    long nextVictim() {
        Long victim = victims.poll();
        if (victim == null) {
            return -1;
        }
        victimCount.decrementAndGet();
        return victim;
    }

    boolean hasFetches() {
        return fetchCount.get() > 0;
    }

    int nextFetch() {
        Integer page = fetches.poll();
        if (page == null) {
            return -1;
        }
        fetchCount.decrementAndGet();
        return page;
    }

    /** The user allows so many pages from now on. */
    void limit(int pages) {
        synchronized (this) {
            mostPages = pages;
            bound = pages;
        }
        limited.set(true);
        wake.run();
    }

    /** Whether the user has changed the limit since this was asked. */
    boolean takeLimited() {
        return limited.getAndSet(false);
    }

    boolean hasMigrations() {
        return migrationCount.get() > 0;
    }

    /** The next page that a policy wants in another store, the store in the upper half; -1: none. */
    long peekMigration() {
        Long next = migrations.peek();
        return next == null ? -1 : next;
    }

    void takeMigration() {
        if (migrations.poll() != null) {
            migrationCount.decrementAndGet();
        }
    }

    /** The next page that a policy wants to leave the far node, its store in the upper half; -1: none. */
    long peekLeaving() {
        Long next = leaving.peek();
        return next == null ? -1 : next;
    }

    void takeLeaving() {
        if (leaving.poll() != null) {
            leavingCount.decrementAndGet();
        }
    }

    private boolean isFar(int page) {
        return !places.isEmpty() && places.getFirst().kind() == Place.Kind.NODE && states.isAside(page);
    }

    boolean takeGiveBack() {
        return giveBack.getAndSet(false);
    }

    @Override
    public int pages() {
        return states.pages();
    }

    @Override
    public int boundPages() {
        return bound;
    }

    @Override
    public int residentPages() {
        return states.resident();
    }

    @Override
    public boolean isResident(int page) {
        return states.isEligible(page);
    }

    @Override
    public int nextResident(int from) {
        return states.nextEligible(from);
    }

    @Override
    public int placeOf(int page) {
        long word = states.get(page);
        return StoreChain.isStored(word) && !PlaceWord.isClean(word)
                ? PlaceWord.place(word) - PlaceWord.FIRST_TIER
                : PlaceWord.place(word) == PlaceWord.PATTERN ? patternPlace() : isFar(page) ? 0 : -1;
    }

    /** The first store that takes content. */
    private int patternPlace() {
        return places.size() > 1 && places.getFirst().kind() == Place.Kind.NODE ? 1 : 0;
    }

    @Override
    public long nanoTime() {
        return System.nanoTime();
    }

    @Override
    public List<Place> places() {
        return places;
    }

    @Override
    public PolicyStatistics statistics() {
        return counters.statistics();
    }

    @Override
    public Pressure pressure() {
        return Pressure.NONE;
    }

    @Override
    public boolean evict(int page, int place) {
        if (victimCount.get() >= MOST_VICTIMS || !states.choose(page)) {
            return false;
        }
        victims.add((long) Math.max(place, 0) << Integer.SIZE | page);
        if (victimCount.incrementAndGet() == 1) {
            wake.run();
        }
        return true;
    }

    @Override
    public int fetchRoom() {
        int room = bound - states.resident();
        return Math.max(0, Math.min(room, MOST_FETCHES) - fetchCount.get());
    }

    @Override
    public boolean fetch(int page) {
        if (placeOf(page) < 0 || fetchCount.get() >= MOST_FETCHES) {
            return false;
        }
        fetches.add(page);
        fetchCount.incrementAndGet();
        wake.run();
        return true;
    }

    @Override
    public boolean migrate(int page, int place) {
        if (isFar(page)) {
            return place != 0 && leave(page, place);
        }
        long word = states.get(page);
        if (!StoreChain.isStored(word)
                || PlaceWord.claim(word) != PlaceWord.FREE
                || placeOf(page) == place
                || migrationCount.get() >= MOST_MIGRATIONS) {
            return false;
        }
        migrations.add((long) place << Integer.SIZE | page);
        if (migrationCount.incrementAndGet() == 1) {
            wake.run();
        }
        return true;
    }

    private boolean leave(int page, int place) {
        if (leavingCount.get() >= MOST_MIGRATIONS) {
            return false;
        }
        leaving.add((long) place << Integer.SIZE | page);
        if (leavingCount.incrementAndGet() == 1) {
            wake.run();
        }
        return true;
    }

    @Override
    public boolean giveBack(int keepPages) {
        giveBack.set(true);
        wake.run();
        return true;
    }

    @Override
    public synchronized int bound(int pages) {
        bound = Math.clamp(pages, Math.min(mostPages, Wire.ORDER_PAGES), mostPages);
        return bound;
    }
}
