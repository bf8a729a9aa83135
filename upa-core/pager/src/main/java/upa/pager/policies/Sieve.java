package upa.pager.policies;

import upa.policy.Eviction;
import upa.policy.MemoryPolicy;
import upa.policy.PageBatch;
import upa.policy.PageList;
import upa.policy.PolicyContext;
import upa.policy.PolicyInfo;

/**
 * SIEVE: a hand goes from the oldest page to the newest and takes the first that was not used; those it passes stay
 * where they are. New pages that are not used again leave soon, old ones that are used stay long.
 *
 * <p>Y. Zhang and others, SIEVE is Simpler than LRU, NSDI 2024.
 */
@PolicyInfo(
        name = "sieve",
        summary = "a hand takes what is not used, and leaves the rest where it is",
        api = MemoryPolicy.API)
public final class Sieve implements MemoryPolicy {
    private PolicyContext context;
    /** The oldest is last. */
    private PageList queue;

    private int hand = PageList.NONE;

    /** Makes one. */
    public Sieve() {}

    @Override
    public void attach(PolicyContext c) {
        context = c;
        queue = c.list();
    }

    @Override
    public void added(PageBatch pages) {
        boolean used = pages.cause() == PageBatch.Cause.RESCUED;
        for (int i = 0; i < pages.size(); i++) {
            queue.addFirst(pages.page(i));
            if (used) {
                context.mark(pages.page(i), 1);
            }
        }
    }

    @Override
    public void used(PageBatch pages) {
        for (int i = 0; i < pages.size(); i++) {
            context.mark(pages.page(i), 1);
        }
    }

    @Override
    public void gone(PageBatch pages) {
        for (int i = 0; i < pages.size(); i++) {
            take(pages.page(i));
        }
    }

    private void take(int page) {
        if (page == hand) {
            hand = queue.previous(page);
        }
        queue.remove(page);
    }

    @Override
    public void evict(Eviction wanted) {
        while (wanted.wanted() > 0 && !queue.isEmpty()) {
            int page = hand == PageList.NONE ? queue.last() : hand;
            if (context.mark(page) > 0) {
                context.mark(page, 0);
                hand = queue.previous(page);
            } else {
                hand = page;
                take(page);
                wanted.propose(page);
            }
        }
    }
}
