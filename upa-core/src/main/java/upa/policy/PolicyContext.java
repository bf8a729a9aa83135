package upa.policy;

import java.util.List;

/**
 * What a policy knows of its region, and where it keeps what it remembers. Every figure is of this moment. Only the
 * thread of a callback may use it.
 *
 * <p>The lists and columns are the framework's: memory follows the pages that are in them, per 2 MiB block. The lists
 * of a policy take 8 bytes a page together, its columns at most 8 more.
 */
public interface PolicyContext {

    /** Most pages of a region, 1 TiB. */
    int MAX_PAGES = 1 << 28;

    /** Pages of a block: 2 MiB. */
    int BLOCK_PAGES = 512;

    /** Largest {@link #mark}. */
    int MAX_MARK = 31;

    /** {@return page numbers are below this} */
    int pages();

    /** {@return how many pages may be resident} */
    int boundPages();

    /** {@return how many pages are resident} */
    int residentPages();

    /**
     * Whether a page is in memory.
     *
     * @param page its number; any is allowed
     * @return whether it is resident and not on its way out
     */
    boolean isResident(int page);

    /**
     * Where a page is that is not in memory.
     *
     * @param page its number; any is allowed
     * @return its place, or null if it is in memory, on its way, or has no content
     */
    Place placeOf(int page);

    /** {@return nanoseconds of a clock that never goes back; recorded time in the simulator} */
    long nanoTime();

    /** {@return options of this policy} */
    PolicyOptions options();

    /** {@return where pages can go, from the nearest to the farthest; empty if they can only be dropped} */
    List<Place> places();

    /** {@return what the region's pages did so far} */
    PolicyStatistics statistics();

    /** {@return the latest pressure} */
    Pressure pressure();

    /**
     * Makes a list of pages. A page is in at most one list of a policy: adding it to another moves it.
     *
     * @return an empty list
     * @throws PolicyException if there are {@link PageList#MAX_LISTS} already
     */
    PageList list();

    /**
     * A small number beside each page, 0 for those never marked; forgotten when the page is in no list.
     *
     * @param page its number
     * @return its mark, 0 to {@link #MAX_MARK}; 0 if it is in no list
     */
    int mark(int page);

    /**
     * Sets the mark of a page that is in a list; nothing happens to one that is in none.
     *
     * @param page  its number
     * @param value 0 to {@link #MAX_MARK}; other values are cut to that range
     */
    void mark(int page, int value);

    /**
     * Makes a column of numbers, one a page, all 0 at first.
     *
     * @param bytes of each number: 1, 2 or 4
     * @return the column
     * @throws PolicyException if the columns would take more than 8 bytes a page
     */
    PageColumn column(int bytes);
}
