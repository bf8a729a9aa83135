package upa.pager.live;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;
import upa.pager.place.PlaceWord;

class StagingSlotsTest {
    private final PageStates states = new PageStates(8);
    private final StagingSlots slots = new StagingSlots(states);

    @Test
    void eachIsTakenOnce() {
        Set<Integer> taken = new HashSet<>();
        while (slots.freeCount() > 0) {
            assertTrue(taken.add(slots.take()));
        }
        assertEquals(Wire.STAGING_SLOTS, taken.size());
        slots.free(17);
        assertEquals(1, slots.freeCount());
        assertEquals(17, slots.take());
        boolean[] used = new boolean[Wire.STAGING_SLOTS];
        used[0] = true;
        used[5] = true;
        slots.allBut(used);
        assertEquals(Wire.STAGING_SLOTS - 2, slots.freeCount());
        for (taken.clear(); slots.freeCount() > 0; ) {
            taken.add(slots.take());
        }
        assertFalse(taken.contains(0) || taken.contains(5));
    }

    @Test
    void aPageIsInASlotAsLongAsItsWordSaysSo() {
        slots.owner(9, 3);
        assertEquals(3, slots.owner(9));
        assertFalse(slots.isStaged(9));
        states.set(3, PlaceWord.of(PlaceWord.STAGING, 0, 9));
        assertTrue(slots.isStaged(9));
        states.set(3, PlaceWord.claimed(states.get(3), PlaceWord.MOVING));
        assertTrue(slots.isStaged(9), "whoever has claimed it");
        assertFalse(slots.isStaged(8));
        states.set(3, PageStates.memory());
        assertFalse(slots.isStaged(9));
    }
}
