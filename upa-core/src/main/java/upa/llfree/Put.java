package upa.llfree;

import static upa.internal.os.RawMemory.putLongOpaque;
import static upa.llfree.LlFreeDescriptor.*;
import static upa.llfree.Words.*;

/**
 * Frees pages: any part of what gets have returned, over many children and trees. {@code s} is the address of a slot.
 */
final class Put {
    static final int PUT_ABSENT = 1;
    static final int PUT_ZEROED = 2;
    static final int PUT_UNTOUCHED = 3;

    private Put() {
    }

    /** Frees a range of which every page is the caller's. Returns how many were freed. */
    static long range(State a, long s, long first, long pages, int state) {
        long end = first + pages;
        long freed = 0;
        while (first < end) {
            long tree = first / TREE_PAGES;
            long treeEnd = Math.min((tree + 1) * TREE_PAGES, end);
            int tickets = 0;
            while (first < treeEnd) {
                long c = first / CHILD_PAGES;
                long childEnd = Math.min((c + 1) * CHILD_PAGES, treeEnd);
                int lo = (int) (first % CHILD_PAGES);
                tickets += Child.put(a, c, lo, lo + (int) (childEnd - first), state);
                first = childEnd;
            }
            if (tickets != 0) {
                Tickets.give(a, s, tree, tickets);
            }
            freed += tickets;
        }
        return freed;
    }

    /** As {@link #range}, counted, and remembered as the place for the slot's next large run. */
    static long run(State a, long s, long first, long pages, int flags) {
        long freed = range(a, s, first, pages, stateOf(flags));
        if (pages > CHILD_PAGES) {
            putLongOpaque(s + SLOT_RUN_HINT, first / CHILD_PAGES);
        }
        Counters.put(s, freed, freed == pages);
        return freed;
    }

    /** Of pages that stay the caller's: records that they hold old bytes. */
    static void recordStale(State a, long first, long pages) {
        long end;
        for (long page = first; page < first + pages; page = end) {
            long c = page / CHILD_PAGES;
            end = Math.min((c + 1) * CHILD_PAGES, first + pages);
            if (end - page == CHILD_PAGES) {
                Child.setState(a.childAt(c), only(ABSENT) | only(ZEROED), STALE);
            }
            int lo = (int) (page % CHILD_PAGES);
            Child.record(a.childAt(c), a.bitmapAt(c), lo, lo + (int) (end - page), STALE);
        }
    }

    private static int stateOf(int flags) {
        return switch (flags) {
            case PUT_ABSENT -> ABSENT;
            case PUT_ZEROED -> ZEROED;
            case PUT_UNTOUCHED -> Child.UNCHANGED;
            default -> STALE;
        };
    }
}
