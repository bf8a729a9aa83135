package upa.measure.stats;

/**
 * An estimate and the interval that holds its true value with 95 % confidence.
 *
 * @param estimate the best single value
 * @param low the lower end, at most the estimate
 * @param high the upper end, at least the estimate
 */
public record Interval(double estimate, double low, double high) {

    /** Rejects NaN and ends on the wrong side. */
    public Interval {
        if (!(low <= estimate && estimate <= high)) {
            throw new IllegalArgumentException(
                    "not an interval: low=" + low + " estimate=" + estimate + " high=" + high);
        }
    }

    /**
     * An estimate of which the spread is unknown, because there is but one observation.
     *
     * @param estimate the value
     * @return an interval without width
     */
    public static Interval exact(double estimate) {
        return new Interval(estimate, estimate, estimate);
    }

    /**
     * The interval of the inverse ratio.
     *
     * @return 1 / this; all ends must be positive
     */
    public Interval inverse() {
        return new Interval(1 / estimate, 1 / high, 1 / low);
    }
}
