package upa.tools.trace;

/**
 * Requests for memory of at least so many bytes, and less than twice as many.
 *
 * @param leastBytes       a power of two, 4096 or more
 * @param requests         how many
 * @param servedRequests   of these, by UPA
 * @param bytes            of all of them, in whole pages
 * @param ended            how many of the blocks were unmapped or resized before the trace ended
 * @param medianLifetimeNs of the blocks that ended, in nanoseconds; 0 if none did
 * @param p90LifetimeNs    the 90th percentile of these
 * @param reuses           requests of this class that came after a block of this class had ended, each of which is
 *         taken by one
 * @param medianIdleNs     of these, the time since that end, the latest one taken first; 0 if there are none
 */
public record SizeClass(
        long leastBytes,
        long requests,
        long servedRequests,
        long bytes,
        long ended,
        long medianLifetimeNs,
        long p90LifetimeNs,
        long reuses,
        long medianIdleNs) {}
