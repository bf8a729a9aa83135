package upa.llfree;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.III_Result;

/** Two pages are free in the one tree: both threads must get one, though only one of them can reserve the tree. */
@JCStressTest
@Outcome(
        id = {"0, 1, 1", "1, 0, 1"},
        expect = ACCEPTABLE,
        desc = "Each has a page.")
@Outcome(expect = FORBIDDEN, desc = "A page is held twice, or a get failed though there was room.")
@State
public class RoomForBothRace {
    private final LlFree allocator = States.take(2);

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
