package upa.llfree;

import static upa.internal.os.RawMemory.*;
import static upa.llfree.LlFreeDescriptor.*;
import static upa.llfree.Words.*;

/**
 * Looks for free pages that have memory, which save whoever gets them a page fault each. What it finds is a snapshot.
 * Of a child whose state is MIXED the stale pages have memory.
 */
final class Populated {
    /** Looking into a child costs as much as looking at so many words. */
    private static final int CHILD_LOOKS = 8;

    private Populated() {}

    /** Has a child, of whose word it is w, n free aligned pages that have memory? */
    private static boolean has(State a, long c, int w, long treeFlip, int n, int align) {
        long bits = a.bitmapAt(c);
        boolean mixed = childState(w) == MIXED;
        if (n == CHILD_PAGES) {
            return !mixed || Bits.allStale(bits, 0, n);
        }
        if (mixed) {
            return Bits.findStale(bits, childFlip(w, treeFlip), n, align) >= 0;
        }
        return isFree(w, treeFlip) || Bits.findFree(bits, childFlip(w, treeFlip), 0, n, align) >= 0;
    }

    /**
     * A child with n, at most 512, free aligned pages that have memory, of a tree that nobody reserves; NONE if none is
     * found by so many words looked at. If a run {@code crosses} children, also one in which such pages end, see
     * {@link Search#border}. Partly used trees first, from the start of the state.
     */
    static long child(State a, int n, int align, boolean crosses, int looks) {
        long trees = (a.touched() + TREE_CHILDREN - 1) / TREE_CHILDREN;
        long idle = NONE;
        for (long t = 0; t < trees && looks > 0; t++) {
            looks--;
            if (t % GROUP_TREES == 0 && nodeState(getIntOpaque(a.groupAt(t / GROUP_TREES))) == ABSENT) {
                t += GROUP_TREES - 1;
                continue;
            }
            int w = a.treeLoad(t);
            if (isReserved(w) || treeFree(w) < n || nodeState(w) == ABSENT || nodeUsed(w) == 0 && idle >= 0) {
                continue;
            }
            long end = Math.min((t + 1) * TREE_CHILDREN, a.children);
            int before = 0; // free pages of the child before, if they may be a part of a run
            for (long c = t * TREE_CHILDREN; c < end && looks > 0; c++) {
                int child = getIntOpaque(a.childAt(c));
                int free = childFree(child, childFlip(child, nodeFlip(w)));
                int with = free + before;
                looks--;
                before = crosses && childState(child) != ABSENT ? free : 0;
                if (childState(child) == ABSENT || with < n || free == 0) {
                    continue;
                }
                looks = Math.max(looks - CHILD_LOOKS, 0);
                boolean found = free >= n && has(a, c, child, nodeFlip(w), n, align)
                        || with > free && Search.border(a, c, nodeFlip(w), n, ANY_STATE & ~only(ABSENT), true) >= 0;
                if (!found) {
                    continue;
                }
                if (nodeUsed(w) != 0) {
                    return c;
                }
                idle = c;
                break;
            }
        }
        return idle;
    }

    /**
     * For a walk from the end: behind the last child below {@code end} that may have free pages with memory; 0 if there
     * is none. One word rules out a whole tree or group that has none.
     */
    static long before(State a, long end) {
        while (end > 0) {
            long c = end - 1;
            long tree = c / TREE_CHILDREN;
            int group = getIntOpaque(a.groupAt(tree / GROUP_TREES));
            int view = treeView(getIntOpaque(a.treeAt(tree)), group);
            int w = getIntOpaque(a.childAt(c));
            if (isWhole(group) || nodeState(group) == ABSENT) {
                end = tree / GROUP_TREES * GROUP_TREES * TREE_CHILDREN;
            } else if (isTreeWhole(view) || nodeState(view) == ABSENT) {
                end = tree * TREE_CHILDREN;
            } else if (childState(w) == ABSENT || isFull(w, nodeFlip(view))) {
                end = c;
            } else {
                break;
            }
        }
        return end;
    }
}
