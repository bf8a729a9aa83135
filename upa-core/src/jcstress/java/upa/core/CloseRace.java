package upa.core;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.III_Result;

/**
 * A call begins while the region is being closed: it runs to its end in an open region, or it is refused. Results:
 * whether the call was refused (1), whether it then found the region open (1) or closed (0) at its end, and whether the
 * closing succeeded (1).
 */
@JCStressTest
@Outcome(id = "0, 1, 0", expect = ACCEPTABLE, desc = "the call was under way, so the region stayed open")
@Outcome(id = "0, 1, 1", expect = ACCEPTABLE, desc = "the call was over before the region was closed")
@Outcome(id = "1, 0, 1", expect = ACCEPTABLE, desc = "the region was closed first")
@Outcome(expect = FORBIDDEN, desc = "a region was closed under a call, or neither got what it wanted")
@State
public class CloseRace {
    private final Lifetime lifetime = new Lifetime("region", 2);
    private boolean isClosed;

    @Actor
    public void call(III_Result r) {
        try {
            lifetime.hold(0);
        } catch (IllegalStateException closed) {
            r.r1 = 1;
            return;
        }
        r.r2 = lifetime.isOpen() ? 1 : 0;
        lifetime.release(1);
    }

    @Actor
    public void close() {
        try {
            lifetime.close();
            isClosed = true;
        } catch (IllegalStateException inUse) {
            isClosed = false;
        }
    }

    /** Whoever is refused leaves nothing behind: the region can be closed now, unless it is. */
    @Arbiter
    public void end(III_Result r) {
        r.r3 = isClosed ? 1 : 0;
        if (!isClosed) {
            lifetime.close();
        }
    }
}
