package upa.pager.live;

import upa.pager.place.PlaceWord;

/**
 * Which slots of the staging area are free, and whose page is in each of the others. Belongs to the session's thread.
 */
final class StagingSlots {
    private final PageStates states;
    private final int[] free = new int[Wire.STAGING_SLOTS];
    private final int[] owner = new int[Wire.STAGING_SLOTS];
    private int freeCount;

    StagingSlots(PageStates states) {
        this.states = states;
        allBut(new boolean[Wire.STAGING_SLOTS]);
    }

    /** All slots but some are free. */
    void allBut(boolean[] used) {
        freeCount = 0;
        for (int slot = used.length - 1; slot >= 0; slot--) {
            if (!used[slot]) {
                free(slot);
            }
        }
    }

    int freeCount() {
        return freeCount;
    }

    /** Takes one that is free. */
    int take() {
        return free[--freeCount];
    }

    void free(int slot) {
        free[freeCount++] = slot;
    }

    /** The page that came to a slot last. */
    int owner(int slot) {
        return owner[slot];
    }

    void owner(int slot, int page) {
        owner[slot] = page;
    }

    /** Whether its page is in a slot still. */
    boolean isStaged(int slot) {
        long word = PlaceWord.claimed(states.get(owner[slot]), PlaceWord.FREE);
        return word == PlaceWord.of(PlaceWord.STAGING, 0, slot);
    }
}
