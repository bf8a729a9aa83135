package upa.policy;

/** Pages for which threads wait. Valid until the callback returns. */
public interface FaultBatch {

    /** {@return how many faults} */
    int size();

    /**
     * The page of one of the faults.
     *
     * @param index 0 to {@link #size()} - 1
     * @return its number
     * @throws IndexOutOfBoundsException if there is no such index
     */
    int page(int index);

    /**
     * The thread of one of the faults.
     *
     * @param index 0 to {@link #size()} - 1
     * @return its id in the system, or 0 if that is not known
     * @throws IndexOutOfBoundsException if there is no such index
     */
    int thread(int index);

    /**
     * Whether one of the faults is a write.
     *
     * @param index 0 to {@link #size()} - 1
     * @return whether it is
     * @throws IndexOutOfBoundsException if there is no such index
     */
    boolean isWrite(int index);

    /**
     * How far the decision to evict the page of one of the faults was wrong: its refault distance, the number of
     * evictions since its own. One below {@link PolicyContext#boundPages()} would not have come, had the page been
     * among those that stayed.
     *
     * <p>J. Weiner, workingset detection in Linux, mm/workingset.c, 2013.
     *
     * @param index 0 to {@link #size()} - 1
     * @return evictions since then, at least 0; -1 if that is not known
     * @throws IndexOutOfBoundsException if there is no such index
     */
    default int distance(int index) {
        java.util.Objects.checkIndex(index, size());
        return -1;
    }
}
