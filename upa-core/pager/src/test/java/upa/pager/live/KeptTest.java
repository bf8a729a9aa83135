package upa.pager.live;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import org.junit.jupiter.api.Test;

class KeptTest {
    private final Kept kept = new Kept(Arena.ofAuto().allocate(Wire.KEPT_BYTES, Long.BYTES));

    /** Pagers that die until it goes on no longer, while its policies run or not. */
    private int deaths(boolean present) {
        int deaths = 1;
        for (kept.present(present); kept.survives(); kept.present(present)) {
            deaths++;
        }
        return deaths;
    }

    @Test
    void whoseCodeRanIsNotTriedAgain() {
        assertEquals(Kept.MOST_SUSPICIONS, deaths(true));
    }

    @Test
    void whoseCodeDidNotRunGoesOnForLonger() {
        assertEquals(Kept.MOST_DEATHS, deaths(false));
        assertTrue(Kept.MOST_DEATHS > 2 * Kept.MOST_SUSPICIONS);
    }

    @Test
    void whoseCodeRunsNowAndThenIsNotWhoItIs() {
        for (int i = 0; i + 1 < Kept.MOST_DEATHS; i++) {
            kept.present(i % Kept.MOST_SUSPICIONS != 0);
            assertTrue(kept.survives(), "death " + i);
        }
        kept.present(false);
        assertFalse(kept.survives());
    }

    @Test
    void whatRanAsOnePagerDiedDoesNotCountForTheNext() {
        kept.present(true);
        assertTrue(kept.survives());
        for (int i = 0; i < Kept.MOST_SUSPICIONS; i++) {
            assertTrue(kept.survives(), "death " + i);
        }
    }

    @Test
    void afterAWhileAllIsForgiven() {
        for (int i = 0; i < Kept.MOST_DEATHS; i++) {
            kept.present(true);
            assertTrue(kept.survives(), "death " + i);
            kept.forgive();
        }
    }

    /** A policy's thread may be in a callback as its process ends: a write then would end the whole pager. */
    @Test
    void nobodyWritesToMemoryThatHasGone() {
        Kept over;
        try (Arena arena = Arena.ofConfined()) {
            over = new Kept(arena.allocate(Wire.KEPT_BYTES, Long.BYTES));
            over.end();
        }
        assertThrows(IllegalStateException.class, over::policy, "it has gone");
        over.present(true);
        over.policy("clock");
    }

    /** Each has a place of its own there. */
    @Test
    void oneNumberIsNotAnother() {
        kept.policy("clock");
        kept.bound(7);
        kept.failures(5);
        byte[] id = kept.id(Wire.FIRST_CHILD - 1);
        kept.present(true);
        kept.survives();
        kept.survives();
        assertEquals(7, kept.bound());
        assertEquals(5, kept.failures());
        assertEquals("clock", kept.policy());
        assertTrue(java.util.Arrays.equals(id, kept.id(Wire.FIRST_CHILD - 1)));
        kept.forgive();
        assertEquals(7, kept.bound());
        assertEquals(5, kept.failures());
        assertEquals("clock", kept.policy());
    }
}
