package upa.pager.live;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

class CountersTest {
    private static final int BOUND = 64;

    private final Counters counters = new Counters();

    private long[] distances() {
        return LongStream.range(0, Counters.DISTANCES)
                .map(i -> counters.refaults((int) i))
                .toArray();
    }

    /** Page 5 leaves, and so many others after it. */
    private int back(int others) {
        counters.staged(5);
        IntStream.range(100, 100 + others).forEach(counters::staged);
        return counters.fault(5, BOUND);
    }

    @Test
    void theDistanceIsTheNumberOfEvictionsSinceItsOwn() {
        assertEquals(0, back(0));
        assertEquals(63, back(63));
        assertEquals(64, back(64));
        assertEquals(300, back(300));
        assertEquals(4, counters.statistics().faults());
        assertEquals(2, counters.statistics().refaults());
    }

    @Test
    void distancesAreCountedByPartsOfTheBound() {
        int[] firstOfClass = {0, 8, 16, 32, 64, 128, 256};
        for (int i = 0; i < firstOfClass.length; i++) {
            Counters one = new Counters();
            for (int distance :
                    new int[] {firstOfClass[i], i + 1 < firstOfClass.length ? firstOfClass[i + 1] - 1 : 9999}) {
                one.staged(5);
                IntStream.range(100, 100 + distance).forEach(one::staged);
                one.fault(5, BOUND);
            }
            for (int k = 0; k < Counters.DISTANCES; k++) {
                assertEquals(k == i ? 2 : 0, one.refaults(k), "class=" + i + " counted in " + k);
            }
        }
    }

    @Test
    void nothingIsKnownOfWhatLeftBefore() {
        assertEquals(-1, counters.fault(7, BOUND));
        counters.staged(9);
        assertEquals(-1, counters.fault(7, BOUND));
        assertEquals(0, counters.statistics().refaults());
        assertEquals(2, counters.statistics().faults());
        assertEquals(0, LongStream.of(distances()).sum());
        assertEquals(0, counters.fault(9, BOUND));
        assertEquals(1, distances()[0]);
    }
}
