package upa.policy;

/**
 * Decides about the pages of one region. An implementation is told of events in batches and answers with proposals.
 *
 * <p><b>Pages and whose they are.</b> A page is the policy's from {@link #added} on, until it is {@link #gone} or the
 * policy proposes it for eviction. A page that was proposed is out of its hands, whatever the answer: if it stays in
 * memory after all (pinned by the kernel, touched again before it had left, refused by every store), it is added again.
 *
 * <p><b>What a policy may not do.</b> Allocate per event, block, or keep a batch beyond the callback. One callback may
 * take 50 ms of processor time, the constructor and {@link #attach} 500 ms; beyond that, and after an exception, the
 * default policy takes over.
 *
 * <p>All callbacks come from one thread at a time, with all earlier ones visible.
 */
public interface MemoryPolicy extends AutoCloseable {

    /** Version of this package; {@link PolicyInfo#api()} says for which one a policy was compiled. */
    int API = 1;

    /**
     * Begins: called once, first. Pages that are resident already follow as {@link #added} with
     * {@link PageBatch.Cause#SEEDED}, by rising number.
     *
     * @param context limits, options, lists and columns; valid until {@link #close()}
     * @throws PolicyException if an option is wrong; its message is shown to the user, in one line
     */
    void attach(PolicyContext context);

    /**
     * Pages have come into memory.
     *
     * @param pages none of which is the policy's
     */
    default void added(PageBatch pages) {}

    /**
     * There is evidence that pages are used. How much there is depends on the machine: on a stock kernel only faults,
     * rescues and written pages are seen, so that silence does not prove that a page is cold.
     *
     * @param pages in memory when the evidence was taken; one may have left since
     */
    default void used(PageBatch pages) {}

    /**
     * Pages have left memory without this policy's proposal, or do not exist any more. Also told of pages that are not
     * in memory, so that a policy can forget its record of them.
     *
     * @param pages no longer the policy's
     */
    default void gone(PageBatch pages) {}

    /**
     * Asks for victims. A policy that proposes fewer than wanted has the rest chosen for it.
     *
     * @param wanted takes the proposals
     */
    void evict(Eviction wanted);

    /**
     * Threads wait for pages that are on their way; others may come along. The pages themselves follow as
     * {@link #added} with {@link PageBatch.Cause#FETCHED}.
     *
     * @param faults the pages that threads wait for
     * @param also   takes proposals of what else to bring in
     */
    default void fault(FaultBatch faults, Fetch also) {}

    /**
     * The memory pressure has changed.
     *
     * @param pressure as it is now
     */
    default void pressure(Pressure pressure) {}

    /**
     * The program says something about its pages.
     *
     * @param hint what it says
     */
    default void hint(Hint hint) {}

    /**
     * Time has passed: about ten times a second while the program runs.
     *
     * @param actions what a policy can do of its own accord
     */
    default void tick(Actions actions) {}

    /** Ends: called once, last. The context is invalid afterwards. */
    @Override
    default void close() {}
}
