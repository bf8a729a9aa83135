package upa.pager.host;

import java.util.BitSet;
import upa.policy.Hint;

/**
 * How important pages are, as the program has said: those of lower priorities leave first, whatever a policy proposes.
 * Below the usual priority pages are victims before a policy is asked; above it they are none as long as there are
 * others. A page that is freed has the usual one again. Takes memory only for pages of other priorities. For any
 * thread.
 */
final class Priorities {
    static final int USUAL = 3;
    static final int MOST = 7;

    /** Pages of each priority but the usual. */
    private final BitSet[] pages = new BitSet[MOST + 1];
    /** Of those below the usual one, what may be in memory. */
    private final BitSet[] candidates = new BitSet[USUAL];

    Priorities() {
        for (int p = 0; p < pages.length; p++) {
            pages[p] = new BitSet();
        }
        for (int p = 0; p < candidates.length; p++) {
            candidates[p] = new BitSet();
        }
    }

    /** What makes no sense is no hint. */
    synchronized void hint(Hint hint) {
        if (hint.priority() < 0 || hint.priority() > MOST) {
            return;
        }
        forget(hint.first(), hint.end());
        if (hint.priority() != USUAL) {
            pages[hint.priority()].set(hint.first(), hint.end());
        }
        if (hint.priority() < USUAL) {
            candidates[hint.priority()].set(hint.first(), hint.end());
        }
    }

    private void forget(int first, int end) {
        for (BitSet set : pages) {
            set.clear(first, end);
        }
        for (BitSet set : candidates) {
            set.clear(first, end);
        }
    }

    /** Whether there are pages of this priority. */
    synchronized boolean has(int priority) {
        return priority == USUAL || !pages[priority].isEmpty();
    }

    synchronized int of(int page) {
        for (int p = 0; p < pages.length; p++) {
            if (pages[p].get(page)) {
                return p;
            }
        }
        return USUAL;
    }

    /** Whether a page is to stay while others can leave. */
    synchronized boolean protects(int page) {
        return of(page) > USUAL;
    }

    /** Pages have come into memory. */
    synchronized void added(int[] list, int count) {
        for (int p = 0; p < candidates.length; p++) {
            for (int i = 0; i < count && !pages[p].isEmpty(); i++) {
                if (pages[p].get(list[i])) {
                    candidates[p].set(list[i]);
                }
            }
        }
    }

    /** Pages are the program's no longer. */
    synchronized void freed(int[] list, int count) {
        for (int i = 0; i < count; i++) {
            forget(list[i], list[i] + 1);
        }
    }

    /** The least important page that should leave before a policy is asked, once; it may have left. -1: none. */
    synchronized int nextCandidate() {
        for (BitSet set : candidates) {
            int page = set.nextSetBit(0);
            if (page >= 0) {
                set.clear(page);
                return page;
            }
        }
        return -1;
    }
}
