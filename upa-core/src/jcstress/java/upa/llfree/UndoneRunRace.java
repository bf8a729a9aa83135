package upa.llfree;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/**
 * A run over seven rows of bits finds a page of the last row taken and gives the others back, while that page and one
 * of the first row are taken and freed again and again. There are tickets for both, so only the bits can tell.
 */
@JCStressTest
@Outcome(id = "[0-9]+, 1", expect = ACCEPTABLE, desc = "The run found room.")
@Outcome(id = "-12, 1", expect = ACCEPTABLE, desc = "It did not, and was undone.")
@Outcome(expect = FORBIDDEN, desc = "A page is held twice, or lost.")
@State
public class UndoneRunRace {
    private final LlFree allocator = States.take(512);

    @Actor
    public void run(II_Result r) {
        r.r1 = (int) allocator.getRun(0, 448, 0);
    }

    @Actor
    public void pages() {
        for (int i = 0; i < 10; i++) {
            int page = i % 2 == 0 ? 440 : 10;
            if (allocator.getAt(1, page, 1) >= 0) {
                allocator.putRun(1, page, 1, 0);
            }
        }
    }

    @Arbiter
    public void end(II_Result r) {
        r.r2 = States.end(allocator, r.r1 >= 0 ? 64 : 512);
    }
}
