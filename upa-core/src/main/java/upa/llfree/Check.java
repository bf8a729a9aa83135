package upa.llfree;

import static upa.internal.os.RawMemory.*;
import static upa.llfree.LlFreeDescriptor.*;
import static upa.llfree.Words.*;

/** Looks at all of a state: sums it up, rebuilds its counters after a killed user, checks its invariants. */
final class Check {
    private Check() {
    }

    // ---- summing up ------------------------------------------------------------------------------------------

    static LlFreeStats stats(State a) {
        long touched = a.touched();
        long freePages = a.pages;
        long freeChildren = 0;
        long retainedPages = 0;
        for (long c = 0; c < touched; c++) {
            int w = getIntOpaque(a.childAt(c));
            // A last child that is not whole counts its missing pages as used.
            freePages -= childUsed(w);
            retainedPages += retained(a.bitmapAt(c), w);
            freeChildren += childUsed(w) == 0 ? 1 : 0;
        }
        if (touched == a.children) {
            freePages += a.children * CHILD_PAGES - a.pages;
        } else {
            freeChildren += a.pages / CHILD_PAGES - touched;
        }
        return new LlFreeStats(a.pages, freePages, freeChildren, retainedPages, Counters.sum(a, SLOT_GETS),
                Counters.sum(a, SLOT_GOT_PAGES), Counters.sum(a, SLOT_PUTS), Counters.sum(a, SLOT_PUT_PAGES),
                Counters.sum(a, SLOT_FAILURES), Counters.sum(a, SLOT_SEARCHES));
    }

    private static int retained(long bits, int w) {
        if (childState(w) == MIXED) {
            return Bits.countStaleFree(bits, polarity(w));
        }
        return childState(w) == ABSENT ? 0 : childFree(w);
    }

    // ---- recovering ------------------------------------------------------------------------------------------

    /** How many pages of a child are allocated, by its bits; of one beyond the end all. */
    private static int allocated(State a, long c, int w) {
        return c < a.children ? Bits.countAllocated(a.bitmapAt(c), polarity(w)) : CHILD_PAGES;
    }

    /** Rebuilds every counter from the bits. Returns the number of pages whose counters were wrong. */
    static long recover(State a) {
        long wrong = 0;
        for (int s = 0; s < a.slots; s++) {
            putLongOpaque(a.slotAt(s), 0);
        }
        for (long t = 0; t < a.trees; t++) {
            int treeUsed = 0;
            for (long c = t * TREE_CHILDREN; c < (t + 1) * TREE_CHILDREN; c++) {
                int w = getIntOpaque(a.childAt(c));
                int used = allocated(a, c, w);
                wrong += Math.abs(used - childUsed(w));
                recoverChild(a, c, w, used);
                treeUsed += used;
            }
            if (getIntOpaque(a.treeAt(t)) != treeUsed) {
                putIntOpaque(a.treeAt(t), treeUsed);
            }
        }
        return wrong;
    }

    private static void recoverChild(State a, long c, int w, int used) {
        int next = (used != 0 ? w : w & ~CHILD_TAINTED) & ~CHILD_USED | used;
        if (next != w) {
            putIntOpaque(a.childAt(c), next);
        }
        if (c >= a.children) {
            return;
        }
        // A put killed before its state was changed.
        if (childState(w) < STALE) {
            Bits.clearStale(a.bitmapAt(c), 0, CHILD_PAGES);
        }
        if (used != a.missing(c) || childState(w) != ABSENT) {
            a.touchChildren(c + 1);
        }
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
        for (long t = 0; t < a.trees; t++) {
            validateTree(a, t);
        }
    }

    private static void validateTree(State a, long t) {
        int w = getIntOpaque(a.treeAt(t));
        int promised = TREE_PAGES - (w & TREE_USED); // less than none if overdrawn
        int holders = 0;
        for (int s = 0; s < a.slots; s++) {
            long r = getLongOpaque(a.slotAt(s));
            if (isPresent(r) && slotChild(r) >= a.children) {
                throw fault("slot=%d child=%d is out of range", s, slotChild(r));
            }
            if (slotHolds(r, t)) {
                holders++;
                promised += slotFree(r);
            }
        }
        if (holders != (isReserved(w) ? 1 : 0)) {
            throw fault("tree=%d word=%#x is reserved by %d slots", t, w, holders);
        }
        int childrenFree = 0;
        for (long c = t * TREE_CHILDREN; c < (t + 1) * TREE_CHILDREN; c++) {
            childrenFree += validateChild(a, c);
        }
        if (promised != childrenFree) {
            throw fault("tree=%d word=%#x promised=%d children_free=%d", t, w, promised, childrenFree);
        }
    }

    /** Returns how many pages of the child are free. */
    private static int validateChild(State a, long c) {
        int w = getIntOpaque(a.childAt(c));
        int used = allocated(a, c, w);
        if ((w & ~CHILD_KNOWN) != 0 || childUsed(w) != used) {
            throw fault("child=%d word=%#x allocated_bits=%d", c, w, used);
        }
        if (c >= a.children) {
            return 0;
        }
        int missing = a.missing(c);
        if (missing != 0 && Bits.next(a.bitmapAt(c), ~polarity(w), CHILD_PAGES - missing) < CHILD_PAGES) {
            throw fault("child=%d: a page beyond the end is free", c);
        }
        if (childState(w) < STALE && Bits.nextStale(a.bitmapAt(c), true, 0) < CHILD_PAGES) {
            throw fault("child=%d word=%#x has stale bits", c, w);
        }
        if (c >= a.touched() && (used != missing || childState(w) != ABSENT)) {
            throw fault("child=%d word=%#x touched_children=%d", c, w, a.touched());
        }
        return childFree(w);
    }

    private static IllegalStateException fault(String format, Object... values) {
        return new IllegalStateException(String.format(format, values));
    }
}
