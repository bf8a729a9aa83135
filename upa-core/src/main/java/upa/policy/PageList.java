package upa.policy;

/**
 * An ordered list of pages. Every method but a walk takes constant time; none allocates for a page whose 2 MiB block
 * is known. Page numbers out of range are in no list, and adding one changes nothing.
 */
public interface PageList {

    /** Most lists of one policy. */
    int MAX_LISTS = 7;

    /** What is returned for "no page". */
    int NONE = -1;

    /** {@return pages in it} */
    int size();

    /** {@return whether it is empty} */
    default boolean isEmpty() {
        return size() == 0;
    }

    /**
     * Whether a page is in this list.
     *
     * @param page its number; any is allowed
     * @return whether it is
     */
    boolean contains(int page);

    /**
     * Puts a page at the front, taking it out of where it was. Its mark stays.
     *
     * @param page its number
     */
    void addFirst(int page);

    /**
     * Puts a page at the end, taking it out of where it was. Its mark stays.
     *
     * @param page its number
     */
    void addLast(int page);

    /**
     * Takes a page out, if it is in this list; its mark is forgotten.
     *
     * @param page its number; any is allowed
     * @return whether it was in the list
     */
    boolean remove(int page);

    /** {@return the page at the front, taken out, or {@link #NONE}} */
    int removeFirst();

    /** {@return the page at the end, taken out, or {@link #NONE}} */
    int removeLast();

    /** {@return the page at the front, or {@link #NONE}} */
    int first();

    /** {@return the page at the end, or {@link #NONE}} */
    int last();

    /**
     * The page behind another.
     *
     * @param page one in this list
     * @return the next towards the end, or {@link #NONE}; also if the page is not in this list
     */
    int next(int page);

    /**
     * The page before another.
     *
     * @param page one in this list
     * @return the next towards the front, or {@link #NONE}; also if the page is not in this list
     */
    int previous(int page);
}
