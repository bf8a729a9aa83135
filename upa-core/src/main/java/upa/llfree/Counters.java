package upa.llfree;

import static upa.internal.os.RawMemory.*;
import static upa.llfree.LlFreeDescriptor.*;

import java.lang.invoke.VarHandle;

/** The counters of one slot: exact while each thread has a slot of its own, else lower bounds. */
final class Counters {
    private Counters() {}

    private static void add(long counter, long n) {
        putLongOpaque(counter, getLongOpaque(counter) + n);
    }

    /** Counts a get: pages, or a failure, which is negative. Returns page. */
    static long got(long s, long page, long n) {
        if (page >= 0) {
            add(s + SLOT_GETS, 1);
            add(s + SLOT_GOT_PAGES, n);
        } else {
            add(s + SLOT_FAILURES, 1);
        }
        return page;
    }

    static void put(long s, long pages, boolean isWhole) {
        add(s + SLOT_PUTS, isWhole ? 1 : 0);
        add(s + SLOT_PUT_PAGES, pages);
    }

    static void searched(long s) {
        add(s + SLOT_SEARCHES, 1);
    }

    /**
     * All pages ever freed. Counted once they are free: if it is the same before and after a search, nothing became
     * free behind the search's back, but for puts still under way.
     */
    static long freedPages(State a) {
        VarHandle.acquireFence();
        long n = sum(a, SLOT_PUT_PAGES);
        VarHandle.acquireFence();
        return n;
    }

    /** One counter of all slots. */
    static long sum(State a, int counter) {
        long n = 0;
        for (int i = 0; i < a.slots; i++) {
            n += getLongOpaque(a.slotAt(i) + counter);
        }
        return n;
    }
}
