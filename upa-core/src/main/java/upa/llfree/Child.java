package upa.llfree;

import static upa.internal.os.RawMemory.*;
import static upa.llfree.LlFreeDescriptor.*;
import static upa.llfree.Words.*;

/**
 * Pages of one child, taken and freed: its tickets are the counter in its word, its pages the bits. A get takes
 * tickets, then bits; a put gives back bits, then tickets. {@code c} is the number of a child, {@code child} the
 * address of its word, and {@code treeFlip} the polarity of its tree as a mask, which stays while the caller holds
 * tickets or pages of the tree.
 */
final class Child {
    /** Beside the states of a child: what is known of the pages stays as it is. */
    static final int UNCHANGED = 4;

    private Child() {}

    // ---- what the pages hold ---------------------------------------------------------------------------------

    private static void mixNode(long node) {
        int w;
        do {
            w = getIntOpaque(node);
        } while (nodeState(w) != MIXED && !weakCompareAndSetIntVolatile(node, w, withSummary(w, MIXED, false)));
    }

    /**
     * Says of a tree in which the caller holds pages, and of its group, that what is below differs: to be done before a
     * child's state or one of its marks changes.
     */
    static void mix(State a, long tree) {
        mixNode(a.groupAt(tree / GROUP_TREES));
        mixNode(a.treeAt(tree));
    }

    /** Changes the state of a child in which the caller holds pages, if it is one of a set. */
    static void setState(State a, long c, int from, int state) {
        long child = a.childAt(c);
        int w = getIntOpaque(child);
        if (!isIn(from, childState(w))) {
            return;
        }
        mix(a, c / TREE_CHILDREN);
        do {
            w = getIntOpaque(child);
        } while (isIn(from, childState(w)) && !weakCompareAndSetIntVolatile(child, w, withState(w, state)));
    }

    /** Sets a mark on children c .. end-1, in each of which the caller holds pages. Lazy ends resident. */
    static void mark(State a, long c, long end, int mark) {
        int ended = mark == CHILD_LAZY ? CHILD_RESIDENT : 0;
        for (; c < end; c++) {
            long child = a.childAt(c);
            int w = getIntOpaque(child);
            if ((w & (mark | ended)) != mark) {
                mix(a, c / TREE_CHILDREN);
                while (!weakCompareAndSetIntVolatile(child, w, w & ~ended | mark)) {
                    w = getIntOpaque(child);
                }
            }
        }
    }

    /**
     * Takes the mark CHILD_LAZY away from a child that the caller holds. The tree and the group need not be told: of
     * lazy children they say MIXED.
     */
    static void settle(State a, long c) {
        if (isMarked(a, c, CHILD_LAZY)) {
            getAndBitwiseAndIntVolatile(a.childAt(c), ~CHILD_LAZY);
        }
    }

    static int state(State a, long c) {
        return childState(getIntOpaque(a.childAt(c)));
    }

    static boolean isMarked(State a, long c, int mark) {
        return (getIntOpaque(a.childAt(c)) & mark) != 0;
    }

    /**
     * Records what pages lo .. hi-1 hold, before they are free: whoever gets one next must see it. MIXED knows two
     * kinds of free pages, so zeroed ones in part of a child count as stale.
     */
    static void record(State a, long c, int lo, int hi, int state) {
        long bits = a.bitmapAt(c);
        int w = getIntOpaque(a.childAt(c));
        int now = childState(w);
        if (state == ABSENT) {
            if ((w & CHILD_RESIDENT) != 0) {
                mix(a, c / TREE_CHILDREN);
                getAndBitwiseAndIntVolatile(a.childAt(c), ~CHILD_RESIDENT);
            }
            if (now == ABSENT) {
                return;
            }
            // All bits are set before the state tells anybody to look at them, so a put that still sees STALE or
            // ZEROED loses nothing by not setting its own.
            if (now != MIXED) {
                Bits.setStale(bits, 0, CHILD_PAGES);
                setState(a, c, only(STALE) | only(ZEROED), MIXED);
            }
            Bits.clearStale(bits, lo, hi);
        } else if (now == ZEROED) {
            if (state == STALE) {
                setState(a, c, only(ZEROED), STALE);
            }
        } else if (now != STALE) {
            Bits.setStale(bits, lo, hi);
            setState(a, c, only(ABSENT), MIXED);
        }
    }

    /**
     * A child's word once all of it holds what {@code state} says: its taint is gone, and so is the mark that pages may
     * vanish, since the holder has seen to all of them.
     */
    private static int recorded(int w, int state) {
        return switch (state) {
            case ABSENT -> withState(w & ~(CHILD_TAINTED | CHILD_RESIDENT | CHILD_LAZY), ABSENT);
            case ZEROED -> withState(w & ~(CHILD_TAINTED | CHILD_LAZY) | CHILD_RESIDENT, ZEROED);
            case STALE -> withState(w & ~(CHILD_TAINTED | CHILD_LAZY), STALE);
            default -> w & ~CHILD_TAINTED;
        };
    }

    /** Before the word of a whole child becomes other than it is, and the bits below say what it does not. */
    private static void prepareWhole(State a, long c, int w, int state) {
        if (recorded(w, state) != w) {
            mix(a, c / TREE_CHILDREN);
        }
        if (state == ABSENT || state == ZEROED) {
            Bits.clearStale(a.bitmapAt(c), 0, CHILD_PAGES);
        }
    }

    /** Records what a whole child holds that the caller does, and takes away its taint. Returns the word afterwards. */
    static int recordWhole(State a, long c, int state) {
        long child = a.childAt(c);
        int w = getIntOpaque(child);
        prepareWhole(a, c, w, state);
        int next;
        while ((next = recorded(w, state)) != w && !weakCompareAndSetIntVolatile(child, w, next)) {
            w = getIntOpaque(child);
        }
        return next;
    }

    // ---- get -------------------------------------------------------------------------------------------------

    /** Takes n tickets, fewer than all. Returns the polarity, 0 or -1, which stays then; 1 if they are too few. */
    private static long take(long child, long treeFlip, int n) {
        int w;
        long flip;
        do {
            w = getIntOpaque(child);
            flip = childFlip(w, treeFlip);
            if (childFree(w, flip) < n) {
                return 1;
            }
        } while (!weakCompareAndSetIntVolatile(child, w, more(w, flip, n)));
        return flip;
    }

    private static void giveBack(long child, long flip, int n) {
        int w;
        int next;
        do {
            w = getIntOpaque(child);
            next = more(w, flip, -n);
            if (childUsed(next, flip) == 0) {
                next &= ~CHILD_TAINTED;
            }
        } while (!weakCompareAndSetIntVolatile(child, w, next));
    }

    /** Takes a child that is wholly free: inverting its polarity turns 512 free bits into 512 allocated ones. */
    static boolean getWhole(State a, long c, long treeFlip) {
        long child = a.childAt(c);
        int w;
        do {
            w = getIntOpaque(child);
            if (!isFree(w, treeFlip)) {
                return false;
            }
        } while (!weakCompareAndSetIntVolatile(child, w, w ^ CHILD_POLARITY));
        return true;
    }

    private static int find(long bits, long flip, int n, int align, boolean stale) {
        return stale ? Bits.findStale(bits, flip, n, align) : Bits.findFree(bits, flip, 0, n, align);
    }

    /**
     * Takes any n aligned pages, fewer than all, with {@code stale} only such whose stale bit is set: their first, or
     * NONE.
     */
    static long get(State a, long c, long treeFlip, int n, int align, boolean stale) {
        // Looks before it takes: to others, tickets taken in vain are pages less.
        long bits = a.bitmapAt(c);
        int lo = find(bits, childFlip(getIntOpaque(a.childAt(c)), treeFlip), n, align, stale);
        if (lo < 0) {
            return NONE;
        }
        long flip = take(a.childAt(c), treeFlip, n);
        if (flip > 0) {
            return NONE;
        }
        do {
            int done = Bits.flip(bits, flip, lo, lo + n, false);
            if (done == n) {
                return c * CHILD_PAGES + lo;
            }
            if (done != 0) {
                Bits.flip(bits, flip, lo, lo + done, true);
            }
            lo = find(bits, flip, n, align, stale);
        } while (lo >= 0);
        giveBack(a.childAt(c), flip, n);
        return NONE;
    }

    /** Takes exactly pages lo .. hi-1, fewer than all. */
    static boolean getPart(State a, long c, long treeFlip, int lo, int hi) {
        int n = hi - lo;
        long flip = take(a.childAt(c), treeFlip, n);
        if (flip > 0) {
            return false;
        }
        long bits = a.bitmapAt(c);
        int done = Bits.flip(bits, flip, lo, hi, false);
        if (done == n) {
            return true;
        }
        if (done != 0) {
            Bits.flip(bits, flip, lo, lo + done, true);
        }
        giveBack(a.childAt(c), flip, n);
        return false;
    }

    // ---- put -------------------------------------------------------------------------------------------------

    /**
     * Frees pages lo .. hi-1, fewer than all and all of them the caller's. Returns how many: fewer than asked only if
     * somebody else frees them too.
     */
    static int putPart(State a, long c, long treeFlip, int lo, int hi, int state) {
        long flip = childFlip(getIntOpaque(a.childAt(c)), treeFlip);
        if (state != UNCHANGED) {
            record(a, c, lo, hi, state);
        }
        int done = Bits.flip(a.bitmapAt(c), flip, lo, hi, true);
        if (done != 0) {
            giveBack(a.childAt(c), flip, done);
        }
        return done;
    }

    /**
     * Frees a child of which every page is the caller's: the inverse of taking it whole. Returns 512, or 0 if somebody
     * else has freed some of them.
     */
    static int putWhole(State a, long c, long treeFlip, int state) {
        long child = a.childAt(c);
        int w = getIntOpaque(child);
        // Mostly it is stale, and was before.
        if (state == STALE
                && isFullAndStale(w, treeFlip)
                && weakCompareAndSetIntVolatile(child, w, w ^ CHILD_POLARITY)) {
            return CHILD_PAGES;
        }
        return putChanged(a, c, treeFlip, state);
    }

    private static int putChanged(State a, long c, long treeFlip, int state) {
        long child = a.childAt(c);
        int w = getIntOpaque(child);
        if (!isFull(w, treeFlip)) {
            return 0;
        }
        prepareWhole(a, c, w, state);
        do {
            w = getIntOpaque(child);
            if (!isFull(w, treeFlip)) {
                return 0;
            }
        } while (!weakCompareAndSetIntVolatile(child, w, recorded(w, state) ^ CHILD_POLARITY));
        return CHILD_PAGES;
    }
}
