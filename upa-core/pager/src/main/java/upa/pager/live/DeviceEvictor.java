package upa.pager.live;

import java.util.ArrayDeque;
import java.util.Arrays;
import upa.pager.device.AwayWord;
import upa.pager.place.Migration;
import upa.pager.place.PlaceWord;
import upa.pager.store.PageIo;
import upa.policy.PageBatch.Cause;

/**
 * How pages of a device's region leave. Belongs to the pager's thread.
 *
 * <p>Before victims are asked for, the policies are told which pages have been used: the module reads accessed bits.
 * Dirty bits say which copies are valid no more. A page whose word names a copy leaves without one, if the module says
 * at that very instant that nobody has written to it.
 */
final class DeviceEvictor extends DevicePart {
    private static final int MOST_WRITES = 2;
    private static final int MOST_FORGOTTEN = 256;
    private static final long RETRY_NANOS = 200_000_000;
    /** Accessed bits are read each time that so much of the bound has come in. */
    private static final int HARVESTS = 8;

    private static final int PATIENCE_MILLIS = 2;

    private final ArrayDeque<PageIo> ios = new ArrayDeque<>();
    private final long[] accessed;
    private final long[] dirty;
    private final int[] used;
    private final StandIn standIn;
    private long leftOver = -1;
    private int underWay;
    private long fullUntil;
    private boolean full;

    DeviceEvictor(DevicePages all) {
        super(all);
        accessed = new long[Math.ceilDiv(region.pages(), Long.SIZE)];
        dirty = new long[accessed.length];
        used = new int[region.pages()];
        standIn = new StandIn(states, mechanism);
    }

    private int reserve() {
        return Math.clamp(mechanism.boundPages() / 32, 4, 1024);
    }

    boolean isIdle() {
        return underWay == 0;
    }

    /** Whether {@link #balance} would have pages leave at once. */
    boolean hasWork() {
        return isIdle() && mechanism.victims() > 0 && all.room() < reserve() && !full;
    }

    /** Keeps room for what comes, ahead of time. */
    void balance(boolean threadsWait) {
        if (mechanism.takeLimited() || mechanism.takeGiveBack()) {
            all.sweep();
        }
        if (full && System.nanoTime() - fullUntil >= 0) {
            full = false;
            all.overBound(false);
        }
        int room = all.room();
        if (room >= reserve() || underWay >= MOST_WRITES || full) {
            return;
        }
        harvest();
        int wanted = 2 * reserve() - room;
        if (mechanism.victims() < wanted) {
            all.policies().want(wanted - mechanism.victims(), threadsWait);
        }
        if (mechanism.victims() == 0 && threadsWait && room <= 0) {
            region.await(all.wakeFd(), PATIENCE_MILLIS);
            if (mechanism.victims() == 0) {
                // The policy has not had its turn on a processor, and threads wait.
                standIn();
            }
        }
        if (mechanism.victims() > 0 || leftOver >= 0) {
            long begun = System.nanoTime();
            evict();
            counters.stagingNanos += System.nanoTime() - begun;
        }
    }

    // ---- accessed and dirty bits ------------------------------------------------------------------------

    private void harvest() {
        if (all.arrived.cardinality() < Math.max(1, mechanism.boundPages() / HARVESTS)
                || region.harvest(accessed, dirty) != 0) {
            return;
        }
        int count = 0;
        for (int w = 0; w < accessed.length; w++) {
            for (long row = accessed[w]; row != 0; row &= row - 1) {
                int page = w * Long.SIZE + Long.numberOfTrailingZeros(row);
                if (!all.arrived.get(page) && states.isEligible(page)) {
                    used[count++] = page;
                }
            }
            for (long row = dirty[w]; row != 0 && states.clean() > 0; row &= row - 1) {
                overwritten(w * Long.SIZE + Long.numberOfTrailingZeros(row));
            }
        }
        all.arrived.clear();
        all.tell(Cause.ACCESSED, used, count);
    }

    /** A page that has a copy has been written to. */
    private void overwritten(int page) {
        if (PlaceWord.isClean(states.get(page))) {
            counters.overwritten++;
            all.forgetCopy(page);
        }
    }

    // ---- victims ----------------------------------------------------------------------------------------

    private void standIn() {
        int[] chosen = new int[DeviceMemory.MOST];
        int count = standIn.choose(chosen, all.policies()::protects);
        counters.standIns += count;
        all.tell(Cause.EVICTED, chosen, count);
    }

    private void evict() {
        int[] victims = new int[DeviceMemory.MOST];
        int count = 0;
        long place = -1;
        while (count < victims.length) {
            long victim = leftOver >= 0 ? leftOver : mechanism.nextVictim();
            leftOver = -1;
            if (victim < 0) {
                break;
            }
            if (place >= 0 && victim >>> Integer.SIZE != place) {
                leftOver = victim;
                break;
            }
            place = victim >>> Integer.SIZE;
            int page = (int) victim;
            // Pages of a batch under way look like victims.
            if (states.isChosen(page) && !all.inFlight.get(page)) {
                victims[count++] = page;
            }
        }
        evict(victims, count, (int) place);
    }

    /** Until here they are all chosen: the policies' thread can add none of them to this batch again. */
    private void evict(int[] victims, int count, int place) {
        int[] withContent = new int[count];
        int[] withCopy = new int[count];
        int contents = 0;
        int copies = 0;
        Arrays.sort(victims, 0, count);
        for (int i = 0; i < count; i++) {
            int page = victims[i];
            if (i > 0 && page == victims[i - 1]) {
                // Chosen, taken away by the owner, and chosen once more.
                continue;
            }
            states.spare(page);
            if (PlaceWord.isClean(states.get(page))) {
                withCopy[copies++] = page;
            } else {
                withContent[contents++] = page;
            }
        }
        contents = drop(withCopy, copies, withContent, contents);
        if (contents > 0) {
            write(withContent, contents, place);
        }
    }

    /** Pages that have copies leave. Those that have been written to after all are added to the others. */
    private int drop(int[] pages, int count, int[] others, int otherCount) {
        boolean[] gone = new boolean[count];
        boolean[] clean = new boolean[count];
        int contents = otherCount;
        if (count > 0) {
            all.memory.detachClean(pages, count, gone, clean);
        }
        for (int i = 0; i < count; i++) {
            int page = pages[i];
            if (!gone[i]) {
                stayed(page);
            } else if (clean[i] && all.migration.drop(page) != 0) {
                all.memory.release(page, 0);
                counters.dropped++;
                left(page);
                all.mover.arrived(page, states.get(page));
            } else {
                // The word first: back in memory its dirty bit would be lost.
                counters.overwritten++;
                all.migration.written(page);
                all.memory.restore(page, 0);
                others[contents++] = page;
            }
        }
        return contents;
    }

    private void left(int page) {
        counters.evictions++;
        counters.staged(page);
        all.arrived.clear(page);
    }

    private void write(int[] pages, int count, int place) {
        PageIo free = ios.poll();
        PageIo io = free != null ? free : new PageIo(all.arena, DeviceMemory.MOST);
        for (int i = 0; i < count; i++) {
            all.inFlight.set(pages[i]);
        }
        underWay++;
        int[] batch = Arrays.copyOf(pages, count);
        Batch told = new Batch();
        all.migration
                .move(batch, count, PlaceWord.MEMORY, all.stores.route(place), io, told)
                .whenComplete((moved, failure) -> {
                    ios.add(io);
                    underWay--;
                    // Others may go where a few do not compress.
                    if (told.metFull || told.refused == count) {
                        noRoom();
                    }
                });
    }

    private final class Batch implements Migration.Told {
        private int refused;
        private boolean metFull;

        @Override
        public void moved(int page, long word) {
            all.inFlight.clear(page);
            left(page);
            all.mover.arrived(page, word);
        }

        @Override
        public void stays(int page, Migration.Stay why, PageIo.Result result) {
            all.landed(page);
            stayed(page);
            refused += why == Migration.Stay.REFUSED ? 1 : 0;
            metFull |= why == Migration.Stay.REFUSED && result != PageIo.Result.UNSUITABLE;
        }
    }

    /** A page has not left: it is there still, or not the owner's any more. */
    private void stayed(int page) {
        int entry = region.word(page);
        counters.refused++;
        if (AwayWord.isPresent(entry) && PlaceWord.isInMemory(states.get(page))) {
            all.tell(Cause.RESCUED, page);
        } else if (DevicePages.isEmpty(entry)) {
            all.forget(page);
        }
    }

    /** Copies of pages in memory are given up before pages stay over the bound. */
    private void noRoom() {
        int forgotten = 0;
        for (int page = states.nextClean(0); page >= 0 && forgotten < MOST_FORGOTTEN; page = states.nextClean(page)) {
            all.forgetCopy(page);
            forgotten++;
        }
        full = forgotten == 0;
        if (full) {
            fullUntil = System.nanoTime() + RETRY_NANOS;
            all.overBound(true);
            all.complain("no store takes more pages: they stay in memory, over the bound");
        }
    }
}
