package upa.internal.region;

/**
 * How much of what is kept nobody has asked for in a while: arithmetic, whose clock is passed in. What has been kept
 * throughout two parts of a quarter of a second and the one that runs counts, so half a second at least.
 *
 * <p>Units: bytes, milliseconds. For one thread at a time.
 */
public final class Unasked {
    private static final long PART_MILLIS = 250;
    private static final int PARTS = 2;

    private final long[] lows = new long[PARTS];
    private long parts;
    private long beganAt;
    private long low;

    /**
     * Looks at the region.
     *
     * @param now      a clock that never goes back
     * @param isFirst  nobody has looked for a while, so nothing is known of what was asked for meanwhile
     * @param retained free, with memory
     * @param freed    of that, at least so much was in use at some time since the last look
     * @return bytes that have been free all the while; 0 if it has not been long enough
     */
    public long look(long now, boolean isFirst, long retained, long freed) {
        long is = Math.max(0, retained - freed);
        if (isFirst) {
            parts = 0;
            beganAt = now;
            low = is;
            return 0;
        }
        low = Math.min(low, is);
        if (now - beganAt >= PART_MILLIS) {
            lows[(int) (parts++ % PARTS)] = low;
            beganAt = now;
            low = retained;
        }
        long least = low;
        for (long l : lows) {
            least = Math.min(least, l);
        }
        return parts < PARTS ? 0 : least;
    }
}
