package upa.measure.stats;

import java.util.Arrays;
import java.util.List;
import java.util.function.ToDoubleFunction;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;

/** Means, medians, slopes, and their bootstrap intervals. All functions are deterministic and thread-safe. */
public final class Statistics {

    private static final int RESAMPLES = 10_000;
    private static final double TAIL = 0.025;
    private static final long SEED = 20110509;

    private Statistics() {}

    /**
     * The median: the middle value, or the mean of the two in the middle.
     *
     * @param values at least one, in any order
     * @return the median
     */
    public static double median(double... values) {
        double[] sorted = sorted(values);
        int middle = sorted.length / 2;
        return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }

    /**
     * The geometric mean, which is the mean to take of ratios.
     *
     * @param values at least one, all positive
     * @return the n-th root of the product
     */
    public static double geometricMean(double... values) {
        requireSome(values);
        double sum = 0;
        for (double value : values) {
            if (!(value > 0)) {
                throw new IllegalArgumentException("geometric mean of value=" + value);
            }
            sum += Math.log(value);
        }
        return Math.exp(sum / values.length);
    }

    /**
     * The geometric mean of ratios, with the 95 % percentile-bootstrap interval (Efron 1979): the
     * ratios are drawn again with replacement 10 000 times, from a fixed seed.
     *
     * @param ratios one per round, all positive; of a single one the interval has no width
     * @return mean and interval
     */
    public static Interval ratio(double... ratios) {
        double estimate = geometricMean(ratios);
        if (ratios.length == 1) {
            return Interval.exact(ratios[0]);
        }
        Interval logs = mean(Arrays.stream(ratios).map(Math::log).toArray());
        return new Interval(
                estimate, Math.min(Math.exp(logs.low()), estimate), Math.max(Math.exp(logs.high()), estimate));
    }

    /**
     * The quotient of two geometric means of values that were measured apart, with the 95 % percentile-bootstrap
     * interval: each side is resampled by itself.
     *
     * @param numerators at least one, all positive
     * @param denominators at least one, all positive
     * @return quotient and interval; without width if there is but one value on each side
     */
    public static Interval quotient(double[] numerators, double[] denominators) {
        double estimate = geometricMean(numerators) / geometricMean(denominators);
        if (numerators.length == 1 && denominators.length == 1) {
            return Interval.exact(numerators[0] / denominators[0]);
        }
        double[] above = Arrays.stream(numerators).map(Math::log).toArray();
        double[] below = Arrays.stream(denominators).map(Math::log).toArray();
        Interval logs = resampled(Math.log(estimate), random -> resample(above, random) - resample(below, random));
        return new Interval(
                estimate, Math.min(Math.exp(logs.low()), estimate), Math.max(Math.exp(logs.high()), estimate));
    }

    /**
     * The mean, with the 95 % percentile-bootstrap interval as above.
     *
     * @param values one per round; of a single one the interval has no width
     * @return mean and interval
     */
    public static Interval mean(double... values) {
        requireSome(values);
        double estimate = Arrays.stream(values).average().orElseThrow();
        if (values.length == 1) {
            return Interval.exact(estimate);
        }
        return resampled(estimate, random -> resample(values, random));
    }

    /**
     * The geometric mean over groups of the geometric mean of each, with the 95 % percentile-bootstrap interval: every
     * group is resampled by itself, so that the interval is that of the noise and not of the choice of groups.
     *
     * @param groups at least one, each of at least one positive ratio
     * @return mean and interval; without width if each group has but one ratio
     */
    public static Interval ratioOfGroups(List<double[]> groups) {
        double estimate = geometricMean(
                groups.stream().mapToDouble(Statistics::geometricMean).toArray());
        if (groups.stream().allMatch(group -> group.length == 1)) {
            return Interval.exact(estimate);
        }
        List<double[]> logs = groups.stream()
                .map(group -> Arrays.stream(group).map(Math::log).toArray())
                .toList();
        Interval means = resampled(Math.log(estimate), random -> {
            double sum = 0;
            for (double[] group : logs) {
                sum += resample(group, random);
            }
            return sum / logs.size();
        });
        return new Interval(
                estimate, Math.min(Math.exp(means.low()), estimate), Math.max(Math.exp(means.high()), estimate));
    }

    /** The mean of as many values drawn with replacement. */
    private static double resample(double[] values, RandomGenerator random) {
        double sum = 0;
        for (int j = 0; j < values.length; j++) {
            sum += values[random.nextInt(values.length)];
        }
        return sum / values.length;
    }

    private static Interval resampled(double estimate, ToDoubleFunction<RandomGenerator> draw) {
        RandomGenerator random = RandomGeneratorFactory.of("L64X128MixRandom").create(SEED);
        double[] means = new double[RESAMPLES];
        for (int i = 0; i < RESAMPLES; i++) {
            means[i] = draw.applyAsDouble(random);
        }
        Arrays.sort(means);
        double low = means[(int) (RESAMPLES * TAIL)];
        double high = means[(int) (RESAMPLES * (1 - TAIL))];
        return new Interval(estimate, Math.min(low, estimate), Math.max(high, estimate));
    }

    /**
     * The slope of log y over log x by least squares: 0 where y does not depend on x, 1 where it is
     * proportional to x.
     *
     * @param x at least two different positive values
     * @param y as many positive values
     * @return the slope
     */
    public static double logLogSlope(double[] x, double[] y) {
        if (x.length != y.length || x.length < 2) {
            throw new IllegalArgumentException("slope of points: x.length=" + x.length + " y.length=" + y.length);
        }
        double meanX = Arrays.stream(x).map(Statistics::log).average().orElseThrow();
        double meanY = Arrays.stream(y).map(Statistics::log).average().orElseThrow();
        double covariance = 0;
        double variance = 0;
        for (int i = 0; i < x.length; i++) {
            double dx = Math.log(x[i]) - meanX;
            covariance += dx * (Math.log(y[i]) - meanY);
            variance += dx * dx;
        }
        if (variance == 0) {
            throw new IllegalArgumentException("slope over a single x=" + x[0]);
        }
        return covariance / variance;
    }

    private static double log(double value) {
        if (!(value > 0)) {
            throw new IllegalArgumentException("logarithm of value=" + value);
        }
        return Math.log(value);
    }

    private static double[] sorted(double[] values) {
        requireSome(values);
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        return sorted;
    }

    private static void requireSome(double[] values) {
        if (values.length == 0) {
            throw new IllegalArgumentException("statistics of no values: length=0");
        }
    }
}
