package upa.internal.region.device;

import static upa.llfree.LlFreeDescriptor.CHILD_PAGES;

import upa.internal.region.RegionState;
import upa.llfree.LlFree;

/**
 * Records what the module has taken by itself, so that the next requests prefer what still has memory: a free frame
 * becomes an absent one; a frame at a free page becomes a free and absent one, and its page absent. Until then, or if
 * it never happens, a touch brings memory, and nothing else is different.
 *
 * <p>A word that is cleared is shot down like any other, though a frame without memory is installed nowhere: a fault at
 * a neighbour may have read the word, or the mark of its block, before that, and install the frame once somebody else
 * has brought its memory back.
 */
final class Settle {
    /** Children at most for one request, so that none pays for all. */
    private static final int MOST_CHILDREN = 16;

    private final RegionState state;
    private final FrameWords words;
    private final Frames frames;
    private final Marks marks;
    /** What {@link Marks#taken} was when nothing was left to do; only a hint. */
    private volatile long settled;

    Settle(RegionState state, FrameWords words, Frames frames, Marks marks) {
        this.state = state;
        this.words = words;
        this.frames = frames;
        this.marks = marks;
    }

    /** Does what is to be done, a part of it if it is much. */
    void run(int slot) {
        long taken = marks.taken();
        if (taken != settled && runAll(slot)) {
            settled = taken;
        }
    }

    private boolean runAll(int slot) {
        for (int i = 0; i < MOST_CHILDREN; i++) {
            long pages = marks.nextPageChild();
            long of = pages < 0 ? marks.nextFrameChild() : -1;
            if (pages >= 0) {
                settlePages(slot, pages * CHILD_PAGES);
            } else if (of >= 0) {
                settleFrames(slot, of * CHILD_PAGES);
            } else {
                return true;
            }
        }
        return false;
    }

    private boolean hasAbsentFrame(long page) {
        int word = words.word(page);
        return word != 0 && marks.isAbsent(word - 1);
    }

    private void settlePages(int slot, long first) {
        LlFree pages = state.pages;
        long end = Math.min(first + CHILD_PAGES, pages.pages());
        if (pages.childState(first) == LlFree.ABSENT) {
            return;
        }
        while (first < end && (first = pages.next(first, end - first, true)) >= 0) {
            long gap = first + Math.max(pages.length(first, end - first, true), 1);
            while (first < gap) {
                long from = first;
                while (first < gap && hasAbsentFrame(first)) {
                    first++;
                }
                if (first > from) {
                    detach(slot, from, first - from);
                } else {
                    first++;
                }
            }
        }
    }

    /** Takes the frames of these pages away, if they are free. */
    private void detach(int slot, long page, long n) {
        if (!state.takeFree(slot, page, n)) {
            return;
        }
        PageRanges taken = new PageRanges();
        for (long i = page; i < page + n; i++) {
            int word = words.word(i);
            if (word != 0) {
                taken.add(word - 1L, 1);
                words.set(i, 0);
            }
        }
        PageRanges range = new PageRanges();
        range.add(page, n);
        words.shootDown(range, taken.pages());
        frames.put(slot, taken, marks.areAbsent(taken) ? LlFree.PUT_ABSENT : 0);
        words.deferred.getAndAdd(-taken.pages());
        state.putBack(slot, page, n, LlFree.PUT_ABSENT);
    }

    private void settleFrames(int slot, long first) {
        LlFree all = frames.all;
        long end = first + CHILD_PAGES;
        if (all.childState(first) == LlFree.ABSENT) {
            return;
        }
        while (first < end && (first = all.next(first, end - first, true)) >= 0) {
            long gap = first + Math.max(all.length(first, end - first, true), 1);
            while (first < gap) {
                long from = first;
                while (first < gap && marks.isAbsent(first)) {
                    first++;
                }
                if (first > from) {
                    record(slot, from, first - from);
                } else {
                    first++;
                }
            }
        }
    }

    /** Records that these frames are absent, if they are free and absent still. */
    private void record(int slot, long frame, long n) {
        if (!frames.takeAt(slot, frame, n)) {
            return;
        }
        PageRanges taken = new PageRanges();
        taken.add(frame, n);
        frames.put(slot, taken, marks.areAbsent(taken) ? LlFree.PUT_ABSENT : LlFree.PUT_UNTOUCHED);
    }
}
