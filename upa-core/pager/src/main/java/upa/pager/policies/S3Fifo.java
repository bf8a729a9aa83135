package upa.pager.policies;

import upa.policy.Eviction;
import upa.policy.MemoryPolicy;
import upa.policy.PageBatch;
import upa.policy.PageList;
import upa.policy.PolicyContext;
import upa.policy.PolicyInfo;

/**
 * S3-FIFO: a small FIFO for new pages, a main one for those that were used there or came back, and a list of those that
 * left the small one without.
 *
 * <p>J. Yang and others, FIFO queues are all you need for cache eviction, SOSP 2023.
 */
@PolicyInfo(
        name = "s3-fifo",
        summary = "new pages leave quickly unless they are used; three queues",
        options = {
            "small=10%: part of memory for new pages",
            "ghost=90%: how many pages that left it are remembered, as a part of memory",
            "most=3: uses of a page that count",
            "promote=1: a page with more uses than that moves to the main queue"
        },
        api = MemoryPolicy.API)
public final class S3Fifo implements MemoryPolicy {
    private PolicyContext context;
    private double smallPart;
    private double ghostPart;
    private int most;
    private int promote;
    private PageList small;
    private PageList main;
    private PageList ghost;

    /** Makes one. */
    public S3Fifo() {}

    @Override
    public void attach(PolicyContext c) {
        context = c;
        smallPart = c.options().fraction("small", 0.1, 0.001, 0.99);
        ghostPart = c.options().fraction("ghost", 0.9, 0, 4);
        most = c.options().count("most", 3, 1, PolicyContext.MAX_MARK);
        promote = c.options().count("promote", 1, 0, most - 1);
        small = c.list();
        main = c.list();
        ghost = c.list();
    }

    @Override
    public void added(PageBatch pages) {
        for (int i = 0; i < pages.size(); i++) {
            int page = pages.page(i);
            boolean known = ghost.remove(page) || pages.cause() == PageBatch.Cause.RESCUED;
            (known ? main : small).addLast(page);
        }
    }

    @Override
    public void used(PageBatch pages) {
        for (int i = 0; i < pages.size(); i++) {
            int page = pages.page(i);
            context.mark(page, Math.min(context.mark(page) + 1, most));
        }
    }

    @Override
    public void gone(PageBatch pages) {
        boolean freed = pages.cause() != PageBatch.Cause.EVICTED;
        for (int i = 0; i < pages.size(); i++) {
            int page = pages.page(i);
            if (!small.remove(page) && !main.remove(page) && freed) {
                ghost.remove(page);
            }
        }
    }

    @Override
    public void evict(Eviction wanted) {
        while (wanted.wanted() > 0 && small.size() + main.size() > 0) {
            if (small.size() >= (int) (context.boundPages() * smallPart) && !small.isEmpty() || main.isEmpty()) {
                evictSmall(wanted);
            } else {
                evictMain(wanted);
            }
        }
    }

    /** Looks at the oldest of the small queue: it moves to the main one, or leaves. */
    private void evictSmall(Eviction wanted) {
        int page = small.first();
        if (context.mark(page) > promote) {
            main.addLast(page);
            context.mark(page, 0);
            int mainPages = context.boundPages() - (int) (context.boundPages() * smallPart);
            while (main.size() > mainPages && wanted.wanted() > 0) {
                evictMain(wanted);
            }
            return;
        }
        small.removeFirst();
        if (wanted.propose(page)) {
            ghost.addLast(page);
            while (ghost.size() > (int) (context.boundPages() * ghostPart)) {
                ghost.removeFirst();
            }
        }
    }

    private void evictMain(Eviction wanted) {
        int page = main.first();
        int uses = context.mark(page);
        if (uses > 0) {
            main.addLast(page);
            context.mark(page, uses - 1);
        } else {
            main.removeFirst();
            wanted.propose(page);
        }
    }
}
