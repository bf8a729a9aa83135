package upa.pager.live;

import java.lang.foreign.MemorySegment;
import upa.pager.place.PlaceWord;
import upa.pager.posix.Posix;
import upa.pager.store.PageIo;
import upa.pager.store.Store;
import upa.policy.Place;

/**
 * Which pages keep their slot in a store when they come into memory, so that evicting them again costs nothing as long
 * as nobody has written to them. Belongs to the session's thread.
 *
 * <p>A copy costs space in the store, and a fault when the page is written to. So it is kept only in stores that take
 * no memory, while there is room, and while at most a quarter of the copies end by being written over.
 *
 * <p>The kernel loses the protection of a page that it merges with equal ones (KSM). Once it may do so in this process,
 * no copy is trusted any more.
 */
final class Copies {
    /** A store fuller than so many sixteenths keeps no more copies. */
    private static final int KEEP = 12;
    /** One fuller than so many gives up those it has. */
    private static final int FORGET = 15;

    private static final int MOST_FORGOTTEN = 256;
    /** Of so many pages one keeps its slot even if copies have been of no use, to see whether they are now. */
    private static final int SAMPLE = 64;
    /** A copy that is written over costs as much as this many that are not have saved. */
    private static final int COST = 3;

    private static final int GRACE = 64;
    private static final int MOST_COUNTED = 1 << 12;

    private static final int TEXT_BYTES = 1024;

    private final PagedProcess process;
    /** What the kernel says of merging in this process; less than 0 if it does not. */
    private final int merging;

    private final MemorySegment text;
    private int savedOnes;
    private int overwrittenOnes;
    private int sample;
    private int hand;
    private boolean distrusted;

    Copies(PagedProcess process) {
        this.process = process;
        merging = Posix.open("/proc/" + process.hello.pid() + "/ksm_stat", 0, 0);
        text = process.arena.allocate(TEXT_BYTES);
    }

    /** Whether a page is to keep its slot when it comes from where a word says. */
    boolean keeps(long word) {
        if (distrusted || !StoreChain.isStored(word) || !Uffd.protects()) {
            return false;
        }
        int index = PlaceWord.place(word) - PlaceWord.FIRST_TIER;
        Store store = process.stores().store(index);
        if (store.kind() != Place.Kind.FILE && store.kind() != Place.Kind.REMOTE
                || process.stores().isFuller(index, KEEP)) {
            return false;
        }
        return COST * overwrittenOnes <= savedOnes + GRACE || ++sample % SAMPLE == 0;
    }

    /** A page has been evicted for nothing. */
    void saved() {
        savedOnes++;
        age();
    }

    /** A page that had a copy is written to. */
    void overwritten() {
        process.counters.overwritten++;
        overwrittenOnes++;
        age();
    }

    private void age() {
        if (savedOnes + overwrittenOnes > MOST_COUNTED) {
            savedOnes /= 2;
            overwrittenOnes /= 2;
        }
    }

    /** Before pages are evicted: if the kernel may have lost the protection of one, none has a copy any more. */
    void trust() {
        if (process.states.clean() > 0 && !distrusted && isMerged()) {
            distrusted = true;
            for (int page = process.states.nextClean(0); page >= 0; page = process.states.nextClean(page + 1)) {
                give(page);
            }
        }
    }

    private boolean isMerged() {
        long n = merging < 0 ? 0 : Posix.pread(merging, text, 0);
        if (n <= 0) {
            // A kernel that does not merge pages, or a process that has ended.
            return false;
        }
        String said = Client.text(text.asSlice(0, n));
        return !said.startsWith("ksm_rmap_items 0\n") || said.contains(": yes\n");
    }

    /** Gives up copies in stores that are nearly full. */
    void relieve() {
        StoreChain stores = process.stores();
        for (int i = 0; process.states.clean() > 0 && i < stores.size(); i++) {
            if (stores.isFuller(i, FORGET)) {
                forget(i);
                return;
            }
        }
    }

    /** Gives up copies since no store has room. False if there are none. */
    boolean forget() {
        return forget(-1);
    }

    /** Gives up some copies in a store; -1: in any. */
    boolean forget(int store) {
        int n = 0;
        for (int looked = 0; n < MOST_FORGOTTEN && looked < process.states.clean() + n; looked++) {
            int page = process.states.nextClean(hand);
            if (page < 0) {
                hand = 0;
                page = process.states.nextClean(0);
            }
            if (page < 0) {
                break;
            }
            hand = page + 1;
            if (store < 0 || PlaceWord.place(process.states.get(page)) == PlaceWord.FIRST_TIER + store) {
                give(page);
                // If the kernel refuses, who writes to the page does it.
                process.uffd.unprotect(process.address(page), PageIo.PAGE_BYTES);
                n++;
            }
        }
        return n > 0;
    }

    /** A page has no copy from now on. It stays protected until somebody writes to it. */
    void give(int page) {
        boolean chosen = process.states.isChosen(page);
        process.migration().written(page);
        if (chosen) {
            process.states.choose(page);
        }
    }

    void close() {
        if (merging >= 0) {
            Posix.close(merging);
        }
    }
}
