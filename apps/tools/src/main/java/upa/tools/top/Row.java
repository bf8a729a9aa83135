package upa.tools.top;

/**
 * What a process did between two samples, or since its start if there is but one.
 *
 * @param sample        the later one
 * @param requests      a second
 * @param served        share of the requests for memory that UPA served, 0..1; -1 if there were none
 * @param cleared       pages a second: handed out populated, hence cleared
 * @param purged        pages a second: purged without the kernel
 * @param faults        a second
 * @param givenBack     pages a second
 */
record Row(
        Sample sample, double requests, double served, double cleared, double purged, double faults, double givenBack) {

    private static final double NS_PER_S = 1e9;
    private static final double PAGE_BYTES = 4096;

    /** Between two samples of one process. */
    static Row between(Sample before, Sample after) {
        double seconds = Math.max(1, after.nanos() - before.nanos()) / NS_PER_S;
        long maps = after.maps() - before.maps();
        long asked = maps + after.passed() - before.passed();
        return new Row(
                after,
                (after.requests() - before.requests()) / seconds,
                asked > 0 ? (double) maps / asked : share(after),
                (after.clearedBytes() - before.clearedBytes()) / PAGE_BYTES / seconds,
                (after.purgedBytes() - before.purgedBytes()) / PAGE_BYTES / seconds,
                (after.faults() - before.faults()) / seconds,
                (after.givenBackBytes() - before.givenBackBytes()) / PAGE_BYTES / seconds);
    }

    /** Of a process that has been seen once. */
    static Row first(Sample sample) {
        return new Row(sample, 0, share(sample), 0, 0, 0, 0);
    }

    private static double share(Sample s) {
        return s.maps() + s.passed() == 0 ? -1 : (double) s.maps() / (s.maps() + s.passed());
    }
}
