package upa.llfree;

import static upa.internal.os.RawMemory.*;
import static upa.llfree.LlFreeDescriptor.*;
import static upa.llfree.Words.*;

/**
 * Pages of one child, taken and freed: its tickets are the counter in its word, its pages the bits. A get takes
 * tickets, then bits; a put gives back bits, then tickets. {@code c} is the number of a child, {@code child} the
 * address of its word.
 */
final class Child {
    /** Beside the states of a child: what is known of the pages stays as it is. */
    static final int UNCHANGED = 4;

    private Child() {
    }

    // ---- tickets ---------------------------------------------------------------------------------------------

    /** Takes n tickets. Returns the word that the polarity is to be read from, or NONE if there are too few. */
    private static long take(long child, int n) {
        int w;
        int next;
        do {
            w = getIntOpaque(child);
            if (childFree(w) < n) {
                return NONE;
            }
            // All at once: inverting the polarity turns 512 free bits into 512 allocated ones.
            next = (n == CHILD_PAGES ? w ^ CHILD_POLARITY : w) + n;
        } while (!weakCompareAndSetIntVolatile(child, w, next));
        return Integer.toUnsignedLong(next);
    }

    private static void giveBack(long child, int n) {
        int w;
        int next;
        do {
            w = getIntOpaque(child);
            next = w - n;
            if (childUsed(next) == 0) {
                next &= ~CHILD_TAINTED;
            }
        } while (!weakCompareAndSetIntVolatile(child, w, next));
    }

    // ---- get -------------------------------------------------------------------------------------------------

    /** Takes any n aligned pages, at most 512: their first, or NONE. */
    static long get(State a, long c, int n, int align) {
        if (n == CHILD_PAGES) {
            return take(a.childAt(c), n) >= 0 ? c * CHILD_PAGES : NONE;
        }
        // Looks before it takes: to others, tickets taken in vain are pages less.
        long bits = a.bitmapAt(c);
        int lo = Bits.findFree(bits, polarity(getIntOpaque(a.childAt(c))), n, align);
        if (lo < 0) {
            return NONE;
        }
        long w = take(a.childAt(c), n);
        if (w < 0) {
            return NONE;
        }
        long flip = polarity((int) w);
        do {
            int done = Bits.flip(bits, flip, lo, lo + n, false);
            if (done == n) {
                return c * CHILD_PAGES + lo;
            }
            if (done != 0) {
                Bits.flip(bits, flip, lo, lo + done, true);
            }
            lo = Bits.findFree(bits, flip, n, align);
        } while (lo >= 0);
        giveBack(a.childAt(c), n);
        return NONE;
    }

    /** Takes exactly pages lo .. hi-1. */
    static boolean getAt(State a, long c, int lo, int hi) {
        int n = hi - lo;
        long w = take(a.childAt(c), n);
        if (w < 0) {
            return false;
        }
        if (n == CHILD_PAGES) {
            return true;
        }
        long bits = a.bitmapAt(c);
        long flip = polarity((int) w);
        int done = Bits.flip(bits, flip, lo, hi, false);
        if (done == n) {
            return true;
        }
        if (done != 0) {
            Bits.flip(bits, flip, lo, lo + done, true);
        }
        giveBack(a.childAt(c), n);
        return false;
    }

    // ---- put -------------------------------------------------------------------------------------------------

    /** Frees pages lo .. hi-1. Returns how many: fewer than asked only if somebody else frees them too. */
    static int put(State a, long c, int lo, int hi, int state) {
        if (hi - lo == CHILD_PAGES) {
            return putWhole(a.childAt(c), a.bitmapAt(c), state);
        }
        if (state != UNCHANGED) {
            record(a.childAt(c), a.bitmapAt(c), lo, hi, state);
        }
        int done = Bits.flip(a.bitmapAt(c), polarity(getIntOpaque(a.childAt(c))), lo, hi, true);
        if (done != 0) {
            giveBack(a.childAt(c), done);
        }
        return done;
    }

    /** The inverse of taking all pages: of a child that the caller holds wholly. */
    private static int putWhole(long child, long bits, int state) {
        if (state == ABSENT || state == ZEROED) {
            Bits.clearStale(bits, 0, CHILD_PAGES);
        }
        int w;
        int next;
        do {
            w = getIntOpaque(child);
            if (childUsed(w) != CHILD_PAGES) {
                return 0;
            }
            next = (w ^ CHILD_POLARITY) & ~(CHILD_USED | CHILD_TAINTED);
            if (state != UNCHANGED) {
                next = withState(next, state);
            }
            if (state == ABSENT) {
                next &= ~CHILD_RESIDENT;
            }
            if (state == ZEROED) {
                next |= CHILD_RESIDENT;
            }
        } while (!weakCompareAndSetIntVolatile(child, w, next));
        return CHILD_PAGES;
    }

    // ---- what the pages hold ---------------------------------------------------------------------------------

    /** Changes the state of a child in which the caller holds pages, if it is one of a set. */
    static void setState(long child, int from, int state) {
        int w;
        do {
            w = getIntOpaque(child);
        } while (isIn(from, childState(w)) && !weakCompareAndSetIntVolatile(child, w, withState(w, state)));
    }

    /**
     * Records what pages lo .. hi-1 hold, before they are free: whoever gets one next must see it. MIXED knows two
     * kinds of free pages, so zeroed ones in part of a child count as stale.
     */
    static void record(long child, long bits, int lo, int hi, int state) {
        int now = childState(getIntOpaque(child));
        if (state == ABSENT) {
            if ((getIntOpaque(child) & CHILD_RESIDENT) != 0) {
                getAndBitwiseAndIntVolatile(child, ~CHILD_RESIDENT);
            }
            if (now == ABSENT) {
                return;
            }
            // All bits are set before the state tells anybody to look at them, so a put that still sees STALE or
            // ZEROED loses nothing by not setting its own.
            if (now != MIXED) {
                Bits.setStale(bits, 0, CHILD_PAGES);
                setState(child, only(STALE) | only(ZEROED), MIXED);
            }
            Bits.clearStale(bits, lo, hi);
        } else if (now == ZEROED) {
            if (state == STALE) {
                setState(child, only(ZEROED), STALE);
            }
        } else if (now != STALE) {
            Bits.setStale(bits, lo, hi);
            setState(child, only(ABSENT), MIXED);
        }
    }

    static int state(State a, long c) {
        return childState(getIntOpaque(a.childAt(c)));
    }

    /** Sets a mark on children c .. end-1, in each of which the caller holds pages. */
    static void mark(State a, long c, long end, int mark) {
        for (; c < end; c++) {
            getAndBitwiseOrIntVolatile(a.childAt(c), mark);
        }
    }

    /** Has any of children c .. end-1 a mark? */
    static boolean isMarked(State a, long c, long end, int mark) {
        for (; c < end; c++) {
            if ((getIntOpaque(a.childAt(c)) & mark) != 0) {
                return true;
            }
        }
        return false;
    }
}
