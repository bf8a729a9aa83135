package upa.pager.live;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class StandInTest {
    private final PageStates states = new PageStates(8);
    private final LiveMechanism mechanism =
            new LiveMechanism(states, StoreChain.of().places(), new Counters(), 8, () -> {});
    private final StandIn standIn = new StandIn(states, mechanism);

    private int[] choose(int most) {
        int[] chosen = new int[most];
        return Arrays.copyOf(chosen, standIn.choose(chosen, page -> page >= 6));
    }

    @Test
    void importantPagesLeaveAfterAllOthers() {
        for (int page : new int[] {1, 3, 6, 7}) {
            states.set(page, PageStates.memory());
        }
        assertArrayEquals(new int[] {1}, choose(1));
        states.set(0, PageStates.memory());
        assertArrayEquals(new int[] {3}, choose(1), "it goes on where it was");
        assertArrayEquals(new int[] {0}, choose(1), "and from the beginning");
        assertArrayEquals(new int[] {6, 7}, choose(4), "all that there are");
        assertEquals(5, mechanism.victims());
        assertEquals(0, choose(4).length);
    }
}
