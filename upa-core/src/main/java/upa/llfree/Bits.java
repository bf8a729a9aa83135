package upa.llfree;

import static upa.internal.os.RawMemory.*;
import static upa.llfree.LlFreeDescriptor.*;
import static upa.llfree.Words.NONE;

/**
 * The bits of one child: {@code bits} is the address of its 512 allocation bits, behind which its stale bits follow.
 * Bits have numbers 0 .. 511; a range is lo .. hi-1.
 */
final class Bits {
    private Bits() {}

    static long row(long bits, int i) {
        return bits + (long) i * Long.BYTES;
    }

    /** Of a range that begins at lo, the bits of its first row. */
    private static long head(int lo) {
        return -1L << lo;
    }

    /** Of a range that ends before hi, the bits of its last row. */
    private static long tail(int hi) {
        return -1L >>> -hi;
    }

    /** Does a range lie in one row? Most do. */
    private static boolean isOneRow(int lo, int hi) {
        return lo / ROW_BITS == (hi - 1) / ROW_BITS;
    }

    /** First position >= pos whose bit, after xor with flip, is 1; CHILD_PAGES if none. */
    static int next(long rows, long flip, int pos) {
        while (pos < CHILD_PAGES) {
            long row = (getLongOpaque(row(rows, pos / ROW_BITS)) ^ flip) >>> pos;
            if (row != 0) {
                return pos + Long.numberOfTrailingZeros(row);
            }
            pos = (pos / ROW_BITS + 1) * ROW_BITS;
        }
        return CHILD_PAGES;
    }

    /** First aligned position >= pos of n free pages, fewer than all, or NONE. A snapshot. */
    static int findFree(long bits, long flip, int pos, int n, int align) {
        for (; ; ) {
            int start = next(bits, ~flip, pos);
            start = start + align - 1 & -align;
            if (start + n > CHILD_PAGES) {
                return NONE;
            }
            if (n == 1) {
                return start;
            }
            int end = next(bits, flip, start);
            if (end - start >= n) {
                return start;
            }
            pos = end + 1;
        }
    }

    static int countAllocated(long bits, long flip) {
        int n = 0;
        for (int i = 0; i < ROWS; i++) {
            n += Long.bitCount(getLongOpaque(row(bits, i)) ^ flip);
        }
        return n;
    }

    /** Behind the last allocated page; 0 if none is. */
    static int endOfAllocated(long bits, long flip) {
        for (int i = ROWS - 1; i >= 0; i--) {
            long row = getLongOpaque(row(bits, i)) ^ flip;
            if (row != 0) {
                return (i + 1) * ROW_BITS - Long.numberOfLeadingZeros(row);
            }
        }
        return 0;
    }

    /** Inverts those bits of a row that are in the mask, if all of them are as expected. */
    private static boolean flipRow(long at, long mask, long expected) {
        long row;
        do {
            row = getLongOpaque(at);
            if (((expected ^ row) & mask) != 0) {
                return false;
            }
        } while (!weakCompareAndSetLongVolatile(at, row, row ^ mask));
        return true;
    }

    /**
     * Inverts a range, each of whose bits must be allocated (or, with {@code allocated} false, free). Returns how many
     * were inverted before the first that was not.
     */
    static int flip(long bits, long flip, int lo, int hi, boolean allocated) {
        long expected = allocated ? ~flip : flip;
        if (isOneRow(lo, hi)) {
            return flipRow(row(bits, lo / ROW_BITS), head(lo) & tail(hi), expected) ? hi - lo : 0;
        }
        return flipRows(bits, expected, lo, hi);
    }

    private static int flipRows(long bits, long expected, int lo, int hi) {
        int last = (hi - 1) / ROW_BITS;
        long mask = head(lo);
        for (int i = lo / ROW_BITS; i < last; i++) {
            if (!flipRow(row(bits, i), mask, expected)) {
                return Math.max(i * ROW_BITS - lo, 0);
            }
            mask = -1L;
        }
        return flipRow(row(bits, last), tail(hi), expected) ? hi - lo : last * ROW_BITS - lo;
    }

    /** Are all bits of a range allocated? */
    static boolean allAllocated(long bits, long flip, int lo, int hi) {
        int last = (hi - 1) / ROW_BITS;
        long mask = head(lo);
        for (int i = lo / ROW_BITS; i < last; i++) {
            if ((~(getLongOpaque(row(bits, i)) ^ flip) & mask) != 0) {
                return false;
            }
            mask = -1L;
        }
        return (~(getLongOpaque(row(bits, last)) ^ flip) & mask & tail(hi)) == 0;
    }

    /** Marks bits from lo on as allocated, of a child of which there are no more pages; all are 0. */
    static void close(long bits, int lo) {
        putLongOpaque(row(bits, lo / ROW_BITS), head(lo));
        for (int i = lo / ROW_BITS + 1; i < ROWS; i++) {
            putLongOpaque(row(bits, i), -1L);
        }
    }

    // ---- stale bits ------------------------------------------------------------------------------------------

    static int nextStale(long bits, boolean stale, int pos) {
        return next(bits + BITMAP_STALE, stale ? 0 : -1L, pos);
    }

    /** Are all bits of a range stale? */
    static boolean allStale(long bits, int lo, int hi) {
        return nextStale(bits, false, lo) >= hi;
    }

    /**
     * First position >= pos whose page is free and has memory, or is not; CHILD_PAGES if none. Of a mixed child's free
     * pages those that are stale have memory, of other children's all.
     */
    static int nextPopulated(long bits, long flip, boolean mixed, boolean populated, int pos) {
        long toggle = populated ? -1L : 0;
        while (pos < CHILD_PAGES) {
            int i = pos / ROW_BITS;
            long absent = mixed ? ~getLongOpaque(row(bits + BITMAP_STALE, i)) : 0;
            long row = ((getLongOpaque(row(bits, i)) ^ flip | absent) ^ toggle) >>> pos;
            if (row != 0) {
                return pos + Long.numberOfTrailingZeros(row);
            }
            pos = (i + 1) * ROW_BITS;
        }
        return CHILD_PAGES;
    }

    /** First aligned position of n free pages, fewer than all, that are stale as well, or NONE. A snapshot. */
    static int findStale(long bits, long flip, int n, int align) {
        int pos = findFree(bits, flip, 0, n, align);
        // Mostly the first free ones are stale.
        if (pos < 0 || allStale(bits, pos, pos + n)) {
            return pos;
        }
        for (; ; ) {
            int start = nextPopulated(bits, flip, true, true, pos);
            start = start + align - 1 & -align;
            if (start + n > CHILD_PAGES) {
                return NONE;
            }
            int end = nextPopulated(bits, flip, true, false, start);
            if (end - start >= n) {
                return start;
            }
            pos = end + 1;
        }
    }

    static int countStaleFree(long bits, long flip) {
        int n = 0;
        for (int i = 0; i < ROWS; i++) {
            long free = ~(getLongOpaque(row(bits, i)) ^ flip);
            n += Long.bitCount(free & getLongOpaque(row(bits + BITMAP_STALE, i)));
        }
        return n;
    }

    /** How many bits of a range are stale? */
    static int countStale(long bits, int lo, int hi) {
        long rows = bits + BITMAP_STALE;
        int last = (hi - 1) / ROW_BITS;
        int n = 0;
        long mask = head(lo);
        for (int i = lo / ROW_BITS; i < last; i++) {
            n += Long.bitCount(getLongOpaque(row(rows, i)) & mask);
            mask = -1L;
        }
        return n + Long.bitCount(getLongOpaque(row(rows, last)) & mask & tail(hi));
    }

    static void setStale(long bits, int lo, int hi) {
        long rows = bits + BITMAP_STALE;
        int last = (hi - 1) / ROW_BITS;
        long mask = head(lo);
        for (int i = lo / ROW_BITS; i < last; i++) {
            setBits(row(rows, i), mask);
            mask = -1L;
        }
        setBits(row(rows, last), mask & tail(hi));
    }

    private static void setBits(long at, long mask) {
        if ((~getLongOpaque(at) & mask) != 0) {
            getAndBitwiseOrLongVolatile(at, mask);
        }
    }

    static void clearStale(long bits, int lo, int hi) {
        long rows = bits + BITMAP_STALE;
        int last = (hi - 1) / ROW_BITS;
        long mask = head(lo);
        for (int i = lo / ROW_BITS; i < last; i++) {
            clearBits(row(rows, i), mask);
            mask = -1L;
        }
        clearBits(row(rows, last), mask & tail(hi));
    }

    private static void clearBits(long at, long mask) {
        if ((getLongOpaque(at) & mask) != 0) {
            getAndBitwiseAndLongVolatile(at, ~mask);
        }
    }
}
