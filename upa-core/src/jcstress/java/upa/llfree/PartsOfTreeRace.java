package upa.llfree;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/** Two parts of what was taken as one whole tree are freed at once; the border lies within a child. */
@JCStressTest
@Outcome(id = "0, 1", expect = ACCEPTABLE, desc = "The tree is whole again.")
@Outcome(expect = FORBIDDEN, desc = "A put failed, or a page is lost.")
@State
public class PartsOfTreeRace {
    private final LlFree allocator = States.takeTree();

    public PartsOfTreeRace() {
        allocator.getRun(0, LlFreeDescriptor.TREE_PAGES, 0);
    }

    @Actor
    public void first() {
        allocator.putRun(0, 0, 1000, 0);
    }

    @Actor
    public void second() {
        allocator.putRun(1, 1000, LlFreeDescriptor.TREE_PAGES - 1000, LlFree.PUT_ABSENT);
    }

    @Arbiter
    public void end(II_Result r) {
        r.r1 = (int) allocator.getRun(2, LlFreeDescriptor.TREE_PAGES, 0);
        r.r2 = States.end(allocator, 0);
    }
}
