package upa.internal.region.device;

import static upa.core.RegionDescriptor.PAGE_BYTES;
import static upa.llfree.LlFreeDescriptor.CHILD_PAGES;

import java.util.concurrent.atomic.AtomicLong;
import upa.core.PteOptions;
import upa.internal.bindings.Device;
import upa.internal.os.RawMemory;
import upa.internal.region.Refusal;
import upa.internal.region.Rounding;
import upa.llfree.LlFree;

/**
 * The pool of page frames, and its allocator. Frames are zero when they enter the pool, and absent in {@link #all};
 * those that have been used are stale there. Frames that the pool does not have at present are allocated there, for
 * good.
 */
final class Frames {
    final LlFree all;
    final long max;
    private final UpaDevice device;
    /** Null if the module may take nothing. */
    private final Marks marks;
    /** Frames in the pool. */
    private volatile long pool;
    /** Frames that are free, give or take those of calls under way. */
    private final AtomicLong free;

    Frames(UpaDevice device, Layout layout, PteOptions options, Marks marks) {
        this.device = device;
        max = layout.maxFrames();
        this.marks = marks;
        pool = options.poolBytes() / PAGE_BYTES;
        all = layout.createFrames(device.state());
        free = new AtomicLong(pool);
        if (pool < max) {
            all.getAt(0, pool, max - pool);
        }
    }

    long pool() {
        return pool;
    }

    long free() {
        return free.get();
    }

    /** How many more could be free, if the kernel gave all that the pool may have. */
    long room() {
        return max - pool;
    }

    boolean canReclaim() {
        return marks != null;
    }

    /** {@return whether a manager has set how many frames may have memory} */
    boolean isBounded() {
        return marks != null && marks.bound() != Device.UPADEV_NO_BOUND();
    }

    /**
     * {@return whether more pages are allocated, each of which has a frame, than frames may have memory} What is unused
     * makes room by itself. Of two requests that together are too much, one sees what the other has counted.
     *
     * @param deferred free pages that have frames
     */
    boolean isBeyondBound(AtomicLong deferred) {
        if (!isBounded()) {
            return false;
        }
        RawMemory.fullFence();
        long used = pool - free.get() - deferred.get();
        return used > 0 && Long.compareUnsigned(used, marks.bound()) > 0;
    }

    /**
     * {@return how to choose frames for a request with these flags} One with old bytes is as good as any, unless zeros
     * are asked for: an absent one is zero. But once the module has taken some, those may have no memory.
     */
    int preference(int flags) {
        boolean fresh = (flags & LlFree.GET_ZEROS) != 0 && (marks == null || marks.taken() == 0);
        return fresh ? LlFree.GET_ABSENT : 0;
    }

    // ---- taking and freeing ----------------------------------------------------------------------------------

    /** Takes a run of frames. Its first, or negative. */
    long take(int slot, long n, int flags) {
        long frame = all.getRun(slot, n, flags);
        if (frame >= 0) {
            free.getAndAdd(-n);
        }
        return frame;
    }

    /** Takes exactly these frames. False if one of them is not free. */
    boolean takeAt(int slot, long first, long n) {
        if (all.getAt(slot, first, n) < 0) {
            return false;
        }
        free.getAndAdd(-n);
        return true;
    }

    /** Takes up to so many frames where they are. False if it found none. */
    boolean takeScattered(int slot, long most, PageRanges taken) {
        long before = taken.pages();
        long end = pool;
        long at = 0;
        while (at < end && taken.pages() - before < most && (at = all.next(at, end - at, true)) >= 0) {
            long length = all.length(at, Math.min(end - at, most - (taken.pages() - before)), true);
            if (length > 0 && all.getAt(slot, at, length) >= 0) {
                taken.add(at, length);
            }
            at += Math.max(length, 1);
        }
        free.getAndAdd(before - taken.pages());
        return taken.pages() > before;
    }

    void put(int slot, PageRanges ranges, int flags) {
        for (int i = 0; i < ranges.count(); i++) {
            all.putRun(slot, ranges.firstOf(i), ranges.lengthOf(i), flags);
        }
        free.getAndAdd(ranges.pages());
    }

    // ---- the size of the pool, changed by one thread at a time -----------------------------------------------

    /** Gets at least n frames from the kernel. False if it has or gives none, or not so many may be had. */
    boolean grow(int slot, long n) {
        long now = pool;
        long wanted = Math.min(Rounding.up(now + n, CHILD_PAGES), max);
        if (wanted < now + n || device.resize(wanted) < 0) {
            return false;
        }
        pool = wanted;
        all.putRun(slot, now, wanted - now, LlFree.PUT_ABSENT);
        free.getAndAdd(wanted - now);
        return true;
    }

    /**
     * Gives at least so many frames back to the kernel, as far as those at the end of the pool are free. Returns how
     * many.
     */
    long shrink(int slot, long wanted) {
        long end = pool;
        while (end > 0 && pool - end < wanted && all.getAt(slot, end - CHILD_PAGES, CHILD_PAGES) >= 0) {
            end -= CHILD_PAGES;
        }
        long n = pool - end;
        if (n > 0) {
            long result = device.resize(end);
            if (result < 0) {
                all.putRun(slot, end, n, LlFree.PUT_UNTOUCHED);
                Refusal.check(result, "UPADEV_RESIZE", device.data(), end * PAGE_BYTES);
            }
            pool = end;
            free.getAndAdd(-n);
        }
        return n;
    }

    /**
     * Gives about so many frames back to the kernel that are free or stand at free pages, wherever they are, if that is
     * allowed. Returns how many.
     */
    long reclaim(long wanted) {
        return canReclaim() && wanted > 0 ? device.reclaim(wanted).pages() : 0;
    }

    /** Frames of the pool without memory. */
    long gone() {
        return canReclaim() ? device.reclaim(0).gone() : 0;
    }
}
