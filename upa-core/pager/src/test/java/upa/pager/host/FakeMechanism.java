package upa.pager.host;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import upa.policy.Place;
import upa.policy.PlacementRule;
import upa.policy.PolicyStatistics;
import upa.policy.Pressure;

/** Pages that are only bits. Safe for use by several threads. */
public final class FakeMechanism implements Mechanism {
    public final List<String> done = new ArrayList<>();
    public final List<Integer> evicted = new ArrayList<>();
    public List<Place> places =
            List.of(new Place(0, "lz4", Place.Kind.COMPRESSED), new Place(1, "file", Place.Kind.FILE));
    public Pressure pressure = Pressure.NONE;
    public int room = 512;
    public long now;
    /** The next call for the time, or for pages that are there, throws it. */
    public volatile Error failure;

    private final int pages;
    private final BitSet resident = new BitSet();
    private final BitSet pinned = new BitSet();
    private final BitSet stored = new BitSet();
    private int bound;

    public FakeMechanism(int pages, int bound) {
        this.pages = pages;
        this.bound = bound;
    }

    /** Makes a page resident, without telling anybody. */
    public synchronized void put(int page) {
        resident.set(page);
        stored.clear(page);
    }

    public synchronized void pin(int page, boolean on) {
        pinned.set(page, on);
    }

    public synchronized boolean isStored(int page) {
        return stored.get(page);
    }

    public synchronized void drop(int page) {
        resident.clear(page);
        stored.clear(page);
    }

    private void fail() {
        Error e = failure;
        if (e != null) {
            failure = null;
            throw e;
        }
    }

    @Override
    public int pages() {
        return pages;
    }

    @Override
    public synchronized int boundPages() {
        return bound;
    }

    @Override
    public synchronized int residentPages() {
        return resident.cardinality();
    }

    @Override
    public synchronized boolean isResident(int page) {
        return resident.get(page);
    }

    @Override
    public synchronized int nextResident(int from) {
        fail();
        return resident.nextSetBit(from);
    }

    @Override
    public synchronized int placeOf(int page) {
        return stored.get(page) ? 0 : -1;
    }

    @Override
    public long nanoTime() {
        fail();
        return now;
    }

    @Override
    public List<Place> places() {
        return places;
    }

    @Override
    public synchronized PolicyStatistics statistics() {
        return new PolicyStatistics(0, 0, 0, 0, evicted.size(), 0, 0, 0);
    }

    @Override
    public Pressure pressure() {
        return pressure;
    }

    @Override
    public synchronized boolean evict(int page, int place) {
        if (!resident.get(page) || pinned.get(page)) {
            return false;
        }
        resident.clear(page);
        stored.set(page);
        evicted.add(page);
        done.add("evict " + page + " to " + place);
        return true;
    }

    @Override
    public int fetchRoom() {
        return room;
    }

    @Override
    public synchronized boolean fetch(int page) {
        if (!stored.get(page)) {
            return false;
        }
        room--;
        done.add("fetch " + page);
        return true;
    }

    @Override
    public synchronized boolean collapse(int firstPage) {
        done.add("collapse " + firstPage);
        return true;
    }

    @Override
    public synchronized boolean populate(int first, int count) {
        done.add("populate " + first + " " + count);
        return true;
    }

    @Override
    public synchronized boolean clearAhead(int count) {
        done.add("clear " + count);
        return true;
    }

    @Override
    public synchronized boolean migrate(int page, int place) {
        done.add("migrate " + page + " to " + place);
        return stored.get(page);
    }

    @Override
    public synchronized boolean giveBack(int keepPages) {
        done.add("give back " + keepPages);
        return true;
    }

    @Override
    public synchronized int bound(int to) {
        bound = to;
        return to;
    }

    @Override
    public synchronized boolean place(PlacementRule rule) {
        done.add("place " + rule);
        return false;
    }
}
