package upa.pager.place;

import upa.pager.store.PageIo;

/**
 * The word of a page: constants and accessors of its layout. A word of 0 is a page without content.
 *
 * <pre>
 *   63    60 59    58  57                     29 28                    0
 *  +--------+--------+--------------------------+-----------------------+
 *  | place  | claim  |   checksum (29 bits)     |   slot (29 bits)      |
 *  +--------+--------+--------------------------+-----------------------+
 *   place  0 none, 1 memory, 2 one 32-bit pattern repeated (in slot and checksum), 3.. tiers
 *   claim  0 nobody's, 1 being moved, 2 wanted by a thread that waits for it,
 *          3 in memory as well, where nobody has written to it since
 * </pre>
 *
 * A word with claim 3 names a copy. The copy is valid as long as the word names it: memory lets nobody write to the
 * page before the word has been changed. It costs no bit more, since a page in memory needs neither slot nor checksum.
 */
public final class PlaceWord {
    /** No content: reads zero. */
    public static final int NONE = 0;
    /** In memory. */
    public static final int MEMORY = 1;
    /** One 32-bit pattern, repeated: the word itself has it. */
    public static final int PATTERN = 2;
    /** The first store; the others follow. */
    public static final int FIRST_TIER = 3;
    /** Of a live program, on its way from memory to a store: the slot is one of the staging area. */
    public static final int STAGING = 15;
    /** Places are below this. */
    public static final int MOST_PLACES = 16;

    /** Nobody's. */
    public static final int FREE = 0;
    /** Being moved. */
    public static final int MOVING = 1;
    /** Wanted by a thread that waits for it. */
    public static final int WANTED = 2;
    /** In memory, write-protected, and in a store: where the slot is a valid copy. */
    public static final int CLEAN = 3;

    private static final int PLACE_SHIFT = 60;
    private static final int CLAIM_SHIFT = 58;
    private static final int CHECK_SHIFT = 29;
    private static final long SLOT_MASK = (1L << CHECK_SHIFT) - 1;
    private static final long CLAIM_MASK = 3L << CLAIM_SHIFT;

    private PlaceWord() {}

    /**
     * Makes a word.
     *
     * @param place index
     * @param check its checksum
     * @param slot in the place
     * @return nobody's
     */
    public static long of(int place, int check, int slot) {
        return (long) place << PLACE_SHIFT | (check & (1L << PageIo.CHECK_BITS) - 1) << CHECK_SHIFT | slot & SLOT_MASK;
    }

    /**
     * Makes the word of a page that repeats a pattern.
     *
     * @param pattern 32 bits
     * @return nobody's
     */
    public static long ofPattern(int pattern) {
        return (long) PATTERN << PLACE_SHIFT | pattern & 0xffffffffL;
    }

    /**
     * Where the page is.
     *
     * @param word of a page
     * @return index of its place
     */
    public static int place(long word) {
        return (int) (word >>> PLACE_SHIFT);
    }

    /**
     * Whether a place is a store.
     *
     * @param place index
     * @return whether its words have a slot of a store and a checksum
     */
    public static boolean isStore(int place) {
        return place >= FIRST_TIER && place < STAGING;
    }

    /**
     * Whether a page is in memory.
     *
     * @param word of the page
     * @return whether a program sees it without a fault, be there a copy or not
     */
    public static boolean isInMemory(long word) {
        return place(word) == MEMORY || isClean(word);
    }

    /**
     * Whether a page in memory has a valid copy in a store.
     *
     * @param word of the page
     * @return whether its place, slot and checksum are those of a copy
     */
    public static boolean isClean(long word) {
        return claim(word) == CLEAN;
    }

    /**
     * Whose the page is.
     *
     * @param word of a page
     * @return its claim
     */
    public static int claim(long word) {
        return (int) (word >>> CLAIM_SHIFT) & 3;
    }

    /**
     * What its content must give.
     *
     * @param word of a page in a store
     * @return checksum
     */
    public static int check(long word) {
        return (int) (word >>> CHECK_SHIFT & (1L << PageIo.CHECK_BITS) - 1);
    }

    /**
     * Where in its place the page is.
     *
     * @param word of a page in a store
     * @return slot
     */
    public static int slot(long word) {
        return (int) (word & SLOT_MASK);
    }

    /**
     * What the page repeats.
     *
     * @param word of a page that is a pattern
     * @return 32 bits
     */
    public static int pattern(long word) {
        return (int) word;
    }

    /**
     * The same with another claim.
     *
     * @param word of a page
     * @param claim new one
     * @return its word
     */
    public static long claimed(long word, int claim) {
        return word & ~CLAIM_MASK | (long) claim << CLAIM_SHIFT;
    }
}
