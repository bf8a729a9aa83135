package upa.pager.policies;

import upa.policy.Eviction;
import upa.policy.FaultBatch;
import upa.policy.Fetch;
import upa.policy.Hint;
import upa.policy.MemoryPolicy;
import upa.policy.PageBatch;
import upa.policy.PageColumn;
import upa.policy.PageList;
import upa.policy.PolicyContext;
import upa.policy.PolicyInfo;

/**
 * CLOCK, the default: first in, first out, but a page with evidence of use gets another round. On a stock kernel, where
 * evidence is rare, a rescue from the staging area is the second chance. With {@code near}, so is a short refault
 * distance, as in Linux: a page that was wanted back soon after its eviction is of the working set.
 *
 * <p>F. J. Corbató, A Paging Experiment with the Multics System, 1968.
 */
@PolicyInfo(
        name = "clock",
        summary = "first in, first out, with a second chance for what is used (default)",
        options = {
            "chances=1: rounds that a page gets for being used, 1 to 31",
            "near=0%: one that comes back after fewer evictions, as a part of the bound, counts as used"
        },
        api = MemoryPolicy.API)
public final class Clock implements MemoryPolicy {
    private PolicyContext context;
    private PageList queue;
    private int chances;
    private double near;
    /** Pages on their way in that count as used; null if none does. */
    private PageColumn soon;

    /** Makes one. */
    public Clock() {}

    @Override
    public void attach(PolicyContext c) {
        context = c;
        chances = c.options().count("chances", 1, 1, PolicyContext.MAX_MARK);
        near = c.options().fraction("near", 0, 0, 4);
        queue = c.list();
        soon = near > 0 ? c.column(1) : null;
    }

    @Override
    public void added(PageBatch pages) {
        boolean used = pages.cause() == PageBatch.Cause.RESCUED;
        for (int i = 0; i < pages.size(); i++) {
            queue.addLast(pages.page(i));
            if (used || soon != null && soon.get(pages.page(i)) > 0) {
                context.mark(pages.page(i), 1);
            }
            if (soon != null) {
                soon.set(pages.page(i), 0);
            }
        }
    }

    @Override
    public void used(PageBatch pages) {
        for (int i = 0; i < pages.size(); i++) {
            int page = pages.page(i);
            context.mark(page, Math.min(context.mark(page) + 1, chances));
        }
    }

    @Override
    public void fault(FaultBatch faults, Fetch also) {
        for (int i = 0; i < faults.size() && soon != null; i++) {
            int page = faults.page(i);
            if (faults.distance(i) >= 0 && faults.distance(i) < near * context.boundPages()) {
                if (queue.contains(page)) {
                    context.mark(page, Math.max(1, context.mark(page)));
                } else {
                    soon.set(page, 1);
                }
            }
        }
    }

    @Override
    public void gone(PageBatch pages) {
        for (int i = 0; i < pages.size(); i++) {
            queue.remove(pages.page(i));
        }
    }

    @Override
    public void hint(Hint hint) {
        if (hint.kind() == Hint.Kind.WONT_NEED) {
            for (int page = hint.first(); page < hint.end(); page++) {
                if (queue.contains(page)) {
                    queue.addFirst(page);
                    context.mark(page, 0);
                }
            }
        }
    }

    @Override
    public void evict(Eviction wanted) {
        while (wanted.wanted() > 0 && !queue.isEmpty()) {
            int page = queue.first();
            int mark = context.mark(page);
            if (mark > 0) {
                queue.addLast(page);
                context.mark(page, mark - 1);
            } else {
                queue.removeFirst();
                wanted.propose(page);
            }
        }
    }
}
