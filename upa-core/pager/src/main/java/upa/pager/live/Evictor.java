package upa.pager.live;

import java.lang.foreign.Arena;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.RejectedExecutionException;
import upa.pager.place.PlaceWord;
import upa.pager.posix.Linux;
import upa.pager.store.PageIo;
import upa.policy.PageBatch.Cause;

/**
 * How the pages of one session leave. Belongs to the session's thread, but for what writes to stores.
 *
 * <p>A page leaves in five steps: a policy chooses it; the client moves it to the staging area, which fails if it is
 * pinned, locked or shared; it is copied to a store; its word then names the store; its staging slot is free again. Who
 * touches it before that has it back from the staging area at once, and what the store has got is freed.
 */
final class Evictor {
    private static final int WRITE_PAGES = 64;
    private static final long GIVE_BACK_NANOS = 500_000_000;
    private static final long RETRY_NANOS = 200_000_000;
    private static final int MOST_TRIES = 64;
    /** Orders one after the other of which hardly a page has left. */
    private static final int MOST_FRUITLESS = 4;

    private static final int LEAST_FRUIT = 8;
    private static final long LEAST_PAUSE_NANOS = 20_000_000;
    private static final long MOST_PAUSE_NANOS = 1_000_000_000;

    /** Pages on their way from the staging area to a store. */
    private record Batch(int[] slots, long[] words, int from) {}

    private final Session session;
    private final PagedProcess process;
    private final Client client;
    private final ExecutorService writers;
    private final PageStates states;
    private final LiveMechanism mechanism;
    private final Counters counters;

    /** Staging slots of pages that no store takes. */
    private final ArrayDeque<Integer> refused = new ArrayDeque<>();

    private final ArrayDeque<Integer> shared = new ArrayDeque<>();
    private final ThreadLocal<PageIo> writerIo = ThreadLocal.withInitial(() -> new PageIo(Arena.ofAuto(), WRITE_PAGES));
    /** A staging slot is free again when its batch is done, and no page is in it. */
    private final int[] freeSlots = new int[Wire.STAGING_SLOTS];

    private final int[] slotOwner = new int[Wire.STAGING_SLOTS];
    private int freeSlotCount;
    private int writesUnderWay;
    private final int[] single = new int[1];
    private boolean full;
    private long fullUntil;
    private long lastGiveBack;
    private int hand;
    private int fruitless;
    private long pauseNanos = LEAST_PAUSE_NANOS;
    private long pausedAt = System.nanoTime() - MOST_PAUSE_NANOS;

    Evictor(Session session, PagedProcess process, ExecutorService writers) {
        this.session = session;
        this.process = process;
        this.writers = writers;
        client = process.client;
        states = process.states;
        mechanism = process.mechanism;
        counters = process.counters;
        for (int i = 0; i < freeSlots.length; i++) {
            freeSlots[freeSlotCount++] = freeSlots.length - 1 - i;
        }
    }

    /** What a pager before has staged and not written, or not said so. */
    void adoptStaged() {
        int[] slots = new int[Wire.STAGING_SLOTS];
        int count = 0;
        boolean[] used = new boolean[Wire.STAGING_SLOTS];
        for (int page = states.nextOutside(0); page >= 0; page = states.nextOutside(page + 1)) {
            long word = states.get(page);
            if (PlaceWord.place(word) == PlaceWord.STAGING) {
                int slot = PlaceWord.slot(word);
                slotOwner[slot] = page;
                used[slot] = true;
                slots[count++] = slot;
            }
        }
        freeSlotCount = 0;
        for (int slot = used.length - 1; slot >= 0; slot--) {
            if (!used[slot]) {
                freeSlots[freeSlotCount++] = slot;
            }
        }
        for (int at = 0; at < count; at += WRITE_PAGES) {
            int[] some = Arrays.copyOfRange(slots, at, Math.min(count, at + WRITE_PAGES));
            write(new Batch(some, new long[some.length], 0));
        }
    }

    boolean isWriting() {
        return writesUnderWay > 0;
    }

    /** A page that is staged has another number now. */
    void moved(int slot, int page) {
        slotOwner[slot] = page;
    }

    private int reserve() {
        return Math.clamp(mechanism.boundPages() / 32, 16, 1024);
    }

    private boolean canEvict() {
        return session.mayOrder()
                && !(full && System.nanoTime() - fullUntil < 0)
                && !(fruitless >= MOST_FRUITLESS && System.nanoTime() - pausedAt < pauseNanos);
    }

    /** Keeps room for what comes, ahead of time. */
    void balance() throws Client.GoneException {
        int excess = states.resident() - (mechanism.boundPages() - reserve());
        if (excess <= 0 || !canEvict()) {
            return;
        }
        long now = System.nanoTime();
        if (now - lastGiveBack > GIVE_BACK_NANOS || mechanism.takeGiveBack()) {
            lastGiveBack = now;
            session.orderSlowly(Wire.GIVE_BACK, 0);
            return;
        }
        if (shared.size() >= WRITE_PAGES) {
            unshare();
            return;
        }
        if (mechanism.victims() < excess) {
            process.policies().want(excess + WRITE_PAGES - mechanism.victims(), false);
        }
        if (mechanism.victims() >= WRITE_PAGES) {
            stage();
        }
    }

    /** The bound holds whatever the policy does: without its victims, others are taken. */
    void makeRoom() throws Client.GoneException {
        for (int tries = 0; tries < MOST_TRIES && states.resident() >= mechanism.boundPages() && canEvict(); tries++) {
            counters.waits++;
            if (freeSlotCount == 0) {
                session.awaitStores(1);
            } else {
                if (mechanism.victims() == 0) {
                    standIn();
                }
                stage();
            }
        }
    }

    private void standIn() {
        int[] chosen = new int[WRITE_PAGES];
        int count = 0;
        for (int tries = 0; count < chosen.length && tries < 2; ) {
            int page = states.nextEligible(hand);
            if (page < 0) {
                hand = 0;
                tries++;
            } else {
                hand = page + 1 < states.pages() ? page + 1 : 0;
                if (mechanism.evict(page, -1)) {
                    chosen[count++] = page;
                } else {
                    break;
                }
            }
        }
        counters.standIns += count;
        process.tell(Cause.EVICTED, chosen, count);
    }

    /** Has victims moved to the staging area, and from there to a store. */
    private void stage() throws Client.GoneException {
        int most = Math.min(freeSlotCount, Wire.ORDER_PAGES);
        long[] victims = new long[most];
        int count = 0;
        while (count < most) {
            long victim = mechanism.nextVictim();
            if (victim < 0) {
                break;
            }
            if (states.get((int) victim) == PageStates.chosen()) {
                // Sorted by address: neighbours go in one move.
                victims[count++] = (victim & 0xffffffffL) << 32 | victim >>> 32;
            }
        }
        if (count == 0) {
            return;
        }
        Arrays.sort(victims, 0, count);
        int distinct = 0;
        for (int i = 0; i < count; i++) {
            if (distinct == 0 || victims[i] >>> 32 != victims[distinct - 1] >>> 32) {
                victims[distinct++] = victims[i];
            }
        }
        session.tellEvicted(true);
        int[] slots = new int[distinct];
        for (int i = 0; i < distinct; i++) {
            slots[i] = freeSlots[--freeSlotCount];
            client.page(i, (int) (victims[i] >>> 32), slots[i]);
        }
        long begun = System.nanoTime();
        client.order(Wire.STAGE, distinct, 0);
        client.await();
        counters.stagingNanos += System.nanoTime() - begun;
        staged(victims, slots, distinct);
    }

    /**
     * Where most pages cannot leave, looking for those that can is not for threads that wait. Pages shared with a child
     * are to be unshared: that is progress.
     */
    private void fruit(int progress, int asked) {
        if (progress >= Math.ceilDiv(asked, LEAST_FRUIT)) {
            fruitless = 0;
            pauseNanos = LEAST_PAUSE_NANOS;
        } else if (++fruitless >= MOST_FRUITLESS) {
            pauseNanos = fruitless == MOST_FRUITLESS ? pauseNanos : Math.min(2 * pauseNanos, MOST_PAUSE_NANOS);
            pausedAt = System.nanoTime();
            process.complain("most pages cannot leave, as they are read-only, locked or pinned: they stay in memory,"
                    + " over the bound");
        }
    }

    private void staged(long[] victims, int[] slots, int count) {
        int progress = 0;
        int[] movedSlots = new int[count];
        int n = 0;
        int from = 0;
        for (int i = 0; i < count; i++) {
            int page = (int) (victims[i] >>> 32);
            int result = client.result(i);
            if (result == 0) {
                states.set(page, PlaceWord.of(PlaceWord.STAGING, 0, slots[i]));
                slotOwner[slots[i]] = page;
                movedSlots[n++] = slots[i];
                progress++;
                from = Math.max(from, (int) victims[i]);
                counters.staged(page);
            } else {
                freeSlots[freeSlotCount++] = slots[i];
                progress += stays(page, result) ? 0 : 1;
            }
            if (n == WRITE_PAGES || i == count - 1 && n > 0) {
                write(new Batch(Arrays.copyOf(movedSlots, n), new long[n], from));
                n = 0;
                from = 0;
            }
        }
        fruit(progress, count);
    }

    /** False if it is gone, or will be able to leave. */
    private boolean stays(int page, int error) {
        counters.refused++;
        single[0] = page;
        if (error == -Linux.ENOENT) {
            states.set(page, 0);
            process.tell(Cause.FREED, single, 1);
            return false;
        }
        states.set(page, PageStates.memory());
        process.tell(Cause.RESCUED, single, 1);
        return error != -Linux.EBUSY || shared.size() >= Wire.ORDER_PAGES || !shared.add(page);
    }

    /** What a fork has left shared can be moved once it has been written to. Pinned pages stay as they are. */
    private void unshare() throws Client.GoneException {
        int count = 0;
        int[] list = new int[Wire.ORDER_PAGES];
        while (!shared.isEmpty() && count < list.length) {
            list[count++] = shared.poll();
        }
        Arrays.sort(list, 0, count);
        for (int i = 0; i < count; i++) {
            client.page(i, list[i], 0);
        }
        session.orderSlowly(Wire.UNSHARE, count);
    }

    private void write(Batch batch) {
        writesUnderWay++;
        try {
            writers.execute(() -> {
                try {
                    store(batch);
                } catch (Throwable t) {
                    // What has no word is not in a store.
                    process.complain("a store has failed: " + t);
                }
                process.later(() -> stored(batch));
            });
        } catch (RejectedExecutionException e) {
            stored(batch);
        }
    }

    private void store(Batch batch) {
        PageIo io = writerIo.get();
        io.begin(batch.slots.length);
        for (int i = 0; i < batch.slots.length; i++) {
            io.page(i).copyFrom(client.staged(batch.slots[i]));
        }
        process.stores().write(io, batch.words, batch.from);
    }

    private void stored(Batch batch) {
        int kept = 0;
        writesUnderWay--;
        for (int i = 0; i < batch.slots.length; i++) {
            int slot = batch.slots[i];
            boolean still = isStaged(slot);
            if (still && batch.words[i] == 0) {
                refused.add(slot);
                kept++;
                continue;
            }
            if (still) {
                states.set(slotOwner[slot], batch.words[i]);
                process.mover().arrived(slotOwner[slot], batch.words[i]);
                counters.evictions++;
            } else {
                process.stores().free(batch.words[i]);
            }
            freeSlots[freeSlotCount++] = slot;
        }
        full = kept > 0;
        if (full) {
            fullUntil = System.nanoTime() + RETRY_NANOS;
            process.complain("no store takes more pages: they stay in memory, over the bound");
        }
    }

    private boolean isStaged(int slot) {
        return states.get(slotOwner[slot]) == PlaceWord.of(PlaceWord.STAGING, 0, slot);
    }

    /** Pages that no store takes go back where they were. */
    void putBackRefused() {
        int n = refused.size();
        for (int i = 0; i < n; i++) {
            int slot = refused.poll();
            int page = slotOwner[slot];
            if (isStaged(slot)) {
                int result = session.putBack(page, client.staged(slot));
                if (result < 0) {
                    refused.add(slot);
                    continue;
                }
                states.set(page, PageStates.memory());
                single[0] = page;
                process.tell(Cause.RESCUED, single, 1);
            }
            freeSlots[freeSlotCount++] = slot;
        }
    }
}
