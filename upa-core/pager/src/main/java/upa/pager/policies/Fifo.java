package upa.pager.policies;

import upa.policy.Eviction;
import upa.policy.MemoryPolicy;
import upa.policy.PageBatch;
import upa.policy.PageList;
import upa.policy.PolicyContext;
import upa.policy.PolicyInfo;

/** First in, first out: what came first leaves first, used or not. The base line of all others. */
@PolicyInfo(name = "fifo", summary = "what came first leaves first", api = MemoryPolicy.API)
public final class Fifo implements MemoryPolicy {
    private PageList queue;

    /** Makes one. */
    public Fifo() {}

    @Override
    public void attach(PolicyContext context) {
        queue = context.list();
    }

    @Override
    public void added(PageBatch pages) {
        for (int i = 0; i < pages.size(); i++) {
            queue.addLast(pages.page(i));
        }
    }

    @Override
    public void gone(PageBatch pages) {
        for (int i = 0; i < pages.size(); i++) {
            queue.remove(pages.page(i));
        }
    }

    @Override
    public void evict(Eviction wanted) {
        while (wanted.wanted() > 0 && !queue.isEmpty()) {
            wanted.propose(queue.removeFirst());
        }
    }
}
