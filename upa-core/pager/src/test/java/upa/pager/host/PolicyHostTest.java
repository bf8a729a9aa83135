package upa.pager.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import upa.policy.Actions;
import upa.policy.Eviction;
import upa.policy.Fetch;
import upa.policy.Hint;
import upa.policy.PageBatch.Cause;
import upa.policy.PlacementRule;
import upa.policy.PolicyException;
import upa.policy.Pressure;

/** What a policy is told, and what its proposals come to. */
class PolicyHostTest extends PolicyHostFixture {
    @Test
    void tellsWhatHappensAndClaimsWhatIsProposed() {
        start();
        add(0, 3);
        host.used(Cause.WRITTEN, new int[] {1}, 1);
        host.fault(fault(9));
        host.pressure(new Pressure(0.25, 1));
        host.hint(new Hint(Hint.Kind.RANDOM, 1, 2, 0));
        pages.drop(2);
        host.gone(Cause.FREED, new int[] {2}, 1);
        assertEquals(2, host.evict(5, true));
        assertEquals(List.of(0, 1), pages.evicted);
        assertEquals(
                List.of(
                        "added FIRST_TOUCH 0 1 2",
                        "used WRITTEN 1",
                        "fault 9 thread 7 write",
                        "pressure 0.25",
                        "hint RANDOM 1 2",
                        "gone FREED 2"),
                TestPolicy.latest().log.subList(0, 6));
        assertEquals("test,id=" + id, host.spec().text());
        host.close();
        assertTrue(TestPolicy.latest().closed);
    }

    @Test
    void seedsWithWhatIsResident() {
        for (int page = 3; page < 1500; page += 2) {
            pages.put(page);
        }
        start();
        List<String> log = TestPolicy.latest().log;
        assertEquals(2, log.size());
        assertTrue(log.get(0).startsWith("added SEEDED 3 5 7 9 "), log.get(0));
        assertEquals(749, TestPolicy.latest().queue.size());
    }

    @Test
    void aPageThatCannotLeaveIsAddedAgain() {
        start();
        add(0, 4);
        pages.pin(0, true);
        pages.pin(2, true);
        assertEquals(2, host.evict(2, false));
        assertEquals(List.of(1, 3), pages.evicted);
        assertEquals("added RESCUED 0 2", TestPolicy.latest().log.getLast());
        assertEquals(2, host.statistics().refused());
        assertEquals(2, TestPolicy.latest().queue.size());
    }

    @Test
    void proposalsWithoutSenseAreCountedNoOps() {
        TestPolicy.misdeed(id, "evict", (p, w) -> {
            Eviction wanted = (Eviction) w;
            for (int page : new int[] {-1, PAGES, Integer.MAX_VALUE, Integer.MIN_VALUE, 1999, 7}) {
                assertFalse(wanted.propose(page));
            }
            assertTrue(wanted.propose(3, null));
            assertFalse(wanted.propose(3));
        });
        start();
        add(0, 5);
        assertEquals(2, host.evict(2, false));
        assertEquals(List.of("evict 3 to -1", "evict 0 to -1"), pages.done);
        assertEquals(7, host.statistics().refused());
        assertEquals(List.of(), said);
    }

    @Test
    void onePolicysVictimsAreGoneForTheOthers() {
        host.replace(spec("csr-window,behind=0+test,id=" + id));
        TestPolicy policy = TestPolicy.latest();
        host.hint(new Hint(Hint.Kind.SEQUENTIAL, 0, 50, 0));
        add(0, 100);
        host.fault(fault(20));
        assertEquals(30, host.evict(30, false));
        Set<Integer> first = new TreeSet<>(pages.evicted.subList(0, 20));
        assertEquals(IntStream.range(0, 20).boxed().toList(), List.copyOf(first));
        assertTrue(
                policy.log.contains("gone EVICTED 19 18 17 16 15 14 13 12 11 10 9 8 7 6 5 4 3 2 1 0"),
                policy.log.toString());
        assertEquals(IntStream.range(20, 30).boxed().toList(), pages.evicted.subList(20, 30));
        assertEquals(0, host.standIns());
    }

    @Test
    void anAidAloneHasTheDefaultBehindIt() {
        host.replace(spec("stride"));
        add(0, 10);
        assertEquals("stride+clock", host.spec().text());
        assertEquals(4, host.evict(4, false));
        assertEquals(0, host.standIns());
    }

    @Test
    void actionsAreCheckedBeforeTheyAreDone() {
        pages.put(5);
        pages.put(6);
        pages.evict(6, 0);
        pages.done.clear();
        TestPolicy.misdeed(id, "tick", (p, x) -> {
            Actions actions = (Actions) x;
            assertFalse(actions.collapse(1));
            assertFalse(actions.collapse(-512));
            assertFalse(actions.collapse(2048));
            assertTrue(actions.collapse(512));
            assertFalse(actions.populate(0, 0));
            assertFalse(actions.populate(1999, 2));
            assertTrue(actions.populate(1998, 2));
            assertFalse(actions.clearAhead(0));
            assertTrue(actions.clearAhead(3));
            assertFalse(actions.migrate(6, null));
            assertFalse(actions.migrate(PAGES, p.context.places().get(1)));
            assertTrue(actions.migrate(6, p.context.places().get(1)));
            assertFalse(actions.giveBack(-1));
            assertTrue(actions.giveBack(0));
            assertFalse(actions.bring(5));
            assertTrue(actions.bring(6));
            assertFalse(actions.place(new PlacementRule(0, 1, PlacementRule.Kind.HUGE)));
            assertTrue(actions.evict(5, p.context.places().get(1)));
            assertEquals(1, actions.bound(0));
        });
        start();
        host.tick();
        assertEquals(List.of(), said);
        assertEquals(
                List.of(
                        "collapse 512",
                        "populate 1998 2",
                        "clear 3",
                        "migrate 6 to 1",
                        "give back 0",
                        "fetch 6",
                        "place PlacementRule[fromBytes=0, toBytes=1, kind=HUGE]",
                        "evict 5 to 1"),
                pages.done);
        assertEquals(11, host.statistics().refused());
    }

    @Test
    void fetchesAreRefusedWhereThereIsNoRoom() {
        pages.put(1);
        pages.put(2);
        pages.evict(1, 0);
        pages.evict(2, 0);
        pages.done.clear();
        pages.room = 1;
        TestPolicy.misdeed(id, "fault", (p, x) -> assertEquals(1, ((Fetch) x).bring(0, 10)));
        start();
        host.fault(fault(0));
        assertEquals(List.of("fetch 1"), pages.done);
        assertEquals(List.of(), said);
    }

    @Test
    void hintsOutsideTheRegionAreNotPassedOn() {
        start();
        host.hint(new Hint(Hint.Kind.RANDOM, -1, 2, 0));
        host.hint(new Hint(Hint.Kind.RANDOM, 0, 0, 0));
        host.hint(new Hint(Hint.Kind.RANDOM, PAGES - 1, 2, 0));
        host.hint(new Hint(Hint.Kind.RANDOM, 1, Integer.MAX_VALUE, 0));
        host.hint(new Hint(Hint.Kind.RANDOM, PAGES - 1, 1, 0));
        assertEquals(List.of("hint RANDOM 1999 1"), TestPolicy.latest().log);
    }

    @Test
    void whatTheProgramWillNeedComesInAsThereIsRoom() {
        start();
        for (int page = 0; page < 10; page++) {
            pages.put(page);
        }
        for (int page : new int[] {1, 3, 4, 7}) {
            pages.evict(page, -1);
        }
        pages.done.clear();
        pages.room = 2;
        host.hint(new Hint(Hint.Kind.WILL_NEED, 2, 6, 0));
        assertEquals(List.of(), pages.done);
        host.bringWanted();
        assertEquals(List.of("fetch 3", "fetch 4"), pages.done);
        host.bringWanted();
        pages.room = 9;
        host.bringWanted();
        host.bringWanted();
        assertEquals(List.of("fetch 3", "fetch 4", "fetch 7"), pages.done);
    }

    @Test
    void ofMoreThanHalfOfTheBoundTheRestDoesNotComeIn() {
        start();
        for (int page = 0; page < 20; page++) {
            pages.put(page);
            pages.evict(page, -1);
        }
        pages.done.clear();
        pages.bound(10);
        pages.done.clear();
        pages.room = 100;
        host.hint(new Hint(Hint.Kind.WILL_NEED, 4, 16, 0));
        host.bringWanted();
        assertEquals(List.of("fetch 4", "fetch 5", "fetch 6", "fetch 7", "fetch 8"), pages.done);
    }

    @Test
    void aPolicyHasEightBytesOfColumns() {
        TestPolicy.misdeed(id, "attach", (p, c) -> {
            p.context.column(4);
            p.context.column(2);
            p.context.column(2);
            p.context.column(1);
        });
        assertEquals(
                "policy=test has columns of bytes=9 a page, the most is 8",
                assertThrows(PolicyException.class, this::start).getMessage());
    }

    @ParameterizedTest
    @ValueSource(strings = {"added", "used", "gone", "evict", "fault", "pressure", "hint", "tick"})
    void eachCallbackIsGuarded(String callback) {
        List<String> described = new ArrayList<>();
        start();
        add(0, 10);
        long before = host.allocatedBytes();
        TestPolicy.misdeed(id, callback, (p, x) -> {
            described.add(host.guard().describe() + " "
                    + CallGuard.isUnderWay(host.guard().call()));
            assertTrue(new byte[1 << 20].length > 0);
        });
        call(callback);
        assertEquals(List.of("policy=test " + callback + " true"), described);
        assertFalse(CallGuard.isUnderWay(host.guard().call()));
        assertTrue(host.allocatedBytes() >= before + (1 << 20), "what it allocated is counted");
        TestPolicy.misdeed(id, callback, (p, x) -> {
            for (int i = 0; i < 65; i++) {
                assertTrue(new byte[1 << 20].length > 0);
            }
        });
        call(callback);
        assertTrue(said.getFirst().contains(callback + " allocated bytes="), said.toString());
    }

    @Test
    void attachAndCloseAreGuardedAndMayThrow() {
        List<String> described = new ArrayList<>();
        TestPolicy.misdeed(id, "attach", (p, x) -> described.add(host.guard().describe()));
        TestPolicy.misdeed(id, "close", (p, x) -> {
            described.add(host.guard().describe());
            throw new ArithmeticException("broken");
        });
        start();
        TestPolicy policy = TestPolicy.latest();
        host.close();
        assertEquals(List.of("policy=test attach", "policy=test close"), described);
        assertEquals(List.of("policy=test threw when it was closed: java.lang.ArithmeticException: broken"), said);
        assertThrows(RevokedException.class, () -> policy.context.residentPages());
    }

    @Test
    void seedsInBatchesFromTheFirstPageToTheLast() {
        for (int page : new int[] {0, PAGES - 1}) {
            pages.put(page);
        }
        IntStream.range(500, 1100).forEach(pages::put);
        start();
        List<String> log = TestPolicy.latest().log;
        assertEquals(512, log.getFirst().split(" ").length - 2);
        assertTrue(log.getFirst().startsWith("added SEEDED 0 500 "), log.getFirst());
        assertEquals(602, TestPolicy.latest().queue.size());
        assertEquals(PAGES - 1, TestPolicy.latest().queue.last());
    }

    @ParameterizedTest
    @ValueSource(strings = {"evict", "fault", "tick"})
    void proposalsEndWithTheCallback(String callback) {
        List<Object> kept = new ArrayList<>();
        TestPolicy.misdeed(id, callback, (p, x) -> kept.add(x));
        start();
        add(0, 10);
        call(callback);
        if (kept.getFirst() instanceof Actions actions) {
            assertThrows(RevokedException.class, () -> actions.populate(0, 1));
        }
        if (kept.getFirst() instanceof Eviction wanted) {
            assertThrows(RevokedException.class, () -> wanted.propose(5));
        }
        if (kept.getFirst() instanceof Fetch also) {
            assertThrows(RevokedException.class, () -> also.bring(5));
        }
    }

    @Test
    void nobodyIsToldOfNoVictims() {
        host.replace(spec("stride+test,id=" + id));
        add(0, 10);
        assertEquals(2, host.evict(2, false));
        assertEquals(1, TestPolicy.latest().log.size(), TestPolicy.latest().log.toString());
    }

    @Test
    void whatTheTickCannotEvictIsAddedAgain() {
        TestPolicy.misdeed(id, "tick", (p, x) -> {
            p.queue.remove(3);
            assertFalse(((Actions) x).evict(3, null));
        });
        start();
        add(0, 10);
        pages.pin(3, true);
        host.tick();
        assertEquals("added RESCUED 3", TestPolicy.latest().log.getLast());
        assertEquals(3, TestPolicy.latest().queue.last());
    }

    @Test
    void withoutAPolicyVictimsGoByAddress() {
        for (int page : new int[] {0, 1, 2, 1000, PAGES - 1}) {
            pages.put(page);
        }
        pages.pin(1, true);
        assertEquals(2, host.evict(2, true));
        assertEquals(List.of(0, 2), pages.evicted);
        pages.put(0);
        assertEquals(3, host.evict(5, true), "round once, and no further");
        assertEquals(List.of(0, 2, 1000, PAGES - 1, 0), pages.evicted);
        assertEquals(5, host.standIns());
        assertEquals(0, host.evict(1, true), "what is left cannot leave");
    }

    @Test
    void policiesAreToldOfStandIns() {
        TestPolicy.misdeed(id, "evict", (p, w) -> {
            while (!p.queue.isEmpty()) {
                p.queue.removeFirst();
            }
        });
        start();
        add(0, 3);
        assertEquals(2, host.evict(2, true));
        assertEquals("gone EVICTED 0 1", TestPolicy.latest().log.getLast());
    }
}
