package upa.pager.live;

import java.util.Arrays;
import upa.pager.place.PlaceWord;

/**
 * Finds pages that a store wants written anew, so that it can give space back. A store names slots; which pages they
 * are of is found by looking at all words, some at a time. Where nothing is gained it waits longer and longer. Belongs
 * to the session's thread.
 */
final class Compaction {
    private static final int MOST_SLOTS = 1024;
    /** Words looked at in a turn: 50 µs. */
    private static final int WORDS = 2048;

    private static final long LEAST_PAUSE_NANOS = 10_000_000;
    private static final long MOST_PAUSE_NANOS = 10_000_000_000L;

    private final StoreChain stores;
    private final PageStates states;
    private final Mover.Others others;
    private final int[] slots = new int[MOST_SLOTS];
    private int slotCount;
    private int store = -1;
    private int cursor;
    private long bytesBefore;
    private long pauseNanos = LEAST_PAUSE_NANOS;
    private long nextLook = System.nanoTime();

    Compaction(StoreChain stores, PageStates states, Mover.Others others) {
        this.stores = stores;
        this.states = states;
        this.others = others;
    }

    /** The store of the latest pages. */
    int store() {
        return store;
    }

    /**
     * Goes on looking.
     *
     * @param pages gets pages that are only in {@link #store}, and are nobody's
     * @param now   the time, ns
     * @return how many
     */
    int next(int[] pages, long now) {
        if (slotCount == 0 && (now - nextLook < 0 || !begin(now))) {
            return 0;
        }
        int found = 0;
        for (int looked = 0; looked < WORDS && found < pages.length; looked++) {
            int page = states.nextKnown(cursor);
            if (page < 0) {
                slotCount = 0;
                break;
            }
            cursor = page + 1;
            long word = states.get(page);
            if (PlaceWord.place(word) != PlaceWord.FIRST_TIER + store
                    || Arrays.binarySearch(slots, 0, slotCount, PlaceWord.slot(word)) < 0) {
                continue;
            }
            if (PlaceWord.isClean(word)) {
                others.forgetCopy(page);
            } else if (PlaceWord.claim(word) == PlaceWord.FREE && !others.share(page, word)) {
                pages[found++] = page;
            }
        }
        return found;
    }

    private boolean begin(long now) {
        boolean gained = store >= 0 && stores.store(store).statistics().bytesUsed() < bytesBefore;
        pauseNanos = gained ? LEAST_PAUSE_NANOS : Math.min(2 * pauseNanos, MOST_PAUSE_NANOS);
        nextLook = now + pauseNanos;
        for (int tries = 0; tries < stores.size() && slotCount == 0; tries++) {
            store = (store + 1) % stores.size();
            slotCount = stores.store(store).sparse(slots);
        }
        bytesBefore = stores.store(store).statistics().bytesUsed();
        Arrays.sort(slots, 0, slotCount);
        cursor = 0;
        return slotCount > 0;
    }
}
