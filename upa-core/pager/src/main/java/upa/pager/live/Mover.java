package upa.pager.live;

import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import upa.pager.place.Migration;
import upa.pager.place.MoveCounters;
import upa.pager.place.PlaceWord;
import upa.pager.store.PageIo;

/**
 * Moves pages of one session from store to store: those that a policy proposes, those that the user has asked for, and
 * those that came first to a store that is nearly full, so that pages evicted later find room near by. Belongs to the
 * session's thread. One batch is under way at a time, in the five steps of {@link Migration}; a thread that touches a
 * page of it does not wait for it. To a far node, whose pages are the program's memory, they go in those steps as far
 * as memory, and on from there in the same turn.
 */
final class Mover {
    private static final int BATCH = 64;
    /** A store is relieved when it is fuller than 15 sixteenths, until it is no fuller than 14. */
    private static final int HIGH = 15;

    private static final int LOW = 14;
    private static final long LOOK_NANOS = 5_000_000;
    private static final long RETRY_NANOS = 500_000_000;
    /** Batches of a request that memory does not take. */
    private static final int MOST_REFUSALS = 1000;

    /** Who else has slots in the stores. */
    interface Others {
        /** {@return whether somebody else needs the slot of a page: then it must stay} */
        boolean share(int page, long word);

        /** Copies of pages in memory are to go, since the store is to be empty. */
        void forgetCopies(int store);

        /** The copy of a page in memory is to go. */
        void forgetCopy(int page);

        /** {@return how many pages may go to the far node now; 0 without one} */
        default int nodeRoom() {
            return 0;
        }

        /** {@return how many pages have gone on to the far node} They came to memory for it, are sorted, and fit. */
        default int toNode(int[] pages, int count) {
            throw new IllegalStateException("there is no far node");
        }
    }

    private record Batch(int[] pages, int count, int from, int to, MoveRequests.Request request) {}

    private final StoreChain stores;
    private final PageStates states;
    private final LiveMechanism mechanism;
    private final Others others;
    private final Migration migration;
    private final PageIo io = new PageIo(Arena.ofAuto(), BATCH);
    private final ColdQueue[] queues;
    private final boolean[] relieving;
    private final Compaction compaction;
    private final MoveRequests requests = new MoveRequests();
    private boolean moving;
    private boolean waitsForRate;
    private long nextLook;

    Mover(StoreChain stores, Migration migration, PageStates states, LiveMechanism mechanism, Others others) {
        this.stores = stores;
        this.states = states;
        this.mechanism = mechanism;
        this.others = others;
        this.migration = migration;
        queues = new ColdQueue[stores.size()];
        relieving = new boolean[stores.size()];
        compaction = new Compaction(stores, states, others);
        for (int i = 0; i < queues.length; i++) {
            queues[i] = new ColdQueue();
        }
    }

    /** A pager that follows another finds pages in stores: in which order they came is not known. */
    void seed() {
        for (int page = states.nextOutside(0); page >= 0; page = states.nextOutside(page + 1)) {
            arrived(page, states.get(page));
        }
    }

    boolean isMoving() {
        return moving;
    }

    /** Whether it has work, and only the rate holds it up: then it should be asked again soon. */
    boolean waitsForRate() {
        return waitsForRate;
    }

    /** The counts of moves between two stores of the chain. */
    MoveCounters counters(int from, int to) {
        return migration.counters(PlaceWord.FIRST_TIER + from, place(to));
    }

    private boolean isNode(int store) {
        return store == 0 && stores.node() != null;
    }

    private int place(int store) {
        return isNode(store) ? PlaceWord.MEMORY : PlaceWord.FIRST_TIER + store;
    }

    /** How many pages may go to a store: to a node they come by way of memory. */
    private int most(int wanted, int to) {
        return isNode(to)
                ? Math.clamp(mechanism.boundPages() - states.resident(), 0, Math.min(wanted, others.nodeRoom()))
                : wanted;
    }

    /** Asks for all pages in one store to be moved to another, from any thread. */
    CompletableFuture<String> request(int from, int to) {
        return requests.add(from, to);
    }

    /** The session is over: nobody waits any longer. */
    void end() {
        requests.end();
    }

    /** A page has come to a store. */
    void arrived(int page, long word) {
        if (StoreChain.isStored(word)) {
            int store = PlaceWord.place(word) - PlaceWord.FIRST_TIER;
            if (store < queues.length - 1) {
                queues[store].add(page);
            }
        }
    }

    /** Begins the next batch, if none is under way and there is something to move. */
    void step() {
        requests.look();
        waitsForRate = false;
        if (moving) {
            return;
        }
        int most = Math.min(BATCH, stores.rate().take(BATCH));
        Batch batch = most == 0 ? null : next(most);
        if (batch == null) {
            waitsForRate = most == 0 && hasWork();
            stores.rate().giveBack(most);
            return;
        }
        stores.rate().giveBack(most - batch.count);
        begin(batch);
    }

    private boolean hasWork() {
        boolean full = false;
        for (boolean r : relieving) {
            full |= r;
        }
        return full || !requests.isEmpty() || mechanism.hasMigrations();
    }

    private Batch next(int most) {
        Batch batch = proposed(most);
        if (batch == null) {
            batch = asked(most);
        }
        if (batch == null) {
            batch = relief(most);
        }
        return batch == null ? sparse(most) : batch;
    }

    /** Pages of a part of a store that holds little else: written anew, they leave the space of that part. */
    private Batch sparse(int most) {
        int[] pages = new int[most];
        int count = compaction.next(pages, System.nanoTime());
        return count == 0 ? null : new Batch(pages, count, compaction.store(), compaction.store(), null);
    }

    /** Nobody reads it, and no child has inherited its slot. */
    private boolean isFree(int page, long word) {
        return PlaceWord.claim(word) == PlaceWord.FREE && !others.share(page, word);
    }

    private boolean isIn(int page, int store) {
        long word = states.get(page);
        return PlaceWord.place(word) == PlaceWord.FIRST_TIER + store && isFree(page, word);
    }

    /** Pages in a row that a policy wants moved from one store to one other. */
    private Batch proposed(int most) {
        int[] pages = new int[most];
        int count = 0;
        int from = -1;
        int to = -1;
        while (count < most) {
            long next = mechanism.peekMigration();
            if (next < 0) {
                break;
            }
            int page = (int) next;
            long word = states.get(page);
            int target = (int) (next >>> Integer.SIZE);
            int source = PlaceWord.place(word) - PlaceWord.FIRST_TIER;
            if (!StoreChain.isStored(word) || source == target || !isFree(page, word) || most(most, target) <= count) {
                mechanism.takeMigration();
            } else if (count == 0 || source == from && target == to) {
                from = source;
                to = target;
                pages[count++] = page;
                mechanism.takeMigration();
            } else {
                break;
            }
        }
        return count == 0 ? null : new Batch(pages, count, from, to, null);
    }

    private Batch asked(int most) {
        while (!requests.isEmpty()) {
            MoveRequests.Request r = requests.first();
            if (isNode(r.to) && others.nodeRoom() == 0) {
                fail(r, r.to, "takes no more");
                continue;
            }
            int atOnce = most(most, r.to);
            if (atOnce == 0) {
                return null;
            }
            int[] pages = new int[atOnce];
            int count = 0;
            while (count < atOnce && r.cursor >= 0) {
                int page = states.nextOutside(r.cursor);
                r.cursor = page < 0 ? -1 : page + 1;
                if (page >= 0 && isIn(page, r.from)) {
                    pages[count++] = page;
                }
            }
            if (count > 0) {
                return new Batch(pages, count, r.from, r.to, r);
            }
            others.forgetCopies(r.from);
            requests.finish(r);
        }
        return null;
    }

    /** The oldest pages of the first store that is nearly full, to the next that is not. */
    private Batch relief(int most) {
        long now = System.nanoTime();
        if (now - nextLook < 0) {
            return null;
        }
        for (int from = 0; from < queues.length - 1; from++) {
            relieving[from] = stores.isFuller(from, relieving[from] ? LOW : HIGH);
            int to = from + 1;
            while (relieving[from] && to < queues.length && stores.isFuller(to, HIGH)) {
                to++;
            }
            if (!relieving[from] || to == queues.length) {
                relieving[from] = false;
                continue;
            }
            int[] pages = new int[most];
            int count = 0;
            for (int page = queues[from].poll(); page >= 0; page = queues[from].poll()) {
                if (isIn(page, from)) {
                    pages[count++] = page;
                    if (count == most) {
                        break;
                    }
                }
            }
            if (count > 0) {
                return new Batch(pages, count, from, to, null);
            }
            relieving[from] = false;
        }
        nextLook = now + LOOK_NANOS;
        return null;
    }

    private void begin(Batch batch) {
        moving = true;
        MoveCounters before = counters(batch.from, batch.to);
        migration
                .move(batch.pages, batch.count, PlaceWord.FIRST_TIER + batch.from, place(batch.to), io)
                .whenComplete((moved, failure) -> ended(batch, before, moved == null ? 0 : moved));
    }

    private void ended(Batch batch, MoveCounters before, int come) {
        moving = false;
        for (int i = 0; i < batch.count; i++) {
            arrived(batch.pages[i], states.get(batch.pages[i]));
        }
        int moved = isNode(batch.to) ? toNode(batch) : come;
        if (moved > 0 && batch.request != null) {
            batch.request.moved += moved;
        }
        MoveCounters now = counters(batch.from, batch.to);
        boolean failed = now.failed() > before.failed();
        boolean refused = now.refused() > before.refused();
        if (moved > 0 || !failed && !refused && moved == come) {
            return;
        }
        if (batch.request == null) {
            // Nobody waits for it: later, there may be room.
            nextLook = System.nanoTime() + RETRY_NANOS;
        } else if (failed) {
            fail(batch.request, batch.request.from, "does not return the others");
        } else if (isNode(batch.to) && refused && batch.request.refusals++ < MOST_REFUSALS) {
            // Memory takes none while the program changes its mappings.
            batch.request.cursor = batch.pages[0];
        } else {
            fail(batch.request, batch.request.to, "takes no more, or does not answer");
        }
    }

    private void fail(MoveRequests.Request r, int store, String why) {
        requests.fail(
                r, "moved pages=" + r.moved + ": store=" + stores.store(store).name() + " " + why);
    }

    /** Those of a batch that are in memory now go on; nobody has seen them there. */
    private int toNode(Batch batch) {
        int[] come = new int[batch.count];
        int count = 0;
        for (int i = 0; i < batch.count; i++) {
            if (states.isEligible(batch.pages[i])) {
                come[count++] = batch.pages[i];
            }
        }
        Arrays.sort(come, 0, count);
        return count == 0 ? 0 : others.toNode(come, count);
    }
}
