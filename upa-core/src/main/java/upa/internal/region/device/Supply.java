package upa.internal.region.device;

import static upa.core.RegionDescriptor.INTERNAL_PUTS;
import static upa.core.RegionDescriptor.PAGE_BYTES;
import static upa.llfree.LlFreeDescriptor.CHILD_PAGES;

import upa.core.PteOptions;
import upa.internal.os.RawMemory;
import upa.internal.region.RegionState;
import upa.internal.region.Rounding;
import upa.llfree.LlFree;

/**
 * Puts frames to pages, in the order of preference of Douglas (arXiv 1105.1811, 2011): those that still stand where
 * they are wanted, then free ones, then such that stand at other free pages, taken away in batches; last, new ones from
 * the kernel.
 */
final class Supply {
    /** A scavenge takes at least so many pages, if there are so many. */
    private static final long LEAST_SCAVENGE = CHILD_PAGES;

    private final RegionState state;
    private final LlFree pages;
    private final FrameWords words;
    private final Frames frames;
    private final Scavenge scavenge;
    private final long maxDeferred;
    /**
     * Held by who changes the pool or takes frames away from pages: calls of the kernel, which serializes them anyway.
     * Who has waited for it finds what the one before has freed.
     */
    private final Object shortage = new Object();

    Supply(RegionState state, FrameWords words, Frames frames, Scavenge scavenge, PteOptions options) {
        this.state = state;
        this.words = words;
        this.frames = frames;
        this.scavenge = scavenge;
        pages = words.pages;
        maxDeferred = options.maxDeferredBytes() / PAGE_BYTES;
    }

    // ---- frames for pages ------------------------------------------------------------------------------------

    /** Puts frames to pages just taken, or frees them as they were. */
    boolean toPages(int slot, long page, long n, int flags) {
        boolean done = attach(slot, page, n, flags, true);
        if (!done) {
            state.putBack(slot, page, n, LlFree.PUT_UNTOUCHED);
            state.countShortage(slot);
        } else if (frames.isBeyondBound(words.deferred)) {
            // No touch would bring memory: better no page than one that cannot be used.
            free(slot, page, n);
            state.count(slot, INTERNAL_PUTS, 1);
            state.countShortage(slot);
            done = false;
        }
        return done;
    }

    /** Ahead of need: for a free child that the caller has taken. Frames of other free pages stay where they are. */
    boolean ahead(int slot, long first) {
        return words.deferred.get() + CHILD_PAGES <= maxDeferred
                && !frames.isBounded()
                && attach(slot, first, CHILD_PAGES, LlFree.GET_ZEROS, false);
    }

    /**
     * Puts a frame to each of the caller's pages that has none. If there are too few, false, and nothing has changed.
     */
    boolean attach(int slot, long page, long n, int flags, boolean scavenges) {
        long missing = words.missing(page, n);
        if (missing > 0) {
            PageRanges taken = take(slot, missing, flags, scavenges);
            if (taken == null) {
                return false;
            }
            long at = page;
            for (int i = 0; i < taken.count(); i++) {
                int word = (int) taken.firstOf(i) + 1;
                for (int last = word + (int) taken.lengthOf(i); word < last; at++) {
                    if (missing == n || words.word(at) == 0) {
                        words.set(at, word++);
                    }
                }
            }
            // Before the caller touches the pages: also before any access that the compiler might draw forward.
            RawMemory.fullFence();
        }
        words.deferred.getAndAdd(missing - n);
        return true;
    }

    /** Takes n frames, however scattered they are: null if there are not so many. */
    private PageRanges take(int slot, long n, int flags, boolean scavenges) {
        // Nothing is scavenged in vain.
        if (n > frames.free() + (scavenges ? Math.max(0, words.deferred.get()) : 0) + frames.room()) {
            return null;
        }
        PageRanges taken = new PageRanges();
        int preference = frames.preference(flags);
        while (taken.pages() < n) {
            long missing = n - taken.pages();
            long run = Math.min(missing, CHILD_PAGES);
            long frame = frames.take(slot, run, preference);
            if (frame >= 0) {
                taken.add(frame, run);
            } else if (!frames.takeScattered(slot, missing, taken) && !fillPool(slot, missing, scavenges, taken)) {
                return null;
            }
        }
        return taken;
    }

    /**
     * When no frame is free: sees to it that some are. If that cannot be, frees those taken, before somebody else can
     * find that there are none.
     */
    private boolean fillPool(int slot, long missing, boolean scavenges, PageRanges taken) {
        synchronized (shortage) {
            if (frames.takeScattered(slot, missing, taken)
                    || scavenges && scavenge.frames(slot, Math.max(missing, LEAST_SCAVENGE), 0) > 0
                    || frames.grow(slot, missing)) {
                return true;
            }
            frames.put(slot, taken, LlFree.PUT_UNTOUCHED);
            return false;
        }
    }

    // ---- frames from pages -----------------------------------------------------------------------------------

    /**
     * Frees pages. Their frames stay where they are, unless too many do: then half as many as may stay, so that the
     * next call does not do the same. Those just freed lose theirs first.
     */
    void free(int slot, long page, long n) {
        pages.putRun(slot, page, n, 0);
        if (words.deferred.addAndGet(n) > maxDeferred) {
            synchronized (shortage) {
                long now = words.deferred.get();
                if (now > maxDeferred) {
                    scavenge.framesOf(slot, page, n, now - maxDeferred / 2);
                }
            }
        }
    }

    /**
     * Gives so many frames back to the kernel, some more or less, as far as they can be free: from the end of the pool,
     * then, if that is allowed, from anywhere. Returns how many.
     */
    long giveBack(int slot, long wanted) {
        long before = frames.gone();
        long given = shrink(slot, wanted);
        // Of those some had no memory any more; others have touched more of such frames meanwhile.
        given -= Math.clamp(before - frames.gone(), 0, given);
        return given + frames.reclaim(wanted - given);
    }

    private long shrink(int slot, long wanted) {
        synchronized (shortage) {
            long pool = frames.pool();
            long given = frames.shrink(slot, wanted);
            if (given >= wanted || words.deferred.get() <= 0 || frames.canReclaim()) {
                return given;
            }
            // Only the end of the pool can go back: frames that are there.
            long least = Math.max(0, pool - Rounding.up(wanted, CHILD_PAGES));
            scavenge.frames(slot, Long.MAX_VALUE, least);
            return given + frames.shrink(slot, wanted - given);
        }
    }
}
