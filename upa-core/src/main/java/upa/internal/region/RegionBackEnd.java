package upa.internal.region;

import upa.core.BackEnd;
import upa.core.FrameStats;
import upa.llfree.LlFree;

/**
 * How the pages of a region come by memory: all that differs between back ends. The facade checks arguments and sees to
 * it that nobody closes what is in use; behind it, a back end hands out pages, takes them back, clears them and moves
 * what is in them.
 *
 * <p>Pages are counted as in {@link RegionState#pages}; {@code slot} is the caller's slot there. All methods but
 * {@link #recover}, {@link #validate} and {@link #unmap} may be called from any thread at any time.
 */
public interface RegionBackEnd {
    /** {@return where the pages are, who has them, and the counters} */
    RegionState state();

    /** {@return the back end's name} */
    BackEnd name();

    /** {@return what kind of region this is, for messages} */
    String kind();

    /** {@return whether other processes use the region, too} */
    boolean isShared();

    /** What pages hold of which nothing is known: as {@link LlFree#holds}. */
    int ANYTHING = LlFree.HOLDS_ABSENT | LlFree.HOLDS_STALE;

    /**
     * Takes n pages that a caller may touch, old bytes in them or not; flags are those of {@link LlFree}. Returns the
     * first and what they hold, as {@link LlFree#GET_CONTENTS} makes it. Negative if none.
     */
    long get(int slot, long n, int flags);

    /**
     * Takes exactly these pages. What they hold, as {@link LlFree#getAt}; {@link LlFree#BUSY} if one is not free;
     * {@link LlFree#NO_MEMORY} if they are, but there is no memory for them.
     */
    int getAt(int slot, long page, long n);

    /** Frees pages, any part of what gets have returned. Throws as {@link LlFree#putRun}. */
    void put(int slot, long page, long n);

    /** Frees pages that nobody has written to since they were taken. */
    void putUnused(int slot, long page, long n);

    /** The same for pages of a request that has failed, which are not counted as freed. */
    void putBack(int slot, long page, long n);

    /** Sees to it that touching the caller's pages does not enter the kernel. False if there is no memory for that. */
    boolean populate(long page, long n);

    /** Clears those of the pages just taken that may hold old bytes; what they hold is as {@link #get} has said. */
    void clear(int slot, long page, long n, int holds);

    /**
     * Takes newPages elsewhere, gives them the contents of the caller's oldPages, and frees those. Negative, with all
     * as it was, if there is no room.
     */
    long relocate(int slot, long from, long oldPages, long newPages);

    /** Gives memory of free pages back to the kernel until at most so much stays. Returns the pages given back. */
    long giveBack(int slot, long retainPages);

    /**
     * Marks memory of free pages so that the kernel may take it, until at most so much is unmarked, or so many pages
     * have been marked. Only free children can be marked, as a whole. Returns how many pages.
     */
    default long makeLazy(int slot, long unmarkedPages, long mostPages) {
        return 0;
    }

    /** The same without a bound, and what cannot be marked is given back, if it is as much again. */
    default long leaveUnmarked(int slot, long unmarkedPages) {
        return giveBack(slot, unmarkedPages);
    }

    /** Finds what the kernel has taken of that: it counts as absent from then on. Returns the pages found. */
    default long findTaken(int slot) {
        return 0;
    }

    /**
     * Puts zeroed memory behind an absent child that the caller holds, and frees it. False if the back end has none to
     * spare.
     *
     * @throws upa.core.SystemCallException if the kernel has none
     */
    boolean populateChild(int slot, long first);

    /** Clears a child that the caller holds. False, with nothing done, if pages of it have no memory. */
    boolean clearChild(int slot, long first);

    /** {@return the free pages of memory that the region keeps, at most; so many has the allocator recorded} */
    long retainedPages(long recorded);

    /** {@return the address space of everything but the pages} */
    long metadataBytes();

    /** {@return counters of page frames; null if the kernel has them} */
    FrameStats frameStats();

    /** {@return the frame that stands at a page; -1 if there is none, or the kernel has them} */
    long frameAt(long page);

    /** Rebuilds the counters of a region that nobody is using. Returns how many pages they were wrong by. */
    long recover();

    /** Checks every invariant of a quiet region. */
    void validate();

    /**
     * Unmaps the pages and lets go of the memory behind everything else. At its addresses comes empty memory, for
     * threads that are still at work on it; the garbage collector unmaps that.
     */
    void unmap();
}
