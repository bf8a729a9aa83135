package upa.measure.stats;

import org.HdrHistogram.Histogram;

/**
 * A distribution of operation times, recorded in picoseconds with three significant digits and read
 * in nanoseconds. Not thread-safe.
 */
public final class Latencies {

    private static final int DIGITS = 3;
    private static final double PICOSECONDS = 1000;

    private final Histogram histogram = new Histogram(DIGITS);

    /** An empty distribution. */
    public Latencies() {
        histogram.setAutoResize(true);
    }

    /**
     * Records one time.
     *
     * @param picoseconds 0 or more
     */
    public void record(long picoseconds) {
        histogram.recordValue(picoseconds);
    }

    /**
     * Records all times of another distribution.
     *
     * @param other left as it is
     */
    public void add(Latencies other) {
        histogram.add(other.histogram);
    }

    /**
     * The number of recorded times.
     *
     * @return 0 or more
     */
    public long count() {
        return histogram.getTotalCount();
    }

    /**
     * The median.
     *
     * @return nanoseconds
     */
    public double median() {
        return percentile(50);
    }

    /**
     * A percentile.
     *
     * @param percent 0 to 100
     * @return nanoseconds; 0 of an empty distribution
     */
    public double percentile(double percent) {
        return histogram.getValueAtPercentile(percent) / PICOSECONDS;
    }

    /**
     * The longest time.
     *
     * @return nanoseconds; 0 of an empty distribution
     */
    public double max() {
        return histogram.getMaxValue() / PICOSECONDS;
    }
}
