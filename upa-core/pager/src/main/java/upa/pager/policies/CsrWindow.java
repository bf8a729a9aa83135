package upa.pager.policies;

import upa.policy.Eviction;
import upa.policy.FaultBatch;
import upa.policy.Fetch;
import upa.policy.Hint;
import upa.policy.MemoryPolicy;
import upa.policy.PageBatch;
import upa.policy.PageList;
import upa.policy.PolicyAid;
import upa.policy.PolicyContext;
import upa.policy.PolicyInfo;

/**
 * For graph programs over compressed sparse rows, as PageRank: the array of edges is read once from front to back in
 * each round, the array of ranks is read at random. The program hints SEQUENTIAL for the edges. A window of them is
 * fetched ahead of the cursor, and what the cursor has passed leaves first: so a round of edges never drives out ranks.
 */
@PolicyInfo(
        name = "csr-window",
        summary = "streams what is hinted SEQUENTIAL through a window, and keeps the rest",
        options = {"window=512: pages fetched ahead of a cursor", "behind=64: pages kept behind a cursor"},
        api = MemoryPolicy.API)
public final class CsrWindow implements PolicyAid {
    private static final int MOST_STREAMS = 64;

    private int window;
    private int behind;
    private PageList streamed;
    private final int[] from = new int[MOST_STREAMS];
    private final int[] to = new int[MOST_STREAMS];
    private final int[] cursor = new int[MOST_STREAMS];
    /** Page behind the last one fetched of the window. */
    private final int[] fetched = new int[MOST_STREAMS];

    private int streams;

    /** Makes one. */
    public CsrWindow() {}

    @Override
    public void attach(PolicyContext c) {
        window = c.options().count("window", 512, 8, 1 << 20);
        behind = c.options().count("behind", 64, 0, 1 << 20);
        streamed = c.list();
    }

    @Override
    public void hint(Hint hint) {
        if (hint.kind() == Hint.Kind.SEQUENTIAL && streams < MOST_STREAMS) {
            from[streams] = hint.first();
            to[streams] = hint.end();
            cursor[streams] = hint.first();
            fetched[streams++] = hint.first();
        } else if (hint.kind() == Hint.Kind.NORMAL || hint.kind() == Hint.Kind.RANDOM) {
            for (int s = streams - 1; s >= 0; s--) {
                if (from[s] < hint.end() && hint.first() < to[s]) {
                    streams--;
                    from[s] = from[streams];
                    to[s] = to[streams];
                    cursor[s] = cursor[streams];
                    fetched[s] = fetched[streams];
                }
            }
        }
    }

    private int streamOf(int page) {
        for (int s = 0; s < streams; s++) {
            if (page >= from[s] && page < to[s]) {
                return s;
            }
        }
        return -1;
    }

    @Override
    public void added(PageBatch pages) {
        for (int i = 0; i < pages.size(); i++) {
            if (streams > 0 && streamOf(pages.page(i)) >= 0) {
                streamed.addLast(pages.page(i));
            }
        }
    }

    @Override
    public void gone(PageBatch pages) {
        for (int i = 0; i < pages.size(); i++) {
            streamed.remove(pages.page(i));
        }
    }

    @Override
    public void fault(FaultBatch faults, Fetch also) {
        for (int i = 0; i < faults.size(); i++) {
            int page = faults.page(i);
            int s = streamOf(page);
            if (s < 0) {
                continue;
            }
            int at = page < cursor[s] ? page + 1 : Math.max(page + 1, fetched[s]);
            cursor[s] = page;
            int end = Math.min(to[s], page + 1 + window);
            while (at < end && also.room() > 0) {
                also.bring(at++);
            }
            fetched[s] = at;
        }
    }

    @Override
    public void evict(Eviction wanted) {
        for (int page = streamed.first(); page != PageList.NONE && wanted.wanted() > 0; ) {
            int next = streamed.next(page);
            int s = streamOf(page);
            if (s < 0) {
                streamed.remove(page);
            } else if (page < cursor[s] - behind || page >= fetched[s] + window) {
                streamed.remove(page);
                wanted.propose(page);
            }
            page = next;
        }
    }
}
