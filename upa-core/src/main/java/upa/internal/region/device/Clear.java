package upa.internal.region.device;

import static upa.core.RegionDescriptor.CLEARED_PAGES;
import static upa.llfree.LlFreeDescriptor.CHILD_PAGES;
import static upa.llfree.LlFreeDescriptor.PAGE_SHIFT;

import upa.internal.os.MemoryCalls;
import upa.internal.region.RegionState;
import upa.llfree.LlFree;

/**
 * Clears those of the caller's pages that may hold old bytes: pages whose frame was still there, unless zeroed ahead,
 * and pages whose frame was stale among the free ones.
 */
final class Clear {
    private final RegionState state;
    private final LlFree pages;
    private final FrameWords words;
    private final LlFree frames;

    Clear(RegionState state, FrameWords words, Frames frames) {
        this.state = state;
        this.words = words;
        this.frames = frames.all;
        pages = state.pages;
    }

    void pages(int slot, long page, long n) {
        PageRanges old = new PageRanges();
        long end = page + n;
        while (page < end) {
            long part = Math.min(end - page, CHILD_PAGES - page % CHILD_PAGES);
            int childState = pages.childState(page);
            long length = part;
            if (childState == LlFree.STALE) {
                old.add(page, part);
            } else if (childState != LlFree.ZEROED) {
                length = Math.min(part, pages.staleLength(page, part));
                if (length > 0) {
                    old.add(page, length);
                } else {
                    long next = pages.nextStale(page, part);
                    length = brought(page, next < 0 ? part : next - page, old);
                }
            }
            page += length;
        }
        for (int i = 0; i < old.count(); i++) {
            MemoryCalls.zero(state.addressOf(old.firstOf(i)), old.lengthOf(i) << PAGE_SHIFT);
        }
        state.count(slot, CLEARED_PAGES, old.pages());
    }

    /**
     * Of pages whose frames have just been put there: notes those to clear among the first. Returns how many it looked
     * at.
     */
    private long brought(long page, long n, PageRanges old) {
        int frame = words.word(page) - 1;
        long run = 1;
        while (run < n && words.word(page + run) - 1 == frame + run) {
            run++;
        }
        long stale = frames.nextStale(frame, run);
        if (stale == frame) {
            run = Math.max(frames.staleLength(frame, run), 1);
            old.add(page, run);
        } else if (stale > frame) {
            run = stale - frame;
        }
        return run;
    }
}
