package upa.llfree;

import static upa.internal.os.RawMemory.*;
import static upa.llfree.LlFreeDescriptor.*;
import static upa.llfree.Words.*;

/**
 * Tickets of trees, in the trees' words and in the slots that reserve trees: who has taken n of them will find n free
 * pages in the children of the tree. {@code s} is the address of a slot, {@code tree} the number of a tree.
 */
final class Tickets {
    /** A get must not spin for ever on words that a hostile or broken process keeps changing. */
    private static final int TRIES = 1024;

    private Tickets() {
    }

    // ---- of a tree -------------------------------------------------------------------------------------------

    private static boolean treeTake(State a, long tree, int n) {
        int w;
        do {
            w = getIntOpaque(a.treeAt(tree));
            if (treeFree(w) < n) {
                return false;
            }
        } while (!weakCompareAndSetIntVolatile(a.treeAt(tree), w, w + n));
        return true;
    }

    private static void treeGive(State a, long tree, int n) {
        getAndAddIntVolatile(a.treeAt(tree), -n);
    }

    /** Ends a reservation whose word has just been taken out of its slot. */
    private static void treeRelease(State a, long word) {
        long tree = a.treeAt(slotTree(word));
        int w;
        do {
            w = getIntOpaque(tree);
        } while (!weakCompareAndSetIntVolatile(tree, w, w - slotFree(word) & ~TREE_RESERVED));
    }

    // ---- wherever they are -----------------------------------------------------------------------------------

    /** Gives n back, to the caller's slot if it holds the tree; what has been overdrawn has no room there. */
    static void give(State a, long s, long tree, int n) {
        long w = a.slotLoad(s);
        while (slotHolds(w, tree) && slotFree(w) + n <= TREE_PAGES) {
            if (weakCompareAndSetLongVolatile(s, w, w + n)) {
                return;
            }
            w = a.slotLoad(s);
        }
        treeGive(a, tree, n);
    }

    /**
     * Takes n of a given tree wherever they are: own slot, the tree, the slot of somebody else. They may be nowhere, on
     * their way between a tree and a slot, or gone with a killed thread: then it may overdraw the tree.
     */
    static boolean take(State a, long own, long tree, int n, boolean overdraw) {
        long w = a.slotLoad(own);
        while (slotHolds(w, tree) && slotFree(w) >= n) {
            if (weakCompareAndSetLongVolatile(own, w, w - n)) {
                return true;
            }
            w = a.slotLoad(own);
        }
        for (int i = 0; i < TRIES; i++) {
            if (treeTake(a, tree, n)) {
                return true;
            }
            if (!isReserved(getIntOpaque(a.treeAt(tree))) || !takeFromHolders(a, tree)) {
                break;
            }
        }
        if (treeTake(a, tree, n)) {
            return true;
        }
        if (overdraw) {
            getAndAddIntVolatile(a.treeAt(tree), n);
        }
        return overdraw;
    }

    /**
     * What the holder of a reserved tree has left becomes the tree's: he keeps the reservation and fetches more as he
     * needs. False if there was nothing.
     */
    private static boolean takeFromHolders(State a, long tree) {
        boolean moved = false;
        for (int i = 0; i < a.slots; i++) {
            long other = a.slotAt(i);
            long w = a.slotLoad(other);
            if (slotHolds(w, tree) && slotFree(w) != 0 && weakCompareAndSetLongVolatile(other, w, w & ~SLOT_FREE)) {
                treeGive(a, tree, slotFree(w));
                moved = true;
            }
        }
        return moved;
    }

    // ---- reservations ----------------------------------------------------------------------------------------

    /**
     * Puts a new tree with at least n free pages into the slot, looking from tree {@code from} on. Partly used trees
     * first: they keep the rest whole for large runs. Returns where to look on next time, or NONE if there is none; the
     * former also when another thread has changed the slot meanwhile, which is as good.
     */
    static long reserve(State a, long s, long old, int n, long from) {
        long usedTrees = (a.touched() + TREE_CHILDREN - 1) / TREE_CHILDREN;
        int roomy = Math.min(n * 8, TREE_PAGES / 2);
        for (int pass = 0; pass < 2; pass++) {
            int least = pass == 0 && roomy > n ? roomy : n;
            long end = pass == 0 ? usedTrees : a.trees;
            for (long t = from; t < end; t++) {
                int w = getIntOpaque(a.treeAt(t));
                if (isReserved(w) || treeFree(w) < least || pass == 0 && (w & TREE_USED) == 0) {
                    continue;
                }
                if (!weakCompareAndSetIntVolatile(a.treeAt(t), w, TREE_RESERVED | TREE_PAGES)) {
                    continue;
                }
                a.touchChildren((t + 1) * TREE_CHILDREN);
                long word = reservation(t, treeFree(w));
                if (!compareAndSetLongVolatile(s, old, word)) {
                    treeRelease(a, word);
                } else if (isPresent(old)) {
                    treeRelease(a, old);
                }
                return t + 1;
            }
        }
        return NONE;
    }

    /** Fetches what others have freed in the tree that the slot reserves. False if that does not make n. */
    static boolean fetch(State a, long s, long word, int n) {
        long tree = a.treeAt(slotTree(word));
        int w;
        int found;
        do {
            w = getIntOpaque(tree);
            // No more than the slot has room for, whatever the words say: else they would go to and fro for ever.
            found = Math.min(treeFree(w), TREE_PAGES - slotFree(word));
            if (found == 0 || found + slotFree(word) < n) {
                return false;
            }
        } while (!weakCompareAndSetIntVolatile(tree, w, w + found));
        give(a, s, slotTree(word), found);
        return true;
    }

    /** Gives the reservations of all slots back to their trees. */
    static void drain(State a) {
        for (int i = 0; i < a.slots; i++) {
            long s = a.slotAt(i);
            long w;
            while (isPresent(w = a.slotLoad(s))) {
                if (weakCompareAndSetLongVolatile(s, w, 0)) {
                    treeRelease(a, w);
                    break;
                }
            }
        }
    }
}
