package upa.policy;

/**
 * What the pages of a region did, since it began.
 *
 * @param faults     touches of pages that were not resident but had content
 * @param firstTouches touches of pages that had none
 * @param rescues    pages touched after they were proposed and before they had left
 * @param refaults   faults on pages that were evicted among the last {@link PolicyContext#boundPages()} evictions
 * @param evictions  pages that left
 * @param prefetches pages that came early
 * @param prefetchesUsed of those, how many were touched before they left; known only where accesses are seen
 * @param refused    proposals that were no-ops
 */
public record PolicyStatistics(
        long faults,
        long firstTouches,
        long rescues,
        long refaults,
        long evictions,
        long prefetches,
        long prefetchesUsed,
        long refused) {}
