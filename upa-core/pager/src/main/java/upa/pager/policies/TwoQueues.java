package upa.pager.policies;

import upa.policy.Eviction;
import upa.policy.MemoryPolicy;
import upa.policy.PageBatch;
import upa.policy.PageList;
import upa.policy.PolicyContext;
import upa.policy.PolicyInfo;

/**
 * 2Q: new pages pass through a FIFO; one that comes back soon after it left goes to a list ordered by last use. A scan
 * touches each page once, so it never reaches that list.
 *
 * <p>T. Johnson, D. Shasha, 2Q: A Low Overhead High Performance Buffer Management Replacement Algorithm, VLDB 1994.
 */
@PolicyInfo(
        name = "2q",
        summary = "new pages on trial, pages that came back by last use",
        options = {
            "in=25%: part of memory for pages on trial",
            "out=50%: how many pages that left the trial are remembered, as a part of memory"
        },
        api = MemoryPolicy.API)
public final class TwoQueues implements MemoryPolicy {
    private PolicyContext context;
    private double in;
    private double out;
    private PageList trial;
    private PageList main;
    private PageList left;

    /** Makes one. */
    public TwoQueues() {}

    @Override
    public void attach(PolicyContext c) {
        context = c;
        in = c.options().fraction("in", 0.25, 0.01, 0.99);
        out = c.options().fraction("out", 0.5, 0.01, 4);
        trial = c.list();
        main = c.list();
        left = c.list();
    }

    @Override
    public void added(PageBatch pages) {
        for (int i = 0; i < pages.size(); i++) {
            int page = pages.page(i);
            boolean known = left.contains(page) || pages.cause() == PageBatch.Cause.RESCUED;
            (known ? main : trial).addLast(page);
        }
    }

    @Override
    public void used(PageBatch pages) {
        for (int i = 0; i < pages.size(); i++) {
            if (main.contains(pages.page(i))) {
                main.addLast(pages.page(i));
            }
        }
    }

    @Override
    public void gone(PageBatch pages) {
        boolean freed = pages.cause() != PageBatch.Cause.EVICTED;
        for (int i = 0; i < pages.size(); i++) {
            int page = pages.page(i);
            if (!trial.remove(page) && !main.remove(page) && freed) {
                left.remove(page);
            }
        }
    }

    @Override
    public void evict(Eviction wanted) {
        while (wanted.wanted() > 0 && trial.size() + main.size() > 0) {
            boolean fromTrial = trial.size() > (int) (context.boundPages() * in) || main.isEmpty();
            int page = fromTrial ? trial.removeFirst() : main.removeFirst();
            boolean leaves = wanted.propose(page);
            if (fromTrial && leaves) {
                left.addLast(page);
                if (left.size() > (int) (context.boundPages() * out)) {
                    left.removeFirst();
                }
            }
        }
    }
}
