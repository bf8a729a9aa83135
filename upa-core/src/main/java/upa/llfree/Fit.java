package upa.llfree;

import static upa.internal.os.RawMemory.*;
import static upa.llfree.LlFreeDescriptor.*;
import static upa.llfree.Words.*;

/**
 * Looks for the best place for a run of more than a child, page by page. What it finds is a
 * snapshot. Of a child whose state is MIXED the stale pages have memory.
 */
final class Fit {
    private final State a;
    private final long n;
    /** Words that may be looked at still. */
    private long looks;
    /** The best place so far. */
    private long best = NONE;
    /** Pages there that lack memory. */
    private long fewest;
    /** The free pages around it. */
    private long shortest;

    private Fit(State a, long n) {
        this.a = a;
        this.n = n;
        looks = n;
        fewest = n + 1;
    }

    /** Of free pages from .. end-1: how many have no memory? */
    private long countAbsent(long from, long end) {
        long absent = 0;
        while (from < end) {
            long c = from / CHILD_PAGES;
            long stop = Math.min((c + 1) * CHILD_PAGES, end);
            int state = childState(getIntOpaque(a.childAt(c)));
            if (state == ABSENT) {
                absent += stop - from;
            } else if (state == MIXED) {
                int lo = (int) (from % CHILD_PAGES);
                absent += stop - from - Bits.countStale(a.bitmapAt(c), lo, lo + (int) (stop - from));
            }
            from = stop;
        }
        return absent;
    }

    /** Is {@code page}, within {@code length} free pages, a better place? Returns how many pages there lack memory. */
    private long compare(long page, long length) {
        long absent = countAbsent(page, page + n);
        looks = Math.max(0, looks - n / TREE_PAGES * TREE_CHILDREN);
        if (absent < fewest || absent == fewest && length < shortest) {
            best = page;
            fewest = absent;
            shortest = length;
        }
        return absent;
    }

    /**
     * Looks at the free pages from .. end-1 between allocated ones: at their start, and if memory is lacking there,
     * where children that have some follow such that have none.
     */
    private void lookAt(long from, long end) {
        if (end - from < n || compare(from, end - from) == 0) {
            return;
        }
        long limit = end;
        long children = (end - from) / CHILD_PAGES;
        if (children > looks) {
            children = looks;
            limit = from + children * CHILD_PAGES;
        }
        looks -= children;
        for (long at = from; ; ) {
            at = Search.nextState(a, at, limit, only(ABSENT));
            at = Search.nextState(a, at, limit, ANY_STATE & ~only(ABSENT));
            if (at == limit) {
                return;
            }
            compare(at + n <= end ? at : end - n, end - from);
        }
    }

    private static final int GROUP = 1;
    private static final int FREE = 2;
    private static final int EACH = 4;
    private static final int FLIP = 8;

    /**
     * What is to be known of the tree of child c, as a number: FREE if all its pages are free, EACH if its children are
     * to be asked, none of them if no page is to be had; GROUP if that is so of the whole group, FLIP if its polarity
     * is 1.
     */
    private static int look(State a, long own, long c) {
        long tree = c / TREE_CHILDREN;
        int group = getIntOpaque(a.groupAt(tree / GROUP_TREES));
        int w = treeView(getIntOpaque(a.treeAt(tree)), group);
        if (!isOpen(w)) {
            int all = isWhole(group) || nodeUsed(group) == 0 ? GROUP : 0;
            return nodeUsed(w) == 0 ? FREE | all : all;
        }
        if (isWhole(w)) {
            return 0;
        }
        int flip = nodeFlip(w) != 0 ? FLIP : 0;
        if (isReserved(w)) {
            return slotHolds(a.slotLoad(own), tree) ? EACH | flip : 0;
        }
        if (nodeUsed(w) == 0) {
            return FREE;
        }
        return treeFree(w) > 0 ? EACH | flip : 0;
    }

    /**
     * First of n free pages in trees that no slot other than {@code own} reserves, where the fewest of them lack
     * memory, and of such places in the shortest stretch of free pages; NONE if there are none. Looks at about n words,
     * which cost less than the page faults that they may save: where there is more to look at, and no place is found
     * without any fault, NONE. So for a run of a tree or more if no place has as much memory as a
     * child.
     */
    static long place(State a, long own, long n) {
        return new Fit(a, n).place(own);
    }

    private long place(long own) {
        long end = Math.min(a.touched() + (n + CHILD_PAGES - 1) / CHILD_PAGES, a.children);
        long start = 0; // of the free pages before the child looked at
        for (long c = 0; c < end && looks > 0; ) {
            int s = look(a, own, c);
            long unit = (s & GROUP) != 0 ? GROUP_TREES * TREE_CHILDREN : TREE_CHILDREN;
            long stop = Math.min((c / unit + 1) * unit, end);
            looks--;
            if ((s & EACH) != 0) {
                long flip = (s & FLIP) != 0 ? -1L : 0;
                for (; c < stop && looks > 0; c++) {
                    looks--;
                    start = afterChild(c, flip, start);
                    if (fewest == 0 && shortest == n) {
                        return best;
                    }
                }
            } else if ((s & FREE) == 0) {
                lookAt(start, c * CHILD_PAGES);
                start = stop * CHILD_PAGES;
            }
            c = stop;
        }
        if (looks > 0) {
            lookAt(start, Math.min(end * CHILD_PAGES, a.pages));
        }
        // Whole trees are taken and freed in one step each: worth more than a little memory.
        return fewest == 0 || looks > 0 && (n < TREE_PAGES || fewest <= n - CHILD_PAGES) ? best : NONE;
    }

    /** Where the free pages behind a child start, if those before it start at {@code start}, which are looked at. */
    private long afterChild(long c, long flip, long start) {
        int w = getIntOpaque(a.childAt(c));
        long first = c * CHILD_PAGES;
        if (isFree(w, flip)) {
            return start;
        }
        // No stretch within a child is long enough.
        if (isFull(w, flip)) {
            lookAt(start, first);
            return first + CHILD_PAGES;
        }
        long polarity = childFlip(w, flip);
        long bits = a.bitmapAt(c);
        lookAt(start, first + Bits.next(bits, polarity, 0));
        return first + Bits.endOfAllocated(bits, polarity);
    }
}
