package upa.llfree;

import static upa.llfree.LlFreeDescriptor.*;

import java.lang.foreign.MemorySegment;

/**
 * A lock-free page allocator whose whole state is a segment of native memory, which other processes may share.
 *
 * <p>It hands out page <em>numbers</em> 0 .. pages-1: single pages, naturally aligned blocks of 2<sup>order</sup>
 * pages, and runs of any length. It never touches the pages themselves. The twin in C ({@code upa/llfree.h}) works on
 * the same bytes with the same protocol, from other threads and processes, at the same time. The design follows LLFree
 * (Wrenger et al., USENIX ATC'23); the layout is drawn in {@link LlFreeDescriptor}.
 *
 * <p><b>Thread-safety:</b> every method but {@link #recover()} and {@link #validate()} may be called at any time by any
 * thread. There is no lock: a caller that is stopped or killed blocks nobody.
 *
 * <p><b>Errors:</b> a shortage is a negative value ({@link #NO_MEMORY}, {@link #BUSY}, {@link #NONE}); misuse throws
 * {@link IllegalArgumentException} whose message says name=value, and leaves the state as it was.
 *
 * <p><b>Lifetime:</b> the methods access the state by its address and do not ask each time whether it is still there.
 * An allocator keeps its segment reachable, but whoever closes the segment's arena by hand must have made sure that
 * nobody uses the allocator any more; {@code Region} does so.
 *
 * <p><b>Slots:</b> {@code slot} is any number; threads that pass different numbers (modulo the number of slots) do not
 * disturb each other.
 *
 * <p><b>Invariants</b>, at every instant, with free(x) = capacity - x.used:
 * <pre>
 *   number of free bits of a child           &gt;= free(child)
 *   sum of free(child) over a tree           &gt;= free(tree) + free of the slot that reserves it
 *   trees of a group that are closed, free   &gt;= free(group)
 * </pre>
 * so a unit of a counter is a ticket: who has taken it will find its page, or its tree. Allocation takes tickets from
 * the top (slot or tree, then child), then the bits; freeing gives back bits, then child, then slot or tree. Who opens
 * a free tree takes a ticket of the group first; who closes one, to take the group whole, gives it back last.
 *
 * <p>Tickets on their way between two words are out of reach, and a killed thread takes them along. So that this makes
 * nobody else fail, the last search takes pages it has seen to be free without tickets of the tree, or opens a tree
 * without one of the group, and overdraws that. Then the invariant fails until the tickets are back, and a ticket of
 * the same tree or group may find nothing: it is given back, and the next tree is tried.
 *
 * <p>The polarity of x changes only while x is wholly free or wholly one caller's, hence never under somebody who holds
 * a page or a ticket of it. So does the rule "absent or zeroed means no stale bit" of a child. If the state of a tree
 * or group is not mixed, all below is so: who changes the state of a child, or a mark of it, sets that of the group to
 * mixed first, then that of the tree; only who holds all of one may set it to another state again.
 *
 * <p>Memory may vanish from the instant somebody has marked it MADV_FREE until it is written to or dropped. A free page
 * whose memory may vanish lies in a lazy child: who marks it holds it, sets the child's mark, and frees it after that.
 * So who gets a page is told if its memory may vanish, and writes to the page before he relies on it. The mark goes
 * when one caller holds all 512 pages and says what they hold: then he has written to them, or dropped them.
 */
public final class LlFree extends Contents {
    /** Nothing free can serve the request (the C twin's {@code -ENOMEM}). */
    public static final int NO_MEMORY = Get.NO_MEMORY;
    /** A page asked for by its number is not free (the C twin's {@code -EBUSY}). */
    public static final int BUSY = Get.BUSY;
    /** There is no such page. */
    public static final int NONE = Words.NONE;

    /** State of a child: no memory behind its free pages; a touch faults and reads zero. */
    public static final int ABSENT = Words.ABSENT;
    /** State of a child: its free pages are populated and known to be zero. */
    public static final int ZEROED = Words.ZEROED;
    /** State of a child: its free pages hold old bytes, wherever their last holder touched them. */
    public static final int STALE = Words.STALE;
    /** State of a child: free pages whose stale bit is set are stale, the others absent. */
    public static final int MIXED = Words.MIXED;

    /** Flag of the get methods: the caller needs zeros, so pages that need no clearing are preferred. */
    public static final int GET_ZEROS = Get.GET_ZEROS;
    /** Flag of the get methods: the caller brings memory of its own, so pages without any are preferred. */
    public static final int GET_ABSENT = Get.GET_ABSENT;
    /**
     * Flag of the get methods: the result says what the pages hold, too; {@link #pageOf} and {@link #holds} tell. Of
     * pages in one mixed child it says that some are absent and some stale, unless zeros are needed as well.
     */
    public static final int GET_CONTENTS = Get.GET_CONTENTS;
    /** Flag of {@link #getRun}: a run of more than a child starts at one, wherever the free memory allows it. */
    public static final int GET_ALIGNED = Get.GET_ALIGNED;

    /** Of pages just taken: some have no memory, and read zero. */
    public static final int HOLDS_ABSENT = Words.HOLDS_ABSENT;
    /** Of pages just taken: some have memory, and read zero. */
    public static final int HOLDS_ZEROED = 2;
    /** Of pages just taken: some hold old bytes. */
    public static final int HOLDS_STALE = Words.HOLDS_STALE;
    /** Of pages just taken: the memory of those that have it may vanish, see {@link #setLazy}. */
    public static final int HOLDS_LAZY = Words.HOLDS_LAZY;
    /** Of pages just taken: all are known to have memory, see {@link #setResident}. */
    public static final int HOLDS_RESIDENT = Words.HOLDS_RESIDENT;

    private static final int CONTENTS_SHIFT = 40;

    /** Flag of {@link #putRun}: the caller has given the pages' memory back to the kernel. */
    public static final int PUT_ABSENT = Put.PUT_ABSENT;
    /** Flag of {@link #putRun}: the caller has cleared the pages. */
    public static final int PUT_ZEROED = Put.PUT_ZEROED;
    /** Flag of {@link #putRun}: the caller has not used the pages, so they hold what they held. */
    public static final int PUT_UNTOUCHED = Put.PUT_UNTOUCHED;

    private LlFree(MemorySegment segment, Layout layout) {
        super(segment, layout);
    }

    // ---- making and attaching ---------------------------------------------------------------------------------

    /**
     * Bytes of state for so many pages and slots.
     *
     * @param pages 1 .. {@link LlFreeDescriptor#MAX_PAGES}
     * @param slots 1 .. {@link LlFreeDescriptor#MAX_SLOTS}
     * @return size of the state in bytes
     * @throws IllegalArgumentException if one of them is out of range
     */
    public static long stateSize(long pages, int slots) {
        return Layout.of(pages, slots).stateBytes();
    }

    /**
     * Makes an all-free allocator, all of whose pages are absent.
     *
     * @param segment zeroed native memory, aligned to 64 bytes, of at least {@link #stateSize} bytes
     * @param pages   1 .. {@link LlFreeDescriptor#MAX_PAGES}
     * @param slots   1 .. {@link LlFreeDescriptor#MAX_SLOTS}
     * @return the allocator
     * @throws IllegalArgumentException if a number is out of range, or the segment is misaligned, too small, read-only
     *                                  or not native
     */
    public static LlFree create(MemorySegment segment, long pages, int slots) {
        Layout layout = layoutFor(segment, pages, slots);
        LlFree allocator = new LlFree(segment, layout);
        allocator.initialize(layout);
        return allocator;
    }

    /**
     * Takes a state that {@link #create} or the C twin has made, here or in another process. Nothing in it is trusted.
     *
     * @param segment the state, in native memory aligned to 64 bytes
     * @return the allocator
     * @throws IllegalArgumentException if the segment is misaligned, read-only or not native, or is not a state of this
     *                                  ABI version, truncated, or of sizes that contradict each other; the message says
     *                                  what was expected and what was found
     */
    public static LlFree attach(MemorySegment segment) {
        return new LlFree(segment, layoutOf(segment));
    }

    // ---- get -------------------------------------------------------------------------------------------------

    /**
     * Takes 2<sup>order</sup> pages, naturally aligned.
     *
     * @param slot  any number, see above
     * @param order 0 .. {@link LlFreeDescriptor#MAX_ORDER}
     * @param flags 0, {@link #GET_ZEROS}, {@link #GET_ABSENT} or both
     * @return the first page, or {@link #NO_MEMORY}, only when nothing free can serve the request
     * @throws IllegalArgumentException if order or flags is out of range
     */
    public long get(int slot, int order, int flags) {
        if (order < 0 || order > MAX_ORDER) {
            throw new IllegalArgumentException("out of range: order=" + order + " (0.." + MAX_ORDER + ")");
        }
        checkGetFlags(flags);
        long s = slotAt(slot);
        long page = Counters.got(s, Get.small(this, s, 1 << order, 1 << order, flags), 1L << order);
        return withContents(page, 1L << order, flags);
    }

    /**
     * Takes consecutive pages. Runs of up to 512 pages lie within one child wherever the free memory allows it; of
     * fewer, they may also take all that is free at the end of a child in use, and the rest from the next one. Longer
     * ones start at any page: where the fewest of their pages lack memory, and of such places in the shortest stretch
     * of free pages, as far as the search goes. Where no place has memory of 2 MiB, runs of 32 MiB or 512 MiB and more
     * start at a tree or group, if there is a choice. With {@link #GET_ALIGNED} or {@link #GET_ABSENT} short ones lie
     * within a child, and long ones start at one. No page beyond the end is held.
     *
     * @param slot  any number, see above
     * @param pages how many, at least 1
     * @param flags the sum of any of {@link #GET_ZEROS}, {@link #GET_ABSENT}, {@link #GET_CONTENTS} and
     *     {@link #GET_ALIGNED}
     * @return the first page, or {@link #NO_MEMORY}, only when nothing free can serve the request
     * @throws IllegalArgumentException if pages or flags is out of range
     */
    public long getRun(int slot, long pages, int flags) {
        if (pages < 1) {
            throw new IllegalArgumentException("out of range: pages=" + pages + " (1 or more)");
        }
        checkGetFlags(flags);
        long s = slotAt(slot);
        if (pages > this.pages) {
            return Counters.got(s, NO_MEMORY, 0);
        }
        long page = Counters.got(
                s,
                pages <= CHILD_PAGES ? Get.small(this, s, (int) pages, 1, flags) : Get.large(this, s, pages, flags),
                pages);
        return withContents(page, pages, flags);
    }

    private long withContents(long page, long n, int flags) {
        if (page < 0 || (flags & GET_CONTENTS) == 0) {
            return page;
        }
        int holds = Search.contentsAtHand(this, page, page + n, (flags & GET_ZEROS) != 0);
        return result(page, holds);
    }

    /**
     * The first page, of what a get method with {@link #GET_CONTENTS} has returned.
     *
     * @param result not negative
     * @return the page
     */
    public static long pageOf(long result) {
        return result & (1L << CONTENTS_SHIFT) - 1;
    }

    /**
     * What a get method with {@link #GET_CONTENTS} returns for these pages.
     *
     * @param page  the first page
     * @param holds what the pages hold
     * @return what {@link #pageOf} and {@link #holds} take apart
     */
    public static long result(long page, int holds) {
        return page | (long) holds << CONTENTS_SHIFT;
    }

    /**
     * What the pages hold, of what a get method with {@link #GET_CONTENTS} has returned.
     *
     * @param result not negative
     * @return the sum of those of {@link #HOLDS_ABSENT} and the like that hold
     */
    public static int holds(long result) {
        return (int) (result >>> CONTENTS_SHIFT);
    }

    /**
     * Takes exactly the pages first .. first+pages-1.
     *
     * @param slot  any number, see above
     * @param first first page
     * @param pages how many, at least 1
     * @return what they hold, the sum of those of {@link #HOLDS_ABSENT} and the like that hold; or {@link #BUSY} if one
     *         of them is not free
     * @throws IllegalArgumentException if the range is not within the pages managed
     */
    public int getAt(int slot, long first, long pages) {
        checkRange(first, pages);
        long s = slotAt(slot);
        int error = Get.at(this, s, first, pages);
        if (error < 0) {
            return error;
        }
        Counters.got(s, first, pages);
        return Search.contents(this, first, first + pages);
    }

    private static void checkGetFlags(int flags) {
        if ((flags & ~(GET_ZEROS | GET_ABSENT | GET_CONTENTS | GET_ALIGNED)) != 0) {
            throw new IllegalArgumentException("unknown flags: flags=" + flags + " (of GET_ZEROS=" + GET_ZEROS
                    + ", GET_ABSENT=" + GET_ABSENT + ", GET_CONTENTS=" + GET_CONTENTS + " and GET_ALIGNED="
                    + GET_ALIGNED + ")");
        }
    }

    // ---- put -------------------------------------------------------------------------------------------------

    /**
     * Frees pages first .. first+pages-1: all or any part of what gets have returned, across their borders too.
     *
     * <p>Two threads that free the same page in the same instant break the rules: each page is then freed once, and one
     * of them may see IllegalStateException after a part of its range has been freed.
     *
     * @param slot  any number, see above
     * @param first first page
     * @param pages how many, at least 1
     * @param flags {@link #PUT_ABSENT}, {@link #PUT_ZEROED}, {@link #PUT_UNTOUCHED}, or 0: the pages hold old bytes
     * @throws IllegalArgumentException if the range is not within the pages managed, a page of it is free already, or
     *                                  the flags are unknown; nothing is freed then
     * @throws IllegalStateException    if another thread has freed a part of the range meanwhile
     */
    public void putRun(int slot, long first, long pages, int flags) {
        checkRange(first, pages);
        if (flags < 0 || flags > PUT_UNTOUCHED) {
            throw new IllegalArgumentException("unknown flags: flags=" + flags + " (0, PUT_ABSENT=" + PUT_ABSENT
                    + ", PUT_ZEROED=" + PUT_ZEROED + " or PUT_UNTOUCHED=" + PUT_UNTOUCHED + ")");
        }
        long freed = Put.run(this, slotAt(slot), first, pages, flags);
        if (freed == 0) {
            throw notAllocated(first, pages);
        }
        if (freed != pages) {
            throw new IllegalStateException(
                    "freed by two threads at once: first=" + first + " pages=" + pages + " freed=" + freed);
        }
    }

    private RuntimeException notAllocated(long first, long pages) {
        long free = Search.nextPage(this, first, first + pages, true);
        return free == first + pages
                ? new IllegalStateException(
                        "freed by two threads at once: first=" + first + " pages=" + pages + " freed=0")
                : new IllegalArgumentException(
                        "not allocated: page=" + free + " of first=" + first + " pages=" + pages);
    }

    /**
     * The inverse of {@link #get}: frees 2<sup>order</sup> pages, which then hold old bytes.
     *
     * @param slot  any number, see above
     * @param page  first page, aligned to the order
     * @param order 0 .. {@link LlFreeDescriptor#MAX_ORDER}
     * @throws IllegalArgumentException as {@link #putRun}, or if order is out of range or page misaligned
     * @throws IllegalStateException    as {@link #putRun}
     */
    public void put(int slot, long page, int order) {
        if (order < 0 || order > MAX_ORDER || (page & (1L << order) - 1) != 0) {
            throw new IllegalArgumentException("out of range or misaligned: page=" + page + " order=" + order);
        }
        putRun(slot, page, 1L << order, 0);
    }

    /** Gives the reservations of all slots back to their trees. */
    public void drain() {
        Tickets.drain(this);
    }

    // ---- questions -------------------------------------------------------------------------------------------

    /**
     * The first page in first .. first+pages-1 that is free, or allocated. {@link #length} says how many like it
     * follow. A snapshot: only what the caller holds is sure to stay.
     *
     * @param first first page
     * @param pages how many to look at, at least 1
     * @param free  whether to look for a free page or for an allocated one
     * @return the page, or {@link #NONE}
     * @throws IllegalArgumentException if the range is not within the pages managed
     */
    public long next(long first, long pages, boolean free) {
        checkRange(first, pages);
        long page = Search.nextPage(this, first, first + pages, free);
        return page == first + pages ? NONE : page;
    }

    /**
     * How many pages from the first one on are free, or allocated, without a gap. A snapshot, as {@link #next}.
     *
     * @param first first page
     * @param pages how many to look at, at least 1
     * @param free  whether to count free pages or allocated ones
     * @return 0 .. pages
     * @throws IllegalArgumentException if the range is not within the pages managed
     */
    public long length(long first, long pages, boolean free) {
        checkRange(first, pages);
        return Search.nextPage(this, first, first + pages, !free) - first;
    }

    /** {@return the segment that holds the state} */
    public MemorySegment segment() {
        return segment;
    }

    /** {@return the number of pages managed} */
    public long pages() {
        return pages;
    }

    /** {@return the number of slots} */
    public int slots() {
        return slots;
    }

    /** {@return the number of children, from the start, that have ever been handed out; the rest is absent} */
    public long touchedChildren() {
        return touched();
    }

    /**
     * For a walk over children from the end: passes those that have no free pages with memory. A snapshot.
     *
     * @param end how far the walk has come: 0 .. the number of children
     * @return the number behind the last child below it that may have some, 0 if there is none
     * @throws IllegalArgumentException if end is out of range
     */
    public long populatedBefore(long end) {
        if (end < 0 || end > children) {
            throw new IllegalArgumentException("out of range: end=" + end + " (0.." + children + ")");
        }
        return Populated.before(this, end);
    }

    /** {@return the counters, in a time proportional to the children touched} */
    public LlFreeStats stats() {
        return Check.stats(this);
    }

    // ---- recovering and checking -----------------------------------------------------------------------------

    /**
     * Rebuilds every counter from the allocation bits, for a state whose users have all gone, some killed at work. What
     * was allocated stays allocated; a killed thread leaves behind at most the pages of the one call it was in. Nobody
     * else may use the state meanwhile.
     *
     * @return the number of pages whose counters were wrong
     */
    public long recover() {
        return Check.recover(this);
    }

    /**
     * Checks every invariant of a quiet state.
     *
     * @throws IllegalStateException with one line about the first fault, if there is one
     */
    public void validate() {
        Check.validate(this);
    }

    /** {@return pages and slots, for messages} */
    @Override
    public String toString() {
        return "LlFree[pages=" + pages + ", slots=" + slots + "]";
    }
}
