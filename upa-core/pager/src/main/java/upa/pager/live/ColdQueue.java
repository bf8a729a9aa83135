package upa.pager.live;

import java.util.Arrays;

/**
 * Pages of one store in the order in which they came there. Who has left is not taken out, but skipped: an entry is
 * valid if it is the page's latest, and the caller knows whether the page is still there.
 */
final class ColdQueue {
    private static final int LEAST = 1024;

    /** Page in the lower half, number of the entry in the upper. */
    private long[] ring = new long[LEAST];

    private int head;
    private int size;
    /** Number of the latest entry of each page, or 0. */
    private int[] latest = {};

    private int numbers;

    void add(int page) {
        if (size == ring.length) {
            tidy();
        }
        if (page >= latest.length) {
            latest = Arrays.copyOf(latest, Math.max(page + 1, 2 * latest.length));
        }
        numbers = numbers == Integer.MAX_VALUE ? 1 : numbers + 1;
        latest[page] = numbers;
        ring[(head + size++) % ring.length] = (long) numbers << Integer.SIZE | page;
    }

    /** Drops entries that are not the latest; if that leaves more than half, makes room. */
    private void tidy() {
        int kept = 0;
        long[] valid = new long[ring.length];
        for (int i = 0; i < size; i++) {
            long entry = ring[(head + i) % ring.length];
            if (isLatest(entry)) {
                valid[kept++] = entry;
            }
        }
        head = 0;
        size = kept;
        ring = 2 * kept > valid.length ? Arrays.copyOf(valid, 2 * valid.length) : valid;
    }

    private boolean isLatest(long entry) {
        return latest[(int) entry] == (int) (entry >>> Integer.SIZE);
    }

    /** Takes the page that came first, or -1. */
    int poll() {
        while (size > 0) {
            long entry = ring[head];
            head = (head + 1) % ring.length;
            size--;
            if (isLatest(entry)) {
                latest[(int) entry] = 0;
                return (int) entry;
            }
        }
        return -1;
    }
}
