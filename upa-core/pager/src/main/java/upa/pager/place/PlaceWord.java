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
 *   claim  0 nobody's, 1 being moved, 2 wanted by a thread that waits for it
 * </pre>
 */
final class PlaceWord {
    static final int NONE = 0;
    static final int MEMORY = 1;
    static final int PATTERN = 2;
    static final int FIRST_TIER = 3;
    static final int MOST_PLACES = 16;

    static final int FREE = 0;
    static final int MOVING = 1;
    static final int WANTED = 2;

    private static final int PLACE_SHIFT = 60;
    private static final int CLAIM_SHIFT = 58;
    private static final int CHECK_SHIFT = 29;
    private static final long SLOT_MASK = (1L << CHECK_SHIFT) - 1;
    private static final long CLAIM_MASK = 3L << CLAIM_SHIFT;

    private PlaceWord() {
    }

    static long of(int place, int check, int slot) {
        return (long) place << PLACE_SHIFT | (check & (1L << PageIo.CHECK_BITS) - 1) << CHECK_SHIFT | slot & SLOT_MASK;
    }

    static long ofPattern(int pattern) {
        return (long) PATTERN << PLACE_SHIFT | pattern & 0xffffffffL;
    }

    static int place(long word) {
        return (int) (word >>> PLACE_SHIFT);
    }

    static int claim(long word) {
        return (int) (word >>> CLAIM_SHIFT) & 3;
    }

    static int check(long word) {
        return (int) (word >>> CHECK_SHIFT & (1L << PageIo.CHECK_BITS) - 1);
    }

    static int slot(long word) {
        return (int) (word & SLOT_MASK);
    }

    static int pattern(long word) {
        return (int) word;
    }

    static long claimed(long word, int claim) {
        return word & ~CLAIM_MASK | (long) claim << CLAIM_SHIFT;
    }
}
