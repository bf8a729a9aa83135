package upa.internal.region.device;

import static upa.core.RegionDescriptor.COUNTERS_BYTES;
import static upa.core.RegionDescriptor.COUNTERS_OFFSET;
import static upa.core.RegionDescriptor.PAGE_BYTES;
import static upa.llfree.LlFreeDescriptor.CHILD_PAGES;
import static upa.llfree.LlFreeDescriptor.TREE_CHILDREN;

import upa.internal.region.Rounding;
import upa.internal.region.Slots;
import upa.llfree.LlFree;

/**
 * Where everything is in the state of a region that a pager moves pages of; what owner and pager share, the pager is
 * told. Offsets in bytes.
 *
 * @param header    frames taken; how often pages were taken away
 * @param kept      memory of the pager's that outlives it
 * @param places    8 bytes for each page, the same
 * @param bits      of frames, 1 if taken: 16 rows for each 512, of which 8 are used
 * @param childrenOf words by which the module reads these, 4 bytes for each child, then tree, then group
 */
record PagedLayout(
        long pages,
        long frames,
        int slots,
        long pagesOffset,
        long header,
        long kept,
        long places,
        long bits,
        long childrenOf,
        long marksOffset,
        long stateBytes) {
    private static final int HEADER_BYTES = 64;
    private static final int KEPT_BYTES = 4096;
    private static final int CHILD_ROWS = 16;
    private static final int GROUP_TREES = 16;

    static PagedLayout of(long pages, long frames) {
        int slots = Slots.byDefault();
        long pagesOffset = Rounding.up(COUNTERS_OFFSET + (long) slots * COUNTERS_BYTES, PAGE_BYTES);
        long header = Rounding.up(pagesOffset + LlFree.stateSize(pages, slots), PAGE_BYTES);
        long kept = header + HEADER_BYTES;
        long places = kept + KEPT_BYTES;
        long bits = places + pages * Long.BYTES;
        long children = Math.ceilDiv(frames, CHILD_PAGES);
        long trees = Math.ceilDiv(children, TREE_CHILDREN);
        long childrenOf = bits + children * CHILD_ROWS * Long.BYTES;
        long words = children + trees + Math.ceilDiv(trees, GROUP_TREES);
        long marks = Rounding.up(childrenOf + words * Integer.BYTES, PAGE_BYTES);
        long bytes = marks + Rounding.up(Marks.bytes(pages, frames), PAGE_BYTES);
        return new PagedLayout(pages, frames, slots, pagesOffset, header, kept, places, bits, childrenOf, marks, bytes);
    }

    long treesOf() {
        return childrenOf + Math.ceilDiv(frames, CHILD_PAGES) * Integer.BYTES;
    }

    long trees() {
        return Math.ceilDiv(Math.ceilDiv(frames, CHILD_PAGES), TREE_CHILDREN);
    }

    long groupsOf() {
        return treesOf() + trees() * Integer.BYTES;
    }

    /** The row with a frame's bit. */
    long row(long frame) {
        return bits + (frame / CHILD_PAGES * CHILD_ROWS + frame % CHILD_PAGES / Long.SIZE) * Long.BYTES;
    }
}
