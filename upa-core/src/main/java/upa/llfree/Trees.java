package upa.llfree;

import static upa.internal.os.RawMemory.*;
import static upa.llfree.LlFreeDescriptor.*;
import static upa.llfree.Words.*;

/**
 * Tickets of trees and of their groups, and trees and groups taken and given back whole. {@code tree} and {@code group}
 * are numbers.
 *
 * <p>A tree is closed or open. The word of a closed one says only whether it is wholly free or wholly allocated, and is
 * read by the polarity of its group, so that inverting that takes or frees all of a group at once. To count its pages a
 * tree must be open: its word then says what it says. Who opens a free one takes a ticket of the group first; who
 * closes one gives it back. So a group without a ticket out has 16 closed trees, all of them free.
 */
final class Trees {
    /** What no word is: the polarity could not be had, or somebody else was quicker. */
    static final long NO_WORD = 1L << 32;

    private Trees() {}

    /** Does a method's result stand for a word? */
    static boolean isWord(long result) {
        return result != NO_WORD;
    }

    private static long word(int w) {
        return Integer.toUnsignedLong(w);
    }

    // ---- tickets of groups -----------------------------------------------------------------------------------

    /**
     * Takes the ticket that opening a free tree needs, and returns the group's word, or NO_WORD. While it is held the
     * polarity of the group stays.
     */
    private static long groupTake(State a, long group, boolean overdraw) {
        long g = a.groupAt(group);
        int w;
        do {
            w = getIntOpaque(g);
            if (isWhole(w) || nodeUsed(w) >= GROUP_TREES && !overdraw || nodeUsed(w) == NODE_USED) {
                return NO_WORD;
            }
        } while (!weakCompareAndSetIntVolatile(g, w, w + 1));
        return word(w);
    }

    private static void groupGive(State a, long group) {
        getAndAddIntVolatile(a.groupAt(group), -1);
    }

    // ---- opening and closing ---------------------------------------------------------------------------------

    /**
     * Opens a tree that is closed and wholly free, with n pages used, other bits of its word set, and its polarity
     * inverted if {@code toggle}. Returns what its word was, as it is to be read; NO_WORD if somebody else was quicker.
     */
    private static long openFree(State a, long tree, int n, int set, int toggle, boolean overdraw) {
        long t = a.treeAt(tree);
        long group = tree / GROUP_TREES;
        if (nodeUsed(a.treeLoad(tree)) != 0) {
            return NO_WORD;
        }
        long groupWord = groupTake(a, group, overdraw);
        if (!isWord(groupWord)) {
            return NO_WORD;
        }
        int w;
        int view;
        do {
            w = getIntOpaque(t);
            view = treeView(w, (int) groupWord);
            if (isOpen(w) || nodeUsed(view) != 0) {
                groupGive(a, group);
                return NO_WORD;
            }
        } while (!weakCompareAndSetIntVolatile(t, w, (view ^ toggle | TREE_OPEN | set) + n));
        return word(view);
    }

    /** Closes the trees of a group, if all of them are idle. True if all are closed. */
    private static boolean closeTrees(State a, long group) {
        long first = group * GROUP_TREES;
        for (long t = first; t < first + GROUP_TREES; t++) {
            int w = a.treeLoad(t);
            if (nodeUsed(w) != 0 || isReserved(w)) {
                return false;
            }
        }
        for (long t = first; t < first + GROUP_TREES; t++) {
            long tree = a.treeAt(t);
            int w = getIntOpaque(tree);
            if (!isOpen(w)) {
                continue;
            }
            if (nodeUsed(w) != 0 || isReserved(w)) {
                return false;
            }
            // With all its tickets the tree is the caller's, and while it is open the polarity of the group stays.
            if (!compareAndSetIntVolatile(tree, w, w + TREE_PAGES)) {
                return false;
            }
            int closed = treeView(w & ~TREE_OPEN, getIntOpaque(a.groupAt(group)));
            if (!compareAndSetIntVolatile(tree, w + TREE_PAGES, closed)) {
                give(a, t, TREE_PAGES);
                return false;
            }
            groupGive(a, group);
        }
        return true;
    }

    /**
     * Opens a tree in which the caller holds pages, with other bits of its word set if it was closed. Returns its word
     * then; NO_WORD if it is closed and wholly free.
     */
    private static long openHeld(State a, long tree, int set) {
        long t = a.treeAt(tree);
        long g = a.groupAt(tree / GROUP_TREES);
        for (; ; ) {
            int w = getIntOpaque(t);
            if (isOpen(w)) {
                return word(w);
            }
            int group = getIntOpaque(g);
            int view = treeView(w, group);
            if (nodeUsed(view) == 0) {
                return NO_WORD;
            }
            // The group first: nobody must free all of it once one of its trees is open.
            if (isWhole(group)) {
                weakCompareAndSetIntVolatile(g, group, group & ~NODE_WHOLE);
            } else if (weakCompareAndSetIntVolatile(t, w, view | TREE_OPEN | set)) {
                return word(view | TREE_OPEN | set);
            }
        }
    }

    /**
     * Makes a tree in which the caller holds pages one whose parts can be freed. Returns its word, or NO_WORD if it is
     * wholly free, so that the caller holds none.
     */
    static long split(State a, long tree) {
        int seen = getIntOpaque(a.treeAt(tree));
        if ((seen & (TREE_OPEN | NODE_WHOLE)) == TREE_OPEN) {
            return word(seen);
        }
        long result = openHeld(a, tree, 0);
        if (isWord(result)) {
            int w = (int) result;
            while (isWhole(w) && !weakCompareAndSetIntVolatile(a.treeAt(tree), w, w & ~NODE_WHOLE)) {
                w = getIntOpaque(a.treeAt(tree));
            }
        }
        return result;
    }

    // ---- tickets of trees ------------------------------------------------------------------------------------

    /**
     * Takes n tickets of a tree, and opens it for that if need be. It may overdraw the tree, or its group, where
     * tickets have gone missing. Returns its word, or NO_WORD.
     */
    static long take(State a, long tree, int n, boolean overdraw) {
        long t = a.treeAt(tree);
        for (; ; ) {
            int w = getIntOpaque(t);
            if (!isOpen(w)) {
                long opened = openFree(a, tree, n, 0, 0, overdraw);
                if (isWord(opened)) {
                    return opened;
                }
                w = getIntOpaque(t);
                if (!isOpen(w)) {
                    return NO_WORD;
                }
            }
            if (isWhole(w) || treeFree(w) < n && !overdraw || nodeUsed(w) + n > NODE_USED) {
                return NO_WORD;
            }
            if (weakCompareAndSetIntVolatile(t, w, w + n)) {
                return word(w);
            }
        }
    }

    static void give(State a, long tree, int n) {
        getAndAddIntVolatile(a.treeAt(tree), -n);
    }

    /** Takes all that is left of a tree for a slot: marks it reserved. Returns what its word was, or NO_WORD. */
    static long reserve(State a, long tree, int least) {
        long t = a.treeAt(tree);
        int w = getIntOpaque(t);
        if (!isOpen(w)) {
            return openFree(a, tree, TREE_PAGES, TREE_RESERVED, 0, false);
        }
        return !isReserved(w)
                        && treeFree(w) >= least
                        && weakCompareAndSetIntVolatile(t, w, w + treeFree(w) + TREE_RESERVED)
                ? word(w)
                : NO_WORD;
    }

    /** Ends a reservation of which so many tickets are left. */
    static void release(State a, long tree, int free) {
        long t = a.treeAt(tree);
        int w;
        do {
            w = getIntOpaque(t);
        } while (!weakCompareAndSetIntVolatile(t, w, w - free & ~TREE_RESERVED));
    }

    // ---- whole trees -----------------------------------------------------------------------------------------

    /** Takes a tree that is wholly free, reserved by nobody, in one step. */
    static boolean getWhole(State a, long tree) {
        long t = a.treeAt(tree);
        int w = getIntOpaque(t);
        if (!isOpen(w)) {
            return isWord(openFree(a, tree, TREE_PAGES, NODE_WHOLE, NODE_POLARITY, false));
        }
        do {
            w = getIntOpaque(t);
            if (!isOpen(w) || nodeUsed(w) != 0 || isReserved(w)) {
                return false;
            }
        } while (!weakCompareAndSetIntVolatile(t, w, (w ^ NODE_POLARITY) + (TREE_PAGES | NODE_WHOLE)));
        return true;
    }

    /** Do the marks of a word say that all below holds what {@code state} says? */
    private static boolean holds(int w, int state) {
        return nodeState(w) == state && (state == STALE || ((w & NODE_RESIDENT) == 0) == (state == ABSENT));
    }

    private static boolean isRecorded(int w, int state) {
        return state == Child.UNCHANGED ? nodeState(w) != MIXED : holds(w, state);
    }

    /** Records what all of a tree, which the caller holds, contains. */
    private static void recordTree(State a, long tree, int state) {
        long t = a.treeAt(tree);
        if (isRecorded(getIntOpaque(t), state)) {
            return;
        }
        int all = CHILD_RESIDENT;
        int any = 0;
        for (long c = tree * TREE_CHILDREN; c < (tree + 1) * TREE_CHILDREN; c++) {
            int child = Child.recordWhole(a, c, state);
            all &= child;
            any |= child & CHILD_RESIDENT;
        }
        if (state != Child.UNCHANGED && all == any) {
            summarize(t, state, any != 0);
        }
    }

    private static void summarize(long node, int state, boolean resident) {
        int w;
        do {
            w = getIntOpaque(node);
        } while (!weakCompareAndSetIntVolatile(node, w, withSummary(w, state, resident)));
    }

    /**
     * The inverse of {@link #getWhole}, for a tree that the caller holds, and which holds what {@code state} says, or
     * UNCHANGED. False, and nothing freed, if it was not taken in one step or a part of it has been freed since.
     */
    static boolean putWhole(State a, long tree, int state) {
        if (!isTreeWhole(a.treeLoad(tree))) {
            return false;
        }
        recordTree(a, tree, state);
        long result = openHeld(a, tree, NODE_WHOLE);
        if (!isWord(result)) {
            return false;
        }
        int w = (int) result;
        while (isWhole(w)) {
            if (weakCompareAndSetIntVolatile(a.treeAt(tree), w, (w ^ (NODE_POLARITY | NODE_WHOLE)) - TREE_PAGES)) {
                return true;
            }
            w = getIntOpaque(a.treeAt(tree));
        }
        return false;
    }

    // ---- whole groups ----------------------------------------------------------------------------------------

    /** Takes a group of 16 trees, none of them open but idle ones, in one step. */
    static boolean getWholeGroup(State a, long group) {
        long g = a.groupAt(group);
        int w = getIntOpaque(g);
        if (nodeUsed(w) != 0 && (isWhole(w) || !closeTrees(a, group))) {
            return false;
        }
        do {
            w = getIntOpaque(g);
            if (nodeUsed(w) != 0) {
                return false;
            }
        } while (!weakCompareAndSetIntVolatile(g, w, (w ^ NODE_POLARITY) + (GROUP_TREES | NODE_WHOLE)));
        return true;
    }

    /** Records what all of a group, which the caller holds, contains. */
    private static void recordGroup(State a, long group, int state) {
        long g = a.groupAt(group);
        if (isRecorded(getIntOpaque(g), state)) {
            return;
        }
        boolean same = state != Child.UNCHANGED;
        int all = NODE_RESIDENT;
        int any = 0;
        for (long t = group * GROUP_TREES; t < (group + 1) * GROUP_TREES; t++) {
            recordTree(a, t, state);
            int tree = getIntOpaque(a.treeAt(t));
            same &= nodeState(tree) == state;
            all &= tree;
            any |= tree & NODE_RESIDENT;
        }
        if (same && all == any) {
            summarize(g, state, any != 0);
        }
    }

    /** The inverse of {@link #getWholeGroup}, as {@link #putWhole}. */
    static boolean putWholeGroup(State a, long group, int state) {
        long g = a.groupAt(group);
        if (!isWhole(getIntOpaque(g))) {
            return false;
        }
        recordGroup(a, group, state);
        int w;
        do {
            w = getIntOpaque(g);
            // More than all: somebody looks for a ticket that has gone missing, and relies on the polarity.
            if (!isWhole(w) || nodeUsed(w) != GROUP_TREES) {
                return false;
            }
        } while (!weakCompareAndSetIntVolatile(g, w, (w ^ (NODE_POLARITY | NODE_WHOLE)) - GROUP_TREES));
        return true;
    }
}
