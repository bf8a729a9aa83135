package upa.pager.store;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

class SlotMapTest {
    @Test
    void behavesAsAMap() {
        Random random = new Random(9);
        SlotMap map = new SlotMap();
        Map<Integer, Integer> expected = new HashMap<>();
        for (int step = 0; step < 200_000; step++) {
            // Few keys, many of them neighbours or of the same home.
            int key = random.nextInt(4) == 0 ? random.nextInt(Store.MAX_SLOTS) & -65536 : random.nextInt(500);
            if (random.nextInt(5) < 3 && !expected.containsKey(key)) {
                int value = random.nextInt(Store.MAX_SLOTS);
                map.put(key, value);
                expected.put(key, value);
            } else {
                Integer was = expected.remove(key);
                assertEquals(was == null ? SlotMap.NONE : was, map.remove(key), "key=" + key);
            }
            int other = random.nextInt(500);
            assertEquals(expected.getOrDefault(other, SlotMap.NONE), map.get(other), "key=" + other);
            assertEquals(expected.size(), map.size());
        }
        expected.forEach((key, value) -> assertEquals(value, map.get(key)));
        map.clear();
        assertEquals(0, map.size());
        expected.keySet().forEach(key -> assertEquals(SlotMap.NONE, map.get(key)));
    }

    @Test
    void theLastSlotIsOneToo() {
        SlotMap map = new SlotMap();
        map.put(Store.MAX_SLOTS - 1, 0);
        map.put(0, Store.MAX_SLOTS - 1);
        assertEquals(0, map.get(Store.MAX_SLOTS - 1));
        assertEquals(Store.MAX_SLOTS - 1, map.remove(0));
        assertEquals(SlotMap.NONE, map.get(0));
    }
}
