package upa.llfree;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.III_Result;

/** All is taken. A page is freed by another thread into the tree that the asking one has reserved. */
@JCStressTest
@Outcome(id = "5, -12, 1", expect = ACCEPTABLE, desc = "Freed in time.")
@Outcome(id = "-12, 5, 1", expect = ACCEPTABLE, desc = "Asked before it was free; found when asked again.")
@Outcome(expect = FORBIDDEN, desc = "The free page is lost, or held twice.")
@State
public class ForeignFreeRace {
    private final LlFree allocator = States.take(512);

    public ForeignFreeRace() {
        allocator.getRun(0, 500, 0);
        allocator.getRun(0, 12, 0);
    }

    @Actor
    public void get(III_Result r) {
        r.r1 = (int) allocator.get(0, 0, 0);
    }

    @Actor
    public void put() {
        allocator.put(1, 5, 0);
    }

    @Arbiter
    public void end(III_Result r) {
        r.r2 = (int) allocator.get(0, 0, 0);
        r.r3 = States.end(allocator, 0);
    }
}
