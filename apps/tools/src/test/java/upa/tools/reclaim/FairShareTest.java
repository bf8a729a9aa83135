package upa.tools.reclaim;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

class FairShareTest {

    private static long given(long[] kept, long level) {
        return Arrays.stream(kept).map(k -> Math.max(0, k - level)).sum();
    }

    @Test
    void theLargestFirst() {
        long[] kept = {10, 100, 40};
        assertEquals(Long.MAX_VALUE, FairShare.level(kept, 0));
        assertEquals(99, FairShare.level(kept, 1));
        assertEquals(40, FairShare.level(kept, 60));
        // From there on two give alike: 61 is 60 and half a byte of each.
        assertEquals(39, FairShare.level(kept, 61));
        assertEquals(39, FairShare.level(kept, 62));
        assertEquals(10, FairShare.level(kept, 120));
        assertEquals(0, FairShare.level(kept, 150));
        assertEquals(0, FairShare.level(kept, 151));
        assertEquals(0, FairShare.level(new long[0], 1));
        assertEquals(7, FairShare.level(new long[] {8, 8, 8}, 3));
    }

    @Test
    void enoughAndNoMoreThanNeeded() {
        Random random = new Random(1);
        for (int i = 0; i < 10_000; i++) {
            long[] kept = random.longs(random.nextInt(1, 8), 0, 1L << random.nextInt(1, 45))
                    .toArray();
            long total = Arrays.stream(kept).sum();
            long need = random.nextLong(1, total + 2);
            long level = FairShare.level(kept, need);
            String text = Arrays.toString(kept) + " need=" + need + " level=" + level;
            if (need > total) {
                assertEquals(0, level, text);
            } else {
                assertTrue(given(kept, level) >= need, text);
                assertTrue(given(kept, level + 1) < need, text);
            }
        }
    }
}
