package upa.core;

import static upa.core.LlFreeDescriptor.CHILD_PAGES;
import static upa.core.LlFreeDescriptor.PAGE_SHIFT;
import static upa.core.RegionDescriptor.COUNTERS_BYTES;
import static upa.core.RegionDescriptor.COUNTERS_OFFSET;

import java.lang.foreign.MemorySegment;
import upa.core.internal.RawMemory;

/**
 * How the pages of a region come by memory: all that differs between back ends. A {@link Region} checks arguments and
 * sees to it that nobody closes what is in use; behind it, a back end hands out pages, takes them back, clears them and
 * moves what is in them.
 *
 * <p>Pages are counted as in {@link #pages}, the allocator of the region's addresses; {@code slot} is the caller's slot
 * there. All methods but {@link #recover}, {@link #validate} and {@link #unmap} may be called from any thread at any time.
 */
abstract sealed class RegionBackEnd permits LinearBackEnd, PteBackEnd {
    /** Batches in which background work holds free children: long enough to amortise a TLB flush, short enough to hide little. */
    static final int BATCH_CHILDREN = 16;
    static final int POPULATED = 1 << LlFree.ZEROED | 1 << LlFree.STALE | 1 << LlFree.MIXED;

    /** The address of the first page, and their size. */
    final long base;
    final long bytes;
    final LlFree pages;
    /** Header, counters and allocation state, as {@link RegionDescriptor} says. */
    final MemorySegment metadata;

    RegionBackEnd(long base, long bytes, LlFree pages, MemorySegment metadata) {
        this.base = base;
        this.bytes = bytes;
        this.pages = pages;
        this.metadata = metadata;
    }

    abstract BackEnd name();

    /** What kind of region this is, for messages. */
    abstract String kind();

    /** Do other processes use the region, too? */
    abstract boolean isShared();

    /** Takes n pages that a caller may touch, old bytes in them or not; flags are those of {@link LlFree}. Negative if there are none. */
    abstract long get(int slot, long n, int flags);

    /** Takes exactly these pages; false if one is not free, or there is no memory for it. */
    abstract boolean getAt(int slot, long page, long n);

    /** Frees pages, any part of what gets have returned. Throws as {@link LlFree#putRun}. */
    abstract void put(int slot, long page, long n);

    /** Frees pages that nobody has written to since they were taken. */
    abstract void putUnused(int slot, long page, long n);

    /** Sees to it that touching the caller's pages does not enter the kernel. False if there is no memory for that. */
    abstract boolean populate(long page, long n);

    /** Clears those of the pages just taken that may hold old bytes. */
    abstract void clear(int slot, long page, long n);

    /**
     * Takes newPages elsewhere, gives them the contents of the caller's oldPages, and frees those. Negative, with all as
     * it was, if there is no room.
     */
    abstract long relocate(int slot, long from, long oldPages, long newPages);

    /** Gives memory of free pages back to the kernel until at most so much stays. Returns the pages given back. */
    abstract long giveBack(int slot, long retainPages);

    /** Puts memory behind up to so many absent children. Returns how many. */
    abstract long populateAhead(int slot, long children);

    /** Clears up to so many free children. Returns how many. */
    abstract long clearAhead(int slot, long children);

    /** Free pages of memory that the region keeps (upper bound). */
    abstract long retainedPages();

    /** Requests that found no room. */
    abstract long failures();

    /** Address space of everything but the pages. */
    abstract long metadataBytes();

    /** Counters of page frames; null if the kernel has them. */
    abstract FrameStats frameStats();

    /** Rebuilds the counters of a region that nobody is using. Returns how many pages they were wrong by. */
    abstract long recover();

    /** Checks every invariant of a quiet region. */
    abstract void validate();

    /**
     * Unmaps the pages and lets go of the memory behind everything else. At its addresses comes empty memory, for threads
     * that are still at work on it; the garbage collector unmaps that.
     */
    abstract void unmap();

    // ---- what back ends share --------------------------------------------------------------------------------

    final long addressOf(long page) {
        return base + (page << PAGE_SHIFT);
    }

    /** Is a child wholly free, in a state of the set? */
    final boolean isWhole(long child, int states) {
        long first = child * CHILD_PAGES;
        return (states >> pages.childState(first) & 1) != 0 && pages.next(first, CHILD_PAGES, false) < 0;
    }

    final void count(int slot, int counter, long n) {
        if (n != 0) {
            RawMemory.getAndAddLong(counterAt(slot, counter), n);
        }
    }

    final long sum(int counter) {
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
