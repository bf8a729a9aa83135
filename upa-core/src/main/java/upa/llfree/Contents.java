package upa.llfree;

import static upa.llfree.LlFreeDescriptor.*;
import static upa.llfree.Words.NONE;

import java.lang.foreign.MemorySegment;

/**
 * What pages hold, and the marks of their children: asked, and recorded by who holds the pages. Arguments are checked
 * here, and trusted below.
 */
abstract class Contents extends State {
    Contents(MemorySegment segment, Layout layout) {
        super(segment, layout);
    }

    final void checkRange(long first, long pages) {
        if (first < 0 || pages < 1 || pages > this.pages - first) {
            throw new IllegalArgumentException(
                    "out of range: first=" + first + " pages=" + pages + " of " + this.pages + " managed");
        }
    }

    // ---- states ---------------------------------------------------------------------------------------------

    /**
     * Of pages the caller has taken: what a get of them with {@link LlFree#GET_CONTENTS} has said, or less, unless he
     * has recorded something else since.
     *
     * @param first first page
     * @param pages how many, at least 1
     * @return the sum of those of {@link LlFree#HOLDS_ABSENT} and the like that hold
     * @throws IllegalArgumentException if the range is not within the pages managed
     */
    public int contents(long first, long pages) {
        checkRange(first, pages);
        return Search.contents(this, first, first + pages);
    }

    /**
     * Of pages the caller holds: the first one that may hold old bytes. {@link #staleLength} says how many follow it.
     *
     * @param first first page
     * @param pages how many, at least 1
     * @return the page, or {@link LlFree#NONE} if all of them read zero
     * @throws IllegalArgumentException if the range is not within the pages managed
     */
    public long nextStale(long first, long pages) {
        checkRange(first, pages);
        long page = Search.nextContent(this, first, first + pages, true);
        return page == first + pages ? NONE : page;
    }

    /**
     * Of pages the caller holds: how many from the first one on may hold old bytes, without a gap.
     *
     * @param first first page
     * @param pages how many to look at, at least 1
     * @return 0 .. pages
     * @throws IllegalArgumentException if the range is not within the pages managed
     */
    public long staleLength(long first, long pages) {
        checkRange(first, pages);
        return Search.nextContent(this, first, first + pages, false) - first;
    }

    /**
     * Says that pages the caller holds have old bytes from now on, since he has put memory behind them. Children wholly
     * within the range are no longer lazy.
     *
     * @param first first page
     * @param pages how many, at least 1
     * @throws IllegalArgumentException if the range is not within the pages managed
     */
    public void setStale(long first, long pages) {
        checkRange(first, pages);
        Put.recordStale(this, first, pages);
    }

    /**
     * Remembers that every page of the children wholly within a range the caller holds has memory behind it, so that
     * nobody need ask the kernel again. A hint: it goes when pages are put back as absent, and is not told of what else
     * may take memory away.
     *
     * @param first first page
     * @param pages how many, at least 1
     * @throws IllegalArgumentException if the range is not within the pages managed
     */
    public void setResident(long first, long pages) {
        checkRange(first, pages);
        Child.mark(this, (first + CHILD_PAGES - 1) / CHILD_PAGES, (first + pages) / CHILD_PAGES, CHILD_RESIDENT);
    }

    /**
     * Whether the child of a page has the mark of {@link #setResident}.
     *
     * @param page any page of the child
     * @return whether it is marked
     * @throws IllegalArgumentException if page is not managed
     */
    public boolean resident(long page) {
        checkRange(page, 1);
        return Child.isMarked(this, page / CHILD_PAGES, CHILD_RESIDENT);
    }

    /**
     * Says of pages the caller holds, and is about to free with {@link LlFree#PUT_UNTOUCHED}, that the kernel may take
     * their memory at any instant from then on: he has marked it, or is about to (MADV_FREE). What was stale then reads
     * zero. Whoever gets such pages is told so ({@link LlFree#HOLDS_LAZY}), and must write to each page that is not
     * absent, or drop it, before he relies on what it holds. The mark is one of children. It goes when all of one is
     * freed as stale, zeroed or absent, and by {@link #setStale} and {@link #settle}; a get does not end it.
     *
     * @param first first page
     * @param pages how many, at least 1
     * @throws IllegalArgumentException if the range is not within the pages managed
     */
    public void setLazy(long first, long pages) {
        checkRange(first, pages);
        Child.mark(this, first / CHILD_PAGES, (first + pages - 1) / CHILD_PAGES + 1, CHILD_LAZY);
    }

    /**
     * Says of pages the caller holds that he has written to each whose memory might vanish, or dropped it: children
     * wholly within the range are no longer lazy.
     *
     * @param first first page
     * @param pages how many, at least 1
     * @throws IllegalArgumentException if the range is not within the pages managed
     */
    public void settle(long first, long pages) {
        checkRange(first, pages);
        for (long c = (first + CHILD_PAGES - 1) / CHILD_PAGES; (c + 1) * CHILD_PAGES <= first + pages; c++) {
            Child.settle(this, c);
        }
    }

    /**
     * Whether the child of a page has the mark of {@link #setLazy}.
     *
     * @param page any page of the child
     * @return whether it is marked
     * @throws IllegalArgumentException if page is not managed
     */
    public boolean lazy(long page) {
        checkRange(page, 1);
        return Child.isMarked(this, page / CHILD_PAGES, CHILD_LAZY);
    }

    /**
     * What the free pages of a child hold.
     *
     * @param page any page of the child
     * @return {@link LlFree#ABSENT}, {@link LlFree#ZEROED}, {@link LlFree#STALE} or {@link LlFree#MIXED}
     * @throws IllegalArgumentException if page is not managed
     */
    public int childState(long page) {
        checkRange(page, 1);
        return Child.state(this, page / CHILD_PAGES);
    }

    /**
     * The first page of a range whose child is in one of a set of states. {@link #stateLength} says how many like it
     * follow. Of children that the caller does not hold a snapshot.
     *
     * @param first  first page
     * @param pages  how many to look at, at least 1
     * @param states the sum of {@code 1 << ABSENT} and the like
     * @return the page, or {@link LlFree#NONE}
     * @throws IllegalArgumentException if the range is not within the pages managed, or states out of range
     */
    public long nextState(long first, long pages, int states) {
        checkRange(first, pages);
        checkStates(states);
        long page = Search.nextState(this, first, first + pages, states);
        return page == first + pages ? NONE : page;
    }

    /**
     * How many pages from the first one on are in children in one of a set of states, without a gap. A snapshot, as
     * {@link #nextState}.
     *
     * @param first  first page
     * @param pages  how many to look at, at least 1
     * @param states the sum of {@code 1 << ABSENT} and the like
     * @return 0 .. pages
     * @throws IllegalArgumentException if the range is not within the pages managed, or states out of range
     */
    public long stateLength(long first, long pages, int states) {
        checkRange(first, pages);
        checkStates(states);
        return Search.nextState(this, first, first + pages, ~states & Words.ANY_STATE) - first;
    }

    private static void checkStates(int states) {
        if ((states & ~Words.ANY_STATE) != 0) {
            throw new IllegalArgumentException("unknown states: states=" + states + " (0.." + Words.ANY_STATE + ")");
        }
    }

    /**
     * Marks the children of pages the caller holds: their mapping carries kernel state of its own (protection, advice,
     * something foreign mapped over it), which whoever frees them must reset first. The mark goes when the child
     * becomes wholly free; from a last child of fewer than 512 pages it never goes.
     *
     * @param first first page
     * @param pages how many, at least 1
     * @throws IllegalArgumentException if the range is not within the pages managed
     */
    public void taint(long first, long pages) {
        checkRange(first, pages);
        Child.mark(this, first / CHILD_PAGES, (first + pages - 1) / CHILD_PAGES + 1, CHILD_TAINTED);
    }

    /**
     * Whether any child of a range has the mark of {@link #taint}.
     *
     * @param first first page
     * @param pages how many, at least 1
     * @return whether one is marked
     * @throws IllegalArgumentException if the range is not within the pages managed
     */
    public boolean tainted(long first, long pages) {
        checkRange(first, pages);
        return Search.isTainted(this, first, first + pages);
    }
}
