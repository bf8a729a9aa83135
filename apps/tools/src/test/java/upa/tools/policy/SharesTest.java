package upa.tools.policy;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

class SharesTest {
    @Test
    void whoNeedsLessThanItsShareGetsThatAndTheOthersTheRest() {
        assertArrayEquals(new long[] {30, 35, 35}, Shares.divide(100, 0, new long[] {30, 80, 90}, new int[] {1, 1, 1}));
        assertArrayEquals(new long[] {10, 60, 30}, Shares.divide(100, 0, new long[] {10, 80, 90}, new int[] {5, 2, 1}));
        // The second has enough only when the first has left something.
        assertArrayEquals(new long[] {10, 40, 50}, Shares.divide(100, 0, new long[] {10, 40, 90}, new int[] {1, 1, 1}));
    }

    @Test
    void eachGetsTheLeastWhateverTheOthersNeed() {
        assertArrayEquals(
                new long[] {4, 4, 92}, Shares.divide(100, 4, new long[] {0, 4, 1000}, new int[] {1, 1000, 1}));
        assertArrayEquals(new long[] {4, 4}, Shares.divide(8, 4, new long[] {100, 100}, new int[] {1, 9}));
        assertEquals(
                "total=7 least=4 programs=2",
                assertThrows(
                                IllegalArgumentException.class,
                                () -> Shares.divide(7, 4, new long[] {1, 1}, new int[] {1, 1}))
                        .getMessage());
    }

    @Test
    void whatNobodyNeedsIsRoomToGrow() {
        assertArrayEquals(new long[] {40, 60}, Shares.divide(100, 0, new long[] {10, 30}, new int[] {1, 1}));
        assertArrayEquals(new long[] {100}, Shares.divide(100, 4, new long[] {5}, new int[] {7}));
        assertArrayEquals(new long[0], Shares.divide(100, 4, new long[0], new int[0]));
    }

    @Test
    void isFairWhateverIsNeeded() {
        Random random = new Random(4);
        for (int round = 0; round < 20_000; round++) {
            int n = random.nextInt(1, 9);
            long least = random.nextLong(0, 1 << 22);
            long total = least * n + random.nextLong(0, 1L << random.nextInt(1, 40));
            long[] needs = random.longs(n, 0, 1L << random.nextInt(1, 40)).toArray();
            int[] weights = random.ints(n, 1, 1001).toArray();
            long[] bytes = Shares.divide(total, least, needs, weights);
            String text = "total=" + total + " least=" + least + " needs=" + Arrays.toString(needs) + " weights="
                    + Arrays.toString(weights) + " bytes=" + Arrays.toString(bytes);
            long sum = Arrays.stream(bytes).sum();
            assertTrue(sum <= total && sum > total - n, text);
            double level = -1;
            for (int i = 0; i < n; i++) {
                assertTrue(bytes[i] >= least, text);
                if (bytes[i] < needs[i]) {
                    // Those who have less than they need have alike, by their shares.
                    double mine = (double) (bytes[i] - least) / weights[i];
                    assertTrue(level < 0 || Math.abs(mine - level) <= 1.001, text);
                    level = mine;
                }
            }
            for (int i = 0; i < n && level >= 0; i++) {
                assertTrue(bytes[i] <= Math.max(needs[i], least), "somebody has too little: " + text);
                assertTrue((double) (bytes[i] - least) / weights[i] <= level + 1.001, "not by shares: " + text);
            }
        }
    }
}
