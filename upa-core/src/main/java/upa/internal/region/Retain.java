package upa.internal.region;

import java.util.function.LongUnaryOperator;

/**
 * How much free memory of a region stays, and when the rest goes back to the kernel: arithmetic. The clock and what is
 * in use are passed in. The twin of {@code preload/policy/retain.c}, of a process that has a region and no heap.
 *
 * <p>Units: bytes, milliseconds. For one thread at a time.
 */
public final class Retain {
    /** Stays however much time passes. */
    private static final long FLOOR = 2L << 20;
    /** The answer of {@link #look} when nothing is to be given back. */
    public static final long KEEP = -1;
    /** Limits are of no interest to who keeps less. */
    private static final long UNASKED = 1L << 20;
    /** After so many half-lives nothing counts any more. */
    private static final long MOST_HALVES = 40;

    private final int percent;
    private final long halfLife;
    /** The most that was in use lately. */
    private long peak;
    /** When the peak last decayed. */
    private long decayedAt;

    private boolean isBegun;

    /** What stays beyond the peak, in percent of it; half-life of the peak, 0 if only what is in use now counts. */
    public Retain(int percent, long halfLife) {
        this.percent = percent;
        this.halfLife = halfLife;
    }

    /**
     * Looks at the region.
     *
     * @param now       a clock that never goes back
     * @param allocated in use now
     * @param retained  free, with memory
     * @param freed     in use as well until a moment ago
     * @param keepable  of what is kept, how much limits allow: asked if that matters
     * @return the bytes of free memory down to which to give back, or {@link #KEEP}
     */
    public long look(long now, long allocated, long retained, long freed, LongUnaryOperator keepable) {
        peak = Math.max(peak, allocated + freed);
        long keep = allowance(now, allocated);
        if (retained > UNASKED) {
            long most = keepable.applyAsLong(retained);
            // If something has to go, then some more: it is no use to come again with each block.
            keep = Math.min(keep, retained > most ? most - most / 4 : most);
        }
        // If some, then some more: each batch is a flush of every processor's TLB.
        return retained > keep ? keep - keep / 16 : KEEP;
    }

    /** Whether so little is retained that it stays whatever happens. */
    public static boolean isSettled(long retained) {
        return retained <= FLOOR;
    }

    /** Whether time alone takes nothing away, if nothing more is freed. Limits may. */
    public boolean isSteady(long allocated, long retained) {
        return retained <= beyond(allocated);
    }

    /** The most that was in use lately. */
    public long peak() {
        return peak;
    }

    /** Lets the peak decay up to now: the bytes that may be kept. */
    private long allowance(long now, long allocated) {
        long excess = Math.max(0, peak - allocated);
        if (isBegun && now > decayedAt) {
            excess = decayed(excess, now - decayedAt, halfLife);
            peak = allocated + excess;
        }
        isBegun = true;
        decayedAt = now;
        return excess + beyond(peak);
    }

    private long beyond(long used) {
        return Math.max(used / 100 * percent, FLOOR);
    }

    /** What is left after so long of so much. */
    private static long decayed(long bytes, long passed, long halfLife) {
        long halves = halfLife > 0 ? passed / halfLife : MOST_HALVES + 1;
        if (halves > MOST_HALVES) {
            return 0;
        }
        long left = bytes >> halves;
        // Between two halvings a straight line will do.
        return left - (long) ((double) left * (passed % halfLife) / (2 * halfLife));
    }
}
