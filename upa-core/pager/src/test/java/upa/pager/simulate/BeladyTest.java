package upa.pager.simulate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

class BeladyTest {
    /** The fewest faults by trying every victim. */
    private static int fewest(int[] pages, int at, Set<Integer> resident, int bound, Map<String, Integer> known) {
        if (at == pages.length) {
            return 0;
        }
        if (resident.contains(pages[at])) {
            return fewest(pages, at + 1, resident, bound, known);
        }
        String key = at + " " + resident;
        Integer already = known.get(key);
        if (already != null) {
            return already;
        }
        int best;
        if (resident.size() < bound) {
            Set<Integer> next = new HashSet<>(resident);
            next.add(pages[at]);
            best = 1 + fewest(pages, at + 1, next, bound, known);
        } else {
            best = Integer.MAX_VALUE;
            for (Integer victim : resident) {
                Set<Integer> next = new HashSet<>(resident);
                next.remove(victim);
                next.add(pages[at]);
                best = Math.min(best, 1 + fewest(pages, at + 1, next, bound, known));
            }
        }
        known.put(key, best);
        return best;
    }

    @Test
    void isTheFewestThereCanBe() {
        Random random = new Random(5);
        for (int round = 0; round < 200; round++) {
            int[] pages = random.ints(3 + random.nextInt(20), 0, 2 + random.nextInt(5))
                    .toArray();
            int bound = 1 + random.nextInt(4);
            PageTrace trace = PageTrace.of(Arrays.stream(pages).asLongStream().toArray());
            assertEquals(fewest(pages, 0, Set.of(), bound, new HashMap<>()), Belady.faults(trace, bound));
        }
    }

    @Test
    void knowsTheExampleOfTheTextbooks() {
        PageTrace trace = PageTrace.of(7, 0, 1, 2, 0, 3, 0, 4, 2, 3, 0, 3, 2, 1, 2, 0, 1, 7, 0, 1);
        assertEquals(9, Belady.faults(trace, 3));
        assertEquals(6, Belady.faults(trace, 6));
    }

    @Test
    void needsABound() {
        assertThrows(IllegalArgumentException.class, () -> Belady.faults(PageTrace.of(1), 0));
    }
}
