package upa.core;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/** The last look at a region, while something of it is freed: it goes back, or a look is to come. */
@JCStressTest
@Outcome(
        id = {"0, 0", "0, 1", "1, 1"},
        expect = ACCEPTABLE,
        desc = "Given back, or looked at again.")
@Outcome(expect = FORBIDDEN, desc = "Kept, and nobody will look.")
@State
public class FreedWhileLookingRace implements Reclaim.Target, Reclaim.Clock {
    private final AtomicInteger kept = new AtomicInteger();
    private final AtomicReference<Runnable> scheduled = new AtomicReference<>();
    private final Reclaim reclaim = new Reclaim(this, this);
    private final Runnable look;

    public FreedWhileLookingRace() {
        reclaim.freed(1);
        look = scheduled.getAndSet(null);
    }

    @Override
    public long look(boolean isFirst, long freed) {
        kept.set(0);
        return 0;
    }

    @Override
    public boolean isSettled() {
        return kept.get() == 0;
    }

    @Override
    public boolean later(Runnable next, long millis) {
        scheduled.set(next);
        return true;
    }

    @Actor
    public void looker() {
        look.run();
    }

    @Actor
    public void user() {
        kept.set(1);
        reclaim.freed(1);
    }

    @Arbiter
    public void end(II_Result r) {
        r.r1 = kept.get();
        r.r2 = scheduled.get() == null ? 0 : 1;
    }
}
