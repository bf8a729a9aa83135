package upa.policy;

/**
 * Takes proposals of what to evict. A proposal is checked at once: a page that is not resident, on its way out already,
 * known to be pinned, or no page at all is a counted no-op.
 */
public interface Eviction {

    /** {@return how many more pages are wanted; proposals beyond that are refused} */
    int wanted();

    /** {@return whether threads wait for room now; otherwise this is ahead of need} */
    boolean isUrgent();

    /**
     * Proposes a page for the nearest place that has room for it.
     *
     * @param page its number
     * @return whether it was accepted; in either case it is no longer the policy's
     */
    boolean propose(int page);

    /**
     * Proposes a page for one place.
     *
     * @param page  its number
     * @param place one of {@link PolicyContext#places()}; a page that has no room there goes to the next
     * @return whether it was accepted; in either case it is no longer the policy's
     */
    boolean propose(int page, Place place);
}
