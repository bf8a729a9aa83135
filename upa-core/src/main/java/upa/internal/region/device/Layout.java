package upa.internal.region.device;

import static upa.core.RegionDescriptor.COUNTERS_BYTES;
import static upa.core.RegionDescriptor.COUNTERS_OFFSET;
import static upa.core.RegionDescriptor.PAGE_BYTES;

import java.lang.foreign.MemorySegment;
import upa.internal.region.Rounding;
import upa.internal.region.Slots;
import upa.llfree.LlFree;

/** Where everything is in the memory that the module has for the allocators' state: the one place that knows. */
record Layout(
        long pages,
        long maxFrames,
        int slots,
        long pagesOffset,
        long framesOffset,
        long wordsOffset,
        long marksOffset,
        long stateBytes) {
    static Layout of(long pages, long maxFrames, boolean raw, boolean reclaim) {
        int slots = Slots.byDefault();
        long pagesOffset = Rounding.up(COUNTERS_OFFSET + (long) slots * COUNTERS_BYTES, PAGE_BYTES);
        long framesOffset = Rounding.up(pagesOffset + LlFree.stateSize(pages, slots), PAGE_BYTES);
        long wordsOffset = Rounding.up(framesOffset + LlFree.stateSize(maxFrames, slots), PAGE_BYTES);
        long wordsBytes = raw ? Rounding.up(pages * Integer.BYTES, PAGE_BYTES) : 0;
        long marksOffset = wordsOffset + wordsBytes;
        long marksBytes = reclaim ? Rounding.up(Marks.bytes(pages, maxFrames), PAGE_BYTES) : 0;
        return new Layout(
                pages, maxFrames, slots, pagesOffset, framesOffset, wordsOffset, marksOffset, marksOffset + marksBytes);
    }

    LlFree createPages(MemorySegment state) {
        return LlFree.create(state.asSlice(pagesOffset, framesOffset - pagesOffset), pages, slots);
    }

    LlFree createFrames(MemorySegment state) {
        return LlFree.create(state.asSlice(framesOffset, wordsOffset - framesOffset), maxFrames, slots);
    }
}
