package upa.pager.policies;

import upa.policy.Actions;
import upa.policy.MemoryPolicy;
import upa.policy.PolicyAid;
import upa.policy.PolicyContext;
import upa.policy.PolicyInfo;

/**
 * Clears free pages before they are asked for, so that a request of zeros finds them cleared. Worth it only with an
 * idle processor: clearing costs the same there, and the caches of the program are cold for the pages afterwards.
 */
@PolicyInfo(
        name = "zero-ahead",
        summary = "clears free pages before they are asked for",
        options = {
            "rate=64M: bytes cleared in a second",
            "free=5%: do nothing while less of the machine's memory is available"
        },
        api = MemoryPolicy.API)
public final class ZeroAhead implements PolicyAid {
    private static final int PAGE_SHIFT = 12;
    private static final int TICKS_PER_SECOND = 10;

    private PolicyContext context;
    private int pagesPerTick;
    private double free;

    /** Makes one. */
    public ZeroAhead() {}

    @Override
    public void attach(PolicyContext c) {
        context = c;
        long rate = c.options().bytes("rate", 64 << 20, 1 << 20, 1L << 40) >> PAGE_SHIFT;
        pagesPerTick = (int) Math.max(1, Math.min(Integer.MAX_VALUE, rate / TICKS_PER_SECOND));
        free = c.options().fraction("free", 0.05, 0, 1);
    }

    @Override
    public void tick(Actions actions) {
        if (context.pressure().freeFraction() >= free && context.pressure().stalled() == 0) {
            actions.clearAhead(pagesPerTick);
        }
    }
}
