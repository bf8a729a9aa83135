package upa.core;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * Chunks, in which arenas keep small allocations, that their arena no longer needs: each slot keeps one, and the next
 * arena gets it for one exchange. Allocating one anew would cost more than all else that a small arena does. To the
 * region's allocator they are allocated; whoever needs its free pages exactly takes all of them out first.
 */
final class Chunks {
    /** Pages of a chunk. */
    static final int PAGES = 16;
    /** Longs from one slot's chunk to the next: two cache lines, since processors fetch them in pairs. */
    private static final int STRIDE = 16;

    private static final VarHandle KEPT = MethodHandles.arrayElementVarHandle(long[].class);

    /** Addresses, or 0. */
    private final long[] kept;

    Chunks(int slots) {
        kept = new long[slots * STRIDE];
    }

    /** The chunk of a slot, or 0. */
    long take(int slot) {
        int at = slot * STRIDE;
        return (long) KEPT.getOpaque(kept, at) == 0 ? 0 : (long) KEPT.getAndSet(kept, at, 0L);
    }

    /** False if the slot has one already. */
    boolean keep(int slot, long address) {
        return KEPT.compareAndSet(kept, slot * STRIDE, 0L, address);
    }
}
