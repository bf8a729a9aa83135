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
 * A pager takes the one free child, full of old bytes, drops its memory and puts it back, while a program asks for a
 * page. The second number is what the program was told of its page: -1 clean, 0 old bytes, -12 no page.
 */
@JCStressTest
@Outcome(id = "0, -1, 1", expect = ACCEPTABLE, desc = "Reclaimed, then taken.")
@Outcome(id = "-16, 0, 1", expect = ACCEPTABLE, desc = "Taken, so not reclaimed.")
@Outcome(id = "0, -12, 1", expect = ACCEPTABLE, desc = "Asked while it was being reclaimed.")
@Outcome(expect = FORBIDDEN, desc = "Taken and reclaimed, or told a lie about the contents.")
@State
public class ReclaimRace {
    private final LlFree allocator = States.take(512);

    public ReclaimRace() {
        allocator.get(0, 9, 0);
        allocator.put(0, 0, 9);
    }

    @Actor
    public void reclaim(III_Result r) {
        r.r1 = Math.min(allocator.getAt(0, 0, 512), 0);
        if (r.r1 == 0) {
            allocator.putRun(0, 0, 512, LlFree.PUT_ABSENT);
        }
    }

    @Actor
    public void get(III_Result r) {
        long page = allocator.get(1, 0, 0);
        r.r2 = (int) (page < 0 ? page : allocator.nextStale(page, 1));
    }

    @Arbiter
    public void end(III_Result r) {
        r.r3 = States.end(allocator, r.r2 == -12 ? 512 : 511);
    }
}
