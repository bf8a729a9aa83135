package upa.internal.region.linear;

import static upa.core.RegionDescriptor.GIVEN_BACK_PAGES;
import static upa.internal.region.RegionState.BATCH_CHILDREN;
import static upa.internal.region.RegionState.POPULATED;
import static upa.llfree.LlFreeDescriptor.CHILD_PAGES;
import static upa.llfree.LlFreeDescriptor.PAGE_SHIFT;

import upa.core.SystemCallException;
import upa.internal.region.RegionState;
import upa.llfree.LlFree;

/**
 * Gives the memory of free pages back to the kernel. It takes them like any other caller, so that nobody can get one
 * midway, drops their memory and frees them as absent.
 */
final class GiveBack {
    private final LinearMemory memory;
    private final RegionState state;
    private final LlFree pages;

    GiveBack(LinearMemory memory) {
        this.memory = memory;
        state = memory.state;
        pages = state.pages;
    }

    /** As {@link upa.internal.region.RegionBackEnd#giveBack}. */
    long downTo(int slot, long retainPages) {
        long total = 0;
        try {
            long excess = pages.stats().retainedPages() - retainPages;
            // From the far end: what stays is where the next searches begin.
            for (long c = pages.touchedChildren(); total < excess && (c = pages.populatedBefore(c)) > 0; ) {
                long n = wholeChildrenBefore(c, excess - total);
                c -= Math.max(n, 1);
                total += n > 0 ? drop(slot, c * CHILD_PAGES, n * CHILD_PAGES) : dropParts(slot, c * CHILD_PAGES);
            }
        } catch (SystemCallException e) {
            if (total == 0) {
                throw e;
            }
        } finally {
            state.count(slot, GIVEN_BACK_PAGES, total);
        }
        return total;
    }

    /** How many children before this one are free and have memory, as far as one batch, and wanted. */
    private long wholeChildrenBefore(long c, long wantedPages) {
        long n = 0;
        while (n < c && n < BATCH_CHILDREN && n * CHILD_PAGES < wantedPages && state.isWhole(c - n - 1, POPULATED)) {
            n++;
        }
        return n;
    }

    /**
     * Takes free pages, drops their memory and frees them again. Returns how many had counted as retained, 0 if
     * somebody was faster.
     */
    private long drop(int slot, long page, long n) {
        if (!state.takeFree(slot, page, n)) {
            return 0;
        }
        boolean done = false;
        try {
            long retained = retained(page, n);
            memory.drop(state.addressOf(page), n << PAGE_SHIFT);
            done = true;
            return retained;
        } finally {
            state.putBack(slot, page, n, done ? LlFree.PUT_ABSENT : LlFree.PUT_UNTOUCHED);
        }
    }

    /** Of pages that the caller holds, those that counted as retained. */
    long retained(long page, long n) {
        long total = 0;
        for (long end = page + n; page < end; ) {
            long part = Math.min(end - page, CHILD_PAGES - page % CHILD_PAGES);
            total += pages.childState(page) == LlFree.ZEROED ? part : stale(page, part);
            page += part;
        }
        return total;
    }

    /** Of pages of one child, those that may hold old bytes. */
    private long stale(long page, long n) {
        long total = 0;
        long end = page + n;
        while (page < end && (page = pages.nextStale(page, end - page)) >= 0) {
            long length = Math.max(pages.staleLength(page, end - page), 1);
            total += length;
            page += length;
        }
        return total;
    }

    /**
     * The free runs with memory of one child. All of a run if any page of it may hold old bytes: a huge page has put
     * memory behind the others as well.
     */
    long dropParts(int slot, long first) {
        long end = Math.min(first + CHILD_PAGES, pages.pages());
        long total = 0;
        while (first < end && (first = pages.next(first, end - first, true)) >= 0) {
            long length = Math.max(pages.length(first, end - first, true), 1);
            if (pages.childState(first) == LlFree.ZEROED || pages.nextStale(first, length) >= 0) {
                total += drop(slot, first, length);
            }
            first += length;
        }
        return total;
    }
}
