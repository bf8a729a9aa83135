package upa.internal.region.device;

import static upa.internal.region.RegionState.POPULATED;
import static upa.llfree.LlFreeDescriptor.CHILD_PAGES;
import static upa.llfree.LlFreeDescriptor.PAGE_SHIFT;

import java.util.function.LongSupplier;
import upa.internal.events.Events;
import upa.internal.region.RegionState;
import upa.llfree.LlFree;

/**
 * Takes frames away from free pages, in batches: a shoot-down costs as much as some hundred stores. The order is: hold
 * the page, clear the word, have the kernel empty its tables and shoot down, put the frame, put the page as absent.
 */
final class Scavenge {
    /** A batch has at most so many ranges (the module's limit) and pages: they are nobody's meanwhile. */
    private static final int BATCH_RANGES = 4096;

    private static final long BATCH_PAGES = 64L * CHILD_PAGES;

    private final RegionState state;
    private final LlFree pages;
    private final FrameWords words;
    private final Frames frames;

    Scavenge(RegionState state, FrameWords words, Frames frames) {
        this.state = state;
        this.words = words;
        this.frames = frames;
        pages = state.pages;
    }

    /**
     * Takes up to so many frames, or some more, away from free pages, from the last child downwards: what stays is
     * where searches begin. Frames of lower numbers than {@code least} stay where they are. Returns how many. By one
     * thread at a time.
     */
    long frames(int slot, long wanted, long least) {
        return counted(() -> take(slot, wanted, least, -1, new Batch()));
    }

    /** The same, first from pages that the caller has just freed, then from their child downwards. */
    long framesOf(int slot, long page, long n, long wanted) {
        return counted(() -> {
            Batch batch = new Batch();
            batch.take(slot, page, Math.min(n, wanted));
            return take(slot, wanted, 0, page / CHILD_PAGES, batch);
        });
    }

    /** What it returns as an event: pages. */
    private long counted(LongSupplier scavenge) {
        return Events.scavenge(state.base, () -> scavenge.getAsLong() << PAGE_SHIFT) >> PAGE_SHIFT;
    }

    private long take(int slot, long wanted, long least, long start, Batch batch) {
        long children = pages.touchedChildren();
        long total = 0;
        for (long i = 0; i < children && total + batch.frames() < wanted; i++) {
            long c = Math.floorMod(start - i, children);
            if (least > 0) {
                takeFrom(slot, c * CHILD_PAGES, batch, least);
            } else if (state.isWhole(c, POPULATED)) {
                batch.take(slot, c * CHILD_PAGES, CHILD_PAGES);
            } else if ((POPULATED >> pages.childState(c * CHILD_PAGES) & 1) != 0) {
                takeParts(slot, c * CHILD_PAGES, batch, wanted - total);
            }
            if (batch.isFull()) {
                total += batch.finish(slot);
            }
        }
        return total + batch.finish(slot);
    }

    /** The free pages with frames of one child. */
    private void takeParts(int slot, long first, Batch batch, long wanted) {
        long end = first + CHILD_PAGES;
        while (first < end && batch.frames() < wanted && (first = pages.next(first, end - first, true)) >= 0) {
            long length = Math.max(pages.length(first, end - first, true), 1);
            long stale = pages.childState(first) == LlFree.ZEROED ? first : pages.nextStale(first, length);
            if (stale >= 0) {
                length -= stale - first;
                first = stale;
                if (pages.childState(first) == LlFree.MIXED) {
                    length = Math.clamp(pages.staleLength(first, length), 1, length);
                }
                batch.take(slot, first, length);
            }
            first += length;
        }
    }

    /** The free pages of one child whose frames have such numbers, or higher ones. */
    private void takeFrom(int slot, long first, Batch batch, long least) {
        long end = Math.min(first + CHILD_PAGES, pages.pages());
        while (first < end && (first = pages.next(first, end - first, true)) >= 0) {
            long gap = first + Math.max(pages.length(first, end - first, true), 1);
            while (first < gap) {
                long from = first;
                while (first < gap && words.word(first) > least) {
                    first++;
                }
                if (first > from) {
                    batch.take(slot, from, first - from);
                } else {
                    first++;
                }
            }
        }
    }

    /** Free pages taken in order to take their frames away: with the shoot-down all of it takes effect at once. */
    private final class Batch {
        final PageRanges ranges = new PageRanges();
        final PageRanges stale = new PageRanges();
        final PageRanges zeroed = new PageRanges();

        boolean isFull() {
            return ranges.count() >= BATCH_RANGES - CHILD_PAGES || ranges.pages() >= BATCH_PAGES;
        }

        long frames() {
            return stale.pages() + zeroed.pages();
        }

        /** Takes these pages, if they are free. */
        void take(int slot, long page, long n) {
            if (!state.takeFree(slot, page, n)) {
                return;
            }
            PageRanges taken = n == CHILD_PAGES && pages.childState(page) == LlFree.ZEROED ? zeroed : stale;
            long end = page + n;
            for (long i = page; i < end; ) {
                int word = words.word(i);
                long first = i;
                do {
                    words.set(i, 0);
                    i++;
                } while (i < end && words.word(i) == (word == 0 ? 0 : word + (int) (i - first)));
                if (word != 0) {
                    taken.add(word - 1, i - first);
                }
            }
            ranges.add(page, n);
        }

        /**
         * Returns how many frames are free now. The call fails only in a closed region or a dying process, which need
         * them no more.
         */
        long finish(int slot) {
            long n = frames();
            if (ranges.count() > 0) {
                words.shootDown(ranges, n);
                frames.put(slot, stale, 0);
                frames.put(slot, zeroed, LlFree.PUT_ABSENT);
                words.deferred.getAndAdd(-n);
                for (int i = 0; i < ranges.count(); i++) {
                    state.putBack(slot, ranges.firstOf(i), ranges.lengthOf(i), LlFree.PUT_ABSENT);
                }
            }
            ranges.clear();
            stale.clear();
            zeroed.clear();
            return n;
        }
    }
}
