package upa.pager.policies;

import upa.policy.Actions;
import upa.policy.MemoryPolicy;
import upa.policy.PageBatch;
import upa.policy.PolicyAid;
import upa.policy.PolicyContext;
import upa.policy.PolicyInfo;

/**
 * Populates the pages ahead of first touches that go upwards, a whole block at a time so that it can be a huge page.
 * Loses without an idle processor: page by page beside the program a helper made it three times slower, so it keeps at
 * least a block away from the last touch, and does nothing while the bound is near.
 */
@PolicyInfo(
        name = "populate-ahead",
        summary = "populates blocks ahead of first touches, if a processor is idle",
        options = {"ahead=16M: how far ahead of the last touch"},
        api = MemoryPolicy.API)
public final class PopulateAhead implements PolicyAid {
    private static final int PAGE_SHIFT = 12;
    private static final int BLOCK = PolicyContext.BLOCK_PAGES;

    private PolicyContext context;
    private int ahead;
    private int last = -1;
    private int rising;
    private int done;

    /** Makes one. */
    public PopulateAhead() {}

    @Override
    public void attach(PolicyContext c) {
        context = c;
        ahead = (int) (c.options().bytes("ahead", 16 << 20, 2 << 20, 1L << 32) >> PAGE_SHIFT);
    }

    @Override
    public void added(PageBatch pages) {
        if (pages.cause() != PageBatch.Cause.FIRST_TOUCH) {
            return;
        }
        for (int i = 0; i < pages.size(); i++) {
            int page = pages.page(i);
            rising = page == last + 1 ? rising + 1 : 0;
            if (rising == 0) {
                done = 0;
            }
            last = page;
        }
    }

    @Override
    public void tick(Actions actions) {
        int room = context.boundPages() - context.residentPages();
        if (rising < BLOCK / 2 || room < 2 * ahead) {
            return;
        }
        int first = Math.max((last / BLOCK + 2) * BLOCK, done);
        int end = Math.min(last + 1 + ahead, context.pages()) & -BLOCK;
        for (int block = first; block < end; block += BLOCK) {
            actions.populate(block, BLOCK);
            done = block + BLOCK;
        }
    }
}
