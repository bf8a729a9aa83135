package upa.pager.live;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MoveRateTest {
    private static final int SECONDS = 5;

    private long now = 1_000;
    private final MoveRate rate = new MoveRate(() -> now);

    /** Asked at random times, by turns for much and for little. */
    @ParameterizedTest
    @ValueSource(longs = {64 << 10, 1 << 20, 64 << 20, 1 << 30})
    void theRateHoldsWithinATenth(long bytesPerSecond) {
        rate.set(bytesPerSecond);
        Random random = new Random(5);
        long begun = now;
        long pages = 0;
        while (now - begun < SECONDS * 1_000_000_000L) {
            int n = rate.take(1 + random.nextInt(64));
            pages += n;
            now += n == 64 ? 1_000 : random.nextInt(200_000);
        }
        double wanted = (double) bytesPerSecond * SECONDS;
        assertTrue(pages * 4096 <= 1.1 * wanted, "bytes=" + pages * 4096 + " wanted=" + wanted);
        if (bytesPerSecond <= 64 << 20) {
            // Who asks for less than the rate gets less.
            assertTrue(pages * 4096 >= 0.9 * wanted, "bytes=" + pages * 4096 + " wanted=" + wanted);
        }
    }

    @Test
    void whatIsNotUsedInATenthOfASecondIsLost() {
        rate.set(40 << 20);
        now += 100_000_000_000L;
        assertEquals(1024, rate.take(1 << 20));
        assertEquals(0, rate.take(1));
    }

    @Test
    void whatDidNotGoCanGoLater() {
        rate.set(4096);
        now += 1_000_000_000L;
        assertEquals(1, rate.take(64));
        rate.giveBack(1);
        assertEquals(1, rate.take(64));
        assertEquals(0, rate.take(64));
    }

    @Test
    void withoutALimitAllMayGoAndALimitHoldsAtOnce() {
        assertEquals(1 << 20, rate.take(1 << 20));
        now++;
        rate.set(1 << 20);
        assertTrue(rate.take(1 << 20) <= 26);
        rate.set(MoveRate.UNLIMITED);
        assertEquals(1 << 20, rate.take(1 << 20));
    }
}
