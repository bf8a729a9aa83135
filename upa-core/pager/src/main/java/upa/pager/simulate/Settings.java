package upa.pager.simulate;

/**
 * How a simulation runs.
 *
 * @param boundPages   pages that may be in memory, at least 1
 * @param evidence     what the policy sees of accesses to pages in memory
 * @param stagingPages of these, pages on their way out, from which a touch rescues them; 0 for none
 * @param batchPages   victims asked for at a time, at least 1
 */
public record Settings(int boundPages, Evidence evidence, int stagingPages, int batchPages) {

    /** What a policy sees. */
    public enum Evidence {
        /** Every access, as with accessed bits. */
        ACCESSES,
        /** Only faults and rescues, as on a stock kernel. */
        FAULTS
    }

    /**
     * Checks the numbers.
     *
     * @throws IllegalArgumentException if one is out of range
     */
    public Settings {
        if (boundPages < 1
                || stagingPages < 0
                || stagingPages >= boundPages
                || batchPages < 1
                || batchPages > boundPages) {
            throw new IllegalArgumentException(
                    "boundPages=" + boundPages + " stagingPages=" + stagingPages + " batchPages=" + batchPages);
        }
    }

    /**
     * Every access seen, no staging area, one victim at a time: as the literature on replacement has it.
     *
     * @param boundPages pages that may be in memory
     * @return these settings
     */
    public static Settings exact(int boundPages) {
        return new Settings(boundPages, Evidence.ACCESSES, 0, 1);
    }
}
