package upa.internal.region;

import static upa.llfree.LlFreeDescriptor.CHILD_PAGES;

import upa.core.SystemCallException;
import upa.llfree.LlFree;

/** Work on free pages ahead of need, child by child: each is taken, worked on and freed, like by any other caller. */
public final class Ahead {
    private static final int OLD_BYTES = 1 << LlFree.STALE | 1 << LlFree.MIXED;

    private Ahead() {}

    /**
     * Puts zeroed memory behind absent children.
     *
     * @param children how many, at most
     * @return how many got some
     * @throws SystemCallException if that is none, since the kernel has no memory
     */
    public static long populate(RegionBackEnd backEnd, int slot, long children) {
        RegionState state = backEnd.state();
        long total = 0;
        try {
            for (long c = 0; c < state.pages.pages() / CHILD_PAGES && total < children; c++) {
                if (state.takeChild(slot, c, 1 << LlFree.ABSENT)) {
                    if (!backEnd.populateChild(slot, c * CHILD_PAGES)) {
                        break;
                    }
                    total++;
                }
            }
        } catch (SystemCallException refused) {
            if (total == 0) {
                throw refused;
            }
        }
        return total;
    }

    /**
     * Clears free children that hold old bytes. One with absent pages among them stays as it is: clearing would
     * populate those.
     *
     * @param children how many, at most
     * @return how many were cleared
     */
    public static long clear(RegionBackEnd backEnd, int slot, long children) {
        RegionState state = backEnd.state();
        long total = 0;
        for (long c = 0; c < state.pages.touchedChildren() && total < children; c++) {
            if (state.takeChild(slot, c, OLD_BYTES)) {
                long first = c * CHILD_PAGES;
                boolean cleared = backEnd.clearChild(slot, first);
                state.putBack(slot, first, CHILD_PAGES, cleared ? LlFree.PUT_ZEROED : LlFree.PUT_UNTOUCHED);
                total += cleared ? 1 : 0;
            }
        }
        return total;
    }

    /**
     * Clears free children until so many read zero, or there are no more.
     *
     * @param children how many are wanted
     * @param most     how many are cleared, at most
     * @return how many were cleared
     */
    public static long clearUpTo(RegionBackEnd backEnd, int slot, long children, long most) {
        long missing = children - zeroed(backEnd.state(), children);
        return missing <= 0 ? 0 : clear(backEnd, slot, Math.min(missing, most));
    }

    /** How many free children read zero; counts up to {@code most}. */
    private static long zeroed(RegionState state, long most) {
        long touched = state.pages.touchedChildren();
        long n = 0;
        for (long c = 0; c < touched && n < most; c++) {
            n += state.isWhole(c, 1 << LlFree.ZEROED) ? 1 : 0;
        }
        return n;
    }
}
