package upa.tools.reclaim;

import java.util.Arrays;

/** Who gives how much: the largest keepers first, until they keep no more than the next largest, then all alike. */
final class FairShare {

    private FairShare() {}

    /**
     * The level that all are lowered to who are above it.
     *
     * @param kept what each keeps, bytes, 0 or more
     * @param need what is to be given back in all, bytes
     * @return the highest level such that what exceeds it is at least {@code need}; 0 if all together is less
     */
    static long level(long[] kept, long need) {
        if (need <= 0) {
            return Long.MAX_VALUE;
        }
        long[] sorted = kept.clone();
        Arrays.sort(sorted);
        long above = 0;
        for (int n = 1; n <= sorted.length; n++) {
            above += sorted[sorted.length - n];
            long next = n < sorted.length ? sorted[sorted.length - n - 1] : 0;
            // The n largest, lowered to the next one, give that much.
            if (above - n * next >= need) {
                return (above - need) / n;
            }
        }
        return 0;
    }
}
