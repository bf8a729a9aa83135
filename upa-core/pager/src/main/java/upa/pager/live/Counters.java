package upa.pager.live;

import java.util.concurrent.atomic.AtomicLongArray;
import upa.policy.PolicyStatistics;

/** What the pages of one process did. Written by the session's thread, read by any. */
final class Counters {
    /** Classes of refault distances. */
    static final int DISTANCES = 7;

    private static final int BOUND_SHIFT = 3;

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
    /** Faults by refault distance: up to an eighth of the bound, a fourth, and so on to four times it; beyond. */
    private final AtomicLongArray distances = new AtomicLongArray(DISTANCES);

    /** A page has left memory. */
    void staged(int page) {
        if (page >= leftAt.length) {
            leftAt = java.util.Arrays.copyOf(leftAt, Math.max(page + 1, 2 * leftAt.length));
        }
        staged++;
        leftAt[page] = (int) staged;
    }

    /** A thread has touched a page that had left: its refault distance; -1 if it left when another pager was there. */
    int fault(int page, int boundPages) {
        faults++;
        if (page >= leftAt.length || leftAt[page] == 0) {
            return -1;
        }
        int distance = Math.max(0, (int) staged - leftAt[page]);
        if (distance < boundPages) {
            refaults++;
        }
        int of = 0;
        while (of < DISTANCES - 1 && distance >= Math.max(1, (long) boundPages << of >> BOUND_SHIFT)) {
            of++;
        }
        distances.setRelease(of, distances.getPlain(of) + 1);
        return distance;
    }

    /** {@return faults of a refault distance below {@code 2^i} eighths of the bound, and not of a smaller one} */
    long refaults(int i) {
        return distances.get(i);
    }

    PolicyStatistics statistics() {
        // Which prefetched pages are touched is not seen.
        return new PolicyStatistics(faults, firstTouches, rescues, refaults, evictions, prefetches, 0, 0);
    }
}
