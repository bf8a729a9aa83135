package upa.pager.policies;

import upa.policy.Actions;
import upa.policy.MemoryPolicy;
import upa.policy.PageBatch;
import upa.policy.PageColumn;
import upa.policy.PageList;
import upa.policy.PolicyAid;
import upa.policy.PolicyContext;
import upa.policy.PolicyInfo;

/**
 * Makes huge pages of blocks that are resident as a whole and stay so: one walk of the page table less for each, and
 * one fault fewer when they were given back. A block from which a page has left waits longer each time.
 */
@PolicyInfo(
        name = "huge",
        summary = "makes huge pages of blocks that are resident and stay so",
        options = {
            "after=10: ticks of 0.1 s for which a block must have been whole",
            "most=4: blocks promoted in a tick"
        },
        api = MemoryPolicy.API)
public final class HugePromotion implements PolicyAid {
    private static final int BLOCK = PolicyContext.BLOCK_PAGES;

    private int after;
    private int most;
    /** By block, beside its first page: resident pages; the block's first page is in the list while it is whole. */
    private PageColumn resident;

    private PageColumn since;
    private PageColumn losses;
    private PageList whole;
    private PageList huge;
    private int ticks;

    /** Makes one. */
    public HugePromotion() {}

    @Override
    public void attach(PolicyContext c) {
        after = c.options().count("after", 10, 1, 36000);
        most = c.options().count("most", 4, 1, 512);
        resident = c.column(2);
        losses = c.column(1);
        since = c.column(4);
        whole = c.list();
        huge = c.list();
    }

    @Override
    public void added(PageBatch pages) {
        for (int i = 0; i < pages.size(); i++) {
            int block = pages.page(i) & -BLOCK;
            int count = resident.get(block) + 1;
            resident.set(block, count);
            if (count == BLOCK) {
                since.set(block, ticks);
                whole.addLast(block);
            }
        }
    }

    @Override
    public void gone(PageBatch pages) {
        for (int i = 0; i < pages.size(); i++) {
            int block = pages.page(i) & -BLOCK;
            if (resident.get(block) > 0) {
                resident.set(block, resident.get(block) - 1);
            }
            if (whole.remove(block) | huge.remove(block)) {
                losses.set(block, Math.min(losses.get(block) + 1, 10));
            }
        }
    }

    @Override
    public void tick(Actions actions) {
        ticks++;
        int left = whole.size();
        int promoted = 0;
        while (left-- > 0 && promoted < most) {
            int block = whole.removeFirst();
            if (ticks - since.get(block) < after << losses.get(block)) {
                whole.addLast(block);
            } else if (actions.collapse(block)) {
                huge.addLast(block);
                promoted++;
            } else {
                // Not now: asked again after as long a wait.
                since.set(block, ticks);
                whole.addLast(block);
            }
        }
    }
}
