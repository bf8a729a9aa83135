package upa.internal.region.linear;

import static upa.core.RegionDescriptor.CHILD_BYTES;
import static upa.core.RegionDescriptor.MOVED_PAGES;
import static upa.internal.region.RegionState.BATCH_CHILDREN;
import static upa.llfree.LlFreeDescriptor.CHILD_PAGES;
import static upa.llfree.LlFreeDescriptor.PAGE_SHIFT;

import upa.internal.events.Events;
import upa.internal.region.RegionState;
import upa.llfree.LlFree;

/**
 * Douglas's second preference: memory of free children goes to those children of a held run that have none, by page
 * tables, which costs a hundredth of the page faults it saves. Whole children only, and not in a region of very many,
 * for moves leave mappings that begin and end at children.
 */
final class Scavenge {
    /** In a region that has used more children, large runs take no memory from elsewhere. */
    private static final int MAX_CHILDREN = 16384;
    /**
     * Children looked at for each one wanted, so that a search in vain costs little beside the page faults it was to
     * save.
     */
    private static final long LOOKS = 64;

    private static final int ABSENT = 1 << LlFree.ABSENT;
    private static final int WITH_MEMORY = 1 << LlFree.ZEROED | 1 << LlFree.STALE;

    private final boolean shared;
    private final RegionState state;
    private final LlFree pages;
    private final Tables tables;
    private final Clear clear;

    Scavenge(LinearMemory memory, Tables tables, Clear clear) {
        this.tables = tables;
        this.clear = clear;
        shared = memory.shared;
        state = memory.state;
        pages = state.pages;
    }

    /** Puts memory behind whole absent children of pages that the caller holds. True if one has got some. */
    boolean into(int slot, long first, long n) {
        long child = (first + CHILD_PAGES - 1) / CHILD_PAGES;
        long end = (first + n) / CHILD_PAGES;
        if (child >= end || shared || pages.touchedChildren() > MAX_CHILDREN) {
            return false;
        }
        boolean any = false;
        // From the far end, as giving back does.
        long from = pages.touchedChildren();
        for (long looks = LOOKS * (end - child); child < end && from > 0 && looks > 0; ) {
            long absent = pages.nextState(child * CHILD_PAGES, (end - child) * CHILD_PAGES, ABSENT);
            if (absent < 0) {
                break;
            }
            child = absent / CHILD_PAGES;
            long taken = freeChildrenBefore(from, absentChildren(child, end));
            looks -= taken + 1;
            from -= Math.max(taken, 1);
            if (taken > 0 && state.takeFree(slot, from * CHILD_PAGES, taken * CHILD_PAGES)) {
                long to = child;
                long source = from;
                long bytes = Events.scavenge(state.base, () -> move(slot, to, source, taken) << PAGE_SHIFT);
                child += bytes / CHILD_BYTES;
                any |= bytes > 0;
            }
        }
        return any;
    }

    /** How many children from this one on, which has none, have no memory, as far as one batch. */
    private long absentChildren(long child, long end) {
        long wanted = Math.min(BATCH_CHILDREN, end - child);
        return pages.stateLength(child * CHILD_PAGES, wanted * CHILD_PAGES, ABSENT) / CHILD_PAGES;
    }

    /** How many children before this one are free and have memory, as far as wanted. */
    private long freeChildrenBefore(long from, long wanted) {
        long n = 0;
        while (n < from && n < wanted && state.isWhole(from - n - 1, WITH_MEMORY)) {
            n++;
        }
        return n;
    }

    /**
     * Moves memory of children to children; both are held by the caller, the source becomes free. Returns how many
     * pages have been moved, from the first on: what is in the others nobody wants, so they are not copied.
     */
    private long move(int slot, long to, long from, long children) {
        long moved = tables.moveSome(to * CHILD_PAGES, from * CHILD_PAGES, children * CHILD_PAGES);
        long rest = children * CHILD_PAGES - moved;
        if (moved > 0) {
            boolean isLazy = (pages.contents(from * CHILD_PAGES, moved) & LlFree.HOLDS_LAZY) != 0;
            pages.setStale(to * CHILD_PAGES, moved);
            if (isLazy) {
                // What might vanish there may vanish here.
                clear.settle(slot, to * CHILD_PAGES, moved);
            }
            state.putBack(slot, from * CHILD_PAGES, moved, LlFree.PUT_ABSENT);
            state.count(slot, MOVED_PAGES, moved);
        }
        if (rest > 0) {
            state.putBack(slot, from * CHILD_PAGES + moved, rest, LlFree.PUT_UNTOUCHED);
        }
        return moved;
    }
}
