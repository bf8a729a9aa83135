package upa.llfree;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/** Two parts of what was taken as one whole child are freed at once; the border lies within a row of bits. */
@JCStressTest
@Outcome(id = "0, 1", expect = ACCEPTABLE, desc = "The child is whole again.")
@Outcome(expect = FORBIDDEN, desc = "A put failed, or a page is lost.")
@State
public class PartsOfChildRace {
    private final LlFree allocator = States.take(512);

    public PartsOfChildRace() {
        allocator.get(0, 9, 0);
    }

    @Actor
    public void first() {
        allocator.putRun(0, 0, 100, 0);
    }

    @Actor
    public void second() {
        allocator.putRun(1, 100, 412, 0);
    }

    @Arbiter
    public void end(II_Result r) {
        r.r1 = (int) allocator.get(2, 9, 0);
        r.r2 = States.end(allocator, 0);
    }
}
