package upa.pager.live;

import upa.pager.device.AwayWord;
import upa.pager.place.PlaceWord;

/**
 * What a pager finds in a region, perhaps after another that was killed: entries say where pages are, and place words
 * that agree with them in which slot. In the pager's thread, before it serves anything.
 *
 * <p>What was leaving goes back to memory, where it is. A page in memory keeps its copy only if its word says so: then
 * its dirty bit still tells whether it has been written to.
 */
final class DeviceTakeover extends DevicePart {
    private static final int ADOPT_PAGES = 4096;

    private final long[] stored = new long[ADOPT_PAGES];
    private int count;

    DeviceTakeover(DevicePages all) {
        super(all);
    }

    void run() {
        for (int page = 0; page < region.pages(); page++) {
            long word = states.stored(page);
            // Known from now on, so that it can be changed.
            if (word != 0) {
                states.set(page, word);
            }
            settle(page, region.word(page), word);
            if (count == stored.length) {
                adopt();
            }
        }
        adopt();
    }

    private void adopt() {
        all.stores.adopt(stored, count);
        count = 0;
    }

    private void settle(int page, int entry, long word) {
        if (AwayWord.isLeaving(entry)) {
            boolean isBack = all.memory.putBack(page, AwayWord.frame(entry));
            states.set(page, isBack ? PageStates.memory() : 0);
        } else if (AwayWord.isPresent(entry)) {
            boolean hasCopy = PlaceWord.isClean(word) && StoreChain.isStored(word);
            states.set(page, hasCopy ? word : PageStates.memory());
            keep(hasCopy ? word : 0);
        } else if (AwayWord.isStored(entry)) {
            long free = PlaceWord.claimed(word, PlaceWord.FREE);
            boolean isKnown = PlaceWord.place(word) == PlaceWord.PATTERN || all.stores.has(word);
            if (isKnown && DeviceMemory.away(free) == entry) {
                states.set(page, free);
                keep(free);
            } else {
                states.set(page, 0);
                all.lose(page, entry);
            }
        } else {
            states.set(page, 0);
        }
    }

    private void keep(long word) {
        if (StoreChain.isStored(word)) {
            stored[count++] = word;
        }
    }
}
