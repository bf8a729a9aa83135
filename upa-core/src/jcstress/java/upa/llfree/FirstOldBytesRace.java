package upa.llfree;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.III_Result;

/**
 * The first pages with old bytes come into an absent child (absent becomes mixed), while pages of it are given back and
 * one is taken. The first number is what was told of the page taken: -1 clean, 7 old bytes, -12 no page.
 */
@JCStressTest
@Outcome(
        id = {"7, -16, 1", "-12, 7, 1"},
        expect = ACCEPTABLE,
        desc = "The page with old bytes, and told so.")
@Outcome(expect = FORBIDDEN, desc = "A page with old bytes passes for a clean one.")
@State
public class FirstOldBytesRace {
    private final LlFree allocator = States.take(512);

    public FirstOldBytesRace() {
        allocator.get(0, 9, 0);
    }

    @Actor
    public void put() {
        allocator.putRun(0, 7, 1, 0);
    }

    @Actor
    public void get(III_Result r) {
        r.r1 = (int) allocator.get(1, 0, 0);
        if (r.r1 >= 0) {
            r.r1 = (int) allocator.nextStale(r.r1, 1);
        }
        allocator.putRun(1, 200, 100, LlFree.PUT_ABSENT);
    }

    @Arbiter
    public void end(III_Result r) {
        r.r2 = allocator.getAt(1, 7, 1) >= 0 ? (int) allocator.nextStale(7, 1) : -16;
        r.r3 = States.end(allocator, 100);
    }
}
