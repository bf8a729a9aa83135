package upa.llfree;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.III_Result;

/** Two threads ask for the last free page. */
@JCStressTest
@Outcome(
        id = {"0, -12, 1", "-12, 0, 1"},
        expect = ACCEPTABLE,
        desc = "One has it.")
@Outcome(expect = FORBIDDEN, desc = "Both have it, or nobody.")
@State
public class LastPageRace {
    private final LlFree allocator = States.take(1);

    @Actor
    public void one(III_Result r) {
        r.r1 = (int) allocator.get(0, 0, 0);
    }

    @Actor
    public void other(III_Result r) {
        r.r2 = (int) allocator.get(1, 0, 0);
    }

    @Arbiter
    public void end(III_Result r) {
        r.r3 = States.end(allocator, 0);
    }
}
