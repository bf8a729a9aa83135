package upa.internal.region.device;

import static upa.core.RegionDescriptor.INTERNAL_PUTS;
import static upa.core.RegionDescriptor.MOVED_PAGES;

import upa.internal.os.RawMemory;
import upa.internal.region.RegionState;
import upa.llfree.LlFree;

/**
 * Moves a block elsewhere by moving its frames; those that still stood at the target take their places, so that nothing
 * is freed and nothing taken. One shoot-down, before the source is free.
 */
final class Relocate {
    private final RegionState state;
    private final LlFree pages;
    private final FrameWords words;
    private final Frames frames;
    private final Supply supply;

    Relocate(RegionState state, FrameWords words, Frames frames, Supply supply) {
        this.state = state;
        this.words = words;
        this.frames = frames;
        this.supply = supply;
        pages = state.pages;
    }

    /** As {@link upa.internal.region.RegionBackEnd#relocate}. */
    long block(int slot, long from, long oldPages, long newPages) {
        // The block brings its frames along; what it grows by needs some: rather those still at a free place than a
        // scavenge of the same.
        boolean spare = frames.free() >= newPages - oldPages;
        long to = pages.getRun(slot, newPages, spare ? LlFree.GET_ABSENT : 0);
        if (to < 0) {
            return to;
        }
        if (newPages > oldPages && !supply.toPages(slot, to + oldPages, newPages - oldPages, 0)) {
            state.putBack(slot, to, oldPages, LlFree.PUT_UNTOUCHED);
            return LlFree.NO_MEMORY;
        }
        PageRanges changed = new PageRanges();
        changed.add(from, oldPages);
        if (exchange(from, to, oldPages)) {
            changed.add(to, oldPages);
        }
        words.shootDown(changed, oldPages);
        long length;
        long pieces = 0;
        for (long i = from; i < from + oldPages; i += length) {
            length = words.alike(i, from + oldPages - i);
            pages.putRun(slot, i, length, words.word(i) == 0 ? LlFree.PUT_ABSENT : 0);
            pieces++;
        }
        state.count(slot, INTERNAL_PUTS, pieces - 1);
        state.count(slot, MOVED_PAGES, oldPages);
        return to;
    }

    /** Returns whether a frame still stood at the target. */
    private boolean exchange(long from, long to, long n) {
        boolean exchanged = false;
        for (long i = 0; i < n; i++) {
            int old = words.word(to + i);
            words.set(to + i, words.word(from + i));
            // A frame in use is never at no page: the module may take such.
            RawMemory.releaseFence();
            words.set(from + i, old);
            exchanged |= old != 0;
        }
        return exchanged;
    }
}
