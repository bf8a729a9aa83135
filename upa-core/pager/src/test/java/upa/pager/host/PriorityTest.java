package upa.pager.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import upa.policy.Hint;
import upa.policy.PageBatch.Cause;

/** What a program says of the importance of its pages holds under every policy that comes with UPA. */
class PriorityTest {
    private static final int PAGES = 2000;

    private final FakeMechanism pages = new FakeMechanism(PAGES, 1000);
    private final PolicyHost host = new PolicyHost(pages, line -> {});

    static Stream<String> policies() {
        return Policies.list().stream().map(p -> p.name()).filter(name -> !name.startsWith("test"));
    }

    private void start(String policy) {
        host.replace(PolicySpec.parse(policy.equals("placement") || policy.equals("rules") ? "clock" : policy));
        int[] all = IntStream.range(0, 400).peek(pages::put).toArray();
        host.added(Cause.FIRST_TOUCH, all, all.length);
    }

    private void priority(int first, int count, int priority) {
        host.hint(new Hint(Hint.Kind.PRIORITY, first, count, priority));
    }

    private List<Integer> evict(int wanted) {
        pages.evicted.clear();
        assertEquals(wanted, host.evict(wanted, false));
        List<Integer> gone = new ArrayList<>(pages.evicted);
        gone.sort(null);
        return gone;
    }

    private static List<Integer> range(int from, int to) {
        return IntStream.range(from, to).boxed().toList();
    }

    @ParameterizedTest
    @MethodSource("policies")
    void theLeastImportantLeaveFirstAndTheMostImportantLast(String policy) {
        start(policy);
        priority(0, 100, 5);
        priority(100, 50, 7);
        priority(300, 50, 1);
        priority(350, 50, 0);
        // Used or not.
        host.used(Cause.ACCESSED, range(300, 400).stream().mapToInt(p -> p).toArray(), 100);
        assertEquals(range(350, 400), evict(50));
        assertEquals(range(300, 350), evict(50));
        assertEquals(range(150, 300), evict(150));
        assertEquals(range(0, 100), evict(100));
        assertEquals(range(100, 150), evict(50));
    }

    @Test
    void oneThatComesBackIsNoMoreImportantThanBefore() {
        start("clock");
        priority(390, 10, 2);
        assertEquals(range(390, 400), evict(10));
        int[] back = {395, 397};
        pages.put(395);
        pages.put(397);
        host.added(Cause.FETCHED, back, 2);
        assertEquals(List.of(395, 397), evict(2));
        assertEquals(List.of(0), evict(1));
    }

    @Test
    void theUsualPriorityAndFreeingTakeItBack() {
        start("fifo");
        priority(0, 20, 7);
        priority(390, 10, 0);
        priority(390, 5, Priorities.USUAL);
        int[] freed = IntStream.range(10, 20).toArray();
        IntStream.range(10, 20).forEach(pages::drop);
        host.gone(Cause.FREED, freed, freed.length);
        IntStream.range(10, 20).forEach(pages::put);
        host.added(Cause.FIRST_TOUCH, freed, freed.length);
        assertEquals(range(395, 400), evict(5));
        // The latest are the last of a FIFO, but for those that are protected.
        assertEquals(range(20, 395), evict(375));
        assertEquals(range(10, 20), evict(10));
        assertEquals(range(0, 10), evict(10));
    }

    @Test
    void evictedPagesKeepTheirPriority() {
        Priorities priorities = new Priorities();
        priorities.hint(new Hint(Hint.Kind.PRIORITY, 5, 2, 6));
        priorities.hint(new Hint(Hint.Kind.PRIORITY, 9, 1, 8));
        priorities.hint(new Hint(Hint.Kind.PRIORITY, 9, 1, -1));
        assertEquals(6, priorities.of(6));
        assertTrue(priorities.protects(5));
        assertEquals(Priorities.USUAL, priorities.of(7));
        assertEquals(Priorities.USUAL, priorities.of(9));
        assertFalse(priorities.protects(9));
        start("clock");
        priority(0, 10, 6);
        assertEquals(range(10, 400), evict(390));
        assertEquals(range(0, 10), evict(10));
        int[] back = IntStream.range(0, 20).peek(pages::put).toArray();
        host.added(Cause.FETCHED, back, back.length);
        assertEquals(range(10, 20), evict(10));
    }
}
