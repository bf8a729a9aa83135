package upa.pager.policies;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import upa.policy.Hint;
import upa.policy.PageBatch.Cause;
import upa.policy.Pressure;

/** What each policy is for, on sequences whose answer is known from its definition. */
class PoliciesBehaviourTest extends PolicyWorld {
    @Test
    void fifoForgetsUse() {
        start("fifo");
        add(Cause.FIRST_TOUCH, 1, 2, 3);
        use(1, 1, 1);
        assertEquals(List.of(1, 2), victims(2));
    }

    @Test
    void clockGivesASecondChanceOnce() {
        start("clock");
        add(Cause.FIRST_TOUCH, 1, 2, 3, 4);
        use(1, 1, 1, 3);
        assertEquals(List.of(2, 4), victims(2));
        assertEquals(List.of(1, 3), victims(2));
    }

    @Test
    void clockGivesAsManyChancesAsTold() {
        start("clock,chances=2");
        add(Cause.FIRST_TOUCH, 1, 2);
        use(1, 1, 1);
        add(Cause.FIRST_TOUCH, 3);
        assertEquals(List.of(2, 3, 1), victims(3));
    }

    @Test
    void clockTakesRescueForUse() {
        start("clock");
        add(Cause.RESCUED, 1);
        add(Cause.FIRST_TOUCH, 2, 3);
        assertEquals(List.of(2, 3, 1), victims(3));
    }

    @Test
    void clockBelievesThatPagesWillNotBeNeeded() {
        start("clock");
        add(Cause.FIRST_TOUCH, 1, 2, 3);
        use(3);
        host.hint(new Hint(Hint.Kind.WONT_NEED, 3, 1, 0));
        assertEquals(List.of(3, 1), victims(2));
    }

    @Test
    void twoQueuesKeepWhatCameBack() {
        start("2q,in=20%,out=50%");
        add(Cause.FIRST_TOUCH, 1, 2, 3, 4);
        assertEquals(List.of(1, 2), victims(2), "the trial queue is above 20 % of 10 pages");
        add(Cause.FETCHED, 1);
        add(Cause.FIRST_TOUCH, 5, 6, 7);
        assertEquals(List.of(3, 4, 5), victims(3), "1 came back: it is in the main queue");
        add(Cause.FETCHED, 3);
        use(1);
        assertEquals(List.of(3, 1), victims(2), "the trial queue is at its limit: the main one gives, by last use");
    }

    @Test
    void s3FifoPromotesWhatIsUsedTwice() {
        start("s3-fifo,small=20%");
        add(Cause.FIRST_TOUCH, 1, 2, 3, 4);
        use(1, 1, 2);
        assertEquals(List.of(2, 3), victims(2), "one use is not enough, two are");
        add(Cause.FETCHED, 2);
        add(Cause.FIRST_TOUCH, 5, 6);
        assertEquals(List.of(4, 5), victims(2), "2 came back from the ghosts, so it is in the main queue");
        assertEquals(List.of(1, 2, 6), victims(3), "below its part the small queue is spared");
    }

    @Test
    void sieveLeavesWhatItPassesInItsPlace() {
        start("sieve");
        add(Cause.FIRST_TOUCH, 1, 2, 3, 4, 5);
        use(1, 3);
        assertEquals(List.of(2), victims(1));
        add(Cause.FIRST_TOUCH, 6);
        assertEquals(List.of(4, 5, 6), victims(3), "the hand goes on from where it was");
        add(Cause.FIRST_TOUCH, 7);
        assertEquals(List.of(1, 3, 7), victims(3), "past the newest it begins again with the oldest");
    }

    @Test
    void sequentialOpensAndDoublesItsWindow() {
        storeAll();
        start("sequential,first=2,most=8");
        assertEquals(List.of(), fetched(() -> fault(100, 1)));
        assertEquals(List.of(102, 103), fetched(() -> fault(101, 1)));
        assertEquals(List.of(105, 106, 107, 108), fetched(() -> fault(104, 1)));
        assertEquals(List.of(110, 111, 112, 113, 114, 115, 116, 117), fetched(() -> fault(109, 1)));
        assertEquals(8, fetched(() -> fault(118, 1)).size(), "the window has its largest size");
        assertEquals(List.of(), fetched(() -> fault(5000, 1)), "elsewhere nothing is known");
        assertEquals(List.of(4998, 4997), fetched(() -> fault(4999, 1)), "downwards too");
    }

    @Test
    void sequentialBelievesHints() {
        storeAll();
        start("sequential,first=2");
        host.hint(new Hint(Hint.Kind.SEQUENTIAL, 1000, 100, 0));
        host.hint(new Hint(Hint.Kind.RANDOM, 2000, 100, 0));
        assertEquals(List.of(1051, 1052), fetched(() -> fault(1050, 1)));
        fault(2000, 1);
        assertEquals(List.of(), fetched(() -> fault(2001, 1)));
        host.hint(new Hint(Hint.Kind.NORMAL, 2000, 100, 0));
        fault(2010, 1);
        assertEquals(List.of(2012, 2013), fetched(() -> fault(2011, 1)));
    }

    @Test
    void strideFindsTheDistance() {
        storeAll();
        start("stride,most=4");
        fault(1000, 1);
        assertEquals(List.of(), fetched(() -> fault(1050, 1)));
        assertEquals(List.of(1150, 1200), fetched(() -> fault(1100, 1)), "the same distance twice");
        assertEquals(List.of(1300, 1350, 1400, 1450), fetched(() -> fault(1250, 1)), "what was fetched is jumped over");
        assertEquals(List.of(), fetched(() -> fault(9000, 1)), "another distance");
    }

    @Test
    void strideKeepsThreadsApart() {
        storeAll();
        start("stride,most=4");
        for (int i = 0; i < 3; i++) {
            fault(1000 + 50 * i, 1);
            fault(7000 - 30 * i, 2);
        }
        assertEquals(List.of(1200, 1250, 1300, 1350), fetched(() -> fault(1150, 1)));
        assertEquals(List.of(6880, 6850, 6820, 6790), fetched(() -> fault(6910, 2)));
    }

    @Test
    void csrWindowStreamsAndKeepsTheRest() {
        storeAll();
        start("csr-window,window=8,behind=2+clock");
        host.hint(new Hint(Hint.Kind.SEQUENTIAL, 1000, 500, 0));
        add(Cause.FETCHED, 1, 2, 3);
        for (int page = 1000; page < 1020; page++) {
            add(Cause.FETCHED, page);
        }
        assertEquals(
                List.of(1021, 1022, 1023, 1025, 1026, 1027, 1028), fetched(() -> fault(1020, 1)), "all but the wire");
        assertEquals(range(1000, 1017).reversed(), victims(18), "what the cursor has passed, the last first");
        assertEquals(List.of(1, 2), victims(2), "then others");
    }

    @Test
    void hugePromotesBlocksThatStayWhole() {
        start("huge,after=2,most=1");
        for (int page = 512; page < 1024; page++) {
            add(Cause.FIRST_TOUCH, page);
        }
        add(Cause.FIRST_TOUCH, IntStream.range(1024, 1535).toArray());
        host.tick();
        assertEquals(List.of(), pages.done);
        host.tick();
        assertEquals(List.of("collapse 512"), pages.done);
        host.gone(Cause.FREED, new int[] {600}, 1);
        add(Cause.FIRST_TOUCH, 600);
        for (int i = 0; i < 3; i++) {
            host.tick();
        }
        assertEquals(1, pages.done.size(), "a block that lost a page waits twice as long");
        host.tick();
        assertEquals(List.of("collapse 512", "collapse 512"), pages.done);
    }

    @Test
    void workingSetGoesDownWhileNothingWaitsAndUpWhenItDoes() {
        start("working-set,least=1M,interval=1s,goal=1%,step=10%,free=100%");
        pages.bound(2000);
        for (int i = 0; i < 1500; i++) {
            add(Cause.FIRST_TOUCH, i);
        }
        pages.pressure = new Pressure(0, 0.5);
        pages.now = 1_000_000_000;
        host.tick();
        assertEquals(1350, pages.boundPages(), "a tenth below what is resident");
        pages.pressure = new Pressure(0.005, 0.5);
        pages.now = 2_000_000_000;
        host.tick();
        assertEquals(1282, pages.boundPages(), "half way to the goal, half the step");
        pages.pressure = new Pressure(0.03, 0.5);
        pages.now = 2_500_000_000L;
        host.tick();
        assertEquals(1282, pages.boundPages(), "not before the interval has passed");
        pages.pressure = new Pressure(0, 0.5);
        pages.now = 3_000_000_000L;
        host.tick();
        assertEquals(1539, pages.boundPages(), "three times the goal in between: two steps up");
    }

    @Test
    void aheadPoliciesStayWithinTheirRate() {
        start("zero-ahead,rate=40M,free=10%+populate-ahead,ahead=6M+placement,kind=contiguous,from=1M");
        pages.bound(1 << 15);
        host.tick();
        assertEquals(
                List.of("clear 1024", "place PlacementRule[fromBytes=1048576, toBytes=1099511627776, kind=CONTIGUOUS]"),
                pages.done);
        pages.done.clear();
        pages.pressure = new Pressure(0, 0.05);
        for (int page = 0; page < 300; page++) {
            add(Cause.FIRST_TOUCH, page);
        }
        host.tick();
        assertEquals(
                List.of("populate 1024 512"),
                pages.done,
                "at least a block away from the last touch; nothing is cleared");
        pages.done.clear();
        host.tick();
        assertEquals(List.of(), pages.done, "once");
        assertTrue(said.isEmpty(), said.toString());
    }

    @Test
    void populateAheadBeginsAfterHalfABlockAndKeepsItsDistance() {
        int ahead = 1536;
        start("populate-ahead,ahead=6M");
        pages.bound(256 + 2 * ahead - 1);
        assertEquals(List.of(), populatedAfter(0, 255), "touches of 255 pages: not half a block");
        assertEquals(List.of(), populatedAfter(255, 256), "room for less than twice as much");
        pages.bound(512 + 2 * ahead);
        assertEquals(List.of("populate 1024 512"), populatedAfter(256, 256));
        assertEquals(List.of(), populatedAfter(256, 511), "the next block ends a page too far ahead");
        assertEquals(List.of("populate 1536 512"), populatedAfter(511, 512));
    }

    private List<String> populatedAfter(int from, int to) {
        pages.done.clear();
        for (int page = from; page < to; page++) {
            add(Cause.FIRST_TOUCH, page);
        }
        host.tick();
        return pages.done;
    }
}
