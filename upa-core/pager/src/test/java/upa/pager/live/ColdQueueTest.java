package upa.pager.live;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.LinkedHashSet;
import java.util.Random;
import org.junit.jupiter.api.Test;

class ColdQueueTest {
    /** Against a set that keeps the order of the latest addition. */
    @Test
    void theOldestComesFirstAndEachPageOnce() {
        ColdQueue queue = new ColdQueue();
        LinkedHashSet<Integer> model = new LinkedHashSet<>();
        Random random = new Random(3);
        for (int i = 0; i < 200_000; i++) {
            // Grows and shrinks by turns.
            if (random.nextInt(10) < (i / 20_000 % 2 == 0 ? 7 : 4)) {
                int page = random.nextInt(5_000);
                queue.add(page);
                model.remove(page);
                model.add(page);
            } else {
                int expected = model.isEmpty() ? -1 : model.removeFirst();
                assertEquals(expected, queue.poll(), "step=" + i);
            }
        }
    }
}
