package upa.apps.results;

import java.util.List;

/**
 * How much resident memory the processes of a program held over time.
 *
 * @param meanBytes mean over time; 0 if nobody looked
 * @param looks some moments at which somebody did, in their order, evenly chosen
 */
public record MemoryCourse(long meanBytes, List<Look> looks) {

    public static final MemoryCourse UNKNOWN = new MemoryCourse(0, List.of());

    public MemoryCourse {
        looks = List.copyOf(looks);
    }

    /**
     * A moment.
     *
     * @param ns since the start of the program
     * @param bytes held: the resident set of a single process, the sum of the proportional sets of several
     */
    public record Look(long ns, long bytes) {}
}
