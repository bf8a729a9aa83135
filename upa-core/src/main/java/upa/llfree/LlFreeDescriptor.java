package upa.llfree;

/**
 * Layout of the state of an {@link LlFree}: constants without behaviour, the same as in the C header
 * {@code upa/llfree.h}, whose twin works on the same bytes.
 *
 * <p>ABI version 3, little endian, offsets in bytes from the start of the state:
 * <pre>
 *   0                         header, 4096 bytes
 *   SLOT_OFFSET's value       slots    x  64 bytes   reservation and counters of one thread
 *   GROUP_OFFSET's value      groups   x   4 bytes   one word per 16 trees
 *   TREE_OFFSET's value       trees    x   4 bytes   one word per 16 children, padded to whole groups
 *   CHILD_OFFSET's value      children x   4 bytes   one word per 512 pages, padded to whole trees
 *   BITMAP_OFFSET's value     children x 128 bytes   8 x 64 allocation bits, 8 x 64 stale bits
 *
 *   each array starts on a 64-byte boundary
 *
 *   header                                        slot (64 bytes)
 *    0 +---------------------------------+         0 +--------------------------------+
 *      |              MAGIC              |           |          RESERVATION           |
 *    8 +----------------+----------------+         8 +--------------------------------+
 *      |      ABI       |     SLOTS      |           |  RUN_HINT: page at which the   |
 *   16 +----------------+----------------+           |  last large run began          |
 *      |           STATE_BYTES           |        16 +--------------------------------+
 *   24 +---------------------------------+           |              GETS              |
 *      |              PAGES              |        24 +--------------------------------+
 *   32 +---------------------------------+           |           GOT_PAGES            |
 *      |           SLOT_OFFSET           |        32 +--------------------------------+
 *   40 +---------------------------------+           |              PUTS              |
 *      |          GROUP_OFFSET           |        40 +--------------------------------+
 *   48 +---------------------------------+           |           PUT_PAGES            |
 *      |           TREE_OFFSET           |        48 +--------------------------------+
 *   56 +---------------------------------+           |            FAILURES            |
 *      |          CHILD_OFFSET           |        56 +--------------------------------+
 *   64 +---------------------------------+           |            SEARCHES            |
 *      |          BITMAP_OFFSET          |           +--------------------------------+
 *   72 +---------------------------------+
 *      |        TOUCHED_CHILDREN         |
 *      +---------------------------------+
 *
 *   child word (int)
 *     31            16  15  14  13 12  11  10 9         0
 *    +----------------+---+---+------+----+---+----------+
 *    |  reserved (0)  | L | R | state| T  | P |   ones   |
 *    +----------------+---+---+------+----+---+----------+
 *     ones   how many of the 512 allocation bits count as 1: those that are, but for the tickets out
 *     P      polarity: the value of an allocation bit that means "free"; the other one if P of the tree is 1
 *     T      tainted, see LlFree.taint()
 *     state  what the free pages of the child hold: ABSENT, ZEROED, STALE or MIXED
 *     R      resident, a hint: every page is known to have memory, see LlFree.setResident()
 *     L      lazy: the kernel may take the memory of free pages at any instant, see LlFree.setLazy()
 *     Pages used, allocated or promised to a caller, are 0..512: ones, or 512 - ones where "free" is 1.
 *
 *   tree word (int)
 *      31  30      27  26  25 24 23       19  18  17  16  15                0
 *    +----+----------+---+------+-----------+---+---+---+-------------------+
 *    | V  |   (0)    | R | state|    (0)    | O | W | P |       used        |
 *    +----+----------+---+------+-----------+---+---+---+-------------------+
 *     used   pages that are allocated or promised, 0..8192, more if overdrawn
 *     P      polarity: 1 inverts that of every child
 *     W      whole: taken in one step, and no part of it freed since; used is 8192
 *     O      open. A closed tree has used 0 or 8192, and neither W nor V. If P of its group is 1 it is read
 *            the other way: P inverted, and 8192 - used for used. One that is used then is whole.
 *     state  what all its children hold, none of them tainted or lazy; MIXED: each child is to be asked
 *     R      what all its children have as R; 0 if state is MIXED
 *     V      reserved by a slot
 *
 *   group word (int): used, P, W, state and R where a tree word has them. used counts trees that are not both
 *     closed and free, 0..16, more if overdrawn. P 1 inverts how closed trees are read. W: all 16 are closed
 *     and used. state and R are what all its trees have.
 *
 *   slot word (long)
 *      63  62  61  56 55                    16 15          0
 *    +----+---+------+------------------------+-------------+  V: present; child: where the search starts;
 *    | V  | P |  (0) |         child          |    free     |  its tree is the tree reserved, P that of the
 *    +----+---+------+------------------------+-------------+  tree; free 0..8192
 * </pre>
 */
public final class LlFreeDescriptor {
    /** The bytes "UPFREE1\0" at the start of every state. */
    public static final long MAGIC = 0x0031454552465055L;
    /** Version of the layout and the protocol. */
    public static final int ABI = 3;

    /** Base-2 logarithm of the bytes of a page. */
    public static final int PAGE_SHIFT = 12;
    /** Pages of a child: 2 MiB. */
    public static final int CHILD_PAGES = 512;
    /** Children of a tree: one cache line of child words. */
    public static final int TREE_CHILDREN = 16;
    /** Pages of a tree: 32 MiB. */
    public static final int TREE_PAGES = TREE_CHILDREN * CHILD_PAGES;
    /** Trees of a group: one cache line of tree words. */
    public static final int GROUP_TREES = 16;
    /** Pages of a group: 512 MiB. */
    public static final int GROUP_PAGES = GROUP_TREES * TREE_PAGES;
    /** The largest order: 2^9 pages are one child. */
    public static final int MAX_ORDER = 9;
    /** Most pages a state can manage: 128 TiB, the user half of a 48-bit address space. */
    public static final long MAX_PAGES = 1L << 35;
    /** Most slots a state can have. */
    public static final int MAX_SLOTS = 4096;

    /** Alignment of a state and of each of its arrays, in bytes. */
    public static final int LINE_BYTES = 64;
    /** Bytes of the header. */
    public static final int HEADER_BYTES = 4096;
    /** Offset of the magic (long), which is written last. */
    public static final int MAGIC_OFFSET = 0;
    /** Offset of the ABI version (int). */
    public static final int ABI_OFFSET = 8;
    /** Offset of the number of slots (int). */
    public static final int SLOTS_OFFSET = 12;
    /** Offset of the size of the whole state in bytes (long). */
    public static final int STATE_BYTES_OFFSET = 16;
    /** Offset of the number of pages (long). */
    public static final int PAGES_OFFSET = 24;
    /** Offset of the offset of the slots (long). */
    public static final int SLOT_OFFSET = 32;
    /** Offset of the offset of the group words (long). */
    public static final int GROUP_OFFSET = 40;
    /** Offset of the offset of the tree words (long). */
    public static final int TREE_OFFSET = 48;
    /** Offset of the offset of the child words (long). */
    public static final int CHILD_OFFSET = 56;
    /** Offset of the offset of the bitmaps (long). */
    public static final int BITMAP_OFFSET = 64;
    /** Offset of the number of children from the start that have ever been handed out (long, compare-and-swap). */
    public static final int TOUCHED_CHILDREN_OFFSET = 72;

    /** Base-2 logarithm of the bytes of a slot. */
    static final int SLOT_SHIFT = 6;

    static final int SLOT_RUN_HINT = 8;
    static final int SLOT_GETS = 16;
    static final int SLOT_GOT_PAGES = 24;
    static final int SLOT_PUTS = 32;
    static final int SLOT_PUT_PAGES = 40;
    static final int SLOT_FAILURES = 48;
    static final int SLOT_SEARCHES = 56;

    /** Base-2 logarithm of the bytes of a group, a tree and a child word. */
    static final int WORD_SHIFT = 2;
    /** Base-2 logarithm of the bytes of a child's bitmap. */
    static final int BITMAP_SHIFT = 7;
    /** Offset of the stale bits in it. */
    static final int BITMAP_STALE = 64;

    static final int ROW_BITS = 64;
    static final int ROWS = CHILD_PAGES / ROW_BITS;

    static final int CHILD_ONES = 0x3ff;
    static final int CHILD_POLARITY = 1 << 10;
    static final int CHILD_TAINTED = 1 << 11;
    static final int CHILD_STATE_SHIFT = 12;
    static final int CHILD_STATE = 3 << CHILD_STATE_SHIFT;
    static final int CHILD_RESIDENT = 1 << 14;
    static final int CHILD_LAZY = 1 << 15;
    static final int CHILD_KNOWN =
            CHILD_ONES | CHILD_POLARITY | CHILD_TAINTED | CHILD_STATE | CHILD_RESIDENT | CHILD_LAZY;

    /** Of the words of trees and groups alike. */
    static final int NODE_USED = 0xffff;

    static final int NODE_POLARITY = 1 << 16;
    static final int NODE_WHOLE = 1 << 17;
    static final int NODE_STATE_SHIFT = 24;
    static final int NODE_STATE = 3 << NODE_STATE_SHIFT;
    static final int NODE_RESIDENT = 1 << 26;
    static final int GROUP_KNOWN = NODE_USED | NODE_POLARITY | NODE_WHOLE | NODE_STATE | NODE_RESIDENT;

    static final int TREE_OPEN = 1 << 18;
    static final int TREE_RESERVED = 1 << 31;
    static final int TREE_KNOWN = GROUP_KNOWN | TREE_OPEN | TREE_RESERVED;

    static final long SLOT_FREE = 0xffff;
    static final int SLOT_CHILD_SHIFT = 16;
    static final long SLOT_CHILD = 0xffffffffffL << SLOT_CHILD_SHIFT;
    static final long SLOT_POLARITY = 1L << 62;
    static final long SLOT_PRESENT = 1L << 63;

    private LlFreeDescriptor() {}
}
