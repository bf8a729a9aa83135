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
 * A part of a stale child goes back to the kernel (stale becomes mixed), while a page of the same child that holds old
 * bytes is taken, and another one is freed.
 */
@JCStressTest
@Outcome(id = "300, 100, 1", expect = ACCEPTABLE, desc = "Both hold old bytes, and who asks is told.")
@Outcome(expect = FORBIDDEN, desc = "A page with old bytes passes for a clean one.")
@State
public class PartGivenBackRace {
    private final LlFree allocator = States.take(512);

    public PartGivenBackRace() {
        allocator.get(0, 9, 0);
        allocator.put(0, 0, 9);
        allocator.get(0, 9, 0);
        allocator.putRun(0, 300, 1, 0);
    }

    @Actor
    public void giveBack() {
        allocator.putRun(0, 0, 100, LlFree.PUT_ABSENT);
    }

    @Actor
    public void getAndPut(III_Result r) {
        r.r1 = allocator.getAt(1, 300, 1) >= 0 ? (int) allocator.nextStale(300, 1) : -16;
        allocator.putRun(1, 100, 1, 0);
    }

    @Arbiter
    public void end(III_Result r) {
        r.r2 = allocator.getAt(1, 100, 1) >= 0 ? (int) allocator.nextStale(100, 1) : -16;
        r.r3 = States.end(allocator, 100);
    }
}
