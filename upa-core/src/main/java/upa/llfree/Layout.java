package upa.llfree;

import static upa.llfree.LlFreeDescriptor.*;

/** Where everything is in a state of so many pages and slots: the one place that knows. */
record Layout(
        long pages,
        int slots,
        long children,
        long trees,
        long groups,
        long slotOffset,
        long groupOffset,
        long treeOffset,
        long childOffset,
        long bitmapOffset,
        long stateBytes) {
    /** IllegalArgumentException if one of them is out of range. */
    static Layout of(long pages, int slots) {
        if (pages <= 0 || pages > MAX_PAGES || slots <= 0 || slots > MAX_SLOTS) {
            throw new IllegalArgumentException("out of range: pages=" + pages + " (1.." + MAX_PAGES + ") slots=" + slots
                    + " (1.." + MAX_SLOTS + ")");
        }
        long children = (pages + CHILD_PAGES - 1) / CHILD_PAGES;
        long trees = (children + TREE_CHILDREN - 1) / TREE_CHILDREN;
        long groups = (trees + GROUP_TREES - 1) / GROUP_TREES;
        long groupOffset = HEADER_BYTES + ((long) slots << SLOT_SHIFT);
        long treeOffset = groupOffset + ((groups << WORD_SHIFT) + LINE_BYTES - 1 & -LINE_BYTES);
        long childOffset = treeOffset + (groups * GROUP_TREES << WORD_SHIFT);
        long bitmapOffset = childOffset + (trees * TREE_CHILDREN << WORD_SHIFT);
        return new Layout(
                pages,
                slots,
                children,
                trees,
                groups,
                HEADER_BYTES,
                groupOffset,
                treeOffset,
                childOffset,
                bitmapOffset,
                bitmapOffset + (children << BITMAP_SHIFT));
    }
}
