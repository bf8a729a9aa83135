package upa.core;

import static upa.core.RegionDescriptor.INTERNAL_FAILURES;
import static upa.core.RegionDescriptor.PAGE_BYTES;
import static upa.llfree.LlFreeDescriptor.PAGE_SHIFT;

import java.lang.ref.Reference;
import java.util.function.LongSupplier;
import upa.internal.events.Events;
import upa.internal.region.RegionBackEnd;
import upa.internal.region.RegionState;
import upa.llfree.LlFree;

/**
 * The runs of pages behind {@link Region}: taken, made what was asked for, moved and freed, for callers who have
 * checked their arguments and made sure that nobody closes the region. Where there is no room, memory that nobody uses
 * is let go, and the allocator is asked once more.
 */
abstract class RegionRuns {
    final RegionBackEnd backEnd;
    final RegionState state;
    final LlFree pages;
    final long base;
    final long bytes;
    final int slots;
    final Lifetime lifetime;
    /** Private regions only, since other processes could neither see nor use them. */
    private final Chunks chunks;

    final Idle idle;
    final ClearAhead clearAhead;

    RegionRuns(RegionBackEnd backEnd) {
        this.backEnd = backEnd;
        state = backEnd.state();
        pages = state.pages;
        base = state.base;
        bytes = state.bytes;
        slots = pages.slots();
        lifetime = new Lifetime(this, slots);
        chunks = new Chunks(slots);
        idle = new Idle(backEnd, lifetime);
        clearAhead = new ClearAhead(backEnd, lifetime, idle);
    }

    /**
     * Threads have slots by their numbers, which the JDK counts up: a thread then finds the pages again that it has
     * freed.
     */
    final int slot() {
        return (int) Thread.currentThread().threadId() & slots - 1;
    }

    /** The first page of a block that lies wholly in the region. */
    final long pageOf(long address, long bytes) {
        long offset = address - base;
        if (bytes <= 0
                || (offset & PAGE_BYTES - 1) != 0
                || offset < 0
                || offset >= this.bytes
                || bytes > this.bytes - offset) {
            throw Arguments.foreign(this, address, bytes);
        }
        return offset >> PAGE_SHIFT;
    }

    static long pagesOf(long bytes) {
        return bytes + PAGE_BYTES - 1 >>> PAGE_SHIFT;
    }

    // ---- in use ----------------------------------------------------------------------------------------------

    final void checkOpen() {
        lifetime.checkOpen();
    }

    /** Keeps the region open until {@link #release}, which may come from another thread. */
    final void hold() {
        lifetime.hold(slot());
    }

    final void release() {
        lifetime.release(slot());
        Reference.reachabilityFence(this);
    }

    // ---- taken and freed -------------------------------------------------------------------------------------

    /** The address of pages just taken, after Flight Recorder has been told. */
    final long mapped(long page, long bytes) {
        long address = state.addressOf(page);
        idle.took(slot(), bytes);
        Events.map(base, address, bytes);
        return address;
    }

    /** As {@link RegionBackEnd#get}. */
    final long getRun(long n, int flags) {
        long result = backEnd.get(slot(), n, flags);
        return result >= 0 ? result : again(result, () -> backEnd.get(slot(), n, flags));
    }

    final int getAt(long page, long n) {
        int result = backEnd.getAt(slot(), page, n);
        return result >= 0 ? result : (int) again(result, () -> backEnd.getAt(slot(), page, n));
    }

    /**
     * After a request that found no room: lets go what nobody uses, and asks once more. A request that found its pages
     * taken is not counted as one that failed.
     */
    private long again(long result, LongSupplier request) {
        synchronized (idle) {
            if (!freeWhatNobodyUses()) {
                return result;
            }
            state.count(slot(), INTERNAL_FAILURES, result == LlFree.BUSY ? 0 : 1);
            return request.getAsLong();
        }
    }

    /** For a holder of the region: n pages, or {@link Region#NO_MEMORY}. */
    final long take(long n, boolean zeros) {
        long result = getRun(n, zeros ? LlFree.GET_ZEROS : 0);
        return result < 0 ? Region.NO_MEMORY : mapped(LlFree.pageOf(result), n << PAGE_SHIFT);
    }

    /** For a holder of the region: a chunk, or {@link Region#NO_MEMORY}. */
    final long takeChunk() {
        long address = chunks.take(slot());
        return address != 0 ? address : take(Chunks.PAGES, false);
    }

    /** For a holder of the region: frees a chunk of the holder's. */
    final void freeChunk(long address) {
        if (backEnd.isShared() || !chunks.keep(slot(), address)) {
            free(address, Chunks.PAGES);
        }
    }

    /**
     * Frees the chunks kept for later; with the monitor of {@link #idle} held, so that no look at idle memory, nor the
     * thread that clears ahead, has pages in its hands either. False if there was none, and none can have been.
     */
    private boolean freeWhatNobodyUses() {
        return freeChunks() || idle.isOn() || clearAhead.isOn();
    }

    /** Frees the chunks kept for later. False if there was none. */
    final boolean freeChunks() {
        boolean any = false;
        for (int i = 0; i < slots; i++) {
            long address = chunks.take(i);
            if (address != 0) {
                free(address, Chunks.PAGES);
                any = true;
            }
        }
        return any;
    }

    /** For a holder of the region: clears those of the holder's pages that may hold old bytes. */
    final void zero(long address, long n) {
        backEnd.clear(slot(), address - base >> PAGE_SHIFT, n, RegionBackEnd.ANYTHING);
    }

    /** For a holder of the region: frees pages of the holder's. */
    final void free(long address, long n) {
        backEnd.put(slot(), address - base >> PAGE_SHIFT, n);
        idle.freed(slot(), n << PAGE_SHIFT);
        Events.unmap(base, address, n << PAGE_SHIFT);
    }

    /** For a holder of the region: frees pages that nobody has used. */
    final void freeUnused(long address, long n) {
        backEnd.putUnused(slot(), address - base >> PAGE_SHIFT, n);
        idle.freed(slot(), n << PAGE_SHIFT);
    }

    /** Makes pages taken what the flags ask for; if that fails, they are free again. */
    final boolean prepare(long page, long n, int flags, int holds) {
        if ((flags & Region.FAULTED) != 0 && !backEnd.populate(page, n)) {
            backEnd.putBack(slot(), page, n);
            state.countShortage(slot());
            return false;
        }
        if ((flags & Region.ZEROS) != 0) {
            backEnd.clear(slot(), page, n, holds);
        }
        return true;
    }

    // ---- resized ---------------------------------------------------------------------------------------------

    final long grow(long page, long oldPages, long newPages, int flags) {
        long gained = newPages - oldPages;
        int holds = newPages > pages.pages() - page ? LlFree.BUSY : getAt(page + oldPages, gained);
        if (holds == LlFree.BUSY && (flags & Region.IN_PLACE) == 0) {
            return relocate(page, oldPages, newPages, flags);
        }
        // For want of memory, none elsewhere either.
        if (holds < 0) {
            return Region.NO_MEMORY;
        }
        idle.took(slot(), gained << PAGE_SHIFT);
        if ((flags & Region.ZEROS) != 0) {
            backEnd.clear(slot(), page + oldPages, gained, holds);
        }
        return state.addressOf(page);
    }

    private long relocate(long from, long oldPages, long newPages, int flags) {
        long to = backEnd.relocate(slot(), from, oldPages, newPages);
        if (to < 0) {
            to = again(to, () -> backEnd.relocate(slot(), from, oldPages, newPages));
        }
        if (to < 0) {
            return Region.NO_MEMORY;
        }
        idle.took(slot(), newPages << PAGE_SHIFT);
        idle.freed(slot(), oldPages << PAGE_SHIFT);
        if ((flags & Region.ZEROS) != 0) {
            backEnd.clear(slot(), to + oldPages, newPages - oldPages, RegionBackEnd.ANYTHING);
        }
        return state.addressOf(to);
    }
}
