package upa.llfree;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.III_Result;

/** Two threads free the same pages: against the rules, but each page is freed once and one of them is told. */
@JCStressTest
@Outcome(
        id = {"1, 0, 1", "0, 1, 1"},
        expect = ACCEPTABLE,
        desc = "One was refused.")
@Outcome(expect = FORBIDDEN, desc = "Freed twice, or not at all.")
@State
public class DoubleFreeRace {
    private final LlFree allocator = States.take(64);

    public DoubleFreeRace() {
        allocator.getRun(0, 64, 0);
    }

    private int put(int slot) {
        try {
            allocator.putRun(slot, 3, 2, 0);
            return 1;
        } catch (IllegalArgumentException | IllegalStateException refused) {
            return 0;
        }
    }

    @Actor
    public void one(III_Result r) {
        r.r1 = put(0);
    }

    @Actor
    public void other(III_Result r) {
        r.r2 = put(1);
    }

    @Arbiter
    public void end(III_Result r) {
        r.r3 = States.end(allocator, 2);
    }
}
