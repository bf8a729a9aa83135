package upa.pager.host;

import java.util.List;
import upa.policy.Place;
import upa.policy.PlacementRule;
import upa.policy.PolicyStatistics;
import upa.policy.Pressure;

/**
 * The pages of one region, as a host of policies sees them. Called by the host's thread only; what it asks for may be
 * done later and by others. Page numbers are in range, places are indices of {@link #places()} or {@link #ANY_PLACE}.
 * What a mechanism cannot do it refuses: that is the default.
 */
public interface Mechanism {

    /** The nearest place with room. */
    int ANY_PLACE = -1;

    /** {@return page numbers are below this} */
    int pages();

    /** {@return how many pages may be resident} */
    int boundPages();

    /** {@return how many pages are resident and not on their way out} */
    int residentPages();

    /**
     * Whether a page is in memory.
     *
     * @param page its number
     * @return whether it is resident and not on its way out
     */
    boolean isResident(int page);

    /**
     * Walks the resident pages.
     *
     * @param from where to begin
     * @return the first resident page not below that, or -1
     */
    int nextResident(int from);

    /**
     * Where a page is that is not in memory.
     *
     * @param page its number
     * @return index of its place; -1 if it is resident, on its way, or has no content
     */
    int placeOf(int page);

    /** {@return nanoseconds of a clock that never goes back} */
    long nanoTime();

    /** {@return where pages can go, nearest first} */
    List<Place> places();

    /** {@return counters; {@link PolicyStatistics#refused()} is the host's to fill in} */
    PolicyStatistics statistics();

    /** {@return the latest pressure} */
    Pressure pressure();

    /**
     * Claims a page for eviction. At most one claim of a page succeeds until it is resident again.
     *
     * @param page  its number
     * @param place where to
     * @return false if it is not resident, claimed already, or pinned
     */
    boolean evict(int page, int place);

    /** {@return how many pages may be fetched now} */
    int fetchRoom();

    /**
     * Brings a page in early.
     *
     * @param page its number
     * @return false if it is resident, on its way in, or has no content anywhere
     */
    boolean fetch(int page);

    /**
     * Makes a block a huge page.
     *
     * @param firstPage a multiple of the pages of a block
     * @return whether it will be tried
     */
    default boolean collapse(int firstPage) {
        return false;
    }

    /**
     * Populates pages that have never been touched.
     *
     * @param first of them
     * @param count how many, in range
     * @return whether it will be tried
     */
    default boolean populate(int first, int count) {
        return false;
    }

    /**
     * Clears free pages that hold old bytes.
     *
     * @param count at most how many
     * @return whether it will be tried
     */
    default boolean clearAhead(int count) {
        return false;
    }

    /**
     * Moves a page between places.
     *
     * @param page  its number
     * @param place where to
     * @return false if it is in no other place, or claimed already
     */
    default boolean migrate(int page, int place) {
        return false;
    }

    /**
     * Gives free memory back to the kernel.
     *
     * @param keepPages how many free pages keep theirs
     * @return whether it will be tried
     */
    default boolean giveBack(int keepPages) {
        return false;
    }

    /**
     * Lowers or raises the bound, within what the user allows.
     *
     * @param pages how many may be resident
     * @return the bound that holds now
     */
    int bound(int pages);

    /**
     * Adds a rule of placement.
     *
     * @param rule for sizes that no earlier rule covers
     * @return whether the machine can do it
     */
    default boolean place(PlacementRule rule) {
        return false;
    }
}
