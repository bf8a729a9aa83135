package upa.pager.store;

import java.util.BitSet;

/**
 * Which pages of a log are in use. The log is cut into segments of 64 pages; one is open and is filled from its
 * beginning, the others are full or free. A slot is segment x 64 + page. Belongs to one thread at a time.
 *
 * <p>Invariant: a segment is free, being given back, open, or sealed with at least one page in use.
 */
final class SegmentLog {
    /** Pages of a segment: 256 KiB. */
    static final int SEGMENT_PAGES = 64;

    static final int NONE = -1;

    private final int segments;
    private final BitSet used = new BitSet();
    private final byte[] live;
    private final BitSet free = new BitSet();
    private int open = NONE;
    private int next;
    private int pages;
    /** Segments that are neither free nor being given back. */
    private int inUse;

    SegmentLog(int segments) {
        this.segments = segments;
        live = new byte[segments];
        free.set(0, segments);
    }

    int pages() {
        return pages;
    }

    int segmentsInUse() {
        return inUse;
    }

    boolean isUsed(int slot) {
        return slot >= 0 && slot < segments * SEGMENT_PAGES && used.get(slot);
    }

    /**
     * Takes slots in a row.
     *
     * @param wanted how many at most
     * @return the first, or {@link #NONE}; {@link #taken} says how many
     */
    int allocate(int wanted) {
        if (open == NONE || next == SEGMENT_PAGES) {
            open = free.nextSetBit(0);
            if (open < 0) {
                open = NONE;
                return NONE;
            }
            free.clear(open);
            inUse++;
            next = 0;
        }
        int slot = open * SEGMENT_PAGES + next;
        int count = Math.min(wanted, SEGMENT_PAGES - next);
        used.set(slot, slot + count);
        live[open] += (byte) count;
        pages += count;
        next += count;
        return slot;
    }

    /** How many slots in a row begin at one that {@link #allocate} has just returned. */
    int taken(int slot) {
        return open * SEGMENT_PAGES + next - slot;
    }

    boolean adopt(int slot) {
        if (slot < 0 || slot >= segments * SEGMENT_PAGES || used.get(slot)) {
            return false;
        }
        int segment = slot / SEGMENT_PAGES;
        if (free.get(segment)) {
            free.clear(segment);
            inUse++;
        }
        used.set(slot);
        live[segment]++;
        pages++;
        return true;
    }

    /**
     * Gives a slot back.
     *
     * @param slot in use
     * @return its segment, if nothing in it is in use and its space can be given back, which {@link #recycled} ends
     */
    int free(int slot) {
        if (!isUsed(slot)) {
            throw new IllegalArgumentException("freed twice or never in use: slot=" + slot);
        }
        used.clear(slot);
        pages--;
        int segment = slot / SEGMENT_PAGES;
        if (--live[segment] > 0 || segment == open && next < SEGMENT_PAGES) {
            return NONE;
        }
        if (segment == open) {
            open = NONE;
        }
        inUse--;
        return segment;
    }

    void recycled(int segment) {
        free.set(segment);
    }

    /**
     * Slots of the sealed segment with fewest pages, if a quarter of the space in use holds nothing.
     *
     * @param to gets the slots
     * @return how many
     */
    int sparse(int[] to) {
        if (inUse < 4 || pages > inUse * SEGMENT_PAGES * 3 / 4) {
            return 0;
        }
        int best = NONE;
        for (int s = free.nextClearBit(0); s < segments; s = free.nextClearBit(s + 1)) {
            if (s != open && live[s] > 0 && live[s] <= to.length && (best == NONE || live[s] < live[best])) {
                best = s;
            }
        }
        int count = 0;
        if (best != NONE && live[best] <= SEGMENT_PAGES / 2) {
            int end = (best + 1) * SEGMENT_PAGES;
            for (int slot = used.nextSetBit(best * SEGMENT_PAGES);
                    slot >= 0 && slot < end;
                    slot = used.nextSetBit(slot + 1)) {
                to[count++] = slot;
            }
        }
        return count;
    }
}
