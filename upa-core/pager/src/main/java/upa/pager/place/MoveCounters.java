package upa.pager.place;

/**
 * What became of pages that were to be moved from one place to another.
 *
 * @param moved    published in the new place
 * @param stale    not where they were thought to be, or somebody else's: nothing was done
 * @param taken    wanted by a thread meanwhile: the work was for nothing
 * @param refused  the new place did not take them
 * @param failed   the old place did not return them
 */
public record MoveCounters(long moved, long stale, long taken, long refused, long failed) {}
