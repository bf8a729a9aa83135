package upa.internal.region;

import java.util.function.LongUnaryOperator;

/**
 * How much free memory of a region stays, and when the rest goes back to the kernel: arithmetic. The clock and what is
 * in use are passed in. The twin of {@code preload/policy/retain.c}, of a process that has a region and no heap.
 *
 * <p>What a limit leaves no room for stays, marked so that the kernel may take it; where memory is so short that tasks
 * wait for it, or the limit is reached, it goes.
 *
 * <p>Units: bytes, milliseconds. For one thread at a time.
 */
public final class Retain {
    /** Stays however much time passes. */
    private static final long FLOOR = 2L << 20;
    /** In the answer of {@link #look}: nothing is to be done. */
    public static final long KEEP = -1;
    /** Limits are of no interest to who keeps less. */
    public static final long UNASKED = 1L << 20;
    /** After so many half-lives nothing counts any more. */
    private static final long MOST_HALVES = 40;

    private final int percent;
    private final long halfLife;
    /** The most that was in use lately. */
    private long peak;
    /** When the peak last decayed. */
    private long decayedAt;

    private boolean isBegun;

    /**
     * What is to be done.
     *
     * @param keep     free memory down to which to give back, or {@link #KEEP}
     * @param unmarked memory down to which to mark what is left, or {@link #KEEP}
     * @param most     of what is kept, how much limits allow
     */
    public record Verdict(long keep, long unmarked, long most) {
        /** Whether limits leave nothing, so that all is to go at once. */
        public boolean isUrgent() {
            return most == 0;
        }
    }

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
     * @param lazy      of that, what the kernel may take
     * @param freed     in use as well until a moment ago
     * @param keepable  of what is kept, how much limits allow: asked if that matters
     * @return what is to be done
     */
    public Verdict look(long now, long allocated, long retained, long lazy, long freed, LongUnaryOperator keepable) {
        peak = Math.max(peak, allocated + freed);
        long most = retained > UNASKED ? keepable.applyAsLong(retained) : UNASKED;
        long allowed = allowance(now, allocated);
        long keep = most > 0 ? allowed : 0;
        // If some goes, then some more: each batch is a flush of every processor's TLB.
        long left = retained > keep ? keep - keep / 16 : retained;
        // If something has to be marked, then some more: it is no use to come again with each block.
        long unmarked = Math.min(left, retained - lazy) > most ? most - most / 4 : KEEP;
        return new Verdict(left < retained ? left : KEEP, unmarked, most);
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
