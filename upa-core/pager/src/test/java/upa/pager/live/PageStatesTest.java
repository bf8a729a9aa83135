package upa.pager.live;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import org.junit.jupiter.api.Test;
import upa.pager.place.PlaceWord;

class PageStatesTest {
    private static final long STORED = PlaceWord.of(PlaceWord.FIRST_TIER, 77, 5);

    @Test
    void aPageIsChosenOnceUntilItIsInMemoryAgain() {
        PageStates states = new PageStates(8);
        assertFalse(states.choose(3), "without content");
        states.set(3, PageStates.memory());
        assertTrue(states.choose(3));
        assertFalse(states.choose(3));
        assertFalse(states.isEligible(3));
        assertEquals(1, states.resident(), "a victim is still in memory");
        states.set(3, STORED);
        assertFalse(states.choose(3));
        states.set(3, PageStates.memory());
        assertTrue(states.choose(3));
    }

    @Test
    void whatIsOutsideIsFoundAndWhatIsLostIsNot() {
        PageStates states = new PageStates(100);
        states.set(10, STORED);
        states.set(20, PlaceWord.ofPattern(0));
        states.set(30, PlaceWord.of(PlaceWord.STAGING, 0, 1023));
        states.set(40, PlaceWord.claimed(STORED, PlaceWord.WANTED));
        states.set(50, PageStates.LOST);
        states.set(60, PageStates.memory());
        assertEquals(4, states.outside());
        assertEquals(10, states.nextOutside(0));
        assertEquals(20, states.nextOutside(11));
        assertEquals(30, states.nextOutside(21));
        assertEquals(40, states.nextOutside(31));
        assertEquals(-1, states.nextOutside(41));
        assertEquals(PageStates.LOST, states.set(50, 0));
        assertEquals(STORED, states.set(10, PageStates.memory()));
        assertEquals(3, states.outside());
    }

    /** A copy makes no page less of a victim, and its word does not say that it is one. */
    @Test
    void aPageWithACopyIsInMemory() {
        PageStates states = new PageStates(8);
        long clean = PlaceWord.claimed(STORED, PlaceWord.CLEAN);
        states.set(2, clean);
        assertFalse(PageStates.isOutside(clean));
        assertEquals(1, states.resident());
        assertEquals(0, states.outside());
        assertEquals(1, states.clean());
        assertEquals(2, states.nextClean(0));
        assertEquals(-1, states.nextClean(3));
        assertTrue(states.isEligible(2));
        assertFalse(states.isChosen(2));
        assertTrue(states.choose(2));
        assertEquals(clean, states.get(2));
        assertTrue(states.isChosen(2));
        assertFalse(states.choose(2), "it is a victim already");
        assertFalse(states.isEligible(2));
        states.spare(2);
        assertEquals(clean, states.get(2));
        assertFalse(states.isChosen(2));
        assertTrue(states.choose(2));
        states.set(2, STORED);
        assertFalse(states.isChosen(2));
        assertEquals(0, states.clean());
        assertEquals(1, states.outside());
        states.set(3, PageStates.memory());
        assertTrue(states.choose(3) && states.isChosen(3));
        states.spare(3);
        assertEquals(PageStates.memory(), states.get(3));
    }

    @Test
    void whatIsInSwapOrOnAFarNodeTakesNoNearMemory() {
        PageStates states = new PageStates(8);
        states.set(4, PageStates.memory());
        assertTrue(states.choose(4));
        states.setAside(4);
        assertEquals(PageStates.memory(), states.get(4), "it is the program's own");
        assertEquals(0, states.resident());
        assertEquals(0, states.outside());
        assertEquals(1, states.aside());
        assertEquals(4, states.nextAside(0));
        assertFalse(states.choose(4) || states.isEligible(4));
        states.set(4, PageStates.memory());
        assertEquals(1, states.resident());
        assertEquals(0, states.aside());
        assertTrue(states.choose(4));
        states.setAside(4);
        states.set(4, 0);
        assertEquals(0, states.resident());
        assertEquals(-1, states.nextAside(0));
        assertEquals(0, states.aside());
    }

    @Test
    void countsAreThoseOfTheWords() {
        Random random = new Random(5);
        PageStates states = new PageStates(64);
        long[] words = {
            0,
            PageStates.memory(),
            PageStates.chosen(),
            STORED,
            PlaceWord.ofPattern(-1),
            PageStates.LOST,
            PlaceWord.of(PlaceWord.STAGING, 0, 7)
        };
        for (int i = 0; i < 10_000; i++) {
            states.set(random.nextInt(64), words[random.nextInt(words.length)]);
            if (i % 10 == 0) {
                states.choose(random.nextInt(64));
            }
        }
        int resident = 0;
        int outside = 0;
        for (int page = 0; page < 64; page++) {
            long word = states.get(page);
            resident += PlaceWord.place(word) == PlaceWord.MEMORY ? 1 : 0;
            outside += PageStates.isOutside(word) ? 1 : 0;
            assertEquals(word == PageStates.memory(), states.isEligible(page));
        }
        assertEquals(resident, states.resident());
        assertEquals(outside, states.outside());
    }

    @Test
    void aWordThatTheProcessHasWrittenCountsWhenItIsTold() {
        MemorySegment words = Arena.ofAuto().allocate(ValueLayout.JAVA_LONG, 8);
        PageStates states = new PageStates(words);
        long staged = PlaceWord.of(PlaceWord.STAGING, 0, 5);
        states.set(3, PageStates.memory());
        words.setAtIndex(ValueLayout.JAVA_LONG, 3, staged);
        assertEquals(1, states.resident());
        states.set(3, staged);
        assertEquals(0, states.resident());
        assertEquals(1, states.outside());
        assertEquals(3, states.nextOutside(0));
    }

    @Test
    void wordsOfAFormerPagerAreUnknownUntilTheyAreSet() {
        MemorySegment words = Arena.ofAuto().allocate(ValueLayout.JAVA_LONG, 8);
        words.setAtIndex(ValueLayout.JAVA_LONG, 2, STORED);
        PageStates states = new PageStates(words);
        assertEquals(0, states.get(2));
        assertEquals(-1, states.nextKnown(0));
        assertEquals(STORED, states.stored(2));
        states.set(2, STORED);
        assertEquals(STORED, states.get(2));
        assertEquals(2, states.nextKnown(0));
        states.set(2, 0);
        assertEquals(0, words.getAtIndex(ValueLayout.JAVA_LONG, 2));
        assertEquals(-1, states.nextKnown(0));
    }
}
