package upa.llfree;

import static upa.internal.os.RawMemory.*;
import static upa.llfree.LlFreeDescriptor.*;
import static upa.llfree.Words.*;

/** Looks for pages and takes none: what it finds is a snapshot, and somebody else's an instant later. */
final class Search {
    private Search() {
    }

    // ---- children --------------------------------------------------------------------------------------------

    /** Is this tree out of bounds for a search that leaves the reservations of others alone? */
    private static boolean isBarred(State a, long own, long tree) {
        int w = getIntOpaque(a.treeAt(tree));
        long mine = a.slotLoad(own);
        if (slotHolds(mine, tree)) {
            return treeFree(w) + slotFree(mine) < CHILD_PAGES;
        }
        return isReserved(w) || treeFree(w) < CHILD_PAGES;
    }

    /**
     * First child >= from of n consecutive wholly free ones below end whose states are of a set, or NONE. With {@code
     * own} 0 in any tree, else not in one that a slot other than that reserves.
     */
    static long children(State a, long own, long from, long end, long n, int states) {
        long run = 0;
        for (long c = from; c < end; c++) {
            if ((c % TREE_CHILDREN == 0 || c == from) && own != 0 && isBarred(a, own, c / TREE_CHILDREN)) {
                c |= TREE_CHILDREN - 1;
                run = 0;
                continue;
            }
            int w = getIntOpaque(a.childAt(c));
            if (childUsed(w) != 0 || !isIn(states, childState(w))) {
                run = 0;
            } else if (++run == n) {
                return c + 1 - n;
            }
        }
        return NONE;
    }

    // ---- pages -----------------------------------------------------------------------------------------------

    /**
     * First page in from .. end-1 that is free, or allocated; end if none. A child without tickets counts as allocated.
     */
    static long nextPage(State a, long from, long end, boolean free) {
        while (from < end) {
            long c = from / CHILD_PAGES;
            int w = getIntOpaque(a.childAt(c));
            if (childUsed(w) == 0 || childUsed(w) == CHILD_PAGES) {
                if (free == (childUsed(w) == 0)) {
                    return from;
                }
            } else {
                int at = Bits.next(a.bitmapAt(c), free ? ~polarity(w) : polarity(w), (int) (from % CHILD_PAGES));
                if (at < CHILD_PAGES) {
                    return Math.min(c * CHILD_PAGES + at, end);
                }
            }
            from = (c + 1) * CHILD_PAGES;
        }
        return end;
    }

    /** First page >= from of n consecutive free ones, aligned; NONE if none. May cross children unless inside one. */
    static long pages(State a, long from, long n, long align, boolean inside) {
        while ((from = nextPage(a, from, a.pages, true)) < a.pages) {
            long start = from + align - 1 & -align;
            if (inside && start % CHILD_PAGES + n > CHILD_PAGES) {
                from = (start / CHILD_PAGES + 1) * CHILD_PAGES;
                continue;
            }
            if (start >= a.pages || a.pages - start < n) {
                break;
            }
            from = nextPage(a, start, start + n, false);
            if (from == start + n) {
                return start;
            }
        }
        return NONE;
    }

    /** First page in from .. end-1 that may hold old bytes, or that does not; end if none. */
    static long nextContent(State a, long from, long end, boolean stale) {
        while (from < end) {
            long c = from / CHILD_PAGES;
            // Acquire: who sees MIXED must see the stale bits that were set before it.
            int state = childState(getIntAcquire(a.childAt(c)));
            if (state != MIXED) {
                if (stale == (state == STALE)) {
                    return from;
                }
            } else {
                int at = Bits.nextStale(a.bitmapAt(c), stale, (int) (from % CHILD_PAGES));
                if (at < CHILD_PAGES) {
                    return Math.min(c * CHILD_PAGES + at, end);
                }
            }
            from = (c + 1) * CHILD_PAGES;
        }
        return end;
    }
}
