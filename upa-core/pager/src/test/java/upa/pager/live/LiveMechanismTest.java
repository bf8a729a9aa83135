package upa.pager.live;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import upa.pager.place.PlaceWord;

class LiveMechanismTest {
    private final PageStates states = new PageStates(1024);
    private int woken;
    private final LiveMechanism mechanism =
            new LiveMechanism(states, StoreChain.of().places(), new Counters(), 512, () -> woken++);

    @Test
    void victimsComeOutInTheirOrderWithTheirPlace() {
        states.set(7, PageStates.memory());
        states.set(9, PageStates.memory());
        assertTrue(mechanism.evict(9, 2));
        assertFalse(mechanism.evict(9, 2), "proposed already");
        assertTrue(mechanism.evict(7, -1));
        assertFalse(mechanism.evict(8, 0), "not in memory");
        assertEquals(2, mechanism.victims());
        assertEquals(1, woken);
        assertEquals(2L << 32 | 9, mechanism.nextVictim());
        assertEquals(7, mechanism.nextVictim());
        assertEquals(-1, mechanism.nextVictim());
        assertEquals(0, mechanism.victims());
    }

    @Test
    void onlyWhatIsInAStoreIsFetchedAndOnlyWhileThereIsRoom() {
        states.set(1, PlaceWord.of(PlaceWord.FIRST_TIER, 0, 0));
        states.set(2, PageStates.memory());
        assertTrue(mechanism.fetch(1));
        assertFalse(mechanism.fetch(2));
        assertFalse(mechanism.fetch(3));
        assertTrue(mechanism.hasFetches());
        assertEquals(255, mechanism.fetchRoom());
        assertEquals(1, mechanism.nextFetch());
        assertEquals(-1, mechanism.nextFetch());
        for (int page = 100; page < 612; page++) {
            states.set(page, PageStates.memory());
        }
        assertEquals(0, mechanism.fetchRoom(), "at its bound");
    }

    @Test
    void theBoundIsNeverAboveTheUsers() {
        assertEquals(512, mechanism.bound(100_000));
        assertEquals(300, mechanism.bound(300));
        assertEquals(300, mechanism.boundPages());
        assertEquals(256, mechanism.bound(1), "an order must fit");
        assertEquals(512, mechanism.bound(512));
    }

    @Test
    void whatThisPagerCannotDoIsRefused() {
        assertFalse(mechanism.collapse(0));
        assertFalse(mechanism.populate(0, 1));
        assertFalse(mechanism.clearAhead(1));
        assertFalse(mechanism.migrate(0, 0));
        assertFalse(mechanism.place(null));
        assertTrue(mechanism.giveBack(0));
        assertTrue(mechanism.takeGiveBack());
        assertFalse(mechanism.takeGiveBack());
    }
}
