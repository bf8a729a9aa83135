package upa.core;

import static upa.core.RegionDescriptor.CLEARED_PAGES;
import static upa.core.RegionDescriptor.GIVEN_BACK_PAGES;
import static upa.core.RegionDescriptor.INTERNAL_FAILURES;
import static upa.core.RegionDescriptor.INTERNAL_GETS;
import static upa.core.RegionDescriptor.INTERNAL_PUTS;
import static upa.core.RegionDescriptor.MOVED_PAGES;
import static upa.core.RegionDescriptor.SHORTAGES;
import static upa.llfree.LlFreeDescriptor.PAGE_SHIFT;

import upa.internal.region.RegionBackEnd;
import upa.internal.region.RegionState;
import upa.llfree.LlFreeStats;

/** What the counters of a region say: the allocator's, less those of runs that no caller asked for. */
final class Statistics {
    private Statistics() {}

    static RegionStats of(RegionBackEnd backEnd) {
        RegionState state = backEnd.state();
        // First what is internal: it must not be more than what the allocator is asked for next.
        long gets = state.sum(INTERNAL_GETS);
        long puts = state.sum(INTERNAL_PUTS);
        long failures = state.sum(INTERNAL_FAILURES);
        long shortages = state.sum(SHORTAGES);
        LlFreeStats s = state.pages.stats();
        return new RegionStats(
                state.bytes,
                s.pages() - s.freePages() << PAGE_SHIFT,
                backEnd.retainedPages(s.retainedPages()) << PAGE_SHIFT,
                backEnd.metadataBytes(),
                less(s.gets(), gets),
                less(s.puts(), puts),
                less(s.failures() + shortages, failures),
                state.sum(CLEARED_PAGES) << PAGE_SHIFT,
                state.sum(MOVED_PAGES) << PAGE_SHIFT,
                state.sum(GIVEN_BACK_PAGES) << PAGE_SHIFT,
                backEnd.frameStats());
    }

    /** The allocator's counts are lower bounds where threads share a slot, ours are exact. */
    private static long less(long all, long internal) {
        return Math.max(0, all - internal);
    }
}
