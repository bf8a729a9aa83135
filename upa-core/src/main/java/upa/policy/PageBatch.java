package upa.policy;

/** Pages to which the same has happened. Valid until the callback returns. */
public interface PageBatch {

    /** What has happened. */
    enum Cause {
        /** Added: touched for the first time, so it had no content before. */
        FIRST_TOUCH,
        /** Added: a thread waited for it. */
        FETCHED,
        /** Added: brought in early; nobody has touched it yet. */
        PREFETCHED,
        /** Added: it had been proposed, and was touched before it had left, or could not leave. */
        RESCUED,
        /** Added: it was resident before this policy. */
        SEEDED,
        /** Used: a thread faulted on it. */
        FAULT,
        /** Used: written since the last look. */
        WRITTEN,
        /** Used: seen in a sample of accesses. */
        SAMPLED,
        /** Used: its accessed bit was set. */
        ACCESSED,
        /** Gone: the program freed it; its content does not matter. */
        FREED,
        /** Gone: its addresses are no longer mapped. */
        UNMAPPED,
        /** Gone: evicted by another than this policy. */
        EVICTED
    }

    /** {@return what has happened to all of them} */
    Cause cause();

    /** {@return how many pages} */
    int size();

    /**
     * One of the pages.
     *
     * @param index 0 to {@link #size()} - 1
     * @return its number
     * @throws IndexOutOfBoundsException if there is no such index
     */
    int page(int index);
}
