package upa.pager.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import upa.policy.Eviction;
import upa.policy.Hint;
import upa.policy.PageBatch.Cause;
import upa.policy.PolicyException;
import upa.policy.Pressure;

/** When a policy is replaced, by what is asked or for what it did, and when not. */
class PolicyReplacementTest extends PolicyHostFixture {
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

    @Test
    void aPolicyThatCannotStartIsClosed() {
        TestPolicy.misdeed(id, "attach", (p, c) -> {
            throw new IllegalStateException("not today");
        });
        assertThrows(PolicyException.class, this::start);
        assertTrue(TestPolicy.latest().closed);
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
