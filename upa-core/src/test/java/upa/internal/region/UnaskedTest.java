package upa.internal.region;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class UnaskedTest {
    private final Unasked unasked = new Unasked();
    private long now = 1000;

    private long look(long retained, long freed) {
        now += 16;
        return unasked.look(now, false, retained, freed);
    }

    /** Until something has been idle for so long, at most. */
    private long looks(int millis, long retained) {
        long end = now + millis;
        long last = 0;
        while (now < end) {
            last = look(retained, 0);
        }
        return last;
    }

    @Test
    void whatHasBeenFreeForHalfASecond() {
        assertEquals(0, unasked.look(now, true, 100, 0));
        assertEquals(0, looks(490, 100));
        assertEquals(100, looks(80, 100));
        assertEquals(100, looks(1000, 100));
    }

    @Test
    void theLeastOfAllThatTime() {
        unasked.look(now, true, 100, 0);
        looks(400, 100);
        look(30, 0);
        assertEquals(30, looks(200, 100));
        assertEquals(100, looks(800, 100));
        // Freed just now, so in use before.
        assertEquals(60, look(100, 40));
        assertEquals(60, looks(400, 100));
        assertEquals(0, look(100, 500));
        assertEquals(0, looks(200, 100));
        assertEquals(100, looks(800, 100));
    }

    @Test
    void afterAWhileWithoutLooksItBeginsAgain() {
        unasked.look(now, true, 100, 0);
        looks(600, 100);
        assertEquals(0, unasked.look(now, true, 100, 0));
        assertEquals(0, looks(490, 100));
        assertEquals(100, looks(80, 100));
    }
}
