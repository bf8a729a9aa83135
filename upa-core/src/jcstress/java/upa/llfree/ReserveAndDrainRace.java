package upa.llfree;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/** A slot reserves a tree, takes from it and gives to it, while all slots are drained; a few times over. */
@JCStressTest
@Outcome(id = "0, 1", expect = ACCEPTABLE, desc = "Every ticket is somewhere.")
@Outcome(expect = FORBIDDEN, desc = "Tickets are lost, doubled, or belong to two slots; or a get failed.")
@State
public class ReserveAndDrainRace {
    private final LlFree allocator = States.take(512);

    @Actor
    public void get(II_Result r) {
        for (int i = 0; i < 4; i++) {
            long page = allocator.getRun(0, 3, 0);
            if (page < 0) {
                r.r1 = (int) page;
            } else {
                allocator.putRun(1, page, 2, 0);
            }
        }
    }

    @Actor
    public void drain() {
        for (int i = 0; i < 8; i++) {
            allocator.drain();
        }
    }

    @Arbiter
    public void end(II_Result r) {
        r.r2 = States.end(allocator, 508);
    }
}
