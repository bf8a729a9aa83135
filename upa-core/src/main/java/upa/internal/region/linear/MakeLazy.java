package upa.internal.region.linear;

import static upa.core.RegionDescriptor.TAKEN_PAGES;
import static upa.internal.region.RegionState.BATCH_CHILDREN;
import static upa.internal.region.RegionState.POPULATED;
import static upa.llfree.LlFreeDescriptor.CHILD_PAGES;
import static upa.llfree.LlFreeDescriptor.PAGE_SHIFT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import upa.internal.bindings.Libc;
import upa.internal.os.MemoryCalls;
import upa.internal.region.RegionState;
import upa.llfree.LlFree;
import upa.llfree.LlFreeStats;

/**
 * Marks memory of free pages so that the kernel may take it (MADV_FREE), which costs a tenth of a microsecond a page;
 * nothing is lost if somebody wants the page first. It takes free pages like any other caller, so that nobody can get
 * one midway. Whoever gets a marked page settles it ({@link Clear}). The twin of {@code lib/region/linear/lazy.c}.
 *
 * <p>Only children that are free as a whole are marked. A mark ends when one caller holds all of its child, which in
 * one that others use as well might be never, and each block taken there would have to be written to.
 */
final class MakeLazy {
    private final LinearMemory memory;
    private final RegionState state;
    private final LlFree pages;
    private final GiveBack giveBack;

    MakeLazy(LinearMemory memory, GiveBack giveBack) {
        this.memory = memory;
        this.giveBack = giveBack;
        state = memory.state;
        pages = state.pages;
    }

    /**
     * As {@link upa.internal.region.RegionBackEnd#makeLazy}; strictly: what lies between pages in use is given back, if
     * it is as much again.
     */
    long downTo(int slot, long unmarkedPages, long mostPages, boolean strictly) {
        if (memory.shared) {
            return 0;
        }
        LlFreeStats stats = pages.stats();
        long excess = Math.min(mostPages, stats.retainedPages() - stats.lazyPages() - unmarkedPages);
        long marked = markOrDrop(slot, excess, false);
        // What is given back faults again, and blocks that were side by side are so no more. So it waits until it is
        // as much again: mostly the rest of its child is freed soon, and then it is marked.
        long left = excess - marked;
        return strictly && left > unmarkedPages ? marked + markOrDrop(slot, left - unmarkedPages, true) : marked;
    }

    /**
     * Marks free children, from the far end as giving back does, until at least so many pages have been marked; with
     * {@code parts} gives back what lies in the others. Returns how many pages.
     */
    private long markOrDrop(int slot, long wanted, boolean parts) {
        long total = 0;
        for (long c = pages.touchedChildren(); total < wanted && (c = pages.populatedBefore(c)) > 0; ) {
            long n = 0;
            while (n < c && n < BATCH_CHILDREN && n * CHILD_PAGES < wanted - total && isMarkable(c - n - 1)) {
                n++;
            }
            c -= Math.max(n, 1);
            long first = c * CHILD_PAGES;
            if (n > 0) {
                total += mark(slot, first, n * CHILD_PAGES);
            } else if (parts && !pages.lazy(first)) {
                total += giveBack.dropParts(slot, first);
            }
        }
        return total;
    }

    private boolean isMarkable(long c) {
        return (c + 1) * CHILD_PAGES <= pages.pages() && state.isWhole(c, POPULATED) && !pages.lazy(c * CHILD_PAGES);
    }

    /** Pages marked, 0 if somebody was faster. */
    private long mark(int slot, long first, long n) {
        if (!state.takeFree(slot, first, n)) {
            return 0;
        }
        int left = LlFree.PUT_UNTOUCHED;
        try {
            long populated = giveBack.retained(first, n);
            // Before a part of it may be marked, and the rest refused.
            pages.setLazy(first, n);
            if (MemoryCalls.madvise(state.addressOf(first), n << PAGE_SHIFT, Libc.MADV_FREE()) < 0
                    && MemoryCalls.madvise(state.addressOf(first), n << PAGE_SHIFT, Libc.MADV_DONTNEED()) == 0) {
                left = LlFree.PUT_ABSENT;
            }
            return populated;
        } finally {
            state.putBack(slot, first, n, left);
        }
    }

    /** As {@link upa.internal.region.RegionBackEnd#findTaken}. */
    long findTaken(int slot) {
        long total = 0;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment resident = arena.allocate(CHILD_PAGES);
            for (long c = pages.touchedChildren(); (c = pages.populatedBefore(c)) > 0; ) {
                c--;
                long first = c * CHILD_PAGES;
                if ((c + 1) * CHILD_PAGES > pages.pages()
                        || !pages.lazy(first)
                        || !state.isWhole(c, POPULATED)
                        || !state.takeFree(slot, first, CHILD_PAGES)) {
                    continue;
                }
                int left = LlFree.PUT_UNTOUCHED;
                try {
                    long populated = giveBack.retained(first, CHILD_PAGES);
                    long address = state.addressOf(first);
                    // What is not resident may have been swapped out before it was marked: dropped, it reads zero.
                    if (!hasMemory(address, resident)
                            && MemoryCalls.madvise(address, CHILD_PAGES << PAGE_SHIFT, Libc.MADV_DONTNEED()) == 0) {
                        left = LlFree.PUT_ABSENT;
                        total += populated;
                    }
                } finally {
                    state.putBack(slot, first, CHILD_PAGES, left);
                }
            }
        }
        state.count(slot, TAKEN_PAGES, total);
        return total;
    }

    /** Of a held child. */
    private static boolean hasMemory(long address, MemorySegment resident) {
        if (MemoryCalls.mincore(address, CHILD_PAGES << PAGE_SHIFT, resident) < 0) {
            return true;
        }
        for (int i = 0; i < CHILD_PAGES; i++) {
            if ((resident.get(ValueLayout.JAVA_BYTE, i) & 1) != 0) {
                return true;
            }
        }
        return false;
    }
}
