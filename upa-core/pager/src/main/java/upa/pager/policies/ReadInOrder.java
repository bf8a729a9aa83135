package upa.pager.policies;

import upa.policy.Fetch;
import upa.policy.PolicyContext;

/**
 * Pages that a program reads from front to back, again and again: what to fetch ahead of its cursor, the last page that
 * it waited for, and what to evict.
 *
 * <p>A window is fetched but for a page halfway: the fault there says how far the program is, while there is still
 * something to read. What was read last leaves first, as its turn comes last: Belady's rule for a loop. So what fits of
 * it stays in memory from round to round.
 */
final class ReadInOrder {
    /** Pages that one call of a policy looks at. */
    private static final int MOST_LOOKS = 1 << 14;

    /** The pages from this one to below {@code to}. Backwards from the first, the last comes next. */
    final int from;

    final int to;
    private final PolicyContext context;
    private int cursor;
    /** Page behind the last one fetched of the window. */
    private int fetched;
    /** The last page that was left out. */
    private int wire;
    /** So many pages from {@code top} backwards are known not to be in memory. */
    private int absent;

    private int top;
    /** While victims are chosen: pages from the cursor backwards that have been looked at. */
    private int looked;

    private int most;

    ReadInOrder(PolicyContext context, int from, int to) {
        this.context = context;
        this.from = from;
        this.to = to;
        cursor = from;
        fetched = from;
        top = from;
    }

    private int back(int page, int pages) {
        return page - pages >= from ? page - pages : page - pages + to - from;
    }

    private int distance(int page, int back) {
        return page >= back ? page - back : page - back + to - from;
    }

    /** A page has come into memory, or stays there. */
    void added(int page) {
        int at = distance(top, page);
        if (at >= absent) {
            return;
        }
        // The larger part is remembered.
        if (at < absent / 2) {
            top = back(page, 1);
            absent -= at + 1;
        } else {
            absent = at;
        }
    }

    /** A thread waits for a page. */
    void fault(int page, int window, Fetch also) {
        int at = page < cursor ? page + 1 : Math.max(page + 1, fetched);
        int end = Math.min(to, page + 1 + window);
        boolean laid = page >= cursor && page < wire && wire < fetched;
        int next = end == to || laid ? to : Math.max(at, page + (Math.min(end, at + also.room()) - page) / 2);
        for (; at < end && also.room() > 0; at++) {
            if (!context.isResident(at)) {
                if (at < next) {
                    also.bring(at);
                } else {
                    wire = at;
                    next = to;
                }
            }
        }
        cursor = page;
        fetched = at;
    }

    /** Begins to choose victims: neither the cursor nor so many pages behind it, nor the window. */
    void choose(int window, int behind) {
        looked = behind + 1;
        int ahead = Math.max(fetched - 1, Math.min(to - 1, cursor + window)) - cursor;
        most = Math.min(to - from - ahead, looked + MOST_LOOKS);
    }

    /** The next victim, or -1. */
    int next() {
        while (looked < most) {
            int page = back(cursor, looked);
            int at = distance(top, page);
            if (at < absent) {
                looked += absent - at;
            } else if (context.isResident(page)) {
                return page;
            } else {
                looked++;
            }
        }
        return -1;
    }

    /** How much of a round has passed since the next victim was read. */
    double age() {
        return (double) looked / (to - from);
    }

    /** The next victim has been proposed. */
    void proposed() {
        looked++;
    }

    /** Ends the choice. */
    void chosen(int behind) {
        int run = looked - behind - 1;
        if (run > absent) {
            top = back(cursor, behind + 1);
            absent = Math.min(run, to - from);
        }
    }
}
