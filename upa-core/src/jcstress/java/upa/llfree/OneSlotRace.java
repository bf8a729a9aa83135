package upa.llfree;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.III_Result;

/** Two threads share a slot: one takes a run, the other takes pages by their numbers. */
@JCStressTest
@Outcome(id = "[0-9]+, 0, 1", expect = ACCEPTABLE, desc = "Both have what they asked for.")
@Outcome(expect = FORBIDDEN, desc = "A page is held twice, or refused though free.")
@State
public class OneSlotRace {
    private final LlFree allocator = States.take(512);

    @Actor
    public void run(III_Result r) {
        r.r1 = (int) allocator.getRun(0, 70, 0);
    }

    @Actor
    public void at(III_Result r) {
        // Beyond what the run takes, wherever it begins: there is room for both.
        r.r2 = Math.min(allocator.getAt(0, 400, 100), 0);
    }

    @Arbiter
    public void end(III_Result r) {
        r.r3 = States.end(allocator, 512 - (r.r1 >= 0 ? 70 : 0) - (r.r2 == 0 ? 100 : 0));
    }
}
