package upa.llfree;

/**
 * Layout of the state of an {@link LlFree}: constants without behaviour, the same as in the C header
 * {@code upa/llfree.h}, whose twin works on the same bytes.
 *
 * <p>ABI version 1, little endian, offsets in bytes from the start of the state:
 * <pre>
 *   0                         header, 4096 bytes
 *   SLOT_OFFSET's value       slots    x  64 bytes   reservation and counters of one thread
 *   TREE_OFFSET's value       trees    x   4 bytes   one word per 16 children
 *   CHILD_OFFSET's value      children x   4 bytes   one word per 512 pages, padded to whole trees
 *   BITMAP_OFFSET's value     children x 128 bytes   8 x 64 allocation bits, 8 x 64 stale bits
 *
 *   each array starts on a 64-byte boundary
 *
 *   header                                        slot (64 bytes)
 *    0 +---------------------------------+         0 +--------------------------------+
 *      |              MAGIC              |           |          RESERVATION           |
 *    8 +----------------+----------------+         8 +--------------------------------+
 *      |      ABI       |     SLOTS      |           |  RUN_HINT: child at which the  |
 *   16 +----------------+----------------+           |  last large run began          |
 *      |           STATE_BYTES           |        16 +--------------------------------+
 *   24 +---------------------------------+           |              GETS              |
 *      |              PAGES              |        24 +--------------------------------+
 *   32 +---------------------------------+           |           GOT_PAGES            |
 *      |           SLOT_OFFSET           |        32 +--------------------------------+
 *   40 +---------------------------------+           |              PUTS              |
 *      |           TREE_OFFSET           |        40 +--------------------------------+
 *   48 +---------------------------------+           |           PUT_PAGES            |
 *      |          CHILD_OFFSET           |        48 +--------------------------------+
 *   56 +---------------------------------+           |            FAILURES            |
 *      |          BITMAP_OFFSET          |        56 +--------------------------------+
 *   64 +---------------------------------+           |            SEARCHES            |
 *      |        TOUCHED_CHILDREN         |           +--------------------------------+
 *      +---------------------------------+
 *
 *   child word (int)
 *     31                15  14  13 12  11  10 9         0
 *    +--------------------+---+------+----+---+----------+
 *    |    reserved (0)    | R | state| T  | P |   used   |
 *    +--------------------+---+------+----+---+----------+
 *     used   pages of the child that are allocated or promised to a caller, 0..512
 *     P      polarity: the value of an allocation bit that means "free"
 *     T      tainted, see LlFree.taint()
 *     state  what the free pages of the child hold: ABSENT, ZEROED, STALE or MIXED
 *     R      resident, a hint: every page of the child is known to have memory, see LlFree.setResident()
 *
 *   tree word (int)
 *      31  30                                           0
 *    +----+----------------------------------------------+
 *    | R  |                     used                     |  used 0..8192, more if overdrawn;
 *    +----+----------------------------------------------+  R: reserved by a slot
 *
 *   slot word (long)
 *      63  62   56 55                    16 15          0
 *    +----+-------+------------------------+-------------+
 *    | P  |  (0)  |         child          |    free     |  P: present; child: where the search starts;
 *    +----+-------+------------------------+-------------+  its tree is the tree reserved; free 0..8192
 * </pre>
 */
public final class LlFreeDescriptor {
    /** The bytes "UPFREE1\0" at the start of every state. */
    public static final long MAGIC = 0x0031454552465055L;
    /** Version of the layout and the protocol. */
    public static final int ABI = 1;

    /** Base-2 logarithm of the bytes of a page. */
    public static final int PAGE_SHIFT = 12;
    /** Pages of a child: 2 MiB. */
    public static final int CHILD_PAGES = 512;
    /** Children of a tree: one cache line of child words. */
    public static final int TREE_CHILDREN = 16;
    /** Pages of a tree: 32 MiB. */
    public static final int TREE_PAGES = TREE_CHILDREN * CHILD_PAGES;
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
    /** Offset of the offset of the tree words (long). */
    public static final int TREE_OFFSET = 40;
    /** Offset of the offset of the child words (long). */
    public static final int CHILD_OFFSET = 48;
    /** Offset of the offset of the bitmaps (long). */
    public static final int BITMAP_OFFSET = 56;
    /** Offset of the number of children from the start that have ever been handed out (long, compare-and-swap). */
    public static final int TOUCHED_CHILDREN_OFFSET = 64;

    /** Base-2 logarithm of the bytes of a slot. */
    static final int SLOT_SHIFT = 6;
    static final int SLOT_RUN_HINT = 8;
    static final int SLOT_GETS = 16;
    static final int SLOT_GOT_PAGES = 24;
    static final int SLOT_PUTS = 32;
    static final int SLOT_PUT_PAGES = 40;
    static final int SLOT_FAILURES = 48;
    static final int SLOT_SEARCHES = 56;

    /** Base-2 logarithm of the bytes of a tree word, and of a child word. */
    static final int WORD_SHIFT = 2;
    /** Base-2 logarithm of the bytes of a child's bitmap. */
    static final int BITMAP_SHIFT = 7;
    /** Offset of the stale bits in it. */
    static final int BITMAP_STALE = 64;
    static final int ROW_BITS = 64;
    static final int ROWS = CHILD_PAGES / ROW_BITS;

    static final int CHILD_USED = 0x3ff;
    static final int CHILD_POLARITY = 1 << 10;
    static final int CHILD_TAINTED = 1 << 11;
    static final int CHILD_STATE_SHIFT = 12;
    static final int CHILD_STATE = 3 << CHILD_STATE_SHIFT;
    static final int CHILD_RESIDENT = 1 << 14;
    static final int CHILD_KNOWN = CHILD_USED | CHILD_POLARITY | CHILD_TAINTED | CHILD_STATE | CHILD_RESIDENT;

    static final int TREE_USED = 0x7fffffff;
    static final int TREE_RESERVED = 1 << 31;

    static final long SLOT_FREE = 0xffff;
    static final int SLOT_CHILD_SHIFT = 16;
    static final long SLOT_CHILD = 0xffffffffffL << SLOT_CHILD_SHIFT;
    static final long SLOT_PRESENT = 1L << 63;

    private LlFreeDescriptor() {
    }
}
