package upa.core;

import static upa.core.LlFreeDescriptor.*;
import static upa.core.internal.RawMemory.*;

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
 * </pre>
 * so a unit of a counter is a ticket: who has taken it will find its page. Allocation takes tickets from the top
 * (slot or tree, then child), then the bits; freeing gives back bits, then child, then slot or tree. Tickets on
 * their way between a tree and a slot are out of reach, and a killed thread takes them along; so that this makes
 * nobody else fail, the last search takes pages it has seen to be free without tickets of the tree and overdraws
 * it. Then the second line fails until the tickets are back, and a ticket of that tree may find no page: it is
 * given back, and the next tree is tried. The polarity of a child and "absent or zeroed means no stale bit" can
 * change only while free(child) is 512, hence never under somebody who holds a page or a ticket of the child.
 */
public final class LlFree {
    /** Nothing free can serve the request (the C twin's {@code -ENOMEM}). */
    public static final int NO_MEMORY = -12;
    /** A page asked for by its number is not free (the C twin's {@code -EBUSY}). */
    public static final int BUSY = -16;
    /** There is no such page. */
    public static final int NONE = -1;

    /** State of a child: no memory behind its free pages; a touch faults and reads zero. */
    public static final int ABSENT = 0;
    /** State of a child: its free pages are populated and known to be zero. */
    public static final int ZEROED = 1;
    /** State of a child: its free pages hold old bytes, wherever their last holder touched them. */
    public static final int STALE = 2;
    /** State of a child: free pages whose stale bit is set are stale, the others absent. */
    public static final int MIXED = 3;

    /** Flag of the get methods: the caller needs zeros, so pages that need no clearing are preferred. */
    public static final int GET_ZEROS = 1;
    /** Flag of the get methods: the caller brings memory of its own, so pages without any are preferred. */
    public static final int GET_ABSENT = 2;
    /** Flag of {@link #putRun}: the caller has given the pages' memory back to the kernel. */
    public static final int PUT_ABSENT = 1;
    /** Flag of {@link #putRun}: the caller has cleared the pages. */
    public static final int PUT_ZEROED = 2;
    /** Flag of {@link #putRun}: the caller has not used the pages, so they hold what they held. */
    public static final int PUT_UNTOUCHED = 3;

    /** A set of child states. */
    private static final int ANY_STATE = 15;
    /** Beside the states of a child: what is known of the pages stays as it is. */
    private static final int UNCHANGED = 4;
    /** Trees to try for a run that their counters promise but their fragments may not hold. */
    private static final int RESERVE_TRIES = 4;
    /** Searches of the whole state before a get fails though it has seen room: others may be quicker every time. */
    private static final int SEARCH_TRIES = 16;
    /** A search has seen room but could not have it. */
    private static final int MISSED = -2;
    /** The tickets of a range are not to be found. */
    private static final int AGAIN = -11;
    /** A get must not spin for ever on words that a hostile or broken process keeps changing. */
    private static final int TICKET_TRIES = 1024;

    private final MemorySegment segment;
    private final long state;
    private final long slot;
    private final long tree;
    private final long child;
    private final long bitmap;
    private final long pages;
    private final long children;
    private final long trees;
    private final int slots;

    private LlFree(MemorySegment segment, Layout layout) {
        this.segment = segment;
        this.state = segment.address();
        this.slot = state + layout.slotOffset;
        this.tree = state + layout.treeOffset;
        this.child = state + layout.childOffset;
        this.bitmap = state + layout.bitmapOffset;
        this.pages = layout.pages;
        this.children = layout.children;
        this.trees = layout.trees;
        this.slots = layout.slots;
    }

    // ---- making and attaching ---------------------------------------------------------------------------------

    /** Where everything is in a state of so many pages and slots: the one place that knows. */
    private record Layout(long pages, int slots, long children, long trees, long slotOffset, long treeOffset,
                          long childOffset, long bitmapOffset, long stateBytes) {
        static boolean isPossible(long pages, int slots) {
            return pages > 0 && pages <= MAX_PAGES && slots > 0 && slots <= MAX_SLOTS;
        }

        static Layout of(long pages, int slots) {
            if (!isPossible(pages, slots)) {
                throw new IllegalArgumentException("out of range: pages=" + pages + " (1.." + MAX_PAGES + ") slots="
                        + slots + " (1.." + MAX_SLOTS + ")");
            }
            long children = (pages + CHILD_PAGES - 1) / CHILD_PAGES;
            long trees = (children + TREE_CHILDREN - 1) / TREE_CHILDREN;
            long treeOffset = HEADER_BYTES + ((long) slots << SLOT_SHIFT);
            long childOffset = treeOffset + ((trees << WORD_SHIFT) + LINE_BYTES - 1 & -LINE_BYTES);
            long bitmapOffset = childOffset + (trees * TREE_CHILDREN << WORD_SHIFT);
            return new Layout(pages, slots, children, trees, HEADER_BYTES, treeOffset, childOffset, bitmapOffset,
                    bitmapOffset + (children << BITMAP_SHIFT));
        }
    }

    /**
     * Bytes of state for so many pages and slots.
     *
     * @param pages 1 .. {@link LlFreeDescriptor#MAX_PAGES}
     * @param slots 1 .. {@link LlFreeDescriptor#MAX_SLOTS}
     * @return size of the state in bytes
     * @throws IllegalArgumentException if one of them is out of range
     */
    public static long stateSize(long pages, int slots) {
        return Layout.of(pages, slots).stateBytes;
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
        Layout layout = Layout.of(pages, slots);
        checkSegment(segment);
        if (segment.byteSize() < layout.stateBytes) {
            throw new IllegalArgumentException("segment too small: expected state_bytes=" + layout.stateBytes
                    + " found byteSize=" + segment.byteSize() + " for pages=" + pages + " slots=" + slots);
        }
        LlFree a = new LlFree(segment, layout);
        putLongOpaque(a.state + MAGIC_OFFSET, 0);
        putIntOpaque(a.state + ABI_OFFSET, ABI);
        putIntOpaque(a.state + SLOTS_OFFSET, slots);
        putLongOpaque(a.state + STATE_BYTES_OFFSET, layout.stateBytes);
        putLongOpaque(a.state + PAGES_OFFSET, pages);
        putLongOpaque(a.state + SLOT_OFFSET, layout.slotOffset);
        putLongOpaque(a.state + TREE_OFFSET, layout.treeOffset);
        putLongOpaque(a.state + CHILD_OFFSET, layout.childOffset);
        putLongOpaque(a.state + BITMAP_OFFSET, layout.bitmapOffset);
        putLongOpaque(a.state + TOUCHED_CHILDREN_OFFSET, 0);
        a.closeEnd();
        putLongRelease(a.state + MAGIC_OFFSET, MAGIC);
        return a;
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
        checkSegment(segment);
        long bytes = segment.byteSize();
        if (bytes < HEADER_BYTES) {
            throw new IllegalArgumentException("truncated: expected header_bytes=" + HEADER_BYTES + " found byteSize="
                    + bytes);
        }
        long state = segment.address();
        long magic = getLongAcquire(state + MAGIC_OFFSET);
        if (magic != MAGIC) {
            throw new IllegalArgumentException(String.format(
                    "not an allocation state: expected magic=%#x found magic=%#x", MAGIC, magic));
        }
        expect("abi", ABI, getIntOpaque(state + ABI_OFFSET));
        long pages = getLongOpaque(state + PAGES_OFFSET);
        int slots = getIntOpaque(state + SLOTS_OFFSET);
        Layout layout = Layout.of(pages, slots);
        expect("slot_offset", layout.slotOffset, getLongOpaque(state + SLOT_OFFSET));
        expect("tree_offset", layout.treeOffset, getLongOpaque(state + TREE_OFFSET));
        expect("child_offset", layout.childOffset, getLongOpaque(state + CHILD_OFFSET));
        expect("bitmap_offset", layout.bitmapOffset, getLongOpaque(state + BITMAP_OFFSET));
        expect("state_bytes", layout.stateBytes, getLongOpaque(state + STATE_BYTES_OFFSET));
        if (bytes < layout.stateBytes) {
            throw new IllegalArgumentException("truncated: expected state_bytes=" + layout.stateBytes
                    + " found byteSize=" + bytes);
        }
        return new LlFree(segment, layout);
    }

    private static void checkSegment(MemorySegment segment) {
        if (!segment.isNative() || segment.isReadOnly()) {
            throw new IllegalArgumentException("segment must be native and writable: native=" + segment.isNative()
                    + " readOnly=" + segment.isReadOnly());
        }
        if (!segment.scope().isAlive()) {
            throw new IllegalStateException("segment is closed: address=" + segment.address());
        }
        if (segment.address() == 0 || segment.address() % LINE_BYTES != 0) {
            throw new IllegalArgumentException(String.format("segment misaligned: address=%#x must be a multiple of %d",
                    segment.address(), LINE_BYTES));
        }
    }

    private static void expect(String name, long expected, long found) {
        if (expected != found) {
            throw new IllegalArgumentException("another layout: expected " + name + "=" + expected + " found " + name
                    + "=" + found);
        }
    }

    /** Pages that a child lacks: none but perhaps for the last one. */
    private int missing(long c) {
        return c == children - 1 ? (int) (children * CHILD_PAGES - pages) : 0;
    }

    /** Marks what the last child and tree lack as used for good. */
    private void closeEnd() {
        int missing = missing(children - 1);
        if (missing != 0) {
            int lo = CHILD_PAGES - missing;
            for (int i = lo / ROW_BITS; i < ROWS; i++) {
                putLongOpaque(row(bitmapAt(children - 1), i), rowMask(i, lo, CHILD_PAGES));
            }
            putIntOpaque(childAt(children - 1), missing);
        }
        for (long c = children; c < trees * TREE_CHILDREN; c++) {
            putIntOpaque(childAt(c), CHILD_POLARITY | CHILD_PAGES);
        }
        putIntOpaque(treeAt(trees - 1), (int) (trees * TREE_PAGES - pages));
    }

    // ---- what is in a state ----------------------------------------------------------------------------------

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

    private long childAt(long c) {
        return child + (c << WORD_SHIFT);
    }

    private long treeAt(long t) {
        return tree + (t << WORD_SHIFT);
    }

    private long bitmapAt(long c) {
        return bitmap + (c << BITMAP_SHIFT);
    }

    private long slotAt(int s) {
        return slot + ((long) (Integer.compareUnsigned(s, slots) < 0 ? s : Integer.remainderUnsigned(s, slots))
                << SLOT_SHIFT);
    }

    private static long row(long bits, int i) {
        return bits + (long) i * Long.BYTES;
    }

    private static int childUsed(int w) {
        return w & CHILD_USED;
    }

    private static int childFree(int w) {
        return CHILD_PAGES - (w & CHILD_USED);
    }

    private static int childState(int w) {
        return (w & CHILD_STATE) >> CHILD_STATE_SHIFT;
    }

    /** The set of this one child state. */
    private static int only(int state) {
        return 1 << state;
    }

    private static int withState(int w, int state) {
        return w & ~CHILD_STATE | state << CHILD_STATE_SHIFT;
    }

    /** Xored with a row, gives 1 for allocated. */
    private static long polarity(int w) {
        return (w & CHILD_POLARITY) != 0 ? -1L : 0;
    }

    /** At most TREE_PAGES whatever the word, for it goes into the slot word beside the child. */
    private static int treeFree(int w) {
        return Math.max(TREE_PAGES - (w & TREE_USED), 0);
    }

    private static int slotFree(long w) {
        return (int) (w & SLOT_FREE);
    }

    private static long slotChild(long w) {
        return (w & SLOT_CHILD) >> SLOT_CHILD_SHIFT;
    }

    private static long slotTree(long w) {
        return slotChild(w) / TREE_CHILDREN;
    }

    /** The reservation of a slot; one that points outside the state counts as none. */
    private long slotLoad(long s) {
        long w = getLongOpaque(s);
        return slotChild(w) < children ? w : 0;
    }

    private static boolean slotHolds(long w, long tree) {
        return (w & SLOT_PRESENT) != 0 && slotTree(w) == tree;
    }

    /** A counter of one slot: exact while each thread has a slot of its own, else a lower bound. */
    private static void count(long counter, long n) {
        putLongOpaque(counter, getLongOpaque(counter) + n);
    }

    // ---- bits of one child -----------------------------------------------------------------------------------

    /** Bits lo .. hi-1 of a child that lie in row i, as a mask. */
    private static long rowMask(int i, int lo, int hi) {
        int from = Math.max(lo - i * ROW_BITS, 0);
        int to = Math.min(hi - i * ROW_BITS, ROW_BITS);
        return -1L >>> from - to << from;
    }

    /** First position >= pos whose bit, after xor with flip, is 1; CHILD_PAGES if none. */
    private static int nextBit(long rows, long flip, int pos) {
        while (pos < CHILD_PAGES) {
            long row = (getLongOpaque(row(rows, pos / ROW_BITS)) ^ flip) >>> pos;
            if (row != 0) {
                return pos + Long.numberOfTrailingZeros(row);
            }
            pos = (pos / ROW_BITS + 1) * ROW_BITS;
        }
        return CHILD_PAGES;
    }

    /** First aligned position of n free pages, or -1. A snapshot. */
    private static int findFree(long bits, long flip, int n, int align) {
        int pos = 0;
        for (;;) {
            int start = nextBit(bits, ~flip, pos);
            start = start + align - 1 & -align;
            if (start + n > CHILD_PAGES) {
                return NONE;
            }
            if (n == 1) {
                return start;
            }
            int end = nextBit(bits, flip, start);
            if (end - start >= n) {
                return start;
            }
            pos = end + 1;
        }
    }

    /**
     * Inverts bits lo .. hi-1, each of which must be allocated (or, with {@code allocated} false, free). Returns how
     * many were inverted before the first that was not.
     */
    private static int flipBits(long bits, long flip, int lo, int hi, boolean allocated) {
        for (int i = lo / ROW_BITS; i <= (hi - 1) / ROW_BITS; i++) {
            long mask = rowMask(i, lo, hi);
            long expectedBits = (allocated ? ~flip : flip) & mask;
            long row;
            do {
                row = getLongOpaque(row(bits, i));
                if ((row & mask) != expectedBits) {
                    return Math.max(i * ROW_BITS - lo, 0);
                }
            } while (!weakCompareAndSetLong(row(bits, i), row, row ^ mask));
        }
        return hi - lo;
    }

    private static void setStale(long bits, int lo, int hi) {
        for (int i = lo / ROW_BITS; i <= (hi - 1) / ROW_BITS; i++) {
            long mask = rowMask(i, lo, hi);
            if ((getLongOpaque(row(bits + BITMAP_STALE, i)) & mask) != mask) {
                getAndBitwiseOrLong(row(bits + BITMAP_STALE, i), mask);
            }
        }
    }

    private static void clearStale(long bits, int lo, int hi) {
        for (int i = lo / ROW_BITS; i <= (hi - 1) / ROW_BITS; i++) {
            long mask = rowMask(i, lo, hi);
            if ((getLongOpaque(row(bits + BITMAP_STALE, i)) & mask) != 0) {
                getAndBitwiseAndLong(row(bits + BITMAP_STALE, i), ~mask);
            }
        }
    }

    // ---- child words -----------------------------------------------------------------------------------------

    /** Takes n tickets of a child. Returns the word that the polarity is to be read from, or -1 if it has too few. */
    private static long childTake(long child, int n) {
        int w;
        int next;
        do {
            w = getIntOpaque(child);
            if (childFree(w) < n) {
                return NONE;
            }
            // All at once: inverting the polarity turns 512 free bits into 512 allocated ones.
            next = (n == CHILD_PAGES ? w ^ CHILD_POLARITY : w) + n;
        } while (!weakCompareAndSetInt(child, w, next));
        return Integer.toUnsignedLong(next);
    }

    private static void childReturn(long child, int n) {
        int w;
        int next;
        do {
            w = getIntOpaque(child);
            next = w - n;
            if (childUsed(next) == 0) {
                next &= ~CHILD_TAINTED;
            }
        } while (!weakCompareAndSetInt(child, w, next));
    }

    /** Takes any n aligned pages of a child, at most 512: their first, or -1. */
    private long childGet(long c, int n, int align) {
        if (n == CHILD_PAGES) {
            return childTake(childAt(c), n) >= 0 ? c * CHILD_PAGES : NONE;
        }
        // Looks before it takes: to others, tickets taken in vain are pages less.
        long bits = bitmapAt(c);
        int lo = findFree(bits, polarity(getIntOpaque(childAt(c))), n, align);
        if (lo < 0) {
            return NONE;
        }
        long w = childTake(childAt(c), n);
        if (w < 0) {
            return NONE;
        }
        long flip = polarity((int) w);
        do {
            int done = flipBits(bits, flip, lo, lo + n, false);
            if (done == n) {
                return c * CHILD_PAGES + lo;
            }
            if (done != 0) {
                flipBits(bits, flip, lo, lo + done, true);
            }
            lo = findFree(bits, flip, n, align);
        } while (lo >= 0);
        childReturn(childAt(c), n);
        return NONE;
    }

    /** Takes exactly pages lo .. hi-1 of a child. */
    private boolean childGetAt(long c, int lo, int hi) {
        int n = hi - lo;
        long w = childTake(childAt(c), n);
        if (w < 0) {
            return false;
        }
        if (n == CHILD_PAGES) {
            return true;
        }
        long bits = bitmapAt(c);
        long flip = polarity((int) w);
        int done = flipBits(bits, flip, lo, hi, false);
        if (done == n) {
            return true;
        }
        if (done != 0) {
            flipBits(bits, flip, lo, lo + done, true);
        }
        childReturn(childAt(c), n);
        return false;
    }

    /** Changes the state of a child in which the caller holds pages, if it is one of those whose bit is set in from. */
    private static void childSetState(long child, int from, int state) {
        int w;
        do {
            w = getIntOpaque(child);
        } while ((from >> childState(w) & 1) != 0 && !weakCompareAndSetInt(child, w, withState(w, state)));
    }

    /** Frees a child the caller holds wholly: the inverse of the whole take. */
    private int childPutWhole(long c, int state) {
        if (state == ABSENT || state == ZEROED) {
            clearStale(bitmapAt(c), 0, CHILD_PAGES);
        }
        int w;
        int next;
        do {
            w = getIntOpaque(childAt(c));
            if (childUsed(w) != CHILD_PAGES) {
                return 0;
            }
            next = (w ^ CHILD_POLARITY) & ~(CHILD_USED | CHILD_TAINTED);
            if (state != UNCHANGED) {
                next = withState(next, state);
            }
            if (state == ABSENT) {
                next &= ~CHILD_RESIDENT;
            }
            if (state == ZEROED) {
                next |= CHILD_RESIDENT;
            }
        } while (!weakCompareAndSetInt(childAt(c), w, next));
        return CHILD_PAGES;
    }

    /**
     * Records what pages lo .. hi-1 hold, before they are free: whoever gets one next must see it. MIXED knows two
     * kinds of free pages, so zeroed ones in part of a child count as stale.
     */
    private static void childRecord(long child, long bits, int lo, int hi, int state) {
        int now = childState(getIntOpaque(child));
        if (state == ABSENT) {
            if ((getIntOpaque(child) & CHILD_RESIDENT) != 0) {
                getAndBitwiseAndInt(child, ~CHILD_RESIDENT);
            }
            if (now == ABSENT) {
                return;
            }
            // All bits are set before the state tells anybody to look at them, so a put that still sees STALE or
            // ZEROED loses nothing by not setting its own.
            if (now != MIXED) {
                setStale(bits, 0, CHILD_PAGES);
                childSetState(child, only(STALE) | only(ZEROED), MIXED);
            }
            clearStale(bits, lo, hi);
        } else if (now == ZEROED) {
            if (state == STALE) {
                childSetState(child, only(ZEROED), STALE);
            }
        } else if (now != STALE) {
            setStale(bits, lo, hi);
            childSetState(child, only(ABSENT), MIXED);
        }
    }

    /** Frees pages lo .. hi-1 of a child. Returns how many: fewer than asked only if somebody else frees them too. */
    private int childPut(long c, int lo, int hi, int state) {
        if (hi - lo == CHILD_PAGES) {
            return childPutWhole(c, state);
        }
        if (state != UNCHANGED) {
            childRecord(childAt(c), bitmapAt(c), lo, hi, state);
        }
        int done = flipBits(bitmapAt(c), polarity(getIntOpaque(childAt(c))), lo, hi, true);
        if (done != 0) {
            childReturn(childAt(c), done);
        }
        return done;
    }

    // ---- tickets of trees and slots --------------------------------------------------------------------------

    private void treeGive(long tree, int n) {
        getAndAddInt(treeAt(tree), -n);
    }

    /** Gives n tickets back, to the caller's slot if it holds the tree; what has been overdrawn has no room there. */
    private void ticketsGive(long s, long tree, int n) {
        long w = slotLoad(s);
        while (slotHolds(w, tree) && slotFree(w) + n <= TREE_PAGES) {
            if (weakCompareAndSetLong(s, w, w + n)) {
                return;
            }
            w = slotLoad(s);
        }
        treeGive(tree, n);
    }

    private boolean treeTake(long tree, int n) {
        int w;
        do {
            w = getIntOpaque(treeAt(tree));
            if (treeFree(w) < n) {
                return false;
            }
        } while (!weakCompareAndSetInt(treeAt(tree), w, w + n));
        return true;
    }

    /** Ends a reservation whose word has just been taken out of its slot. */
    private void treeRelease(long word) {
        long tree = treeAt(slotTree(word));
        int w;
        do {
            w = getIntOpaque(tree);
        } while (!weakCompareAndSetInt(tree, w, w - slotFree(word) & ~TREE_RESERVED));
    }

    /**
     * Takes n tickets of a given tree wherever they are: own slot, the tree, the slot of somebody else. They may be
     * nowhere, on their way between a tree and a slot, or gone with a killed thread: then it may overdraw the tree.
     */
    private boolean ticketsTake(long own, long tree, int n, boolean overdraw) {
        long w = slotLoad(own);
        while (slotHolds(w, tree) && slotFree(w) >= n) {
            if (weakCompareAndSetLong(own, w, w - n)) {
                return true;
            }
            w = slotLoad(own);
        }
        for (int i = 0; i < TICKET_TRIES; i++) {
            if (treeTake(tree, n)) {
                return true;
            }
            if ((getIntOpaque(treeAt(tree)) & TREE_RESERVED) == 0) {
                break;
            }
            // What the holder has left becomes the tree's; he keeps the reservation and fetches more as he needs.
            boolean moved = false;
            for (int i2 = 0; i2 < slots; i2++) {
                long other = slotAt(i2);
                w = slotLoad(other);
                if (slotHolds(w, tree) && slotFree(w) != 0 && weakCompareAndSetLong(other, w, w & ~SLOT_FREE)) {
                    treeGive(tree, slotFree(w));
                    moved = true;
                }
            }
            if (!moved) {
                break;
            }
        }
        if (treeTake(tree, n)) {
            return true;
        }
        if (overdraw) {
            getAndAddInt(treeAt(tree), n);
        }
        return overdraw;
    }

    private void touchChildren(long end) {
        long touched = state + TOUCHED_CHILDREN_OFFSET;
        long last = Math.min(end, children);
        long n;
        do {
            n = getLongOpaque(touched);
        } while (Long.compareUnsigned(n, last) < 0 && !weakCompareAndSetLong(touched, n, last));
    }

    /**
     * Puts a new tree with at least n free pages into the slot, looking from tree {@code from} on. Partly used trees
     * first: they keep the rest whole for large runs. Returns where to look on next time, or -1 if there is none; the
     * former also when another thread has changed the slot meanwhile, which is as good.
     */
    private long slotReserve(long s, long old, int n, long from) {
        long usedTrees = (touchedChildren() + TREE_CHILDREN - 1) / TREE_CHILDREN;
        int roomy = Math.min(n * 8, TREE_PAGES / 2);
        for (int pass = 0; pass < 2; pass++) {
            int least = pass == 0 && roomy > n ? roomy : n;
            long end = pass == 0 ? usedTrees : trees;
            for (long t = from; t < end; t++) {
                int w = getIntOpaque(treeAt(t));
                if ((w & TREE_RESERVED) != 0 || treeFree(w) < least || pass == 0 && (w & TREE_USED) == 0) {
                    continue;
                }
                if (!weakCompareAndSetInt(treeAt(t), w, TREE_RESERVED | TREE_PAGES)) {
                    continue;
                }
                touchChildren((t + 1) * TREE_CHILDREN);
                long word = SLOT_PRESENT | t * TREE_CHILDREN << SLOT_CHILD_SHIFT | treeFree(w);
                if (!compareAndSetLong(s, old, word)) {
                    treeRelease(word);
                } else if ((old & SLOT_PRESENT) != 0) {
                    treeRelease(old);
                }
                return t + 1;
            }
        }
        return NONE;
    }

    /** Gives the reservations of all slots back to their trees. */
    public void drain() {
        for (int i = 0; i < slots; i++) {
            long s = slotAt(i);
            long w;
            while (((w = slotLoad(s)) & SLOT_PRESENT) != 0) {
                if (weakCompareAndSetLong(s, w, 0)) {
                    treeRelease(w);
                    break;
                }
            }
        }
    }

    // ---- searches --------------------------------------------------------------------------------------------

    /** How well a child suits a request, 0 best: what saves a fault first, then what saves or wastes clearing. */
    private static int rank(int state, int flags) {
        if ((flags & GET_ABSENT) != 0) {
            return state == ABSENT ? 0 : 2;
        }
        if (state == ABSENT) {
            return 2;
        }
        return (state == ZEROED) != ((flags & GET_ZEROS) != 0) ? 1 : 0;
    }

    /** Takes n pages of the tree for which the caller has tickets, from the child hint on. */
    private long treeGet(long hint, int n, int align, int flags) {
        long base = hint - hint % TREE_CHILDREN;
        int ranks = 0;
        for (int want = 0; want < 3; want++) {
            if (want != 0 && (ranks >> want & 1) == 0) {
                continue;
            }
            for (int i = 0; i < TREE_CHILDREN; i++) {
                long c = base + (hint + i) % TREE_CHILDREN;
                int w = getIntOpaque(childAt(c));
                // The last tree may be short of children and pages. Its words say so, unless somebody has overwritten
                // them.
                if (childFree(w) < n || c >= children) {
                    continue;
                }
                int r = rank(childState(w), flags);
                ranks |= 1 << r;
                if (r != want) {
                    continue;
                }
                long page = childGet(c, n, align);
                if (page >= 0 && page + n <= pages) {
                    return page;
                }
            }
        }
        return NONE;
    }

    /** Is this tree out of bounds for a search that leaves the reservations of others alone? */
    private boolean treeBarred(long own, long tree) {
        int w = getIntOpaque(treeAt(tree));
        long mine = slotLoad(own);
        if (slotHolds(mine, tree)) {
            return treeFree(w) + slotFree(mine) < CHILD_PAGES;
        }
        return (w & TREE_RESERVED) != 0 || treeFree(w) < CHILD_PAGES;
    }

    /** First child >= from of n consecutive wholly free ones below end, or -1. own == 0: in any tree. */
    private long searchChildren(long own, long from, long end, long n, int states) {
        long run = 0;
        for (long c = from; c < end; c++) {
            if ((c % TREE_CHILDREN == 0 || c == from) && own != 0 && treeBarred(own, c / TREE_CHILDREN)) {
                c |= TREE_CHILDREN - 1;
                run = 0;
                continue;
            }
            int w = getIntOpaque(childAt(c));
            if (childUsed(w) != 0 || (states >> childState(w) & 1) == 0) {
                run = 0;
            } else if (++run == n) {
                return c + 1 - n;
            }
        }
        return NONE;
    }

    /**
     * First page in from .. end-1 that is free, or allocated; end if none. A child without tickets counts as allocated.
     */
    private long nextPage(long from, long end, boolean free) {
        while (from < end) {
            long c = from / CHILD_PAGES;
            int w = getIntOpaque(childAt(c));
            if (childUsed(w) == 0 || childUsed(w) == CHILD_PAGES) {
                if (free == (childUsed(w) == 0)) {
                    return from;
                }
            } else {
                int at = nextBit(bitmapAt(c), free ? ~polarity(w) : polarity(w), (int) (from % CHILD_PAGES));
                if (at < CHILD_PAGES) {
                    return Math.min(c * CHILD_PAGES + at, end);
                }
            }
            from = (c + 1) * CHILD_PAGES;
        }
        return end;
    }

    /** First page >= from of n consecutive free ones, aligned; -1 if none. May cross children unless inside one. */
    private long searchPages(long from, long n, long align, boolean inside) {
        while ((from = nextPage(from, pages, true)) < pages) {
            long start = from + align - 1 & -align;
            if (inside && start % CHILD_PAGES + n > CHILD_PAGES) {
                from = (start / CHILD_PAGES + 1) * CHILD_PAGES;
                continue;
            }
            if (start >= pages || pages - start < n) {
                break;
            }
            from = nextPage(start, start + n, false);
            if (from == start + n) {
                return start;
            }
        }
        return NONE;
    }

    // ---- ranges over many children ---------------------------------------------------------------------------

    /** Frees a range of which every page is the caller's. Returns how many were freed. */
    private long rangePut(long s, long first, long pages, int state) {
        long end = first + pages;
        long freed = 0;
        while (first < end) {
            long tree = first / TREE_PAGES;
            long treeEnd = Math.min((tree + 1) * TREE_PAGES, end);
            int tickets = 0;
            while (first < treeEnd) {
                long c = first / CHILD_PAGES;
                long childEnd = Math.min((c + 1) * CHILD_PAGES, treeEnd);
                int lo = (int) (first % CHILD_PAGES);
                tickets += childPut(c, lo, lo + (int) (childEnd - first), state);
                first = childEnd;
            }
            if (tickets != 0) {
                ticketsGive(s, tree, tickets);
            }
            freed += tickets;
        }
        return freed;
    }

    /** Takes exactly these pages: 0, BUSY if one of them is not free, AGAIN if their tickets are not to be found. */
    private int rangeGet(long s, long first, long pages, boolean overdraw) {
        long end = first + pages;
        long at = first;
        while (at < end) {
            long tree = at / TREE_PAGES;
            long treeEnd = Math.min((tree + 1) * TREE_PAGES, end);
            if (!ticketsTake(s, tree, (int) (treeEnd - at), overdraw)) {
                rangePut(s, first, at - first, UNCHANGED);
                return AGAIN;
            }
            while (at < treeEnd) {
                long c = at / CHILD_PAGES;
                long childEnd = Math.min((c + 1) * CHILD_PAGES, treeEnd);
                int lo = (int) (at % CHILD_PAGES);
                if (!childGetAt(c, lo, lo + (int) (childEnd - at))) {
                    ticketsGive(s, tree, (int) (treeEnd - at));
                    rangePut(s, first, at - first, UNCHANGED);
                    return BUSY;
                }
                at = childEnd;
            }
        }
        touchChildren((end + CHILD_PAGES - 1) / CHILD_PAGES);
        return 0;
    }

    // ---- get -------------------------------------------------------------------------------------------------

    private static long got(long s, long page, long n) {
        if (page >= 0) {
            count(s + SLOT_GETS, 1);
            count(s + SLOT_GOT_PAGES, n);
        } else {
            count(s + SLOT_FAILURES, 1);
        }
        return page;
    }

    /** Takes the first n free aligned pages there are, whoever has reserved their trees; NO_MEMORY, or MISSED some. */
    private long getFirst(long s, long n, long align, boolean inside, boolean overdraw) {
        long from = 0;
        long page;
        long failure = NO_MEMORY;
        while ((page = searchPages(from, n, align, inside)) >= 0) {
            int error = rangeGet(s, page, n, overdraw);
            if (error == 0) {
                return page;
            }
            failure = MISSED;
            // A tree without tickets has none for its next page either.
            boolean isOneTree = page / TREE_PAGES == (page + n - 1) / TREE_PAGES;
            from = error == AGAIN && isOneTree ? (page / TREE_PAGES + 1) * TREE_PAGES : page + align;
        }
        return failure;
    }

    /** The last resort, page by page: where a run should lie (in one child, or from the start of one), or anywhere. */
    private long getAnywhere(long s, long n, long align) {
        boolean small = n <= CHILD_PAGES;
        count(s + SLOT_SEARCHES, 1);
        for (int tries = 0; tries < SEARCH_TRIES; tries++) {
            long page = getFirst(s, n, small ? align : CHILD_PAGES, small, tries > 0);
            boolean missed = page == MISSED;
            if (page < 0 && align == 1 && n > 1) {
                page = getFirst(s, n, 1, false, tries > 0);
                missed |= page == MISSED;
            }
            if (page >= 0) {
                return page;
            }
            if (tries == 0) {
                drain();
            } else if (!missed) {
                break;
            } else {
                Thread.yield();
            }
        }
        return NO_MEMORY;
    }

    /** Fetches what others have freed in the slot's tree. False if that does not make n. */
    private boolean slotFetch(long s, long word, int n) {
        long tree = treeAt(slotTree(word));
        int w;
        int found;
        do {
            w = getIntOpaque(tree);
            found = treeFree(w);
            if (found == 0 || found + slotFree(word) < n) {
                return false;
            }
        } while (!weakCompareAndSetInt(tree, w, w + found));
        ticketsGive(s, slotTree(word), found);
        return true;
    }

    /** At most 512 pages, of one child. */
    private long getSmall(long s, int n, int align, int flags) {
        long from = 0;
        for (int tries = 0; tries < RESERVE_TRIES;) {
            long w = slotLoad(s);
            if ((w & SLOT_PRESENT) != 0) {
                long hint = slotChild(w);
                if (slotFree(w) < n) {
                    if (slotFetch(s, w, n)) {
                        continue;
                    }
                } else {
                    if (!weakCompareAndSetLong(s, w, w - n)) {
                        continue;
                    }
                    long page = treeGet(hint, n, align, flags);
                    if (page >= 0) {
                        long c = page / CHILD_PAGES;
                        if (c != hint) {
                            weakCompareAndSetLong(s, w - n, w - n & ~SLOT_CHILD | c << SLOT_CHILD_SHIFT);
                        }
                        return page;
                    }
                    ticketsGive(s, hint / TREE_CHILDREN, n);
                }
            }
            tries++;
            from = slotReserve(s, w, n, from);
            if (from < 0) {
                break;
            }
        }
        return getAnywhere(s, n, align);
    }

    /** More than 512 pages: whole children, the last of which may be taken in part. */
    private long getLarge(long s, long n, int flags) {
        boolean absent = (flags & GET_ABSENT) != 0;
        int preferred = absent ? only(ABSENT) : ANY_STATE & ~only(ABSENT);
        long count = (n + CHILD_PAGES - 1) / CHILD_PAGES;
        long hint = getLongOpaque(s + SLOT_RUN_HINT);
        // Where this slot freed or took its last run; then any preferred memory; then any; then what
        // others have reserved.
        for (int pass = 0; pass < 4; pass++) {
            if (pass == 0 && (hint < 0 || hint > children - count)) {
                continue;
            }
            long from = pass == 0 ? hint : 0;
            long end = pass == 0 ? hint + count : pass == 1 && !absent ? touchedChildren() : children;
            long c;
            while ((c = searchChildren(pass < 3 ? s : 0, from, end, count, pass < 2 ? preferred : ANY_STATE)) >= 0) {
                if (c * CHILD_PAGES + n <= pages && rangeGet(s, c * CHILD_PAGES, n, false) == 0) {
                    putLongOpaque(s + SLOT_RUN_HINT, c);
                    return c * CHILD_PAGES;
                }
                from = c + 1;
            }
        }
        return getAnywhere(s, n, 1);
    }

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
        return got(s, getSmall(s, 1 << order, 1 << order, flags), 1L << order);
    }

    /**
     * Takes consecutive pages. Runs of up to 512 pages lie within one child and longer ones start at a child wherever
     * the free memory allows it. No page beyond the end is held.
     *
     * @param slot  any number, see above
     * @param pages how many, at least 1
     * @param flags 0, {@link #GET_ZEROS}, {@link #GET_ABSENT} or both
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
            return got(s, NO_MEMORY, 0);
        }
        return got(s, pages <= CHILD_PAGES ? getSmall(s, (int) pages, 1, flags) : getLarge(s, pages, flags), pages);
    }

    /**
     * Takes exactly the pages first .. first+pages-1.
     *
     * @param slot  any number, see above
     * @param first first page
     * @param pages how many, at least 1
     * @return 0, or {@link #BUSY} if one of them is not free
     * @throws IllegalArgumentException if the range is not within the pages managed
     */
    public int getAt(int slot, long first, long pages) {
        checkRange(first, pages);
        long s = slotAt(slot);
        for (int tries = 0; tries < SEARCH_TRIES; tries++) {
            if (nextPage(first, first + pages, false) != first + pages) {
                return BUSY;
            }
            if (rangeGet(s, first, pages, true) == 0) {
                got(s, 0, pages);
                return 0;
            }
            Thread.yield();
        }
        return BUSY;
    }

    private static void checkGetFlags(int flags) {
        if ((flags & ~(GET_ZEROS | GET_ABSENT)) != 0) {
            throw new IllegalArgumentException("unknown flags: flags=" + flags + " (of GET_ZEROS=" + GET_ZEROS
                    + " and GET_ABSENT=" + GET_ABSENT + ")");
        }
    }

    private void checkRange(long first, long pages) {
        if (first < 0 || pages < 1 || pages > this.pages - first) {
            throw new IllegalArgumentException("out of range: first=" + first + " pages=" + pages + " of "
                    + this.pages + " managed");
        }
    }

    // ---- put and questions -----------------------------------------------------------------------------------

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
        long free = nextPage(first, first + pages, true);
        if (free != first + pages) {
            throw new IllegalArgumentException("not allocated: page=" + free + " of first=" + first + " pages="
                    + pages);
        }
        long s = slotAt(slot);
        long freed = rangePut(s, first, pages, putState(flags));
        if (pages > CHILD_PAGES) {
            putLongOpaque(s + SLOT_RUN_HINT, first / CHILD_PAGES);
        }
        count(s + SLOT_PUTS, freed == pages ? 1 : 0);
        count(s + SLOT_PUT_PAGES, freed);
        if (freed != pages) {
            throw new IllegalStateException("freed by two threads at once: first=" + first + " pages=" + pages
                    + " freed=" + freed);
        }
    }

    private static int putState(int flags) {
        return switch (flags) {
            case PUT_ABSENT -> ABSENT;
            case PUT_ZEROED -> ZEROED;
            case PUT_UNTOUCHED -> UNCHANGED;
            default -> STALE;
        };
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

    /** First page in from .. end-1 that may hold old bytes, or that does not; end if none. */
    private long nextContent(long from, long end, boolean stale) {
        while (from < end) {
            long c = from / CHILD_PAGES;
            // Acquire: who sees MIXED must see the stale bits that were set before it.
            int state = childState(getIntAcquire(childAt(c)));
            if (state != MIXED) {
                if (stale == (state == STALE)) {
                    return from;
                }
            } else {
                int at = nextBit(bitmapAt(c) + BITMAP_STALE, stale ? 0 : -1L, (int) (from % CHILD_PAGES));
                if (at < CHILD_PAGES) {
                    return Math.min(c * CHILD_PAGES + at, end);
                }
            }
            from = (c + 1) * CHILD_PAGES;
        }
        return end;
    }

    /**
     * Of pages the caller holds: the first one that may hold old bytes. {@link #staleLength} says how many follow it.
     *
     * @param first first page
     * @param pages how many, at least 1
     * @return the page, or {@link #NONE} if all of them read zero
     * @throws IllegalArgumentException if the range is not within the pages managed
     */
    public long nextStale(long first, long pages) {
        checkRange(first, pages);
        long page = nextContent(first, first + pages, true);
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
        return nextContent(first, first + pages, false) - first;
    }

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
        long page = nextPage(first, first + pages, free);
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
        return nextPage(first, first + pages, !free) - first;
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
        for (long c = first / CHILD_PAGES; c <= (first + pages - 1) / CHILD_PAGES; c++) {
            getAndBitwiseOrInt(childAt(c), CHILD_TAINTED);
        }
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
        for (long c = first / CHILD_PAGES; c <= (first + pages - 1) / CHILD_PAGES; c++) {
            if ((getIntOpaque(childAt(c)) & CHILD_TAINTED) != 0) {
                return true;
            }
        }
        return false;
    }

    /**
     * Says that pages the caller holds have old bytes from now on, since he has put memory behind them.
     *
     * @param first first page
     * @param pages how many, at least 1
     * @throws IllegalArgumentException if the range is not within the pages managed
     */
    public void setStale(long first, long pages) {
        checkRange(first, pages);
        long end;
        for (long page = first; page < first + pages; page = end) {
            long c = page / CHILD_PAGES;
            end = Math.min((c + 1) * CHILD_PAGES, first + pages);
            if (end - page == CHILD_PAGES) {
                childSetState(childAt(c), only(ABSENT) | only(ZEROED), STALE);
            }
            childRecord(childAt(c), bitmapAt(c), (int) (page % CHILD_PAGES), (int) ((end - 1) % CHILD_PAGES) + 1, STALE);
        }
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
        for (long c = (first + CHILD_PAGES - 1) / CHILD_PAGES; (c + 1) * CHILD_PAGES <= first + pages; c++) {
            getAndBitwiseOrInt(childAt(c), CHILD_RESIDENT);
        }
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
        return (getIntOpaque(childAt(page / CHILD_PAGES)) & CHILD_RESIDENT) != 0;
    }

    /**
     * What the free pages of a child hold.
     *
     * @param page any page of the child
     * @return {@link #ABSENT}, {@link #ZEROED}, {@link #STALE} or {@link #MIXED}
     * @throws IllegalArgumentException if page is not managed
     */
    public int childState(long page) {
        checkRange(page, 1);
        return childState(getIntOpaque(childAt(page / CHILD_PAGES)));
    }

    /** {@return the number of children, from the start, that have ever been handed out; the rest is absent} */
    public long touchedChildren() {
        long n = getLongOpaque(state + TOUCHED_CHILDREN_OFFSET);
        return Long.compareUnsigned(n, children) < 0 ? n : children;
    }

    private static int retained(long bits, int w) {
        if (childState(w) != MIXED) {
            return childState(w) == ABSENT ? 0 : childFree(w);
        }
        int n = 0;
        for (int i = 0; i < ROWS; i++) {
            long free = ~(getLongOpaque(row(bits, i)) ^ polarity(w));
            n += Long.bitCount(free & getLongOpaque(row(bits + BITMAP_STALE, i)));
        }
        return n;
    }

    /** {@return the counters, in a time proportional to the children touched} */
    public LlFreeStats stats() {
        long touched = touchedChildren();
        long freePages = pages;
        long freeChildren = 0;
        long retainedPages = 0;
        for (long c = 0; c < touched; c++) {
            int w = getIntOpaque(childAt(c));
            // A last child that is not whole counts its missing pages as used.
            freePages -= childUsed(w);
            retainedPages += retained(bitmapAt(c), w);
            freeChildren += childUsed(w) == 0 ? 1 : 0;
        }
        if (touched == children) {
            freePages += children * CHILD_PAGES - pages;
        } else {
            freeChildren += pages / CHILD_PAGES - touched;
        }
        return new LlFreeStats(pages, freePages, freeChildren, retainedPages, sum(SLOT_GETS), sum(SLOT_GOT_PAGES),
                sum(SLOT_PUTS), sum(SLOT_PUT_PAGES), sum(SLOT_FAILURES), sum(SLOT_SEARCHES));
    }

    private long sum(int counter) {
        long n = 0;
        for (int i = 0; i < slots; i++) {
            n += getLongOpaque(slotAt(i) + counter);
        }
        return n;
    }

    // ---- recovering and checking -----------------------------------------------------------------------------

    private int countAllocated(long c, int w) {
        int n = 0;
        for (int i = 0; i < ROWS; i++) {
            n += Long.bitCount(getLongOpaque(row(bitmapAt(c), i)) ^ polarity(w));
        }
        return n;
    }

    /**
     * Rebuilds every counter from the allocation bits, for a state whose users have all gone, some killed at work. What
     * was allocated stays allocated; a killed thread leaves behind at most the pages of the one call it was in. Nobody
     * else may use the state meanwhile.
     *
     * @return the number of pages whose counters were wrong
     */
    public long recover() {
        long wrong = 0;
        for (int s = 0; s < slots; s++) {
            putLongOpaque(slotAt(s), 0);
        }
        for (long t = 0; t < trees; t++) {
            int treeUsed = 0;
            for (long c = t * TREE_CHILDREN; c < (t + 1) * TREE_CHILDREN; c++) {
                int w = getIntOpaque(childAt(c));
                int used = c < children ? countAllocated(c, w) : CHILD_PAGES;
                wrong += Math.abs(used - childUsed(w));
                int next = (used != 0 ? w : w & ~CHILD_TAINTED) & ~CHILD_USED | used;
                if (next != w) {
                    putIntOpaque(childAt(c), next);
                }
                treeUsed += used;
                // A put killed before its state was changed.
                if (c < children && childState(w) < STALE) {
                    clearStale(bitmapAt(c), 0, CHILD_PAGES);
                }
                if (c < children && (used != missing(c) || childState(w) != ABSENT)) {
                    touchChildren(c + 1);
                }
            }
            if (getIntOpaque(treeAt(t)) != treeUsed) {
                putIntOpaque(treeAt(t), treeUsed);
            }
        }
        return wrong;
    }

    /**
     * Checks every invariant of a quiet state.
     *
     * @throws IllegalStateException with one line about the first fault, if there is one
     */
    public void validate() {
        long magic = getLongOpaque(state + MAGIC_OFFSET);
        if (magic != MAGIC || getLongOpaque(state + PAGES_OFFSET) != pages
                || getIntOpaque(state + SLOTS_OFFSET) != slots) {
            throw fault("header: magic=%#x pages=%d slots=%d", magic, getLongOpaque(state + PAGES_OFFSET),
                    getIntOpaque(state + SLOTS_OFFSET));
        }
        for (long t = 0; t < trees; t++) {
            validateTree(t);
        }
    }

    private void validateTree(long t) {
        int w = getIntOpaque(treeAt(t));
        int promised = TREE_PAGES - (w & TREE_USED); // less than none if overdrawn
        int holders = 0;
        for (int s = 0; s < slots; s++) {
            long r = getLongOpaque(slotAt(s));
            if ((r & SLOT_PRESENT) != 0 && slotChild(r) >= children) {
                throw fault("slot=%d child=%d is out of range", s, slotChild(r));
            }
            if (slotHolds(r, t)) {
                holders++;
                promised += slotFree(r);
            }
        }
        if (holders != ((w & TREE_RESERVED) != 0 ? 1 : 0)) {
            throw fault("tree=%d word=%#x is reserved by %d slots", t, w, holders);
        }
        int childrenFree = 0;
        for (long c = t * TREE_CHILDREN; c < (t + 1) * TREE_CHILDREN; c++) {
            childrenFree += validateChild(c);
        }
        if (promised != childrenFree) {
            throw fault("tree=%d word=%#x promised=%d children_free=%d", t, w, promised, childrenFree);
        }
    }

    /** Returns how many pages of the child are free. */
    private int validateChild(long c) {
        int w = getIntOpaque(childAt(c));
        int used = c < children ? countAllocated(c, w) : CHILD_PAGES;
        if ((w & ~CHILD_KNOWN) != 0 || childUsed(w) != used) {
            throw fault("child=%d word=%#x allocated_bits=%d", c, w, used);
        }
        if (c >= children) {
            return 0;
        }
        int missing = missing(c);
        if (missing != 0 && nextBit(bitmapAt(c), ~polarity(w), CHILD_PAGES - missing) < CHILD_PAGES) {
            throw fault("child=%d: a page beyond the end is free", c);
        }
        if (childState(w) < STALE && nextBit(bitmapAt(c) + BITMAP_STALE, 0, 0) < CHILD_PAGES) {
            throw fault("child=%d word=%#x has stale bits", c, w);
        }
        if (c >= touchedChildren() && (used != missing || childState(w) != ABSENT)) {
            throw fault("child=%d word=%#x touched_children=%d", c, w, touchedChildren());
        }
        return childFree(w);
    }

    private static IllegalStateException fault(String format, Object... values) {
        return new IllegalStateException(String.format(format, values));
    }

    /** {@return pages and slots, for messages} */
    @Override
    public String toString() {
        return "LlFree[pages=" + pages + ", slots=" + slots + "]";
    }
}
