package upa.internal.region;

import static upa.core.RegionDescriptor.COUNTERS_BYTES;
import static upa.core.RegionDescriptor.COUNTERS_OFFSET;
import static upa.core.RegionDescriptor.INTERNAL_GETS;
import static upa.core.RegionDescriptor.INTERNAL_PUTS;
import static upa.core.RegionDescriptor.SHORTAGES;
import static upa.llfree.LlFreeDescriptor.CHILD_PAGES;
import static upa.llfree.LlFreeDescriptor.PAGE_SHIFT;

import java.lang.foreign.MemorySegment;
import upa.internal.os.RawMemory;
import upa.llfree.LlFree;

/** What every region has, whatever its back end: where its pages are, who has them, and counters. */
public final class RegionState {
    /**
     * Batches in which background work holds free children: long enough to amortise a TLB flush, short enough to hide
     * little.
     */
    public static final int BATCH_CHILDREN = 16;
    /** The child states in which some free page may have memory. */
    public static final int POPULATED = 1 << LlFree.ZEROED | 1 << LlFree.STALE | 1 << LlFree.MIXED;

    /** The address of the first page. */
    public final long base;
    /** The size of all pages. */
    public final long bytes;
    /** The allocator of the addresses. */
    public final LlFree pages;
    /** Header, counters and allocation state, as {@link upa.core.RegionDescriptor} says. */
    public final MemorySegment metadata;

    public RegionState(long base, long bytes, LlFree pages, MemorySegment metadata) {
        this.base = base;
        this.bytes = bytes;
        this.pages = pages;
        this.metadata = metadata;
    }

    public long addressOf(long page) {
        return base + (page << PAGE_SHIFT);
    }

    /** Is a child wholly free, in a state of the set? */
    public boolean isWhole(long child, int states) {
        long first = child * CHILD_PAGES;
        return (states >> pages.childState(first) & 1) != 0 && pages.next(first, CHILD_PAGES, false) < 0;
    }

    /** Adds to a counter of a slot. */
    public void count(int slot, int counter, long n) {
        if (n != 0) {
            RawMemory.getAndAddLongVolatile(counterAt(slot, counter), n);
        }
    }

    // ---- runs that no caller asked for -----------------------------------------------------------------------

    /** Takes exactly these pages to work on them; false if one is not free. */
    public boolean takeFree(int slot, long page, long n) {
        if (pages.getAt(slot, page, n) < 0) {
            return false;
        }
        count(slot, INTERNAL_GETS, 1);
        return true;
    }

    /** Takes a child to work on it, if it is wholly free, in a state of the set. */
    public boolean takeChild(int slot, long child, int states) {
        long first = child * CHILD_PAGES;
        if (!isWhole(child, states) || !takeFree(slot, first, CHILD_PAGES)) {
            return false;
        }
        if ((states >> pages.childState(first) & 1) != 0) {
            return true;
        }
        // Used and freed by somebody between the look and the taking.
        putBack(slot, first, CHILD_PAGES, LlFree.PUT_UNTOUCHED);
        return false;
    }

    /** Frees pages that were taken so, or for a request that failed. */
    public void putBack(int slot, long page, long n, int flags) {
        pages.putRun(slot, page, n, flags);
        count(slot, INTERNAL_PUTS, 1);
    }

    /** Of a request whose pages have been put back, since there is no memory for them. */
    public void countShortage(int slot) {
        count(slot, INTERNAL_GETS, 1);
        count(slot, SHORTAGES, 1);
    }

    /** One counter of all slots. */
    public long sum(int counter) {
        long n = 0;
        for (int i = 0; i < pages.slots(); i++) {
            n += RawMemory.getLongOpaque(counterAt(i, counter));
        }
        return n;
    }

    private long counterAt(int slot, int counter) {
        return metadata.address() + COUNTERS_OFFSET + (long) slot * COUNTERS_BYTES + counter;
    }
}
