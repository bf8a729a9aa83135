package upa.pager.live;

import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import upa.pager.place.Migration;
import upa.pager.place.PlaceWord;
import upa.pager.posix.Linux;
import upa.pager.store.PageIo;
import upa.policy.PageBatch.Cause;

/**
 * How the pages of one session leave. Belongs to the session's thread.
 *
 * <p>A page leaves in the five steps of {@link Migration}: a policy claims it, and the client detaches it: it moves it
 * to the staging area, which fails if it is pinned, locked or shared. The migration copies it from there to a store,
 * makes its word name the store, and releases its staging slot. Who touches it before that has it back from the staging
 * area at once, and what the store has got is freed.
 */
final class Evictor {
    private static final int WRITE_PAGES = 64;
    private static final long GIVE_BACK_NANOS = 500_000_000;
    private static final long RETRY_NANOS = 200_000_000;
    private static final int MOST_TRIES = 64;
    /** Part of the reserve below which victims are not waited for. */
    private static final int LOW_ROOM = 16;
    /** Orders one after the other of which hardly a page has left. */
    private static final int MOST_FRUITLESS = 4;

    private static final int LEAST_FRUIT = 8;
    private static final long LEAST_PAUSE_NANOS = 20_000_000;
    private static final long MOST_PAUSE_NANOS = 1_000_000_000;

    /**
     * Without a batch that ends for so long, stores do not answer: threads do not wait for room any more. Not so short
     * that a store's thread only has no processor.
     */
    private static final long STALL_NANOS = 1_000_000_000;

    /** Batches of pages on their way from the staging area to stores. */
    private static final int MOST_WRITES = 8;

    /** A staging slot whose page is to go to a store: which is the first that is asked. */
    private record Staged(int slot, int from) {}

    private final Session session;
    private final PagedProcess process;
    private final Client client;
    private final PageStates states;
    private final LiveMechanism mechanism;
    private final Counters counters;

    /** Staging slots of pages that no store takes. */
    private final ArrayDeque<Integer> refused = new ArrayDeque<>();

    /** Of pages that a pager before has staged beside a far node: to see whether they are used, or on their way. */
    private final ArrayDeque<Integer> undecided = new ArrayDeque<>();

    private final ArrayDeque<Integer> shared = new ArrayDeque<>();
    private final ArrayDeque<Staged> waiting = new ArrayDeque<>();
    private final ArrayDeque<PageIo> ios = new ArrayDeque<>();
    private final PageIo back;
    /** A staging slot is free again when its batch is done, and no page is in it. */
    private final StagingSlots slots;

    private final StandIn standIn;

    private int writesUnderWay;
    private long lastWritten;
    private final int[] single = new int[1];
    private boolean full;
    private long fullUntil;
    private long lastGiveBack;
    private int fruitless;
    private long pauseNanos = LEAST_PAUSE_NANOS;
    private long pausedAt = System.nanoTime() - MOST_PAUSE_NANOS;

    Evictor(Session session, PagedProcess process) {
        this.session = session;
        this.process = process;
        client = process.client;
        states = process.states;
        mechanism = process.mechanism;
        counters = process.counters;
        back = new PageIo(process.arena, 1);
        slots = new StagingSlots(states);
        standIn = new StandIn(states, mechanism);
    }

    /** What a pager before has staged and not written, or not said so. */
    void adoptStaged() {
        boolean[] used = new boolean[Wire.STAGING_SLOTS];
        for (int page = states.nextOutside(0); page >= 0; page = states.nextOutside(page + 1)) {
            long word = states.get(page);
            if (PlaceWord.place(word) == PlaceWord.STAGING) {
                int slot = PlaceWord.slot(word);
                slots.owner(slot, page);
                used[slot] = true;
                if (process.far() == null) {
                    waiting.add(new Staged(slot, 0));
                } else {
                    undecided.add(slot);
                }
            }
        }
        slots.allBut(used);
        write();
    }

    boolean isWriting() {
        return writesUnderWay > 0;
    }

    /** A page that is staged has another number now. */
    void moved(int slot, int page) {
        slots.owner(slot, page);
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
        int victims = mechanism.victims();
        int room = reserve() - excess;
        // As many more as the room is: on a busy machine the policy's turn comes late.
        if (victims < excess + reserve()) {
            process.policies().want(excess + 2 * reserve() - victims, false);
        }
        if (victims == 0 && room < reserve() / LOW_ROOM) {
            // The policy has not had its turn on a processor, and soon threads would wait.
            standIn();
            victims = mechanism.victims();
        }
        if (victims >= WRITE_PAGES || victims > 0 && room < reserve() / 2) {
            stage();
        }
    }

    /** The bound holds whatever the policy does: without its victims, others are taken. */
    void makeRoom() throws Client.GoneException {
        for (int tries = 0; tries < MOST_TRIES && states.resident() >= mechanism.boundPages() && canEvict(); tries++) {
            if (slots.freeCount() == 0 && System.nanoTime() - lastWritten > STALL_NANOS) {
                process.complain("no store takes pages in time: they stay in memory, over the bound");
                return;
            }
            counters.waits++;
            if (slots.freeCount() == 0) {
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
        int count = standIn.choose(chosen, process.policies()::protects);
        counters.standIns += count;
        process.tell(Cause.EVICTED, chosen, count);
    }

    /** Has victims moved to the staging area, and from there to a store. */
    private void stage() throws Client.GoneException {
        int most = Math.min(slots.freeCount(), Wire.ORDER_PAGES);
        long[] victims = new long[most];
        int count = 0;
        while (count < most) {
            long victim = mechanism.nextVictim();
            if (victim < 0) {
                break;
            }
            if (states.isChosen((int) victim)) {
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
        if (process.swap() != null) {
            swapOut(victims, distinct);
            return;
        }
        int toNode = 0;
        if (process.far() != null) {
            int before = distinct;
            distinct = moveOut(victims, distinct);
            toNode = before - distinct;
            if (distinct == 0) {
                return;
            }
        }
        session.tellEvicted(true);
        process.copies.trust();
        int[] to = new int[distinct];
        for (int i = 0; i < distinct; i++) {
            int page = (int) (victims[i] >>> 32);
            to[i] = PlaceWord.isClean(states.get(page)) ? Wire.NO_SLOT : slots.take();
            client.page(i, page, to[i]);
        }
        long begun = System.nanoTime();
        client.order(Wire.STAGE, distinct, 0);
        client.await();
        counters.stagingNanos += System.nanoTime() - begun;
        staged(victims, to, distinct, toNode);
    }

    /** What stays is pinned, locked or shared, or there is no room. */
    private void swapOut(long[] victims, int count) {
        int[] pages = new int[count];
        int[] stay = new int[count];
        for (int i = 0; i < count; i++) {
            pages[i] = (int) (victims[i] >>> 32);
            counters.staged(pages[i]);
        }
        int staying = process.swap().pageOut(pages, count, stay);
        for (int i = 0; i < staying; i++) {
            states.spare(stay[i]);
        }
        counters.refused += staying;
        counters.evictions += count - staying;
        process.tell(Cause.RESCUED, stay, staying);
        fruit(count - staying, count);
    }

    /**
     * Victims go to the far node first; what it does not take goes on to the stores, if there are any. A page that has
     * a copy there is dropped.
     *
     * @return how many victims are left, in their order
     */
    private int moveOut(long[] victims, int count) {
        int[] pages = new int[count];
        int[] stay = new int[count];
        int n = 0;
        int left = 0;
        for (int i = 0; i < count; i++) {
            int page = (int) (victims[i] >>> 32);
            if ((int) victims[i] == 0 && !PlaceWord.isClean(states.get(page))) {
                pages[n++] = page;
            } else {
                victims[left++] = victims[i];
            }
        }
        if (n == 0) {
            return left;
        }
        boolean hadRoom = process.far().room() > 0;
        int staying = process.far().moveOut(pages, n, stay);
        for (int i = 0; i < n; i++) {
            if (states.isAside(pages[i])) {
                counters.staged(pages[i]);
            }
        }
        counters.evictions += n - staying;
        if (process.stores().takesContent()) {
            for (int i = 0; i < staying; i++) {
                victims[left++] = (long) stay[i] << 32 | 1;
            }
            Arrays.sort(victims, 0, left);
        } else {
            stayNear(stay, staying, hadRoom);
            if (hadRoom) {
                fruit(n - staying, n);
            }
        }
        return left;
    }

    private void stayNear(int[] pages, int count, boolean hadRoom) {
        for (int i = 0; i < count; i++) {
            states.spare(pages[i]);
        }
        counters.refused += count;
        process.tell(Cause.RESCUED, pages, count);
        if (!hadRoom) {
            full = true;
            fullUntil = System.nanoTime() + RETRY_NANOS;
            process.complain("the far node takes no more pages: they stay in memory, over the bound");
        }
    }

    // ---- pages that are on a far node ---------------------------------------------------------------

    boolean mayDetach() {
        return session.mayOrder();
    }

    /** Content is outside of memory from now on. */
    void tellEvicted() throws Client.GoneException {
        session.tellEvicted(true);
    }

    StagingSlots slots() {
        return slots;
    }

    /** A page that is detached is to go to a store. */
    void send(int slot, int to) {
        waiting.add(new Staged(slot, to));
    }

    boolean hasUndecided() {
        return !undecided.isEmpty();
    }

    int nextUndecided() {
        return undecided.poll();
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
            process.complain("most pages cannot leave, as they are read-only or locked: they stay in memory,"
                    + " over the bound");
        }
    }

    private void staged(long[] victims, int[] to, int count, int others) {
        int progress = others;
        for (int i = 0; i < count; i++) {
            int page = (int) (victims[i] >>> 32);
            int result = client.result(i);
            if (to[i] == Wire.NO_SLOT) {
                progress += result == 0 ? dropped(page) : stays(page, result) ? 0 : 1;
            } else if (result == 0) {
                states.set(page, PlaceWord.of(PlaceWord.STAGING, 0, to[i]));
                slots.owner(to[i], page);
                waiting.add(new Staged(to[i], (int) victims[i]));
                progress++;
                counters.staged(page);
            } else {
                slots.free(to[i]);
                progress += stays(page, result) ? 0 : 1;
            }
        }
        write();
        fruit(progress, others + count);
    }

    /** Nobody could write to it: no event has been read and no fault served since the order was given. */
    private int dropped(int page) {
        process.mover().arrived(page, process.migration().drop(page));
        counters.staged(page);
        counters.evictions++;
        counters.dropped++;
        process.copies.saved();
        return 1;
    }

    /** False if it is gone, or will be able to leave. */
    private boolean stays(int page, int error) {
        counters.refused++;
        single[0] = page;
        if (error == -Linux.ENOENT) {
            process.release(page, states.set(page, 0));
            process.tell(Cause.FREED, single, 1);
            return false;
        }
        states.spare(page);
        process.tell(Cause.RESCUED, single, 1);
        if (error == -Linux.EBUSY && shared.size() < Wire.ORDER_PAGES) {
            shared.add(page);
        }
        return error != -Linux.EBUSY;
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

    /** Has pages that are staged copied to stores, as many as may be under way. */
    void write() {
        while (!waiting.isEmpty() && writesUnderWay < MOST_WRITES) {
            Batch batch = new Batch(waiting.peek().from);
            while (batch.count < WRITE_PAGES && !waiting.isEmpty() && waiting.peek().from == batch.from) {
                int slot = waiting.poll().slot;
                if (slots.isStaged(slot)) {
                    batch.pages[batch.count] = slots.owner(slot);
                    batch.slots[batch.count++] = slot;
                } else {
                    slots.free(slot);
                }
            }
            if (batch.count > 0) {
                begin(batch);
            }
        }
    }

    private void begin(Batch batch) {
        PageIo free = ios.poll();
        PageIo io = free != null ? free : new PageIo(process.arena, WRITE_PAGES);
        lastWritten = writesUnderWay == 0 ? System.nanoTime() : lastWritten;
        writesUnderWay++;
        process.migration()
                .move(
                        batch.pages,
                        batch.count,
                        PlaceWord.STAGING,
                        process.stores().route(batch.from),
                        io,
                        batch)
                .whenComplete((moved, failure) -> {
                    ios.add(io);
                    ended(batch);
                });
    }

    /** Pages on their way from the staging area to stores. */
    private final class Batch implements Migration.Told {
        private final int from;
        private final int[] pages = new int[WRITE_PAGES];
        private final int[] slots = new int[WRITE_PAGES];
        private int count;
        private final Set<Integer> refusedPages = new HashSet<>();
        private boolean metFull;

        Batch(int from) {
            this.from = from;
        }

        @Override
        public void moved(int page, long word) {
            process.mover().arrived(page, word);
            counters.evictions++;
        }

        @Override
        public void stays(int page, Migration.Stay why, PageIo.Result result) {
            if (why == Migration.Stay.REFUSED || why == Migration.Stay.FAILED) {
                refusedPages.add(page);
                metFull |= result != PageIo.Result.UNSUITABLE;
            }
        }
    }

    private void ended(Batch batch) {
        int kept = 0;
        lastWritten = System.nanoTime();
        writesUnderWay--;
        for (int i = 0; i < batch.count; i++) {
            int slot = batch.slots[i];
            if (!slots.isStaged(slot)) {
                slots.free(slot);
            } else if (slots.owner(slot) == batch.pages[i] && batch.refusedPages.contains(batch.pages[i])) {
                refused.add(slot);
                kept++;
            } else {
                // Its page has another number now.
                waiting.add(new Staged(slot, batch.from));
            }
        }
        // Others may go where a few do not compress.
        full = kept > 0 && (batch.metFull || kept == batch.count);
        if (full && process.copies.forget()) {
            // There is room again.
            full = false;
        }
        if (full) {
            fullUntil = System.nanoTime() + RETRY_NANOS;
            process.complain("no store takes more pages: they stay in memory, over the bound");
        }
        write();
    }

    /** Pages that no store takes go back where they were. */
    void putBackRefused() {
        int n = refused.size();
        for (int i = 0; i < n; i++) {
            int slot = refused.poll();
            if (slots.isStaged(slot)) {
                // At once: the staging area always answers.
                process.migration().fetch(slots.owner(slot), false, back, putBack);
            }
            if (slots.isStaged(slot)) {
                refused.add(slot);
            } else {
                slots.free(slot);
            }
        }
    }

    private final Migration.Told putBack = new Migration.Told() {
        @Override
        public void moved(int page, long word) {
            single[0] = page;
            process.tell(Cause.RESCUED, single, 1);
        }

        @Override
        public void stays(int page, Migration.Stay why, PageIo.Result result) {
            // Tried again later: the kernel has something to tell first.
        }
    };

    /** Nobody needs what is staged any more. */
    void end() {
        waiting.clear();
    }
}
