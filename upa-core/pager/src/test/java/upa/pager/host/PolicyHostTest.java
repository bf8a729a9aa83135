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
import upa.policy.FaultBatch;
import upa.policy.Fetch;
import upa.policy.Hint;
import upa.policy.PageBatch.Cause;
import upa.policy.PlacementRule;
import upa.policy.PolicyException;
import upa.policy.Pressure;

class PolicyHostTest {
    private static final int PAGES = 2000;
    private static int ids;

    private final FakeMechanism pages = new FakeMechanism(PAGES, 100);
    private final List<String> said = new ArrayList<>();
    private final PolicyHost host = new PolicyHost(pages, said::add);
    private final String id = "host" + ids++;

    private static PolicySpec spec(String text) {
        return PolicySpec.parse(text);
    }

    private void start() {
        host.replace(spec("test,id=" + id));
    }

    private void add(int from, int to) {
        int[] numbers = IntStream.range(from, to).peek(pages::put).toArray();
        host.added(Cause.FIRST_TOUCH, numbers, numbers.length);
    }

    private static FaultBatch fault(int page) {
        return new FakeFaults(7, true, -1, page);
    }

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
    void tooFewVictimsAreCompletedAndInTheEndThePolicyIsReplaced() {
        TestPolicy.misdeed(id, "evict", (p, w) -> p.queue.removeFirst());
        start();
        TestPolicy policy = TestPolicy.latest();
        add(0, 1000);
        TestPolicy.misdeed(id, "evict", (p, w) -> {
            while (p.queue.removeFirst() >= 0) {
                continue;
            }
        });
        for (int i = 0; i < PolicyHost.MOST_SHORTFALLS; i++) {
            assertEquals(List.of(), said);
            assertEquals(10, host.evict(10, false));
        }
        assertEquals(List.of("policy=test is replaced by clock: proposed too few victims in calls=16 in a row"), said);
        assertEquals("clock", host.spec().text());
        assertTrue(policy.closed);
        assertEquals(160, pages.evicted.size());
        assertEquals(160, host.standIns());
        assertEquals(10, host.evict(10, false));
        assertEquals(160, host.standIns(), "the clock was seeded and needs no help");
    }

    @ParameterizedTest
    @ValueSource(strings = {"added", "used", "gone", "evict", "fault", "pressure", "hint", "tick"})
    void aPolicyThatThrowsIsReplaced(String callback) {
        TestPolicy.misdeed(id, callback, (p, x) -> {
            throw new ArithmeticException("broken");
        });
        if (callback.equals("added")) {
            start();
            add(0, 10);
        } else {
            pages.put(0);
            start();
            add(1, 10);
        }
        host.used(Cause.FAULT, new int[] {1}, 1);
        host.gone(Cause.FREED, new int[] {9}, 1);
        pages.drop(9);
        host.fault(fault(4));
        host.pressure(new Pressure(0.5, 1));
        host.hint(new Hint(Hint.Kind.NORMAL, 0, 1, 0));
        host.tick();
        assertEquals(4, host.evict(4, true));
        assertEquals(
                List.of("policy=test is replaced by clock: " + callback
                        + " threw java.lang.ArithmeticException: broken"),
                said);
        assertEquals("clock", host.spec().text());
        assertEquals(5, host.evict(100, true));
        assertEquals(
                IntStream.range(0, 9).boxed().toList(),
                pages.evicted.stream().sorted().toList());
    }

    /** As one whose thread does not get a processor: it proposes what has left long ago, in the order of its coming. */
    @Test
    void aPolicyThatIsToldTooLateIsNotReplaced() {
        start();
        add(0, 1000);
        for (int page = 0; page < 800; page++) {
            pages.drop(page);
        }
        assertEquals(2, host.evict(2, true));
        assertEquals(List.of("evict 800 to -1", "evict 801 to -1"), pages.done);
        assertEquals(List.of(), said);
        assertEquals("test", host.spec().text().substring(0, 4));
        assertEquals(800, host.statistics().refused());
    }

    private void startWithOneThatProposesTheFirst(int count) {
        TestPolicy.misdeed(id, "evict", (p, w) -> {
            for (int page = 0; page < count; page++) {
                p.queue.remove(page);
                ((Eviction) w).propose(page);
            }
        });
        start();
    }

    @Test
    void whoIsToldThatPagesHaveLeftAndProposesThemTalksNonsense() {
        startWithOneThatProposesTheFirst(200);
        add(0, 1000);
        for (int page = 0; page < 200; page++) {
            pages.drop(page);
        }
        assertEquals(2, host.evict(2, true));
        assertEquals(List.of(), said, "the first time it could not know");
        assertEquals(2, host.evict(2, true));
        assertEquals(
                List.of("policy=test is replaced by clock: proposed more than victims=72 that are not in memory"),
                said);
    }

    @Test
    void whatHasLeftOnceMayComeAndLeaveAgain() {
        startWithOneThatProposesTheFirst(200);
        add(0, 300);
        for (int round = 0; round < 5; round++) {
            for (int page = 0; page < 200; page++) {
                pages.drop(page);
            }
            assertEquals(1, host.evict(1, true));
            for (int page = 0; page < 200; page++) {
                pages.put(page);
            }
            int[] back = IntStream.range(0, 200).toArray();
            host.gone(Cause.EVICTED, back, 200);
            host.added(Cause.FETCHED, back, 200);
        }
        assertEquals(List.of(), said);
    }

    private void proposeAgain(int count) {
        TestPolicy.misdeed(id, "evict", (p, w) -> {
            for (int page = 0; page < count; page++) {
                ((Eviction) w).propose(page);
            }
        });
        host.evict(1, true);
        assertEquals(
                List.of("policy=test is replaced by clock: proposed more than victims=68 that are not in memory"),
                said);
    }

    @Test
    void whatHasBeenClaimedIsKnownToHaveLeft() {
        start();
        add(0, 1000);
        assertEquals(200, host.evict(200, true));
        proposeAgain(200);
    }

    @Test
    void whatAPolicyWasToldIsGoneItKnowsToHaveLeft() {
        start();
        add(0, 1000);
        for (int page = 0; page < 200; page++) {
            pages.drop(page);
        }
        host.gone(Cause.FREED, IntStream.range(0, 200).toArray(), 200);
        proposeAgain(200);
    }

    @Test
    void victimsOfWhichAPolicyHasNotBeenToldAreNotMissed() {
        start();
        add(0, 1);
        for (int page = 10; page < 1000; page++) {
            pages.put(page);
        }
        for (int i = 0; i < 2 * PolicyHost.MOST_SHORTFALLS; i++) {
            assertEquals(10, host.evict(10, false));
        }
        assertEquals(List.of(), said);
    }

    @Test
    void errorsAreCaughtToo() {
        TestPolicy.misdeed(id, "used", (p, x) -> {
            throw new StackOverflowError();
        });
        start();
        add(0, 3);
        host.used(Cause.FAULT, new int[] {1}, 1);
        assertEquals("clock", host.spec().text());
    }

    @Test
    void aPolicyThatProposesOnlyNonsenseIsReplaced() {
        TestPolicy.misdeed(id, "evict", (p, w) -> {
            for (int i = 0; i < 200; i++) {
                ((Eviction) w).propose(1500);
            }
        });
        start();
        add(0, 10);
        assertEquals(2, host.evict(2, false));
        assertEquals(
                List.of("policy=test is replaced by clock: " + "proposed more than victims=72 that are not in memory"),
                said);
    }

    @Test
    void aPolicyThatProposesNonsenseForEverIsStopped() {
        TestPolicy.misdeed(id, "evict", (p, w) -> {
            while (true) {
                ((Eviction) w).propose(1500);
            }
        });
        start();
        add(0, 10);
        assertEquals(2, host.evict(2, false));
        assertTrue(
                said.getFirst()
                        .startsWith("policy=test is replaced by clock: evict threw java.lang.IllegalStateException"),
                said.toString());
    }

    @Test
    void aHeapHogIsReplaced() {
        List<byte[]> hoard = new ArrayList<>();
        TestPolicy.misdeed(id, "used", (p, x) -> {
            for (int i = 0; i < 65; i++) {
                hoard.add(new byte[1 << 20]);
            }
        });
        start();
        add(0, 3);
        host.used(Cause.FAULT, new int[] {1}, 1);
        assertTrue(
                said.getFirst()
                        .matches("policy=test is replaced by clock: used allocated bytes=[0-9]+, the most is 67108864"),
                said.toString());
    }

    @Test
    void theNewPolicyIsAttachedAndSeededBeforeTheOldOneCloses() {
        start();
        TestPolicy old = TestPolicy.latest();
        add(0, 10);
        TestPolicy.misdeed(id + "b", "attach", (p, c) -> assertFalse(old.closed));
        TestPolicy.misdeed(id + "b", "added", (p, c) -> assertFalse(old.closed));
        host.replace(spec("test,id=" + id + "b"));
        assertTrue(old.closed);
        assertEquals(List.of("added SEEDED 0 1 2 3 4 5 6 7 8 9"), TestPolicy.latest().log);
        assertThrows(RevokedException.class, () -> old.context.residentPages());
        assertEquals(3, host.evict(3, false));
        assertEquals(List.of(0, 1, 2), pages.evicted);
    }

    @Test
    void aPolicyThatCannotBeAttachedLeavesTheOldOne() {
        start();
        TestPolicy old = TestPolicy.latest();
        add(0, 10);
        TestPolicy.misdeed(id + "b", "attach", (p, c) -> {
            throw new IllegalStateException("not today");
        });
        TestPolicy.misdeed(id + "c", "added", (p, c) -> {
            throw new IllegalStateException("not today");
        });
        for (String[] wrong : new String[][] {
            {"test,id=" + id + "b", "policy=test cannot start: java.lang.IllegalStateException: not today"},
            {"test,id=" + id + "c", "policy=test cannot start: added threw java.lang.IllegalStateException: not today"},
            {"clock,chances=0", "policy=clock option=chances has value=0, needs a whole number from 1 to 31"},
            {"clock,chance=1", "policy=clock has no option=chance; it has chances, near"},
            {"rules", "policy=rules needs its text: --policy 'when age>30s: evict'"}
        }) {
            assertEquals(
                    wrong[1],
                    assertThrows(PolicyException.class, () -> host.replace(spec(wrong[0])))
                            .getMessage());
            assertFalse(old.closed);
            assertEquals("test,id=" + id, host.spec().text());
        }
        assertEquals(10, host.evict(10, false));
        assertEquals(0, host.standIns());
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

    @Test
    void anAbandonedHostDoesNothingMore() {
        start();
        add(0, 10);
        assertTrue(host.abandon());
        assertFalse(host.abandon());
        assertEquals(0, host.evict(5, true));
        host.tick();
        assertEquals(List.of(), pages.evicted);
        assertEquals(List.of(), said);
    }

    /** Calls one callback of the policies. */
    private void call(String callback) {
        switch (callback) {
            case "added" -> add(20, 21);
            case "used" -> host.used(Cause.FAULT, new int[] {1}, 1);
            case "gone" -> host.gone(Cause.FREED, new int[] {9}, 1);
            case "evict" -> host.evict(1, true);
            case "fault" -> host.fault(fault(4));
            case "pressure" -> host.pressure(new Pressure(0.5, 1));
            case "hint" -> host.hint(new Hint(Hint.Kind.NORMAL, 0, 1, 0));
            case "tick" -> host.tick();
            default -> throw new IllegalArgumentException(callback);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"added", "used", "gone", "evict", "fault", "pressure", "hint", "tick"})
    void eachCallbackIsJudgedWhenItEnds(String callback) {
        start();
        add(0, 10);
        TestPolicy.misdeed(id, callback, (p, x) -> {
            throw new ArithmeticException("broken");
        });
        call(callback);
        assertEquals(
                List.of("policy=test is replaced by clock: " + callback
                        + " threw java.lang.ArithmeticException: broken"),
                said);
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
    void aPolicyThatCannotStartIsClosed() {
        TestPolicy.misdeed(id, "attach", (p, c) -> {
            throw new IllegalStateException("not today");
        });
        assertThrows(PolicyException.class, this::start);
        assertTrue(TestPolicy.latest().closed);
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

    @Test
    void refusalsOfEarlierPoliciesStayCounted() {
        TestPolicy.misdeed(id, "evict", (p, w) -> assertFalse(((Eviction) w).propose(1500)));
        start();
        add(0, 5);
        host.evict(1, false);
        assertEquals(1, host.statistics().refused());
        start();
        assertEquals(1, host.statistics().refused());
        host.evict(1, false);
        TestPolicy.misdeed(id, "used", (p, w) -> {
            throw new ArithmeticException("broken");
        });
        host.used(Cause.FAULT, new int[] {1}, 1);
        assertEquals("clock", host.spec().text());
        assertEquals(2, host.statistics().refused());
    }

    @Test
    void onlySoMuchNonsenseIsBorne() {
        int[] times = {72};
        TestPolicy.misdeed(id, "evict", (p, w) -> {
            for (int i = 0; i < times[0]; i++) {
                ((Eviction) w).propose(1500);
            }
            assertEquals(times[0] > 72 ? 0 : 2, ((Eviction) w).wanted());
        });
        start();
        add(0, 10);
        assertEquals(2, host.evict(2, false));
        assertEquals(List.of(), said);
        times[0]++;
        assertEquals(2, host.evict(2, false));
        assertEquals(1, said.size());
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

    @Test
    void anAbandonedPolicyIsRevoked() {
        start();
        TestPolicy old = TestPolicy.latest();
        assertFalse(host.isAbandoned());
        host.abandon();
        assertTrue(host.isAbandoned());
        assertThrows(RevokedException.class, () -> old.context.residentPages());
        start();
        assertThrows(RevokedException.class, () -> TestPolicy.latest().context.residentPages());
    }
}
