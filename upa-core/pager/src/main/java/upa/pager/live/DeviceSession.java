package upa.pager.live;

import java.util.ArrayDeque;
import java.util.BitSet;
import upa.pager.device.AwayWord;
import upa.pager.place.Migration;
import upa.pager.place.PlaceWord;
import upa.pager.store.PageIo;
import upa.policy.PageBatch.Cause;

/**
 * Serves the touches of one region, and has its pages leave. One thread; only it changes where a page is, but for the
 * owner, who may take any page away.
 */
final class DeviceSession extends DevicePart {
    /** A store fuller than so many sixteenths keeps no more copies of pages in memory. */
    private static final int KEEP = 8;

    private static final int MOST_READS = 64;
    private static final int IDLE_MILLIS = 100;
    private static final int BUSY_MILLIS = 1;
    private static final long PATIENCE_NANOS = 5_000_000_000L;

    private final DeviceEvictor evictor;
    /** Pages for which threads wait. */
    private final BitSet wanted = new BitSet();

    private final ArrayDeque<Integer> pending = new ArrayDeque<>();
    private final ArrayDeque<PageIo> ios = new ArrayDeque<>();
    private int reading;
    private int bound = -1;
    private boolean ended;

    DeviceSession(DevicePages all) {
        super(all);
        evictor = new DeviceEvictor(all);
        all.mover.seed();
    }

    /** One round. False once this process is the pager no more. */
    boolean step() {
        all.complete();
        all.sweep();
        keepBound();
        serve();
        prefetch();
        all.mover.step();
        evictor.balance(!pending.isEmpty());
        // Victims alone do not make room: stores may have to answer before.
        if (pending.isEmpty() || !evictor.hasWork()) {
            boolean isSoon = !pending.isEmpty() || all.mover.waitsForRate();
            region.await(all.wakeFd(), isSoon ? BUSY_MILLIS : IDLE_MILLIS);
        }
        all.drainWake();
        ended = !region.touches(this::touched);
        return !ended;
    }

    /** What is on its way arrives, or goes back; not for ever, should a store not answer. */
    void finish() {
        long begun = System.nanoTime();
        while ((!evictor.isIdle() || reading > 0 || all.mover.isMoving())
                && System.nanoTime() - begun < PATIENCE_NANOS) {
            region.await(all.wakeFd(), BUSY_MILLIS);
            all.drainWake();
            all.complete();
        }
    }

    /** The module holds the region to its bound too: free frames above it lose their memory. */
    private void keepBound() {
        int most = all.most();
        if (most != bound && region.pool().taken() <= most) {
            // A region whose owner has not declared which frames are free keeps their memory.
            region.bound(most);
            bound = most;
        }
    }

    // ---- touches ----------------------------------------------------------------------------------------

    private void touched(int page, boolean write) {
        if (AwayWord.isStored(region.word(page))) {
            int distance = counters.fault(page, mechanism.boundPages());
            all.policies().fault(page, 0, write, distance);
        }
        if (!wanted.get(page)) {
            wanted.set(page);
            pending.add(page);
        }
    }

    private void serve() {
        for (int n = pending.size(); n > 0; n--) {
            int page = pending.poll();
            if (!serve(page)) {
                pending.add(page);
            }
        }
    }

    /** False if it must be tried again. */
    private boolean serve(int page) {
        int entry = region.word(page);
        if (AwayWord.isLeaving(entry)) {
            return rescue(page, entry);
        }
        if (entry == AwayWord.FRESH) {
            return all.room() > 0 && begin(page);
        }
        if (AwayWord.isStored(entry)) {
            if (PlaceWord.claim(states.get(page)) == PlaceWord.WANTED) {
                // It is being read.
                return true;
            }
            if (!PageStates.isOutside(states.get(page))) {
                wanted.clear(page);
                all.lose(page, entry);
                return true;
            }
            if (all.room() <= reading || reading >= MOST_READS) {
                return false;
            }
            fetch(page, Cause.FETCHED);
            return true;
        }
        wanted.clear(page);
        return true;
    }

    /** It has not left yet: it is back at once, and what the store gets is of no use. */
    private boolean rescue(int page, int entry) {
        if (all.memory.isLeaving(page)) {
            all.memory.restore(page, 0);
            if (AwayWord.isPresent(region.word(page))) {
                all.present(page);
                counters.rescues++;
                all.tell(Cause.RESCUED, page);
            }
        } else {
            all.complain("a page leaves by nobody: page=" + page + " entry=" + Integer.toHexString(entry));
        }
        return false;
    }

    private boolean begin(int page) {
        if (states.get(page) != 0) {
            // Of before the owner took it away.
            all.forget(page);
        }
        PageIo.Result result = all.memory.bringZeros(page);
        if (result == PageIo.Result.OK) {
            all.present(page);
            counters.firstTouches++;
            all.tell(Cause.FIRST_TOUCH, page);
            wanted.clear(page);
        }
        return result == PageIo.Result.OK;
    }

    private void fetch(int page, Cause cause) {
        long word = states.get(page);
        PageIo free = ios.poll();
        PageIo io = free != null ? free : new PageIo(all.arena, 1);
        reading++;
        all.migration.fetch(page, keeps(word), io, new Arrival(word, cause)).whenComplete((moved, failure) -> {
            ios.add(io);
            reading--;
        });
    }

    private boolean keeps(long word) {
        return StoreChain.isStored(word) && !all.stores.isFuller(PlaceWord.place(word) - PlaceWord.FIRST_TIER, KEEP);
    }

    /** What becomes of a page that is brought in. */
    private final class Arrival implements Migration.Told {
        private final long from;
        private final Cause cause;

        Arrival(long from, Cause cause) {
            this.from = from;
            this.cause = cause;
        }

        @Override
        public void moved(int page, long word) {
            if (cause == Cause.FETCHED) {
                all.arrived.set(page);
            }
            wanted.clear(page);
            all.tell(cause, page);
        }

        @Override
        public void stays(int page, Migration.Stay why, PageIo.Result result) {
            int entry = region.word(page);
            boolean isSame =
                    PlaceWord.claimed(states.get(page), PlaceWord.FREE) == PlaceWord.claimed(from, PlaceWord.FREE);
            if (DevicePages.isEmpty(entry) && states.get(page) != 0) {
                all.forget(page);
            } else if (why == Migration.Stay.FAILED
                    && isSame
                    && (result == PageIo.Result.DAMAGED || result == PageIo.Result.MISSING)) {
                all.lose(page, entry);
            } else if (result == PageIo.Result.UNREACHABLE && why == Migration.Stay.FAILED) {
                all.complain("store=" + all.stores.name(from) + " does not answer: threads wait for their pages");
            }
            if (wanted.get(page) && !pending.contains(page)) {
                pending.add(page);
            }
        }
    }

    // ---- what policies ask for ----------------------------------------------------------------------------

    private void prefetch() {
        while (mechanism.hasFetches() && reading < MOST_READS) {
            int page = mechanism.nextFetch();
            if (page >= 0
                    && AwayWord.isStored(region.word(page))
                    && PageStates.isOutside(states.get(page))
                    && PlaceWord.claim(states.get(page)) == PlaceWord.FREE
                    && all.room() > reading) {
                counters.prefetches++;
                fetch(page, Cause.PREFETCHED);
            }
        }
    }
}
