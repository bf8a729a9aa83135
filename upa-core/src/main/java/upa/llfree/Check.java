package upa.llfree;

import static upa.internal.os.RawMemory.*;
import static upa.llfree.LlFreeDescriptor.*;
import static upa.llfree.Words.*;

/** Looks at all of a state: sums it up, rebuilds its counters after a killed user, checks its invariants. */
final class Check {
    private Check() {}

    // ---- summing up ------------------------------------------------------------------------------------------

    static LlFreeStats stats(State a) {
        long touched = a.touched();
        long freePages = a.pages;
        long freeChildren = 0;
        long retainedPages = 0;
        long lazyPages = 0;
        for (long c = 0; c < touched; c++) {
            int w = getIntOpaque(a.childAt(c));
            long flip = childFlip(w, nodeFlip(a.treeLoad(c / TREE_CHILDREN)));
            // A last child that is not whole counts its missing pages as used.
            freePages -= childUsed(w, flip);
            int retained = retained(a.bitmapAt(c), w, flip);
            retainedPages += retained;
            lazyPages += (w & CHILD_LAZY) != 0 ? retained : 0;
            freeChildren += childUsed(w, flip) == 0 ? 1 : 0;
        }
        if (touched == a.children) {
            freePages += a.children * CHILD_PAGES - a.pages;
        } else {
            freeChildren += a.pages / CHILD_PAGES - touched;
        }
        return new LlFreeStats(
                a.pages,
                freePages,
                freeChildren,
                retainedPages,
                Counters.sum(a, SLOT_GETS),
                Counters.sum(a, SLOT_GOT_PAGES),
                Counters.sum(a, SLOT_PUTS),
                Counters.sum(a, SLOT_PUT_PAGES),
                Counters.sum(a, SLOT_FAILURES),
                Counters.sum(a, SLOT_SEARCHES),
                lazyPages);
    }

    private static int retained(long bits, int w, long flip) {
        if (childState(w) == MIXED) {
            return Bits.countStaleFree(bits, flip);
        }
        return childState(w) == ABSENT ? 0 : childFree(w, flip);
    }

    // ---- recovering ------------------------------------------------------------------------------------------

    /** Bits of a child that are 1; those children that only pad a tree have no bits, and count as allocated. */
    private static int ones(State a, long c) {
        return c < a.children ? Bits.countAllocated(a.bitmapAt(c), 0) : CHILD_PAGES;
    }

    /** Writes a word only if it must be: a state of terabytes is mostly untouched memory. */
    private static void correct(long address, int value) {
        if (getIntOpaque(address) != value) {
            putIntOpaque(address, value);
        }
    }

    /** Rebuilds every counter from the bits. Returns the number of pages whose counters were wrong. */
    static long recover(State a) {
        long wrong = 0;
        for (int s = 0; s < a.slots; s++) {
            putLongOpaque(a.slotAt(s), 0);
        }
        for (long g = 0; g < a.groups; g++) {
            int w = getIntOpaque(a.groupAt(g));
            int used = 0;
            boolean whole = true;
            for (long t = g * GROUP_TREES; t < (g + 1) * GROUP_TREES; t++) {
                boolean isFree = false;
                if (t < a.trees) {
                    int view = treeView(getIntOpaque(a.treeAt(t)), w);
                    wrong += wrongOnes(a, t);
                    isFree = recoverTree(a, t, view);
                }
                used += isFree ? 0 : 1;
                whole &= !isOpen(getIntOpaque(a.treeAt(t)));
            }
            // The polarity is what closed trees are read by, and stays.
            w &= whole && used == GROUP_TREES ? ~NODE_USED : ~(NODE_USED | NODE_WHOLE);
            correct(a.groupAt(g), w | used);
        }
        return wrong;
    }

    /** By how much the counters of a tree's children are wrong. */
    private static long wrongOnes(State a, long t) {
        long wrong = 0;
        for (long c = t * TREE_CHILDREN; c < (t + 1) * TREE_CHILDREN; c++) {
            wrong += Math.abs(ones(a, c) - (getIntOpaque(a.childAt(c)) & CHILD_ONES));
        }
        return wrong;
    }

    /**
     * Rebuilds the word of a tree, which is to be read as {@code view}, and those of its children. True if it is closed
     * and wholly free.
     */
    private static boolean recoverTree(State a, long t, int view) {
        int used = 0;
        for (long c = t * TREE_CHILDREN; c < (t + 1) * TREE_CHILDREN; c++) {
            used += recoverChild(a, c, nodeFlip(view));
        }
        if (!isOpen(view) && used == nodeUsed(view)) {
            return used == 0;
        }
        int next = view & ~(NODE_USED | TREE_RESERVED);
        if (used != TREE_PAGES) {
            next &= ~NODE_WHOLE;
        }
        correct(a.treeAt(t), next | TREE_OPEN | used);
        return false;
    }

    /** Rebuilds the word of a child from its bits. Returns how many pages are used. */
    private static int recoverChild(State a, long c, long treeFlip) {
        int w = getIntOpaque(a.childAt(c));
        int next = w & ~CHILD_ONES | ones(a, c);
        int used = childUsed(next, childFlip(next, treeFlip));
        correct(a.childAt(c), used != 0 ? next : next & ~CHILD_TAINTED);
        if (c >= a.children) {
            return used;
        }
        // A put killed before its state was changed.
        if (childState(w) < STALE) {
            Bits.clearStale(a.bitmapAt(c), 0, CHILD_PAGES);
        }
        if (used != a.missing(c) || childState(w) != ABSENT) {
            a.touchChildren(c + 1);
        }
        return used;
    }

    // ---- checking --------------------------------------------------------------------------------------------

    /** IllegalStateException with one line about the first fault of a quiet state. */
    static void validate(State a) {
        long magic = getLongOpaque(a.header + MAGIC_OFFSET);
        long pages = getLongOpaque(a.header + PAGES_OFFSET);
        int slots = getIntOpaque(a.header + SLOTS_OFFSET);
        if (magic != MAGIC || pages != a.pages || slots != a.slots) {
            throw fault("header: magic=%#x pages=%d slots=%d", magic, pages, slots);
        }
        for (long g = 0; g < a.groups; g++) {
            validateGroup(a, g);
        }
    }

    private static void validateGroup(State a, long g) {
        int w = getIntOpaque(a.groupAt(g));
        int used = 0;
        int allocated = 0;
        for (long t = g * GROUP_TREES; t < (g + 1) * GROUP_TREES; t++) {
            int view = treeView(getIntOpaque(a.treeAt(t)), w);
            if (t < a.trees) {
                validateTree(a, t, view, w);
            } else if (view != (TREE_OPEN | TREE_PAGES)) {
                throw fault("tree=%d word=%#x is beyond the end", t, view);
            }
            used += isOpen(view) || nodeUsed(view) != 0 ? 1 : 0;
            allocated += !isOpen(view) && nodeUsed(view) != 0 ? 1 : 0;
        }
        if ((w & ~GROUP_KNOWN) != 0 || nodeUsed(w) != used || isWhole(w) && allocated != GROUP_TREES) {
            throw fault("group=%d word=%#x trees_not_closed_and_free=%d", g, w, used);
        }
    }

    /** Of a tree whose word is to be read as {@code view}. */
    private static void validateTree(State a, long t, int view, int group) {
        if ((view & ~TREE_KNOWN) != 0
                || !isOpen(view) && (isWhole(view) || isReserved(view) || nodeUsed(view) % TREE_PAGES != 0)) {
            throw fault("tree=%d word=%#x cannot be", t, view);
        }
        if (isWhole(view) && (isReserved(view) || nodeUsed(view) != TREE_PAGES)) {
            throw fault("tree=%d word=%#x is not whole", t, view);
        }
        if (nodeState(group) != MIXED
                && (nodeState(view) != nodeState(group) || ((view ^ group) & NODE_RESIDENT) != 0)) {
            throw fault("tree=%d word=%#x is not as group_word=%#x says of all", t, view, group);
        }
        int promised = TREE_PAGES - nodeUsed(view) + slotTickets(a, t, view); // less than none if overdrawn
        int childrenFree = 0;
        for (long c = t * TREE_CHILDREN; c < (t + 1) * TREE_CHILDREN; c++) {
            childrenFree += validateChild(a, c, view);
        }
        if (promised != childrenFree) {
            throw fault("tree=%d word=%#x promised=%d children_free=%d", t, view, promised, childrenFree);
        }
    }

    /** What the slots have of a tree; it must be reserved by as many of them as its word says. */
    private static int slotTickets(State a, long t, int view) {
        int holders = 0;
        int tickets = 0;
        for (int s = 0; s < a.slots; s++) {
            long r = getLongOpaque(a.slotAt(s));
            if (isPresent(r) && slotChild(r) >= a.children) {
                throw fault("slot=%d child=%d is out of range", s, slotChild(r));
            }
            if (!slotHolds(r, t)) {
                continue;
            }
            if (slotFlip(r) != nodeFlip(view)) {
                throw fault("slot=%d word=%#x has the polarity that tree_word=%#x has not", s, r, view);
            }
            holders++;
            tickets += slotFree(r);
        }
        if (holders != (isReserved(view) ? 1 : 0)) {
            throw fault("tree=%d word=%#x is reserved by %d slots", t, view, holders);
        }
        return tickets;
    }

    /** Of a tree whose word is to be read as {@code view}. Returns how many pages of the child are free. */
    private static int validateChild(State a, long c, int view) {
        int w = getIntOpaque(a.childAt(c));
        long flip = childFlip(w, nodeFlip(view));
        int ones = ones(a, c);
        if ((w & ~CHILD_KNOWN) != 0 || (w & CHILD_ONES) != ones || (w & CHILD_LAZY) != 0 && c >= a.children) {
            throw fault("child=%d word=%#x bits_that_are_1=%d", c, w, ones);
        }
        if (c >= a.children) {
            return childFree(w, flip);
        }
        int missing = a.missing(c);
        if (missing != 0 && Bits.next(a.bitmapAt(c), ~flip, CHILD_PAGES - missing) < CHILD_PAGES) {
            throw fault("child=%d: a page beyond the end is free", c);
        }
        if (childState(w) < STALE && Bits.nextStale(a.bitmapAt(c), true, 0) < CHILD_PAGES) {
            throw fault("child=%d word=%#x has stale bits", c, w);
        }
        if (c >= a.touched() && (childUsed(w, flip) != missing || childState(w) != ABSENT || (w & CHILD_LAZY) != 0)) {
            throw fault("child=%d word=%#x touched_children=%d", c, w, a.touched());
        }
        if (nodeState(view) != MIXED
                && (childState(w) != nodeState(view)
                        || (w & (CHILD_TAINTED | CHILD_LAZY)) != 0
                        || (w & CHILD_RESIDENT) == 0 != ((view & NODE_RESIDENT) == 0))) {
            throw fault("child=%d word=%#x is not as tree_word=%#x says of all", c, w, view);
        }
        return childFree(w, flip);
    }

    private static IllegalStateException fault(String format, Object... values) {
        return new IllegalStateException(String.format(format, values));
    }
}
