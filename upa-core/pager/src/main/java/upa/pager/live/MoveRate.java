package upa.pager.live;

import java.util.function.LongSupplier;
import upa.pager.store.PageIo;

/**
 * How many pages may go from store to store: so many bytes a second. Pages that a thread waits for, or that leave
 * memory because it is full, are not held up. Safe for use by several threads.
 */
final class MoveRate {
    static final long UNLIMITED = Long.MAX_VALUE;

    private static final double SECOND_NANOS = 1e9;
    /** What is not used within this time is lost. */
    private static final double SAVED_NANOS = 1e8;

    private final LongSupplier clock;
    private double pagesPerNano = Double.POSITIVE_INFINITY;
    private double left;
    private long last;

    MoveRate(LongSupplier clock) {
        this.clock = clock;
        last = clock.getAsLong();
    }

    /** From now on so many bytes a second; {@link #UNLIMITED}: any number. */
    synchronized void set(long bytesPerSecond) {
        refill();
        pagesPerNano = bytesPerSecond == UNLIMITED
                ? Double.POSITIVE_INFINITY
                : bytesPerSecond / (SECOND_NANOS * PageIo.PAGE_BYTES);
        left = Math.min(left, most());
    }

    private double most() {
        return Math.max(1, pagesPerNano * SAVED_NANOS);
    }

    private void refill() {
        long now = clock.getAsLong();
        if (now > last) {
            left = Math.min(left + pagesPerNano * (now - last), most());
            last = now;
        }
    }

    /** Returns how many of the pages wanted may go now. */
    synchronized int take(int wanted) {
        if (Double.isInfinite(pagesPerNano)) {
            return wanted;
        }
        refill();
        int n = (int) Math.min(wanted, left);
        left -= n;
        return n;
    }

    /** For pages that did not go after all. */
    synchronized void giveBack(int pages) {
        left = Math.min(left + pages, most());
    }
}
