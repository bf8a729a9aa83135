package upa.internal.region.linear;

import static upa.core.RegionDescriptor.INTERNAL_FAILURES;
import static upa.core.RegionDescriptor.INTERNAL_GETS;
import static upa.core.RegionDescriptor.MOVED_PAGES;
import static upa.llfree.LlFreeDescriptor.CHILD_PAGES;
import static upa.llfree.LlFreeDescriptor.PAGE_SHIFT;

import java.util.concurrent.atomic.AtomicInteger;
import upa.internal.region.RegionState;
import upa.llfree.LlFree;

/** Moves a block elsewhere: page tables where the region is private and the block large, else bytes. */
final class Move {
    /** Each move of page tables may leave one more mapping behind, of which a process has 65 530 by default. */
    private static final int MAX_TABLE_MOVES = 16384;

    private final LinearMemory memory;
    private final RegionState state;
    private final LlFree pages;
    private final Tables tables;
    private final Scavenge scavenge;
    private final Clear clear;
    private final AtomicInteger tableMoves = new AtomicInteger();

    Move(LinearMemory memory, Tables tables, Scavenge scavenge, Clear clear) {
        this.memory = memory;
        this.tables = tables;
        this.scavenge = scavenge;
        this.clear = clear;
        state = memory.state;
        pages = state.pages;
    }

    /** As {@link upa.internal.region.RegionBackEnd#relocate}. */
    long relocate(int slot, long from, long oldPages, long newPages) {
        boolean byTables = oldPages >= CHILD_PAGES && !memory.shared && tableMoves.get() < MAX_TABLE_MOVES;
        // Page tables move whole from one child to another.
        long result = pages.getRun(slot, newPages, LlFree.GET_CONTENTS | LlFree.GET_ALIGNED);
        if (result < 0) {
            return result;
        }
        long to = LlFree.pageOf(result);
        // Before anything moves: what may vanish here may vanish where it moves to.
        if ((LlFree.holds(result) & LlFree.HOLDS_LAZY) != 0) {
            clear.settle(slot, to, newPages);
        }
        boolean emptied = false;
        if (byTables) {
            tableMoves.getAndIncrement();
        }
        if (byTables && pages.nextStale(to, oldPages) < 0) {
            emptied = tables.move(to, from, oldPages);
        } else if (!byTables || !swap(slot, to, from, oldPages)) {
            memory.copy(state.addressOf(to), state.addressOf(from), oldPages << PAGE_SHIFT);
        }
        scavenge.into(slot, to + oldPages, newPages - oldPages);
        pages.putRun(slot, from, oldPages, emptied ? LlFree.PUT_ABSENT : 0);
        state.count(slot, MOVED_PAGES, oldPages);
        return to;
    }

    /**
     * Exchanges the page tables of two ranges by way of a third that has no memory: the target's memory goes where the
     * source's was, so nothing is copied, freed or faulted in again. Contents of the target are of no interest.
     */
    private boolean swap(int slot, long to, long from, long n) {
        long aside = pages.getRun(slot, n, LlFree.GET_ABSENT);
        if (aside < 0) {
            state.count(slot, INTERNAL_FAILURES, 1);
            return false;
        }
        state.count(slot, INTERNAL_GETS, 1);
        boolean absent = pages.nextStale(aside, n) < 0;
        if (absent) {
            boolean emptied = tables.move(aside, to, n);
            tables.move(to, from, n);
            emptied &= tables.move(from, aside, n);
            state.putBack(slot, aside, n, emptied ? LlFree.PUT_ABSENT : 0);
        } else {
            state.putBack(slot, aside, n, LlFree.PUT_UNTOUCHED);
        }
        return absent;
    }
}
