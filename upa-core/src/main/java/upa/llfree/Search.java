package upa.llfree;

import static upa.internal.os.RawMemory.*;
import static upa.llfree.LlFreeDescriptor.*;
import static upa.llfree.Words.*;

/** Looks for pages and takes none: what it finds is a snapshot, and somebody else's an instant later. */
final class Search {
    private static final int GROUP_CHILDREN = GROUP_TREES * TREE_CHILDREN;

    private Search() {}

    private static long childEnd(long page, long end) {
        return Math.min((page / CHILD_PAGES + 1) * CHILD_PAGES, end);
    }

    private static long treeEnd(long page, long end) {
        return Math.min((page / TREE_PAGES + 1) * TREE_PAGES, end);
    }

    private static long groupEnd(long page, long end) {
        return Math.min((page / GROUP_PAGES + 1) * GROUP_PAGES, end);
    }

    // ---- room for long runs ----------------------------------------------------------------------------------

    /** May all below a tree or group be in a set of states? */
    private static boolean mayHold(int word, int states) {
        return nodeState(word) == MIXED || isIn(states, nodeState(word));
    }

    /**
     * Is every child of a tree free, and may be in a set of states? What the tree's tickets say may be less, if some
     * are on their way or have been lost with a killed thread.
     */
    private static boolean isIdle(State a, long tree, int states) {
        int w = a.treeLoad(tree);
        if (!mayHold(w, states)) {
            return false;
        }
        if (nodeUsed(w) == 0) {
            return true;
        }
        if (!isOpen(w) || isWhole(w)) {
            return false;
        }
        for (long c = tree * TREE_CHILDREN; c < (tree + 1) * TREE_CHILDREN; c++) {
            if (!isFree(getIntOpaque(a.childAt(c)), nodeFlip(w))) {
                return false;
            }
        }
        return true;
    }

    /**
     * First of those wholly free trees, from that of page {@code from} on, that n consecutive free pages have to cover;
     * the tree of {@code from} if they need not cover any. {@code a.trees} if there are not so many side by side that
     * may be in a set of states. A place is looked at from its end: what is not free there rules out all places before,
     * so that the longer the run, the fewer trees are looked at.
     */
    private static long roomFor(State a, long from, long n, int states) {
        long wanted = n < TREE_PAGES ? 0 : (n - (TREE_PAGES - 1)) / TREE_PAGES;
        long first = from / TREE_PAGES;
        long known = first; // those before it, from first on, are free
        while (first + wanted <= a.trees) {
            long end = first + wanted;
            long t = end;
            while (t > known) {
                long start = (t - 1) / GROUP_TREES * GROUP_TREES;
                int group = getIntOpaque(a.groupAt(start / GROUP_TREES));
                if (isWhole(group) || !mayHold(group, states)) {
                    first = start + GROUP_TREES;
                    break;
                }
                if (nodeUsed(group) == 0 && isIn(states, nodeState(group))) {
                    t = start;
                } else if (isIdle(a, t - 1, states)) {
                    t--;
                } else {
                    first = t;
                    break;
                }
            }
            if (t <= known) {
                return first;
            }
            known = Math.max(first, end);
        }
        return a.trees;
    }

    /** Can there be n consecutive free pages? False is certain if none became free meanwhile. */
    static boolean hasRoom(State a, long n) {
        return roomFor(a, 0, n, ANY_STATE) < a.trees;
    }

    /** Where the pages before a run of free ones might begin that covers trees from {@code tree} on. */
    private static long beforeRoom(long tree, long from) {
        return Math.max((tree - 1) * TREE_PAGES, from);
    }

    // ---- wholly free children --------------------------------------------------------------------------------

    private static long alignUp(long n, long unit) {
        return n + unit - 1 & -unit;
    }

    /** Where n children start within from .. end-1: at a tree if that can be and they fill one; NONE if nowhere. */
    private static long fit(long from, long end, long n) {
        long start = n >= TREE_CHILDREN ? alignUp(from, TREE_CHILDREN) : from;
        if (start + n <= end) {
            return start;
        }
        return from + n <= end ? from : NONE;
    }

    /**
     * What is to be known of the tree of child c, as a number: bits 0..1 its state, EACH if each child is to be asked,
     * FREE if all of them are free and hold that state, GROUP if that is so of the whole group, FLIP if its polarity
     * is 1. Without EACH and FREE none of them is for the caller.
     */
    private static int look(State a, long own, long c) {
        long tree = c / TREE_CHILDREN;
        int w = getIntOpaque(a.treeAt(tree));
        if (isOpen(w)) {
            if (isWhole(w)) {
                return 0;
            }
            if (own != 0) {
                int tickets = treeFree(w);
                if (isReserved(w)) {
                    long mine = a.slotLoad(own);
                    tickets = slotHolds(mine, tree) ? tickets + slotFree(mine) : 0;
                }
                if (tickets < CHILD_PAGES) {
                    return 0;
                }
            }
            int flip = nodeFlip(w) != 0 ? FLIP : 0;
            return nodeUsed(w) == 0 && nodeState(w) != MIXED ? FREE | flip | nodeState(w) : EACH | flip;
        }
        int group = getIntOpaque(a.groupAt(tree / GROUP_TREES));
        int all = isWhole(group) || nodeUsed(group) == 0 && nodeState(group) != MIXED ? GROUP : 0;
        w = treeView(w, group);
        if (nodeUsed(w) != 0) {
            return all;
        }
        int flip = nodeFlip(w) != 0 ? FLIP : 0;
        return (nodeState(w) == MIXED ? EACH : FREE | nodeState(w)) | flip | all;
    }

    private static final int STATE = 3;
    private static final int EACH = 4;
    private static final int FREE = 8;
    private static final int GROUP = 16;
    private static final int FLIP = 32;

    /**
     * First child >= from of n consecutive wholly free ones below end whose states are all in a set, or NONE; where
     * there is room to choose, at the start of a group or tree, of which a run so long takes whole ones. With {@code
     * own} 0 in any tree, else not in one that a slot other than that reserves.
     */
    static long children(State a, long own, long from, long end, long n, int states) {
        // Runs that fill groups are best at the start of one, those that fill trees at that of a tree.
        long unit = n >= GROUP_CHILDREN ? GROUP_CHILDREN : n >= TREE_CHILDREN ? TREE_CHILDREN : 1;
        long start = from; // of the free run found so far
        long best = alignUp(from, unit);
        long least = (n - 1) * CHILD_PAGES + 1; // pages
        boolean skips = n > 2 * TREE_CHILDREN && end - from > n;
        long room = 0; // up to there nothing is known to be too short
        for (long c = from; c < end; ) {
            if (c >= room && c == start && skips) {
                long tree = roomFor(a, c * CHILD_PAGES, least, states);
                c = beforeRoom(tree, c * CHILD_PAGES) / CHILD_PAGES;
                room = tree * TREE_CHILDREN + 1;
                if (c >= end) {
                    return NONE;
                }
                start = c;
                best = alignUp(start, unit);
            }
            int s = look(a, own, c);
            long stop = Math.min(alignUp(c + 1, (s & GROUP) != 0 ? GROUP_CHILDREN : TREE_CHILDREN), end);
            if ((s & EACH) != 0) {
                long flip = (s & FLIP) != 0 ? -1L : 0;
                for (; c < stop; c++) {
                    int w = getIntOpaque(a.childAt(c));
                    if (isFree(w, flip) && isIn(states, childState(w))) {
                        if (c + 1 >= best + n) {
                            return best;
                        }
                        continue;
                    }
                    if (c >= start + n) {
                        return fit(start, c, n);
                    }
                    start = c + 1;
                    best = alignUp(start, unit);
                }
            } else if ((s & FREE) != 0 && isIn(states, s & STATE)) {
                c = stop;
                if (c >= best + n) {
                    return best;
                }
            } else {
                if (c >= start + n) {
                    return fit(start, c, n);
                }
                c = stop;
                start = c;
                best = alignUp(start, unit);
            }
        }
        return fit(start, end, n);
    }

    // ---- pages -----------------------------------------------------------------------------------------------

    /** As {@link #nextPage}, within a tree whose polarity is {@code treeFlip}. */
    private static long nextInTree(State a, long from, long end, long treeFlip, boolean free) {
        while (from < end) {
            long c = from / CHILD_PAGES;
            int w = getIntOpaque(a.childAt(c));
            long flip = childFlip(w, treeFlip);
            int used = childUsed(w, flip);
            if (used == 0 || used == CHILD_PAGES) {
                if (free == (used == 0)) {
                    return from;
                }
            } else {
                int at = Bits.next(a.bitmapAt(c), free ? ~flip : flip, (int) (from % CHILD_PAGES));
                if (at < CHILD_PAGES) {
                    return Math.min(c * CHILD_PAGES + at, end);
                }
            }
            from = (c + 1) * CHILD_PAGES;
        }
        return end;
    }

    /**
     * First page in from .. end-1 that is free, or allocated; end if none. A child without tickets counts as allocated.
     */
    static long nextPage(State a, long from, long end, boolean free) {
        while (from < end) {
            long treeEnd = treeEnd(from, end);
            int w = getIntOpaque(a.treeAt(from / TREE_PAGES));
            if (isOpen(w) && !isWhole(w)) {
                long page = nextInTree(a, from, treeEnd, nodeFlip(w), free);
                if (page < treeEnd) {
                    return page;
                }
            } else {
                int group = getIntOpaque(a.groupAt(from / GROUP_PAGES));
                if (free == (nodeUsed(treeView(w, group)) == 0)) {
                    return from;
                }
                // If one word says it of the whole group, that one does.
                if (isWhole(group) || nodeUsed(group) == 0) {
                    treeEnd = groupEnd(from, end);
                }
            }
            from = treeEnd;
        }
        return end;
    }

    /** Are pages lo .. hi-1 of a child allocated? */
    private static boolean isHeldInChild(State a, long c, int lo, int hi, long treeFlip) {
        int w = getIntOpaque(a.childAt(c));
        return isFull(w, treeFlip) || Bits.allAllocated(a.bitmapAt(c), childFlip(w, treeFlip), lo, hi);
    }

    /** Is every page in from .. end-1, all of one tree, allocated? */
    static boolean isHeldInTree(State a, long from, long end, long treeFlip) {
        while (from < end) {
            long childEnd = childEnd(from, end);
            int lo = (int) (from % CHILD_PAGES);
            if (!isHeldInChild(a, from / CHILD_PAGES, lo, lo + (int) (childEnd - from), treeFlip)) {
                return false;
            }
            from = childEnd;
        }
        return true;
    }

    /** Is every page in from .. end-1 allocated? */
    static boolean isHeld(State a, long from, long end) {
        while (from < end) {
            long treeEnd = treeEnd(from, end);
            int w = getIntOpaque(a.treeAt(from / TREE_PAGES));
            if (!isOpen(w)) {
                int group = getIntOpaque(a.groupAt(from / GROUP_PAGES));
                if (nodeUsed(treeView(w, group)) == 0) {
                    return false;
                }
                if (isWhole(group)) {
                    treeEnd = groupEnd(from, end);
                }
            } else if (!isWhole(w) && !isHeldInTree(a, from, treeEnd, nodeFlip(w))) {
                return false;
            }
            from = treeEnd;
        }
        return true;
    }

    /** First of n free aligned pages of child c, from page lo of it on, or NONE. */
    private static int pagesInChild(State a, long c, int lo, long treeFlip, int n, int align) {
        int w = getIntOpaque(a.childAt(c));
        if (isFull(w, treeFlip)) {
            return NONE;
        }
        long flip = childFlip(w, treeFlip);
        if (n == CHILD_PAGES) {
            return lo != 0 || Bits.next(a.bitmapAt(c), flip, 0) < CHILD_PAGES ? NONE : 0;
        }
        return Bits.findFree(a.bitmapAt(c), flip, lo, n, align);
    }

    /** First page >= from of at most 512 free aligned ones in one child; NONE if none. */
    private static long pagesInside(State a, long from, int n, int align) {
        while (from < a.pages) {
            long treeEnd = treeEnd(from, a.pages);
            int view = a.treeLoad(from / TREE_PAGES);
            if (!isTreeWhole(view)) {
                while (from < treeEnd) {
                    long c = from / CHILD_PAGES;
                    int at = pagesInChild(a, c, (int) (from % CHILD_PAGES), nodeFlip(view), n, align);
                    if (at >= 0 && c * CHILD_PAGES + at + n <= a.pages) {
                        return c * CHILD_PAGES + at;
                    }
                    from = childEnd(from, treeEnd);
                }
            }
            from = treeEnd;
        }
        return NONE;
    }

    /**
     * First of n, fewer than 512, free pages that begin with all that is free at the end of child c - 1, which is in
     * use, and end in child c, of the same tree; NONE if there are none, or their children are not in a set of
     * states. With {@code stale} MIXED stands for pages that are stale.
     */
    static long border(State a, long c, long treeFlip, int n, int states, boolean stale) {
        int v = getIntOpaque(a.childAt(c - 1));
        int w = getIntOpaque(a.childAt(c));
        int free = childFree(v, childFlip(v, treeFlip));
        if (free == 0
                || free + childFree(w, childFlip(w, treeFlip)) < n
                || !isIn(states, childState(v))
                || !isIn(states, childState(w))) {
            return NONE;
        }
        long before = a.bitmapAt(c - 1);
        long behind = a.bitmapAt(c);
        int lo = Bits.endOfAllocated(before, childFlip(v, treeFlip));
        if (lo == CHILD_PAGES || CHILD_PAGES - lo >= n) {
            return NONE;
        }
        int hi = n - (CHILD_PAGES - lo);
        // The pages that a last child lacks are allocated, unless somebody has overwritten them.
        if (c * CHILD_PAGES + hi > a.pages || Bits.next(behind, childFlip(w, treeFlip), 0) < hi) {
            return NONE;
        }
        boolean lacks = stale
                && (childState(v) == MIXED && !Bits.allStale(before, lo, CHILD_PAGES)
                        || childState(w) == MIXED && !Bits.allStale(behind, 0, hi));
        return lacks ? NONE : (c - 1) * CHILD_PAGES + lo;
    }

    /** First page >= from of n consecutive free ones, aligned; NONE if none. May cross children unless inside one. */
    static long pages(State a, long from, long n, long align, boolean inside) {
        if (inside) {
            return pagesInside(a, from, (int) n, (int) align);
        }
        long room = 0;
        while (from < a.pages) {
            if (from >= room) {
                long tree = roomFor(a, from, n, ANY_STATE);
                if (tree >= a.trees) {
                    break;
                }
                from = beforeRoom(tree, from);
                room = tree * TREE_PAGES + 1;
            }
            long start = alignUp(nextPage(a, from, a.pages, true), align);
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

    // ---- what they hold --------------------------------------------------------------------------------------

    /**
     * Up to which page below end all hold what the child of page {@code from} does, as far as one word says so: that of
     * the group or the tree, if all below have it in common, else the child's.
     */
    private static long contentEnd(State a, long from, long end) {
        long childEnd = childEnd(from, end);
        if (childEnd < end) {
            // Acquire: who sees MIXED must see what was written before it.
            if (nodeState(getIntAcquire(a.groupAt(from / GROUP_PAGES))) != MIXED) {
                return groupEnd(from, end);
            }
            if (nodeState(getIntAcquire(a.treeAt(from / TREE_PAGES))) != MIXED) {
                return treeEnd(from, end);
            }
        }
        return childEnd;
    }

    /** First page in from .. end-1 that may hold old bytes, or that does not; end if none. */
    static long nextContent(State a, long from, long end, boolean stale) {
        while (from < end) {
            // All up to there hold what the first one's child does; if not, it ends with that child.
            long next = contentEnd(a, from, end);
            int state = childState(getIntAcquire(a.childAt(from / CHILD_PAGES)));
            if (state == MIXED) {
                long c = from / CHILD_PAGES;
                int at = Bits.nextStale(a.bitmapAt(c), stale, (int) (from % CHILD_PAGES));
                next = childEnd(from, end);
                if (c * CHILD_PAGES + at < next) {
                    return c * CHILD_PAGES + at;
                }
            } else if (stale == (state == STALE)) {
                return from;
            }
            from = next;
        }
        return end;
    }

    /** {@code HOLDS_*} of pages of a child whose state is MIXED. */
    private static int mixedContents(State a, long from, long end) {
        long bits = a.bitmapAt(from / CHILD_PAGES);
        int lo = (int) (from % CHILD_PAGES);
        int hi = lo + (int) (end - from);
        return (Bits.nextStale(bits, true, lo) < hi ? HOLDS_STALE : 0)
                | (Bits.nextStale(bits, false, lo) < hi ? HOLDS_ABSENT : 0);
    }

    /**
     * What pages just taken hold, as {@code HOLDS_*}. Of those in one child, whose word is at hand, the bits are looked
     * at only if zeros are needed.
     */
    static int contentsAtHand(State a, long from, long end, boolean zeros) {
        if (!zeros && childEnd(from, end) == end) {
            int holds = childHolds(getIntAcquire(a.childAt(from / CHILD_PAGES)));
            return (holds & only(MIXED)) == 0 ? holds : holds ^ (only(MIXED) | HOLDS_ABSENT | HOLDS_STALE);
        }
        return contents(a, from, end);
    }

    /** What the pages from .. end-1 hold, as {@code HOLDS_*}. */
    static int contents(State a, long from, long end) {
        int any = 0;
        int all = HOLDS_RESIDENT;
        while (from < end) {
            long next = groupEnd(from, end);
            int holds = only(MIXED);
            // Acquire, as contentEnd().
            if (end - from >= TREE_PAGES) {
                holds = nodeHolds(getIntAcquire(a.groupAt(from / GROUP_PAGES)));
                if ((holds & only(MIXED)) != 0) {
                    next = treeEnd(from, end);
                    holds = nodeHolds(getIntAcquire(a.treeAt(from / TREE_PAGES)));
                }
            }
            if ((holds & only(MIXED)) != 0) {
                next = childEnd(from, end);
                holds = childHolds(getIntAcquire(a.childAt(from / CHILD_PAGES)));
                if ((holds & only(MIXED)) != 0) {
                    holds |= mixedContents(a, from, next);
                }
            }
            any |= holds;
            all &= holds;
            from = next;
        }
        return any & ~(only(MIXED) | HOLDS_RESIDENT) | all;
    }

    /** First page in from .. end-1 whose child's state is in a set; end if none. */
    static long nextState(State a, long from, long end, int states) {
        while (from < end) {
            long next = contentEnd(a, from, end);
            if (isIn(states, childState(getIntAcquire(a.childAt(from / CHILD_PAGES))))) {
                return from;
            }
            from = next;
        }
        return end;
    }

    /** Is a child in which there are pages of from .. end-1 tainted? */
    static boolean isTainted(State a, long from, long end) {
        while (from < end) {
            // What all have in common is that none is.
            if (Child.isMarked(a, from / CHILD_PAGES, CHILD_TAINTED)) {
                return true;
            }
            from = contentEnd(a, from, end);
        }
        return false;
    }
}
