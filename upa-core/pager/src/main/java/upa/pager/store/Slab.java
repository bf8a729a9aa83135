package upa.pager.store;

import java.util.Arrays;
import java.util.BitSet;

/**
 * Hands out pieces of a range in units of 64 bytes: the range is cut into spans of 64 KiB, a span into pieces of one
 * size. A piece is named by its first unit. Knows nothing of the memory itself, and belongs to one thread at a time.
 *
 * <p>Invariant: a span is either free, or has pieces of one size, at least one of them in use; if some but not all are
 * in use, it is in the list of its size.
 */
final class Slab {
    static final int UNIT_BYTES = 64;
    static final int SPAN_BYTES = 64 << 10;
    static final int SPAN_UNITS = SPAN_BYTES / UNIT_BYTES;
    /** Largest piece: three quarters of a page. */
    static final int MOST_UNITS = 48;

    static final int NONE = -1;

    private final int spans;
    /** Units of the pieces of each span; 0 if it is free. */
    private final byte[] units;

    private final short[] used;
    /** A bit for each unit at which a piece in use begins. */
    private final BitSet pieces = new BitSet();
    /**
     * Lists, by units, of spans with pieces in use and others free: the ends of each, and the neighbours of each
     * span.
     */
    private final int[] first = new int[MOST_UNITS + 1];

    private final int[] last = new int[MOST_UNITS + 1];
    private final int[] next;
    private final int[] previous;
    private final BitSet listed = new BitSet();
    private final BitSet freeSpans = new BitSet();
    private int usedSpans;
    private long usedUnits;

    Slab(int spans) {
        this.spans = spans;
        units = new byte[spans];
        used = new short[spans];
        next = new int[spans];
        previous = new int[spans];
        Arrays.fill(first, NONE);
        Arrays.fill(last, NONE);
        freeSpans.set(0, spans);
    }

    int usedSpans() {
        return usedSpans;
    }

    long usedUnits() {
        return usedUnits;
    }

    private static int capacity(int size) {
        return SPAN_UNITS / size;
    }

    /**
     * Takes a piece.
     *
     * @param size its units, 1 to {@link #MOST_UNITS}
     * @return its first unit, or {@link #NONE}
     */
    int allocate(int size) {
        if (first[size] != NONE) {
            return take(first[size], size);
        }
        // The lowest free span, so that what stays in use is at the beginning.
        int span = freeSpans.nextSetBit(0);
        if (span < 0) {
            return NONE;
        }
        open(span, size);
        return take(span, size);
    }

    private void open(int span, int size) {
        freeSpans.clear(span);
        units[span] = (byte) size;
        usedSpans++;
        list(span);
    }

    private void list(int span) {
        int size = units[span];
        listed.set(span);
        previous[span] = last[size];
        next[span] = NONE;
        if (last[size] == NONE) {
            first[size] = span;
        } else {
            next[last[size]] = span;
        }
        last[size] = span;
    }

    private void unlist(int span) {
        int size = units[span];
        listed.clear(span);
        if (previous[span] == NONE) {
            first[size] = next[span];
        } else {
            next[previous[span]] = next[span];
        }
        if (next[span] == NONE) {
            last[size] = previous[span];
        } else {
            previous[next[span]] = previous[span];
        }
    }

    private int take(int span, int size) {
        int unit = span * SPAN_UNITS;
        while (pieces.get(unit)) {
            unit += size;
        }
        mark(unit, span, size);
        return unit;
    }

    private void mark(int unit, int span, int size) {
        pieces.set(unit);
        used[span]++;
        usedUnits += size;
        if (used[span] == capacity(size)) {
            unlist(span);
        }
    }

    /**
     * Takes a piece that is known to be in use.
     *
     * @param unit its first unit
     * @param size its units
     * @return false if that contradicts what is known
     */
    boolean adopt(int unit, int size) {
        int span = unit / SPAN_UNITS;
        if (unit < 0
                || span >= spans
                || size < 1
                || size > MOST_UNITS
                || unit % SPAN_UNITS % size != 0
                || unit % SPAN_UNITS / size >= capacity(size)
                || units[span] != 0 && units[span] != size
                || pieces.get(unit)) {
            return false;
        }
        if (units[span] == 0) {
            open(span, size);
        }
        mark(unit, span, size);
        return true;
    }

    /**
     * Whether a piece begins here and is in use.
     *
     * @param unit its first unit; any is allowed
     * @return its units, or 0
     */
    int size(int unit) {
        return unit >= 0 && unit < spans * SPAN_UNITS && pieces.get(unit) ? units[unit / SPAN_UNITS] : 0;
    }

    /**
     * Gives a piece back.
     *
     * @param unit its first unit
     * @return the span, if it is free now and its memory can go; else {@link #NONE}
     */
    int free(int unit) {
        int span = unit / SPAN_UNITS;
        if (!pieces.get(unit)) {
            throw new IllegalArgumentException("freed twice or never in use: unit=" + unit);
        }
        pieces.clear(unit);
        usedUnits -= units[span];
        if (--used[span] > 0) {
            if (!listed.get(span)) {
                list(span);
            }
            return NONE;
        }
        if (listed.get(span)) {
            unlist(span);
        }
        units[span] = 0;
        freeSpans.set(span);
        usedSpans--;
        return span;
    }

    /**
     * Pieces of the span that is used least, if the others of its size have room for them.
     *
     * @param to gets the first unit of each
     * @return how many
     */
    int sparse(int[] to) {
        int best = NONE;
        int[] room = new int[MOST_UNITS + 1];
        for (int span = 0; span < spans; span++) {
            if (units[span] != 0) {
                room[units[span]] += capacity(units[span]) - used[span];
            }
        }
        for (int span = 0; span < spans; span++) {
            if (units[span] != 0) {
                int capacity = capacity(units[span]);
                boolean fits = room[units[span]] - (capacity - used[span]) >= used[span] && used[span] <= to.length;
                if (fits
                        && 2 * used[span] <= capacity
                        && (best == NONE || used[span] * capacity(units[best]) < used[best] * capacity)) {
                    best = span;
                }
            }
        }
        int count = 0;
        if (best != NONE) {
            int end = (best + 1) * SPAN_UNITS;
            for (int unit = pieces.nextSetBit(best * SPAN_UNITS);
                    unit >= 0 && unit < end;
                    unit = pieces.nextSetBit(unit + 1)) {
                to[count++] = unit;
            }
            // What is written next must not land there again.
            unlist(best);
            list(best);
        }
        return count;
    }
}
