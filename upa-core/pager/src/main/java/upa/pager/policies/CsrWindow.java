package upa.pager.policies;

import upa.policy.Eviction;
import upa.policy.FaultBatch;
import upa.policy.Fetch;
import upa.policy.Hint;
import upa.policy.MemoryPolicy;
import upa.policy.PageBatch;
import upa.policy.PolicyAid;
import upa.policy.PolicyContext;
import upa.policy.PolicyInfo;

/**
 * For graph programs over compressed sparse rows, as PageRank: the array of edges is read from front to back in each
 * round, the array of ranks is read at random. The program hints SEQUENTIAL for what each of its threads reads in
 * order, by madvise() or {@code upa/hint.h}. A window of it is fetched ahead, and what was read last leaves first: so
 * the part of the edges that fits stays in memory from round to round, and edges never drive out ranks.
 */
@PolicyInfo(
        name = "csr-window",
        summary = "reads what is hinted SEQUENTIAL ahead, and keeps what fits of it, and the rest",
        options = {"window=512: pages fetched ahead of a cursor", "behind=64: pages kept behind a cursor"},
        api = MemoryPolicy.API)
public final class CsrWindow implements PolicyAid {
    private static final int MOST_STREAMS = 64;

    private PolicyContext context;
    private int window;
    private int behind;
    private final ReadInOrder[] streams = new ReadInOrder[MOST_STREAMS];
    private int count;

    /** Makes one. */
    public CsrWindow() {}

    @Override
    public void attach(PolicyContext c) {
        context = c;
        window = c.options().count("window", 512, 8, 1 << 20);
        behind = c.options().count("behind", 64, 0, 1 << 20);
    }

    @Override
    public void hint(Hint hint) {
        switch (hint.kind()) {
            case SEQUENTIAL -> {
                if (!isKnown(hint)) {
                    end(hint.first(), hint.end());
                    if (count < MOST_STREAMS) {
                        streams[count++] = new ReadInOrder(context, hint.first(), hint.end());
                    }
                }
            }
            case NORMAL, RANDOM -> end(hint.first(), hint.end());
            default -> {
                // Says nothing of an order.
            }
        }
    }

    private boolean isKnown(Hint hint) {
        ReadInOrder s = streamOf(hint.first());
        return s != null && s.from == hint.first() && s.to == hint.end();
    }

    private void end(int first, int end) {
        for (int i = count - 1; i >= 0; i--) {
            if (streams[i].from < end && first < streams[i].to) {
                streams[i] = streams[--count];
                streams[count] = null;
            }
        }
    }

    private ReadInOrder streamOf(int page) {
        for (int i = 0; i < count; i++) {
            if (page >= streams[i].from && page < streams[i].to) {
                return streams[i];
            }
        }
        return null;
    }

    @Override
    public void added(PageBatch pages) {
        for (int i = 0; i < pages.size() && count > 0; i++) {
            ReadInOrder s = streamOf(pages.page(i));
            if (s != null) {
                s.added(pages.page(i));
            }
        }
    }

    @Override
    public void fault(FaultBatch faults, Fetch also) {
        for (int i = 0; i < faults.size(); i++) {
            ReadInOrder s = streamOf(faults.page(i));
            if (s != null) {
                s.fault(faults.page(i), window, also);
            }
        }
    }

    @Override
    public void evict(Eviction wanted) {
        for (int i = 0; i < count; i++) {
            streams[i].choose(window, behind);
        }
        for (ReadInOrder s = latest(); s != null && wanted.wanted() > 0; s = latest()) {
            wanted.propose(s.next());
            s.proposed();
        }
        for (int i = 0; i < count; i++) {
            streams[i].chosen(behind);
        }
    }

    /** The stream whose next victim was read last, by parts of a round; null: none has one. */
    private ReadInOrder latest() {
        ReadInOrder latest = null;
        for (int i = 0; i < count; i++) {
            if (streams[i].next() >= 0 && (latest == null || streams[i].age() < latest.age())) {
                latest = streams[i];
            }
        }
        return latest;
    }
}
