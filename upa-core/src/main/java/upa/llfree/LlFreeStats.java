package upa.llfree;

/**
 * Counters of an {@link LlFree}, summed over all slots and children. Exact when nobody else is at work.
 *
 * @param pages         pages managed
 * @param freePages     pages free
 * @param freeChildren  children (2 MiB) of which every page is free
 * @param retainedPages free pages that have memory behind them (upper bound)
 * @param gets          successful gets
 * @param gotPages      pages they took
 * @param puts          successful puts
 * @param putPages      pages they returned
 * @param failures      gets that found nothing
 * @param searches      gets that had to search beyond the slot's own tree
 * @param lazyPages     of the retained ones, those whose memory the kernel may take (upper bound)
 */
public record LlFreeStats(
        long pages,
        long freePages,
        long freeChildren,
        long retainedPages,
        long gets,
        long gotPages,
        long puts,
        long putPages,
        long failures,
        long searches,
        long lazyPages) {}
