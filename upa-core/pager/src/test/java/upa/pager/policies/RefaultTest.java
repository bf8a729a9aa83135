package upa.pager.policies;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import upa.pager.host.FakeFaults;
import upa.pager.host.FakeMechanism;
import upa.pager.host.PolicyHost;
import upa.pager.host.PolicySpec;
import upa.policy.FaultBatch;
import upa.policy.PageBatch.Cause;

/** CLOCK by refault distances. */
class RefaultTest {
    private static final int BOUND = 100;

    private final FakeMechanism pages = new FakeMechanism(1000, BOUND);
    private final PolicyHost host = new PolicyHost(pages, line -> {});

    private void added(Cause cause, int... numbers) {
        for (int page : numbers) {
            pages.put(page);
        }
        host.added(cause, numbers, numbers.length);
    }

    /** Pages 0 and 1 leave and come back, the second after more evictions; then others leave: which is the next? */
    private int leavesFirst(String policy, int near, int far, boolean toldBefore) {
        host.replace(PolicySpec.parse(policy));
        added(Cause.FIRST_TOUCH, IntStream.range(0, BOUND).toArray());
        host.evict(2, false);
        assertEquals(List.of(0, 1), pages.evicted);
        for (int page = 0; page < 2; page++) {
            FaultBatch back = new FakeFaults(1, false, page == 0 ? near : far, page);
            if (toldBefore) {
                host.fault(back);
            }
            added(Cause.FETCHED, page);
            if (!toldBefore) {
                host.fault(back);
            }
        }
        host.evict(BOUND - 2, false);
        pages.evicted.clear();
        host.evict(1, false);
        return pages.evicted.getFirst();
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void whatComesBackSoonStaysLonger(boolean toldBefore) {
        assertEquals(1, leavesFirst("clock,near=50%", 49, 50, toldBefore));
    }

    @Test
    void whatComesBackLateOrFromAnUnknownTimeDoesNot() {
        assertEquals(0, leavesFirst("clock,near=50%", 50, 51, true));
    }

    @Test
    void anUnknownTimeIsNotSoon() {
        assertEquals(0, leavesFirst("clock,near=50%", -1, -1, true));
    }

    @Test
    void withoutTheOptionItMakesNoDifference() {
        assertEquals(0, leavesFirst("clock", 1, 90, true));
    }

    @Test
    void aChanceIsGivenOnce() {
        leavesFirst("clock,near=50%", 0, 90, true);
        // Page 0 is alone, without its chance: it leaves, and comes back by itself.
        host.evict(1, false);
        added(Cause.FIRST_TOUCH, 0, 2);
        pages.evicted.clear();
        host.evict(1, false);
        assertEquals(List.of(0), pages.evicted);
    }
}
