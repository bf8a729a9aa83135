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
 * A page whose memory may vanish is freed into the one child that has room for it, while another thread looks for a
 * page and frees a part of its own. The first number is what was told of the page taken: 1 lazy, 0 not, -12 no page.
 */
@JCStressTest
@Outcome(
        id = {"1, -16, 1", "-12, 1, 1"},
        expect = ACCEPTABLE,
        desc = "The page that may vanish, and told so.")
@Outcome(expect = FORBIDDEN, desc = "A page that may vanish passes for one that stays.")
@State
public class LazyRace {
    private final LlFree allocator = States.take(512);

    public LazyRace() {
        allocator.get(0, 9, 0);
        allocator.put(0, 0, 9);
        allocator.get(0, 9, 0);
    }

    @Actor
    public void mark() {
        allocator.setLazy(7, 1);
        allocator.putRun(0, 7, 1, LlFree.PUT_UNTOUCHED);
    }

    @Actor
    public void get(III_Result r) {
        long result = allocator.get(1, 0, LlFree.GET_CONTENTS);
        r.r1 = result < 0 ? (int) result : isLazy(LlFree.holds(result));
        allocator.putRun(1, 200, 100, 0);
    }

    @Arbiter
    public void end(III_Result r) {
        r.r2 = allocator.getAt(1, 7, 1) >= 0 ? isLazy(allocator.contents(7, 1)) : -16;
        r.r3 = States.end(allocator, 100);
    }

    private static int isLazy(int holds) {
        return (holds & LlFree.HOLDS_LAZY) != 0 ? 1 : 0;
    }
}
