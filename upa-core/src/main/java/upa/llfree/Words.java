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
    static final int HOLDS_ABSENT = 1;
    static final int HOLDS_STALE = 4;
    static final int HOLDS_LAZY = 16;
    static final int HOLDS_RESIDENT = 32;
    /** The set of all child states. */
    static final int ANY_STATE = 15;

    /** There is no such page, child or tree. */
    static final int NONE = -1;

    private Words() {}

    // ---- child words -----------------------------------------------------------------------------------------

    /** The polarity of a child, given that of its tree, as masks: xored with a row it gives 1 for allocated. */
    static long childFlip(int w, long treeFlip) {
        return ((w & CHILD_POLARITY) != 0 ? -1L : 0) ^ treeFlip;
    }

    /** Pages allocated or promised: the ones, or what they leave of 512. */
    static int childUsed(int w, long flip) {
        return (w & CHILD_ONES ^ (int) flip) + ((int) flip & CHILD_PAGES + 1);
    }

    static int childFree(int w, long flip) {
        return CHILD_PAGES - childUsed(w, flip);
    }

    /** Are those parts of its word that {@code w} consists of the ones of a child that is wholly free? */
    private static boolean isOnlyFree(int w, long treeFlip) {
        int free = (int) treeFlip & CHILD_PAGES; // if its own polarity is 0
        return w == free || w == (CHILD_POLARITY | CHILD_PAGES - free);
    }

    /** Is it wholly free? As childUsed() == 0, in fewer steps. */
    static boolean isFree(int w, long treeFlip) {
        return isOnlyFree(w & (CHILD_ONES | CHILD_POLARITY), treeFlip);
    }

    static boolean isFull(int w, long treeFlip) {
        return isFree(w, ~treeFlip);
    }

    /** Is it wholly allocated, stale, without a taint, and not lazy? */
    static boolean isFullAndStale(int w, long treeFlip) {
        return isOnlyFree(w & ~CHILD_RESIDENT ^ STALE << CHILD_STATE_SHIFT, ~treeFlip);
    }

    /** What its pages hold, as {@code LlFree.HOLDS_*}; {@code 1 << MIXED} is one of them here. */
    static int childHolds(int w) {
        return only(childState(w)) | (w & CHILD_LAZY) >> 11 | (w & CHILD_RESIDENT) >> 9;
    }

    /** The word with n more pages used; n may be negative. */
    static int more(int w, long flip, int n) {
        return w + ((n ^ (int) flip) - (int) flip);
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

    // ---- tree and group words --------------------------------------------------------------------------------

    static int nodeUsed(int w) {
        return w & NODE_USED;
    }

    /** The polarity as a mask. */
    static long nodeFlip(int w) {
        return (w & NODE_POLARITY) != 0 ? -1L : 0;
    }

    static int nodeState(int w) {
        return (w & NODE_STATE) >> NODE_STATE_SHIFT;
    }

    /** As {@link #childHolds}, if all that is below has it in common; else {@code 1 << MIXED}. */
    static int nodeHolds(int w) {
        return only(nodeState(w)) | (w & NODE_RESIDENT) >> 21;
    }

    static boolean isWhole(int w) {
        return (w & NODE_WHOLE) != 0;
    }

    /** The word that says what all below has in common. */
    static int withSummary(int w, int state, boolean resident) {
        return w & ~(NODE_STATE | NODE_RESIDENT) | state << NODE_STATE_SHIFT | (resident ? NODE_RESIDENT : 0);
    }

    static boolean isOpen(int w) {
        return (w & TREE_OPEN) != 0;
    }

    static boolean isReserved(int w) {
        return (w & TREE_RESERVED) != 0;
    }

    /** A tree's word as it is to be read: one that is closed is relative to the polarity of its group. */
    static int treeView(int w, int group) {
        if (isOpen(w) || (group & NODE_POLARITY) == 0) {
            return w;
        }
        return (w ^ NODE_POLARITY) + TREE_PAGES - 2 * nodeUsed(w);
    }

    /** Of a word as it is to be read: at most TREE_PAGES, for it goes into the slot word beside the child. */
    static int treeFree(int w) {
        return Math.max(TREE_PAGES - nodeUsed(w), 0);
    }

    /** Is every page of a tree allocated, by one get, and none of it freed since? */
    static boolean isTreeWhole(int view) {
        return isOpen(view) ? isWhole(view) : nodeUsed(view) == TREE_PAGES;
    }

    // ---- slot words ------------------------------------------------------------------------------------------

    /** The reservation of the tree of child c, whose word this is, with so many free pages; gets begin at c. */
    static long reservation(long c, int word, int free) {
        return SLOT_PRESENT | ((word & NODE_POLARITY) != 0 ? SLOT_POLARITY : 0) | c << SLOT_CHILD_SHIFT | free;
    }

    /** The polarity of the tree as a mask. */
    static long slotFlip(long w) {
        return (w & SLOT_POLARITY) != 0 ? -1L : 0;
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
