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
import upa.internal.region.RegionState;
import upa.llfree.LlFree;

/**
 * Clears those of the caller's pages that may hold old bytes. What is known to have memory is cleared in one go, since
 * beyond the size of a cache libc's memset passes it by, which is twice as fast. About a whole child whose pages are
 * not known to have memory the kernel is asked, so that a large block whose holder touched little of it does not become
 * resident. About less, clearing costs less than asking.
 */
final class Clear {
    private final LinearMemory memory;
    private final RegionState state;
    private final LlFree pages;

    Clear(LinearMemory memory) {
        this.memory = memory;
        state = memory.state;
        pages = state.pages;
    }

    void pages(int slot, long page, long n) {
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
            MemorySegment resident = arena.allocate(pages);
            if (MemoryCalls.mincore(address, pages * PAGE_BYTES, resident) < 0) {
                resident.fill((byte) 1);
            }
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
