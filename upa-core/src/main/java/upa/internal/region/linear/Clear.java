package upa.internal.region.linear;

import static upa.core.RegionDescriptor.CLEARED_PAGES;
import static upa.core.RegionDescriptor.PAGE_BYTES;
import static upa.llfree.LlFreeDescriptor.CHILD_PAGES;
import static upa.llfree.LlFreeDescriptor.PAGE_SHIFT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import upa.internal.bindings.Libc;
import upa.internal.os.MemoryCalls;
import upa.internal.os.RawMemory;
import upa.internal.region.RegionState;
import upa.llfree.LlFree;

/**
 * Clears those of the caller's pages that may hold old bytes. What is known to have memory is cleared in one go, since
 * beyond the size of a cache libc's memset passes it by, which is twice as fast. About a whole child whose pages are
 * not known to have memory the kernel is asked, so that a large block whose holder touched little of it does not become
 * resident. About less, clearing costs less than asking.
 */
final class Clear {
    /** Below so many pages writing to all is cheaper than asking the kernel which of them have memory. */
    private static final int ASK_PAGES = 32;

    private final LinearMemory memory;
    private final RegionState state;
    private final LlFree pages;

    Clear(LinearMemory memory) {
        this.memory = memory;
        state = memory.state;
        pages = state.pages;
    }

    /** Of pages that hold what {@code holds} says, as LlFree.HOLDS_*. */
    void pages(int slot, long page, long n, int holds) {
        if ((holds & LlFree.HOLDS_STALE) == 0) {
            return;
        }
        boolean all = (holds & (LlFree.HOLDS_ABSENT | LlFree.HOLDS_ZEROED)) == 0;
        if (all && (n < CHILD_PAGES || memory.shared || (holds & LlFree.HOLDS_RESIDENT) != 0)) {
            memory.zero(state.addressOf(page), n << PAGE_SHIFT);
            state.count(slot, CLEARED_PAGES, n);
        } else {
            stalePages(slot, page, n);
        }
    }

    private void stalePages(int slot, long page, long n) {
        long end = page + n;
        long cleared = 0;
        while (page < end && (page = pages.nextStale(page, end - page)) >= 0) {
            long length = pages.staleLength(page, end - page);
            long known = length < CHILD_PAGES || memory.shared ? length : knownResident(page, length);
            if (known > 0) {
                memory.zero(state.addressOf(page), known << PAGE_SHIFT);
                cleared += known;
                page += known;
            } else {
                cleared += child(page);
                page += CHILD_PAGES;
            }
        }
        state.count(slot, CLEARED_PAGES, cleared);
    }

    /**
     * Writes to those pages of a private region whose memory may vanish, so that it stays. What is not resident is not
     * in danger: it is gone, or swapped out; so what the kernel has taken does not become resident again.
     */
    void settle(int slot, long page, long n) {
        long end = page + n;
        long first = page / CHILD_PAGES;
        long last = (end - 1) / CHILD_PAGES;
        writeTo(page, n);
        pages.settle(page, n);
        settleRest(slot, first, page, Math.min(end, (first + 1) * CHILD_PAGES));
        if (last > first) {
            settleRest(slot, last, last * CHILD_PAGES, end);
        }
    }

    private void writeTo(long page, long n) {
        long end = page + n;
        while (page < end && (page = pages.nextStale(page, end - page)) >= 0) {
            long length = pages.staleLength(page, end - page);
            for (long at = page; at < page + length; at += CHILD_PAGES) {
                touch(state.addressOf(at), (int) Math.min(CHILD_PAGES, page + length - at));
            }
            page += length;
        }
    }

    /**
     * Of a child the caller holds pages lo .. hi-1. If all others are free they are written to as well, so that the
     * next block in this child is none of lazy memory.
     */
    private void settleRest(int slot, long child, long lo, long hi) {
        long start = child * CHILD_PAGES;
        long end = start + CHILD_PAGES;
        if (end > pages.pages() || !pages.lazy(start) || lo > start && !state.takeFree(slot, start, lo - start)) {
            return;
        }
        if (hi == end || state.takeFree(slot, hi, end - hi)) {
            writeTo(start, CHILD_PAGES);
            pages.settle(start, CHILD_PAGES);
            if (hi < end) {
                state.putBack(slot, hi, end - hi, LlFree.PUT_UNTOUCHED);
            }
        }
        if (lo > start) {
            state.putBack(slot, start, lo - start, LlFree.PUT_UNTOUCHED);
        }
    }

    /** Writes to pages that are resident, and to others if they are few. */
    private static void touch(long address, int pages) {
        if (pages < ASK_PAGES) {
            for (int i = 0; i < pages; i++) {
                RawMemory.putLongOpaque(address + i * PAGE_BYTES, 0);
            }
            return;
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment resident = askResident(arena, address, pages);
            for (int i = 0; i < pages; i++) {
                if (isResident(resident, i)) {
                    RawMemory.putLongOpaque(address + i * PAGE_BYTES, 0);
                }
            }
        }
    }

    /** What the kernel says of pages; if it will not say, all may have memory. */
    private static MemorySegment askResident(Arena arena, long address, int pages) {
        MemorySegment resident = arena.allocate(pages);
        if (MemoryCalls.mincore(address, pages * PAGE_BYTES, resident) < 0) {
            resident.fill((byte) 1);
        }
        return resident;
    }

    /** How many of these pages, from the first on, are resident or in a child that the range has only a part of. */
    private long knownResident(long page, long n) {
        long known = 0;
        while (known < n) {
            long part = Math.min(n - known, CHILD_PAGES - (page + known) % CHILD_PAGES);
            if (part == CHILD_PAGES && !pages.resident(page + known)) {
                break;
            }
            known += part;
        }
        return known;
    }

    private long child(long page) {
        long cleared = resident(state.addressOf(page), CHILD_PAGES);
        if (cleared == CHILD_PAGES) {
            pages.setResident(page, CHILD_PAGES);
        }
        return cleared;
    }

    /**
     * Clears pages of a private region without putting memory behind those that have none: a block whose holder touched
     * little of it must not become resident because somebody needs zeros. What the kernel calls not resident may be
     * swapped out, hence MADV_DONTNEED rather than nothing. Returns the pages that were resident.
     */
    private static long resident(long address, int pages) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment resident = askResident(arena, address, pages);
            long cleared = 0;
            int end;
            for (int i = 0; i < pages; i = end) {
                boolean here = isResident(resident, i);
                end = i + 1;
                while (end < pages && isResident(resident, end) == here) {
                    end++;
                }
                long from = address + i * PAGE_BYTES;
                long length = (end - i) * PAGE_BYTES;
                if (here || MemoryCalls.madvise(from, length, Libc.MADV_DONTNEED()) < 0) {
                    MemoryCalls.zero(from, length);
                    cleared += end - i;
                }
            }
            return cleared;
        }
    }

    private static boolean isResident(MemorySegment resident, int page) {
        return (resident.get(ValueLayout.JAVA_BYTE, page) & 1) != 0;
    }
}
