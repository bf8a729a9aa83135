package upa.core;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.IIII_Result;

/**
 * A run over two rows of bits finds the second row taken and gives the first one back, while the page that spoilt it
 * and one of the first row are taken.
 */
@JCStressTest
@Outcome(id = "0, -16, -16, 1", expect = ACCEPTABLE, desc = "The run came first.")
@Outcome(id = "-12, 0, 0, 1", expect = ACCEPTABLE, desc = "The run came too late, or was undone in time.")
@Outcome(id = "-12, 0, -16, 1", expect = ACCEPTABLE, desc = "The second page was asked for before the run was undone.")
@Outcome(expect = FORBIDDEN, desc = "A page is held twice, lost, or refused for no reason.")
@State
public class UndoneRunRace {
    private final LlFree allocator = States.take(128);

    @Actor
    public void run(IIII_Result r) {
        r.r1 = (int) allocator.getRun(0, 128, 0);
    }

    @Actor
    public void pages(IIII_Result r) {
        r.r2 = allocator.getAt(1, 100, 1);
        r.r3 = allocator.getAt(1, 10, 1);
    }

    @Arbiter
    public void end(IIII_Result r) {
        r.r4 = States.end(allocator, 128 - (r.r1 == 0 ? 128 : 0) - (r.r2 == 0 ? 1 : 0) - (r.r3 == 0 ? 1 : 0));
    }
}
