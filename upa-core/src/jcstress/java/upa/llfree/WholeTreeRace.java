package upa.llfree;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.III_Result;

/** One wants all of a tree, the other a page of it: one of them gets what it wants, and nothing is lost. */
@JCStressTest
@Outcome(id = "0, -12, 1", expect = ACCEPTABLE, desc = "All of the tree.")
@Outcome(id = "-12, 0, 1", expect = ACCEPTABLE, desc = "A page.")
@Outcome(expect = FORBIDDEN, desc = "Both or none of them, or a page is lost.")
@State
public class WholeTreeRace {
    private final LlFree allocator = States.takeTree();

    @Actor
    public void tree(III_Result r) {
        r.r1 = (int) allocator.getRun(0, LlFreeDescriptor.TREE_PAGES, 0);
    }

    @Actor
    public void page(III_Result r) {
        // Any page of it: the other may hold the first ones for a moment, and give them back.
        r.r2 = (int) Math.min(0, allocator.get(1, 0, 0));
    }

    @Arbiter
    public void end(III_Result r) {
        int free = LlFreeDescriptor.TREE_PAGES - (r.r1 >= 0 ? LlFreeDescriptor.TREE_PAGES : 0) - (r.r2 >= 0 ? 1 : 0);
        r.r3 = States.end(allocator, free);
    }
}
