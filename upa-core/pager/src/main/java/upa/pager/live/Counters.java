package upa.pager.live;

import upa.policy.PolicyStatistics;

/** What the pages of one process did. Written by the session's thread, read by any. */
final class Counters {
    volatile long firstTouches;
    volatile long faults;
    volatile long rescues;
    volatile long refaults;
    volatile long evictions;
    volatile long prefetches;
    volatile long standIns;
    /** Pages that could not leave: pinned, locked, shared, or disturbed. */
    volatile long refused;
    /** Orders that a thread of the program waited for. */
    volatile long waits;

    /** Pages evicted without a copy, since a store had them as they were. */
    volatile long dropped;
    /** Copies that were of no use, since the page was written to. */
    volatile long overwritten;

    volatile long lost;
    volatile long staged;
    volatile long stagingNanos;
    private int[] leftAt = {};

    /** A page has left memory. */
    void staged(int page) {
        if (page >= leftAt.length) {
            leftAt = java.util.Arrays.copyOf(leftAt, Math.max(page + 1, 2 * leftAt.length));
        }
        staged++;
        leftAt[page] = (int) staged;
    }

    /** A thread has touched a page that had left. */
    void fault(int page, int boundPages) {
        faults++;
        if (page < leftAt.length && (int) staged - leftAt[page] < boundPages) {
            refaults++;
        }
    }

    PolicyStatistics statistics() {
        // Which prefetched pages are touched is not seen.
        return new PolicyStatistics(faults, firstTouches, rescues, refaults, evictions, prefetches, 0, 0);
    }
}
