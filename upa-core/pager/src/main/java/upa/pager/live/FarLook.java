package upa.pager.live;

import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import upa.pager.place.Migration;
import upa.pager.place.PlaceWord;
import upa.pager.posix.Linux;
import upa.pager.store.PageIo;
import upa.policy.PageBatch.Cause;

/**
 * Finds out which pages on the far node are used, and what becomes of the others. Accesses there do not fault. So a
 * sample of those that came first is detached for a while: the client moves it to the staging area, as if it was
 * evicted. Who touches a page gets it from there at once, near. One that nobody has touched goes on to the next store
 * if the node is nearly full, and else back to the node. The sample grows while much of it is used, and comes seldom
 * while nothing is. Belongs to the session's thread.
 */
final class FarLook {
    /** Between two turns of the session, at most. */
    static final int PAUSE_MILLIS = 20;

    private static final int LEAST_SAMPLE = 16;
    private static final int MOST_SAMPLE = Wire.ORDER_PAGES;
    /** How long a page is detached. */
    private static final long DETACHED_NANOS = PAUSE_MILLIS * 1_000_000L;

    private static final int MOST_PAUSES = 32;
    /** A part of so many of a sample that is used makes it larger. */
    private static final int MUCH = 8;
    /** The node is relieved when it is fuller than so many sixteenths, until it is no fuller than the second. */
    private static final int HIGH = 15;

    private static final int LOW = 14;

    private final PagedProcess process;
    private final Evictor evictor;
    private final PageStates states;
    private final FarNode node;
    private final StoreChain stores;
    private final ColdQueue queue = new ColdQueue();
    /** Staging slots of pages that are detached to see whether they are used. */
    private final ArrayDeque<Integer> detached = new ArrayDeque<>();

    private final MoveRequests requests = new MoveRequests();
    private final int[] pages = new int[MOST_SAMPLE];
    private final int[] slots = new int[MOST_SAMPLE];
    private final StagingSlots staging;
    private final PageIo io;
    private final int[] single = new int[1];
    private int sample = LEAST_SAMPLE;
    private int pauses = 1;
    private boolean relieving;
    private long due = System.nanoTime();
    private volatile long looked;
    private volatile long used;
    private volatile long sentOn;

    FarLook(PagedProcess process, Evictor evictor) {
        this.process = process;
        this.evictor = evictor;
        states = process.states;
        node = process.far();
        stores = process.stores();
        staging = evictor.slots();
        io = new PageIo(process.arena, 1);
        node.arrivals(queue::add);
    }

    /** Pages that were detached to see whether they are used. */
    long looked() {
        return looked;
    }

    /** Of these, those that were used. */
    long used() {
        return used;
    }

    /** Of these, those that went on to a store, and those that went there for other reasons. */
    long sentOn() {
        return sentOn;
    }

    /** Asks for all pages there to be moved to a store, from any thread. */
    CompletableFuture<String> request(int to) {
        return requests.add(0, to);
    }

    /** The session is over: nobody waits any longer. */
    void end() {
        requests.end();
    }

    /** Does what is due. */
    void step() throws Client.GoneException {
        requests.look();
        if (!evictor.mayDetach()) {
            return;
        }
        leave();
        asked();
        long now = System.nanoTime();
        if (now - due < 0) {
            return;
        }
        if (detached.isEmpty()) {
            adopt();
        }
        if (detached.isEmpty()) {
            sample(now);
        } else {
            decide();
        }
        node.reserve(detached.size());
    }

    // ---- pages that are to leave for a store --------------------------------------------------------

    /** What a policy wants in a store, of one store at a time. */
    private void leave() throws Client.GoneException {
        int count = 0;
        int to = -1;
        int most = stores.rate().take(most(MOST_SAMPLE));
        while (count < most) {
            long next = process.mechanism.peekLeaving();
            if (next < 0 || to >= 0 && to != (int) (next >>> Integer.SIZE)) {
                break;
            }
            process.mechanism.takeLeaving();
            if (states.isAside((int) next)) {
                to = (int) (next >>> Integer.SIZE);
                pages[count++] = (int) next;
            }
        }
        stores.rate().giveBack(most - count);
        send(count, to);
    }

    private void asked() throws Client.GoneException {
        MoveRequests.Request r = requests.first();
        if (r == null) {
            return;
        }
        int most = stores.rate().take(most(MOST_SAMPLE));
        int count = 0;
        while (count < most && r.cursor >= 0) {
            int page = states.nextAside(r.cursor);
            r.cursor = page < 0 ? -1 : page + 1;
            if (page >= 0) {
                pages[count++] = page;
            }
        }
        stores.rate().giveBack(most - count);
        r.moved += send(count, r.to);
        if (r.cursor < 0) {
            requests.finish(r);
        }
    }

    private int send(int count, int to) throws Client.GoneException {
        if (count == 0) {
            return 0;
        }
        int n = distinct(count);
        detach(n);
        int sent = 0;
        for (int i = 0; i < n; i++) {
            if (slots[i] >= 0) {
                evictor.send(slots[i], to);
                sent++;
            }
        }
        sentOn += sent;
        evictor.write();
        node.count();
        return sent;
    }

    /** Neighbours go in one move. */
    private int distinct(int count) {
        Arrays.sort(pages, 0, count);
        int n = 0;
        for (int i = 0; i < count; i++) {
            if (n == 0 || pages[i] != pages[n - 1]) {
                pages[n++] = pages[i];
            }
        }
        return n;
    }

    // ---- pages of which it is to be seen whether they are used --------------------------------------

    /** There must be slots for victims, too. */
    private int most(int wanted) {
        return Math.min(wanted, staging.freeCount() / 2);
    }

    /** Has pages moved to the staging area. Each gets a slot, or -1: it cannot leave, or is gone. */
    private void detach(int count) throws Client.GoneException {
        evictor.tellEvicted();
        for (int i = 0; i < count; i++) {
            slots[i] = staging.take();
            process.client.page(i, pages[i], slots[i]);
        }
        process.client.order(Wire.STAGE, count, 0);
        process.client.await();
        for (int i = 0; i < count; i++) {
            if (process.client.result(i) == 0) {
                states.set(pages[i], PlaceWord.of(PlaceWord.STAGING, 0, slots[i]));
                staging.owner(slots[i], pages[i]);
                continue;
            }
            staging.free(slots[i]);
            slots[i] = -1;
            if (process.client.result(i) == -Linux.ENOENT) {
                single[0] = pages[i];
                process.release(pages[i], states.set(pages[i], 0));
                process.tell(Cause.FREED, single, 1);
            }
        }
    }

    /** Brings a page that is detached back into memory. Returns its number, or -1: to be tried again. */
    private int putBack(int slot) {
        int page = staging.owner(slot);
        process.migration().fetch(page, false, io, Migration.Told.NOBODY);
        if (staging.isStaged(slot)) {
            return -1;
        }
        staging.free(slot);
        return page;
    }

    private void sample(long now) throws Client.GoneException {
        relieving = stores.takesContent() && stores.isFuller(0, relieving ? LOW : HIGH);
        int most = most(relieving ? MOST_SAMPLE : sample);
        int count = 0;
        for (int page = queue.poll(); page >= 0 && count < most; page = count < most ? queue.poll() : -1) {
            if (states.isAside(page)) {
                pages[count++] = page;
            }
        }
        due = now + DETACHED_NANOS;
        if (count == 0) {
            // None is known that came first: those of a pager before, and those that the kernel has brought there.
            for (int page = states.nextAside(0); page >= 0; page = states.nextAside(page + 1)) {
                queue.add(page);
            }
            return;
        }
        int n = distinct(count);
        detach(n);
        int out = 0;
        for (int i = 0; i < n; i++) {
            if (slots[i] >= 0) {
                detached.add(slots[i]);
                out++;
            } else if (states.isAside(pages[i])) {
                queue.add(pages[i]);
            }
        }
        looked += out;
        node.count();
    }

    /** Those that are still detached have not been used. */
    private void decide() {
        int was = detached.size();
        int toSend = relieving ? stores.rate().take(was) : 0;
        int sent = 0;
        int back = 0;
        int came = 0;
        for (int i = 0; i < was; i++) {
            int slot = detached.poll();
            if (!staging.isStaged(slot)) {
                came += PlaceWord.isInMemory(states.get(staging.owner(slot))) ? 1 : 0;
                staging.free(slot);
            } else if (sent < toSend) {
                evictor.send(slot, 1);
                sent++;
            } else {
                int page = putBack(slot);
                if (page >= 0) {
                    pages[back++] = page;
                } else {
                    detached.add(slot);
                }
            }
        }
        stores.rate().giveBack(toSend - sent);
        sentOn += sent;
        evictor.write();
        returned(back);
        used += came;
        node.used(came);
        pace(was, came);
    }

    private void returned(int count) {
        Arrays.sort(pages, 0, count);
        int[] stay = new int[count];
        node.reserve(detached.size());
        int staying = node.moveBack(pages, count, stay);
        process.tell(Cause.RESCUED, stay, staying);
    }

    /** What a pager before had staged. */
    private void adopt() {
        while (detached.size() < MOST_SAMPLE && evictor.hasUndecided()) {
            detached.add(evictor.nextUndecided());
        }
    }

    private void pace(int was, int came) {
        if (was == 0) {
            return;
        }
        if (came * MUCH >= was) {
            sample = Math.min(2 * sample, MOST_SAMPLE);
            pauses = 1;
        } else {
            sample = Math.max(sample / 2, LEAST_SAMPLE);
            pauses = came > 0 || relieving ? 1 : Math.min(2 * pauses, MOST_PAUSES);
        }
        due = System.nanoTime() + (pauses - 1) * DETACHED_NANOS;
    }
}
