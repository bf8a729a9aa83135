package upa.policy;

/**
 * What a policy can do of its own accord. Each action is a proposal: checked, limited, and counted if it makes no sense
 * or is impossible on this machine.
 */
public interface Actions extends Fetch {

    /**
     * Makes a block one huge page, if all of it is resident.
     *
     * @param firstPage number of its first page, a multiple of {@link PolicyContext#BLOCK_PAGES}
     * @return whether it was accepted
     */
    boolean collapse(int firstPage);

    /**
     * Populates pages that have never been touched.
     *
     * @param first number of the first page
     * @param count how many
     * @return whether it was accepted
     */
    boolean populate(int first, int count);

    /**
     * Clears free pages that hold old bytes, so that nobody has to when they are handed out.
     *
     * @param count at most how many
     * @return whether it was accepted
     */
    boolean clearAhead(int count);

    /**
     * Moves a page that is in one place to another.
     *
     * @param page its number
     * @param to   one of {@link PolicyContext#places()}
     * @return whether it was accepted
     */
    boolean migrate(int page, Place to);

    /**
     * Evicts a page ahead of need.
     *
     * @param page its number
     * @param to   one of {@link PolicyContext#places()}, or null for the nearest with room
     * @return whether it was accepted; in either case it is no longer the policy's
     */
    boolean evict(int page, Place to);

    /**
     * Gives free memory back to the kernel.
     *
     * @param keepPages how many free pages keep their memory
     * @return whether it was accepted
     */
    boolean giveBack(int keepPages);

    /**
     * Sets how many pages may be resident, below or at what the user allows.
     *
     * @param pages how many
     * @return the bound that holds now
     */
    int bound(int pages);

    /**
     * Says how requests of a size are placed: read by the allocator on every request, without a call.
     *
     * @param rule for sizes that no earlier rule covers
     * @return false if the machine cannot do it
     */
    boolean place(PlacementRule rule);
}
