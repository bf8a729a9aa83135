package upa.pager.policies;

import java.time.Duration;
import upa.policy.Actions;
import upa.policy.MemoryPolicy;
import upa.policy.PolicyAid;
import upa.policy.PolicyContext;
import upa.policy.PolicyInfo;

/**
 * Finds out how little memory the program needs: lowers the bound while the program waits for pages less than the goal
 * allows, and raises it when it waits more. The rule is that of senpai (Weiner and others, TMO: Transparent Memory
 * Offloading in Datacenters, ASPLOS 2022): the further below the goal, the larger the step, 1 % at most.
 *
 * <p>Its measure is how much of the time threads were stalled; while the machine itself has plenty of free memory
 * ({@code free}), nothing is lowered.
 */
@PolicyInfo(
        name = "working-set",
        summary = "bound as low as a goal of stalled time allows (senpai)",
        options = {
            "goal=0.1%: part of the time that threads may wait for pages",
            "step=1%: most that the bound is lowered at a time",
            "interval=6s: between two steps",
            "least=16M: lowest bound",
            "free=100%: do nothing while more of the machine's memory is available"
        },
        api = MemoryPolicy.API)
public final class WorkingSet implements PolicyAid {
    private static final int PAGE_SHIFT = 12;
    private static final int BACK_OFF = 10;

    private PolicyContext context;
    private double goal;
    private double step;
    private long interval;
    private int least;
    private double free;
    private long last;
    private double worst;

    /** Makes one. */
    public WorkingSet() {}

    @Override
    public void attach(PolicyContext c) {
        context = c;
        goal = c.options().fraction("goal", 0.001, 1e-6, 0.5);
        step = c.options().fraction("step", 0.01, 0.0001, 0.5);
        interval = c.options()
                .duration("interval", Duration.ofSeconds(6), Duration.ofMillis(100), Duration.ofHours(1))
                .toNanos();
        least = (int) (c.options().bytes("least", 16 << 20, 1 << 20, 1L << 40) >> PAGE_SHIFT);
        free = c.options().fraction("free", 1, 0, 1);
        last = c.nanoTime();
    }

    @Override
    public void tick(Actions actions) {
        worst = Math.max(worst, context.pressure().stalled());
        long now = context.nanoTime();
        if (now - last < interval) {
            return;
        }
        last = now;
        int bound = context.boundPages();
        if (worst > goal) {
            double excess = Math.min(worst / goal - 1, BACK_OFF);
            actions.bound((int) Math.min(Integer.MAX_VALUE, bound * (1 + step * excess) + 1));
        } else if (context.pressure().freeFraction() <= free) {
            int from = Math.min(bound, Math.max(context.residentPages(), least));
            actions.bound(Math.max(least, (int) (from * (1 - step * (1 - worst / goal)))));
        }
        worst = 0;
    }
}
