package upa.llfree;

import static upa.llfree.LlFreeDescriptor.*;

/**
 * What the words of a state say: the fields that {@link LlFreeDescriptor} draws, taken out of a word and put into one.
 */
final class Words {
    static final int ABSENT = 0;
    static final int ZEROED = 1;
    static final int STALE = 2;
    static final int MIXED = 3;
    /** The set of all child states. */
    static final int ANY_STATE = 15;

    /** There is no such page, child or tree. */
    static final int NONE = -1;

    private Words() {
    }

    // ---- child words -----------------------------------------------------------------------------------------

    static int childUsed(int w) {
        return w & CHILD_USED;
    }

    static int childFree(int w) {
        return CHILD_PAGES - (w & CHILD_USED);
    }

    static int childState(int w) {
        return (w & CHILD_STATE) >> CHILD_STATE_SHIFT;
    }

    static int withState(int w, int state) {
        return w & ~CHILD_STATE | state << CHILD_STATE_SHIFT;
    }

    /** The set of this one child state. */
    static int only(int state) {
        return 1 << state;
    }

    static boolean isIn(int states, int state) {
        return (states >> state & 1) != 0;
    }

    /** Xored with a row of allocation bits, gives 1 for allocated. */
    static long polarity(int w) {
        return (w & CHILD_POLARITY) != 0 ? -1L : 0;
    }

    // ---- tree words ------------------------------------------------------------------------------------------

    /** At most TREE_PAGES whatever the word, for it goes into the slot word beside the child. */
    static int treeFree(int w) {
        return Math.max(TREE_PAGES - (w & TREE_USED), 0);
    }

    static boolean isReserved(int w) {
        return (w & TREE_RESERVED) != 0;
    }

    // ---- slot words ------------------------------------------------------------------------------------------

    /** The reservation of a tree with so many free pages, whose searches start at its first child. */
    static long reservation(long tree, int free) {
        return SLOT_PRESENT | tree * TREE_CHILDREN << SLOT_CHILD_SHIFT | free;
    }

    static boolean isPresent(long w) {
        return (w & SLOT_PRESENT) != 0;
    }

    static int slotFree(long w) {
        return (int) (w & SLOT_FREE);
    }

    static long slotChild(long w) {
        return (w & SLOT_CHILD) >> SLOT_CHILD_SHIFT;
    }

    static long slotTree(long w) {
        return slotChild(w) / TREE_CHILDREN;
    }

    static boolean slotHolds(long w, long tree) {
        return isPresent(w) && slotTree(w) == tree;
    }

    static long withChild(long w, long child) {
        return w & ~SLOT_CHILD | child << SLOT_CHILD_SHIFT;
    }
}
