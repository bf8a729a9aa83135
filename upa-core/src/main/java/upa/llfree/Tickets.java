package upa.llfree;

import static upa.internal.os.RawMemory.*;
import static upa.llfree.LlFreeDescriptor.*;
import static upa.llfree.Words.*;

/**
 * Tickets of trees wherever they are, in the trees' words or in the slots that reserve trees: who has taken n of them
 * will find n free pages in the children of the tree. {@code s} is the address of a slot, {@code tree} the number of a
 * tree. A polarity is returned as 0 or -1, and {@link #NONE} in its place is 1.
 */
final class Tickets {
    /** A get must not spin for ever on words that a hostile or broken process keeps changing. */
    private static final int TRIES = 1024;
    /** What no polarity is. */
    static final long NONE = 1;

    private Tickets() {}

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
        Trees.give(a, tree, n);
    }

    /**
     * Takes n of a given tree: of the own slot, the tree, the slot of somebody else. They may be nowhere, on their way
     * between a tree and a slot, or gone with a killed thread: then it may overdraw the tree. Returns the polarity of
     * the tree, or NONE.
     */
    static long take(State a, long own, long tree, int n, boolean overdraw) {
        long w = a.slotLoad(own);
        while (slotHolds(w, tree) && slotFree(w) >= n) {
            if (weakCompareAndSetLongVolatile(own, w, w - n)) {
                return slotFlip(w);
            }
            w = a.slotLoad(own);
        }
        long word;
        for (int i = 0; i < TRIES; i++) {
            word = Trees.take(a, tree, n, false);
            if (Trees.isWord(word)) {
                return nodeFlip((int) word);
            }
            if (!isReserved(getIntOpaque(a.treeAt(tree))) || !takeFromHolders(a, tree)) {
                break;
            }
        }
        word = Trees.take(a, tree, n, overdraw);
        return Trees.isWord(word) ? nodeFlip((int) word) : NONE;
    }

    /**
     * The polarity of a tree in which the caller holds pages, so that parts of it can be freed; NONE if it is wholly
     * free: then the caller holds none.
     */
    static long split(State a, long s, long tree) {
        long w = a.slotLoad(s);
        if (slotHolds(w, tree)) {
            return slotFlip(w);
        }
        long word = Trees.split(a, tree);
        return Trees.isWord(word) ? nodeFlip((int) word) : NONE;
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
                Trees.give(a, tree, slotFree(w));
                moved = true;
            }
        }
        return moved;
    }

    // ---- reservations ----------------------------------------------------------------------------------------

    /**
     * Puts a new tree with at least n free pages into the slot, looking from tree {@code from} on. Partly used trees
     * first: they keep the rest whole for large runs. Returns where to look on next time, or -1 if there is none; the
     * former also when another thread has changed the slot meanwhile, which is as good.
     */
    static long reserve(State a, long s, long old, int n, long from) {
        long usedTrees = (a.touched() + TREE_CHILDREN - 1) / TREE_CHILDREN;
        int roomy = Math.min(n * 8, TREE_PAGES / 2);
        for (int pass = 0; pass < 2; pass++) {
            int least = pass == 0 && roomy > n ? roomy : n;
            long end = pass == 0 ? usedTrees : a.trees;
            for (long t = from; t < end; t++) {
                int seen = getIntOpaque(a.treeAt(t));
                if (pass == 0 && (!isOpen(seen) || nodeUsed(seen) == 0)) {
                    continue;
                }
                long taken = Trees.reserve(a, t, least);
                if (!Trees.isWord(taken)) {
                    continue;
                }
                moveTo(a, s, old, t * TREE_CHILDREN, (int) taken);
                return t + 1;
            }
        }
        return Words.NONE;
    }

    /**
     * The same with the tree of child c, if it has at least n free pages and nobody reserves it. The slot's gets begin
     * at that child.
     */
    static boolean reserveAt(State a, long s, long old, long c, int n) {
        long taken = Trees.reserve(a, c / TREE_CHILDREN, n);
        if (!Trees.isWord(taken)) {
            return false;
        }
        moveTo(a, s, old, c, (int) taken);
        return true;
    }

    /** A tree just reserved, of which {@code w} was the word, takes the place of the one in the slot's word. */
    private static void moveTo(State a, long s, long old, long c, int w) {
        long t = c / TREE_CHILDREN;
        int free = treeFree(w);
        a.touchChildren((t + 1) * TREE_CHILDREN);
        if (!compareAndSetLongVolatile(s, old, reservation(c, w, free))) {
            Trees.release(a, t, free);
        } else if (isPresent(old)) {
            Trees.release(a, slotTree(old), slotFree(old));
        }
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
            if (!isReserved(w) || found == 0 || found + slotFree(word) < n) {
                return false;
            }
        } while (!weakCompareAndSetIntVolatile(tree, w, w + found));
        give(a, s, slotTree(word), found);
        return true;
    }

    /** Ends the reservation of a slot if its tree is wholly free: a large run may want it whole. */
    static void leaveIdle(State a, long s) {
        long w = a.slotLoad(s);
        if (isPresent(w)
                && slotFree(w) + treeFree(getIntOpaque(a.treeAt(slotTree(w)))) == TREE_PAGES
                && weakCompareAndSetLongVolatile(s, w, 0)) {
            Trees.release(a, slotTree(w), slotFree(w));
        }
    }

    /** Gives the reservations of all slots back to their trees. */
    static void drain(State a) {
        for (int i = 0; i < a.slots; i++) {
            long s = a.slotAt(i);
            long w;
            while (isPresent(w = a.slotLoad(s))) {
                if (weakCompareAndSetLongVolatile(s, w, 0)) {
                    Trees.release(a, slotTree(w), slotFree(w));
                    break;
                }
            }
        }
    }
}
