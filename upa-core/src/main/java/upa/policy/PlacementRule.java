package upa.policy;

/**
 * How requests of a size get their memory.
 *
 * @param fromBytes smallest request that it covers
 * @param toBytes   first size above that it does not cover
 * @param kind      what is done
 */
public record PlacementRule(long fromBytes, long toBytes, Kind kind) {

    /** What can be done. */
    public enum Kind {
        /** Huge pages, as far as a request fills them. */
        HUGE,
        /**
         * Page frames in aligned groups of eight, so that a page walk of a nested page table stays in one cache line.
         */
        GROUPS_OF_8,
        /** Page frames in one contiguous range. */
        CONTIGUOUS
    }

    /**
     * Checks the range.
     *
     * @throws IllegalArgumentException if it is empty or negative
     */
    public PlacementRule {
        if (fromBytes < 0 || toBytes <= fromBytes) {
            throw new IllegalArgumentException("no size is covered: fromBytes=" + fromBytes + " toBytes=" + toBytes);
        }
    }
}
