package upa.internal.region.device;

import upa.core.BackEnd;
import upa.llfree.LlFree;

/** The module's shadow table. The kernel checks the words and installs them, when a page is touched or by a call. */
final class GuardedWords extends FrameWords {
    private final UpaDevice device;

    GuardedWords(LlFree pages, UpaDevice device) {
        super(pages, device.shadow());
        this.device = device;
    }

    @Override
    BackEnd name() {
        return BackEnd.PTE;
    }

    @Override
    int empty(PageRanges ranges) {
        return device.empty(ranges.words(), ranges.count());
    }

    @Override
    boolean install(long page, long n) {
        return device.install(page, n) >= 0;
    }

    @Override
    boolean canShrink() {
        return true;
    }
}
