package upa.llfree;

import static upa.internal.os.RawMemory.*;
import static upa.llfree.LlFreeDescriptor.*;
import static upa.llfree.Words.*;

/**
 * Frees pages: any part of what gets have returned, over many children and trees. {@code s} is the address of a slot.
 */
final class Put {
    static final int PUT_ABSENT = 1;
    static final int PUT_ZEROED = 2;
    static final int PUT_UNTOUCHED = 3;

    private Put() {}

    /** The pages of one tree; nothing is freed if {@code check} finds one of them free. */
    private static int inTree(State a, long s, long first, long end, int state, boolean check) {
        long flip = Tickets.split(a, s, first / TREE_PAGES);
        if (flip == Tickets.NONE || check && !Search.isHeldInTree(a, first, end, flip)) {
            return 0;
        }
        long c = first / CHILD_PAGES;
        int lo = (int) (first % CHILD_PAGES);
        int left = (int) (end - first);
        int freed = 0;
        if (lo != 0) {
            int n = Math.min(left, CHILD_PAGES - lo);
            freed += Child.putPart(a, c++, flip, lo, lo + n, state);
            left -= n;
        }
        for (; left >= CHILD_PAGES; left -= CHILD_PAGES) {
            freed += Child.putWhole(a, c++, flip, state);
        }
        if (left != 0) {
            freed += Child.putPart(a, c, flip, 0, left, state);
        }
        if (freed != 0) {
            Tickets.give(a, s, first / TREE_PAGES, freed);
        }
        return freed;
    }

    /** The pages of one child; nothing is freed if one of them is free. */
    private static int inChild(State a, long s, long first, int n, int state) {
        long flip = Tickets.split(a, s, first / TREE_PAGES);
        if (flip == Tickets.NONE) {
            return 0;
        }
        long c = first / CHILD_PAGES;
        int lo = (int) (first % CHILD_PAGES);
        int freed = 0;
        if (n == CHILD_PAGES) {
            freed = Child.putWhole(a, c, flip, state);
        } else if (Bits.allAllocated(a.bitmapAt(c), childFlip(getIntOpaque(a.childAt(c)), flip), lo, lo + n)) {
            freed = Child.putPart(a, c, flip, lo, lo + n, state);
        }
        if (freed != 0) {
            Tickets.give(a, s, first / TREE_PAGES, freed);
        }
        return freed;
    }

    /** Frees a range of which every page is the caller's. Returns how many were freed. */
    static long range(State a, long s, long first, long pages, int state) {
        long end = first + pages;
        long freed = 0;
        while (first < end) {
            long treeEnd = Math.min((first / TREE_PAGES + 1) * TREE_PAGES, end);
            if (treeEnd - first == TREE_PAGES) {
                if (first % GROUP_PAGES == 0
                        && end - first >= GROUP_PAGES
                        && Trees.putWholeGroup(a, first / GROUP_PAGES, state)) {
                    freed += GROUP_PAGES;
                    first += GROUP_PAGES;
                    continue;
                }
                if (Trees.putWhole(a, first / TREE_PAGES, state)) {
                    freed += TREE_PAGES;
                    first = treeEnd;
                    continue;
                }
            }
            freed += inTree(a, s, first, treeEnd, state, false);
            first = treeEnd;
        }
        return freed;
    }

    /**
     * Frees a range, counts that, and remembers it as the place for the slot's next large run. Returns how many pages
     * were freed: none if one of them was free, fewer than asked if somebody else frees them too.
     */
    static long run(State a, long s, long first, long pages, int flags) {
        int state = stateOf(flags);
        long last = first + pages - 1;
        long freed;
        if (first / CHILD_PAGES == last / CHILD_PAGES) {
            freed = inChild(a, s, first, (int) pages, state);
        } else if (pages < TREE_PAGES && first / TREE_PAGES == last / TREE_PAGES) {
            freed = inTree(a, s, first, first + pages, state, true);
        } else {
            freed = Search.isHeld(a, first, first + pages) ? range(a, s, first, pages, state) : 0;
        }
        if (freed == 0) {
            return 0;
        }
        if (pages > CHILD_PAGES) {
            putLongOpaque(s + SLOT_RUN_HINT, first);
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
                Child.setState(a, c, only(ABSENT) | only(ZEROED), STALE);
                Child.settle(a, c);
            }
            int lo = (int) (page % CHILD_PAGES);
            Child.record(a, c, lo, lo + (int) (end - page), STALE);
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
