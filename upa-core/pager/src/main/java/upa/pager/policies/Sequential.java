package upa.pager.policies;

import java.util.Arrays;
import java.util.TreeMap;
import upa.policy.FaultBatch;
import upa.policy.Fetch;
import upa.policy.Hint;
import upa.policy.MemoryPolicy;
import upa.policy.PolicyAid;
import upa.policy.PolicyContext;
import upa.policy.PolicyInfo;

/**
 * Reads ahead of sequences: a fault on the page behind the last one of a stream opens a window, which doubles with each
 * further fault. Several streams are followed at once. Hints SEQUENTIAL open a window at once, RANDOM forbids it.
 */
@PolicyInfo(
        name = "sequential",
        summary = "prefetches ahead of rising or falling sequences of faults",
        options = {
            "first=8: pages of a new window",
            "most=256: pages of the largest window",
            "streams=16: sequences followed at once"
        },
        api = MemoryPolicy.API)
public final class Sequential implements PolicyAid {
    private static final int HINT_SEQUENTIAL = 1;
    private static final int HINT_RANDOM = 2;
    private static final int MOST_HINTS = 4096;

    private int first;
    private int most;
    /** Where each stream is expected to fault next, its direction, its window, and when it was last met. */
    private int[] next;

    private int[] direction;
    private int[] window;
    private long[] met;
    private long faults;
    private final TreeMap<Integer, Range> hinted = new TreeMap<>();

    private record Range(int end, int hint) {}

    /** Makes one. */
    public Sequential() {}

    @Override
    public void attach(PolicyContext c) {
        first = c.options().count("first", 8, 1, 4096);
        most = c.options().count("most", 256, first, 65536);
        int streams = c.options().count("streams", 16, 1, 256);
        next = new int[streams];
        direction = new int[streams];
        window = new int[streams];
        met = new long[streams];
        Arrays.fill(next, Integer.MIN_VALUE);
    }

    @Override
    public void hint(Hint hint) {
        int kind = switch (hint.kind()) {
            case SEQUENTIAL -> HINT_SEQUENTIAL;
            case RANDOM -> HINT_RANDOM;
            default -> 0;
        };
        if (kind != 0 || hint.kind() == Hint.Kind.NORMAL) {
            forget(hint.first(), hint.end());
            if (kind != 0 && hinted.size() < MOST_HINTS) {
                hinted.put(hint.first(), new Range(hint.end(), kind));
            }
        }
    }

    /** What is hinted of other pages stays, also where a range has some of both. */
    private void forget(int first, int end) {
        var at = hinted.lowerEntry(end);
        if (at != null && at.getValue().end() > end) {
            hinted.put(end, at.getValue());
        }
        at = hinted.lowerEntry(first);
        if (at != null && at.getValue().end() > first) {
            hinted.put(at.getKey(), new Range(first, at.getValue().hint()));
        }
        hinted.subMap(first, end).clear();
    }

    private int hintAt(int page) {
        var entry = hinted.isEmpty() ? null : hinted.floorEntry(page);
        return entry != null && page < entry.getValue().end() ? entry.getValue().hint() : 0;
    }

    @Override
    public void fault(FaultBatch batch, Fetch also) {
        for (int i = 0; i < batch.size() && also.room() > 0; i++) {
            one(batch.page(i), also);
        }
    }

    private void one(int page, Fetch also) {
        int hint = hintAt(page);
        if (hint == HINT_RANDOM) {
            return;
        }
        faults++;
        int oldest = 0;
        for (int s = 0; s < next.length; s++) {
            int ahead = (page - next[s]) * direction[s];
            if (direction[s] == 0 ? page == next[s] + 1 || page == next[s] - 1 : ahead >= 0 && ahead <= window[s]) {
                follow(s, page, also);
                return;
            }
            oldest = met[s] < met[oldest] ? s : oldest;
        }
        next[oldest] = page;
        direction[oldest] = 0;
        window[oldest] = 0;
        met[oldest] = faults;
        if (hint == HINT_SEQUENTIAL) {
            next[oldest] = page - 1;
            follow(oldest, page, also);
        }
    }

    private void follow(int s, int page, Fetch also) {
        if (direction[s] == 0) {
            direction[s] = page > next[s] ? 1 : -1;
        }
        window[s] = window[s] == 0 ? first : Math.min(2 * window[s], most);
        met[s] = faults;
        int at = page;
        for (int i = 0; i < window[s] && also.room() > 0; i++) {
            at += direction[s];
            also.bring(at);
        }
        next[s] = at + direction[s];
    }
}
