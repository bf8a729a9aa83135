package upa.llfree;

import static upa.internal.os.RawMemory.*;
import static upa.llfree.LlFreeDescriptor.*;
import static upa.llfree.Words.*;

import java.lang.foreign.MemorySegment;

/**
 * A state in memory: how it is made and attached to, and the addresses of its words. The allocator is one rather than
 * has one: a second object would cost each call a load, which is a twentieth of it.
 */
abstract class State {
    /** Holds the state; keeps it mapped as long as this object is reachable. */
    final MemorySegment segment;

    final long pages;
    final long children;
    final long trees;
    final long groups;
    final int slots;
    /** The address of the state. */
    final long header;

    private final long slot;
    private final long group;
    private final long tree;
    private final long child;
    private final long bitmap;

    State(MemorySegment segment, Layout layout) {
        this.segment = segment;
        header = segment.address();
        slot = header + layout.slotOffset();
        group = header + layout.groupOffset();
        tree = header + layout.treeOffset();
        child = header + layout.childOffset();
        bitmap = header + layout.bitmapOffset();
        pages = layout.pages();
        children = layout.children();
        trees = layout.trees();
        groups = layout.groups();
        slots = layout.slots();
    }

    // ---- making and attaching ---------------------------------------------------------------------------------

    /** The layout of a state to be made in a segment. Throws as {@link LlFree#create}. */
    static Layout layoutFor(MemorySegment segment, long pages, int slots) {
        Layout layout = Layout.of(pages, slots);
        check(segment);
        if (segment.byteSize() < layout.stateBytes()) {
            throw new IllegalArgumentException("segment too small: expected state_bytes=" + layout.stateBytes()
                    + " found byteSize=" + segment.byteSize() + " for pages=" + pages + " slots=" + slots);
        }
        return layout;
    }

    /** Makes an all-free state of zeroed memory. */
    final void initialize(Layout layout) {
        putLongOpaque(header + MAGIC_OFFSET, 0);
        putIntOpaque(header + ABI_OFFSET, ABI);
        putIntOpaque(header + SLOTS_OFFSET, slots);
        putLongOpaque(header + STATE_BYTES_OFFSET, layout.stateBytes());
        putLongOpaque(header + PAGES_OFFSET, pages);
        putLongOpaque(header + SLOT_OFFSET, layout.slotOffset());
        putLongOpaque(header + GROUP_OFFSET, layout.groupOffset());
        putLongOpaque(header + TREE_OFFSET, layout.treeOffset());
        putLongOpaque(header + CHILD_OFFSET, layout.childOffset());
        putLongOpaque(header + BITMAP_OFFSET, layout.bitmapOffset());
        putLongOpaque(header + TOUCHED_CHILDREN_OFFSET, 0);
        closeEnd();
        putLongRelease(header + MAGIC_OFFSET, MAGIC);
    }

    /** The layout of the state that is in a segment. Throws as {@link LlFree#attach}. */
    static Layout layoutOf(MemorySegment segment) {
        check(segment);
        long bytes = segment.byteSize();
        if (bytes < HEADER_BYTES) {
            throw new IllegalArgumentException(
                    "truncated: expected header_bytes=" + HEADER_BYTES + " found byteSize=" + bytes);
        }
        long header = segment.address();
        long magic = getLongAcquire(header + MAGIC_OFFSET);
        if (magic != MAGIC) {
            throw new IllegalArgumentException(
                    String.format("not an allocation state: expected magic=%#x found magic=%#x", MAGIC, magic));
        }
        expect("abi", ABI, getIntOpaque(header + ABI_OFFSET));
        Layout layout = Layout.of(getLongOpaque(header + PAGES_OFFSET), getIntOpaque(header + SLOTS_OFFSET));
        expect("slot_offset", layout.slotOffset(), getLongOpaque(header + SLOT_OFFSET));
        expect("group_offset", layout.groupOffset(), getLongOpaque(header + GROUP_OFFSET));
        expect("tree_offset", layout.treeOffset(), getLongOpaque(header + TREE_OFFSET));
        expect("child_offset", layout.childOffset(), getLongOpaque(header + CHILD_OFFSET));
        expect("bitmap_offset", layout.bitmapOffset(), getLongOpaque(header + BITMAP_OFFSET));
        expect("state_bytes", layout.stateBytes(), getLongOpaque(header + STATE_BYTES_OFFSET));
        if (bytes < layout.stateBytes()) {
            throw new IllegalArgumentException(
                    "truncated: expected state_bytes=" + layout.stateBytes() + " found byteSize=" + bytes);
        }
        return layout;
    }

    private static void check(MemorySegment segment) {
        if (segment == null) {
            throw new NullPointerException("segment=null");
        }
        if (!segment.isNative() || segment.isReadOnly()) {
            throw new IllegalArgumentException("segment must be native and writable: native=" + segment.isNative()
                    + " readOnly=" + segment.isReadOnly());
        }
        if (!segment.scope().isAlive()) {
            throw new IllegalStateException("segment is closed: address=" + segment.address());
        }
        if (segment.address() == 0 || segment.address() % LINE_BYTES != 0) {
            throw new IllegalArgumentException(String.format(
                    "segment misaligned: address=%#x must be a multiple of %d", segment.address(), LINE_BYTES));
        }
    }

    private static void expect(String name, long expected, long found) {
        if (expected != found) {
            throw new IllegalArgumentException(
                    "another layout: expected " + name + "=" + expected + " found " + name + "=" + found);
        }
    }

    /** Marks what the last child, tree and group lack as used for good. */
    private void closeEnd() {
        int missing = missing(children - 1);
        int treeMissing = (int) (trees * TREE_PAGES - pages);
        if (missing != 0) {
            Bits.close(bitmapAt(children - 1), CHILD_PAGES - missing);
            putIntOpaque(childAt(children - 1), missing);
        }
        for (long c = children; c < trees * TREE_CHILDREN; c++) {
            putIntOpaque(childAt(c), CHILD_PAGES);
        }
        if (treeMissing != 0) {
            putIntOpaque(treeAt(trees - 1), TREE_OPEN | treeMissing);
        }
        for (long t = trees; t < groups * GROUP_TREES; t++) {
            putIntOpaque(treeAt(t), TREE_OPEN | TREE_PAGES);
        }
        putIntOpaque(groupAt(groups - 1), (int) (groups * GROUP_TREES - trees) + (treeMissing != 0 ? 1 : 0));
    }

    /** Pages that a child lacks: none but for the last one, and those that only pad its tree. */
    final int missing(long c) {
        if (c >= children) {
            return CHILD_PAGES;
        }
        return c == children - 1 ? (int) (children * CHILD_PAGES - pages) : 0;
    }

    // ---- where the words are ---------------------------------------------------------------------------------

    final long childAt(long c) {
        return child + (c << WORD_SHIFT);
    }

    final long treeAt(long t) {
        return tree + (t << WORD_SHIFT);
    }

    final long groupAt(long g) {
        return group + (g << WORD_SHIFT);
    }

    final long bitmapAt(long c) {
        return bitmap + (c << BITMAP_SHIFT);
    }

    /** Any number is a slot. */
    final long slotAt(int s) {
        return slot
                + ((long) (Integer.compareUnsigned(s, slots) < 0 ? s : Integer.remainderUnsigned(s, slots))
                        << SLOT_SHIFT);
    }

    /** A tree's word as it is to be read. */
    final int treeLoad(long t) {
        int w = getIntOpaque(treeAt(t));
        return isOpen(w) ? w : treeView(w, getIntOpaque(groupAt(t / GROUP_TREES)));
    }

    /** The reservation of a slot; one that points outside the state counts as none. */
    final long slotLoad(long s) {
        long w = getLongOpaque(s);
        return slotChild(w) < children ? w : 0;
    }

    // ---- how far it has been used ----------------------------------------------------------------------------

    /** Children, from the start, that have ever been handed out; the rest is absent. */
    final long touched() {
        long n = getLongOpaque(header + TOUCHED_CHILDREN_OFFSET);
        return Long.compareUnsigned(n, children) < 0 ? n : children;
    }

    final void touchChildren(long end) {
        long touched = header + TOUCHED_CHILDREN_OFFSET;
        long last = Math.min(end, children);
        long n;
        do {
            n = getLongOpaque(touched);
        } while (Long.compareUnsigned(n, last) < 0 && !weakCompareAndSetLongVolatile(touched, n, last));
    }
}
