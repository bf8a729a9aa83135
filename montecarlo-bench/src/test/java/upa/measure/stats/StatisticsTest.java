package upa.measure.stats;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class StatisticsTest {

    @Test
    void medianIsTheMiddleOrTheMeanOfTheTwoInTheMiddle() {
        assertEquals(3, Statistics.median(9, 1, 3));
        assertEquals(2.5, Statistics.median(4, 1, 2, 3));
        assertEquals(7, Statistics.median(7));
    }

    @Test
    void geometricMeanOfRatios() {
        assertEquals(1, Statistics.geometricMean(0.25, 4), 1e-12);
        assertEquals(6, Statistics.geometricMean(4, 9), 1e-12);
    }

    @Test
    void whatHasNoMeanIsRejected() {
        assertEquals(
                "geometric mean of value=0.0",
                assertThrows(IllegalArgumentException.class, () -> Statistics.geometricMean(1, 0))
                        .getMessage());
        assertEquals(
                "statistics of no values: length=0",
                assertThrows(IllegalArgumentException.class, Statistics::median).getMessage());
    }

    @Test
    void equalRatiosHaveAnIntervalWithoutWidth() {
        Interval interval = Statistics.ratio(5, 5, 5, 5);
        assertEquals(5, interval.estimate(), 1e-9);
        assertEquals(5, interval.low(), 1e-9);
        assertEquals(5, interval.high(), 1e-9);
    }

    @Test
    void aSingleRatioIsTakenAsItIs() {
        assertEquals(Interval.exact(3), Statistics.ratio(3));
    }

    @Test
    void intervalHoldsTheEstimateAndLiesWithinTheRatios() {
        Interval interval = Statistics.ratio(8, 10, 12.5); // their geometric mean is 10
        assertEquals(10, interval.estimate(), 1e-9);
        assertTrue(interval.low() > 7.999 && interval.low() < 10, interval.toString());
        assertTrue(interval.high() > 10 && interval.high() < 12.501, interval.toString());
    }

    /** For many values the bootstrap agrees with the normal interval exp(m ± 1.96 s / sqrt n). */
    @Test
    void intervalAgreesWithTheNormalOne() {
        Random random = new Random(1);
        int n = 400;
        double[] logs = IntStream.range(0, n)
                .mapToDouble(i -> 2 + 0.3 * random.nextGaussian())
                .toArray();
        double mean = IntStream.range(0, n).mapToDouble(i -> logs[i]).average().orElseThrow();
        double variance = IntStream.range(0, n)
                        .mapToDouble(i -> (logs[i] - mean) * (logs[i] - mean))
                        .sum()
                / n;
        double half = 1.96 * Math.sqrt(variance / n);
        Interval interval = Statistics.ratio(
                IntStream.range(0, n).mapToDouble(i -> Math.exp(logs[i])).toArray());
        assertEquals(mean, Math.log(interval.estimate()), 1e-9);
        assertEquals(mean - half, Math.log(interval.low()), half / 10);
        assertEquals(mean + half, Math.log(interval.high()), half / 10);
    }

    @Test
    void sameRatiosGiveTheSameInterval() {
        assertEquals(Statistics.ratio(1, 2, 3, 4), Statistics.ratio(1, 2, 3, 4));
    }

    @Test
    void slopeOfPowers() {
        double[] x = {4096, 65536, 1048576, 1 << 30};
        assertEquals(1, Statistics.logLogSlope(x, new double[] {40.96, 655.36, 10485.76, 10737418.24}), 1e-9);
        assertEquals(0, Statistics.logLogSlope(x, new double[] {7, 7, 7, 7}), 1e-12);
        assertEquals(-0.5, Statistics.logLogSlope(new double[] {1, 4, 16}, new double[] {8, 4, 2}), 1e-12);
    }

    @Test
    void aSlopeNeedsTwoPoints() {
        assertEquals(
                "slope of points: x.length=1 y.length=1",
                assertThrows(
                                IllegalArgumentException.class,
                                () -> Statistics.logLogSlope(new double[] {1}, new double[] {1}))
                        .getMessage());
        assertEquals(
                "slope over a single x=2.0",
                assertThrows(
                                IllegalArgumentException.class,
                                () -> Statistics.logLogSlope(new double[] {2, 2}, new double[] {1, 3}))
                        .getMessage());
        assertEquals(
                "logarithm of value=-1.0",
                assertThrows(
                                IllegalArgumentException.class,
                                () -> Statistics.logLogSlope(new double[] {1, 2}, new double[] {1, -1}))
                        .getMessage());
    }

    @Test
    void anIntervalIsInOrder() {
        assertEquals(
                "not an interval: low=2.0 estimate=1.0 high=3.0",
                assertThrows(IllegalArgumentException.class, () -> new Interval(1, 2, 3))
                        .getMessage());
        assertEquals(new Interval(0.5, 0.25, 1), new Interval(2, 1, 4).inverse());
    }

    @Test
    void percentilesOfAKnownDistribution() {
        Latencies latencies = new Latencies();
        for (int ns = 1; ns <= 1000; ns++) {
            latencies.record(ns * 1000L);
        }
        assertEquals(1000, latencies.count());
        assertEquals(500, latencies.median(), 0.5);
        assertEquals(990, latencies.percentile(99), 1);
        assertEquals(1000, latencies.max(), 1);
    }

    @Test
    void distributionsAdd() {
        Latencies some = new Latencies();
        Latencies others = new Latencies();
        some.record(1_000);
        others.record(3_000_000_000_000L);
        some.add(others);
        assertEquals(2, some.count());
        assertEquals(3e9, some.max(), 3e6);
        assertEquals(0, new Latencies().max());
    }

    @Test
    void aQuotientOfWhatWasMeasuredApart() {
        Interval same = Statistics.quotient(new double[] {8, 10, 12.5}, new double[] {8, 10, 12.5});
        assertEquals(1, same.estimate(), 1e-12);
        assertTrue(same.low() < 0.9 && same.high() > 1.1, same.toString());
        Interval half = Statistics.quotient(new double[] {5, 5, 5}, new double[] {10, 10, 10});
        assertEquals(0.5, half.low(), 1e-12);
        assertEquals(0.5, half.high(), 1e-12);
        // Numbers of rounds may differ.
        Interval single = Statistics.quotient(new double[] {20}, new double[] {8, 10, 12.5});
        assertEquals(2, single.estimate(), 1e-12);
        assertTrue(single.low() < 2 && single.high() > 2, single.toString());
        assertEquals(Interval.exact(4), Statistics.quotient(new double[] {8}, new double[] {2}));
        assertThrows(IllegalArgumentException.class, () -> Statistics.quotient(new double[] {}, new double[] {1}));
        assertThrows(IllegalArgumentException.class, () -> Statistics.quotient(new double[] {1}, new double[] {0}));
    }

    @Test
    void groupsCountAlikeHoweverManyRatiosEachHas() {
        Interval mean = Statistics.ratioOfGroups(List.of(new double[] {4, 4, 4, 4}, new double[] {1}));
        assertEquals(2, mean.estimate(), 1e-12);
        assertEquals(2, mean.low(), 1e-12);
        assertEquals(2, mean.high(), 1e-12);
        assertEquals(Interval.exact(6), Statistics.ratioOfGroups(List.of(new double[] {4}, new double[] {9})));
        assertThrows(IllegalArgumentException.class, () -> Statistics.ratioOfGroups(List.of()));
        assertThrows(
                IllegalArgumentException.class,
                () -> Statistics.ratioOfGroups(List.of(new double[] {1}, new double[] {})));
    }

    /** Groups are resampled each by itself: independent noise averages out, exp(m ± 1.96 s / sqrt(groups n)). */
    @Test
    void intervalOfGroupsAgreesWithTheNormalOne() {
        Random random = new Random(2);
        int groups = 8;
        int n = 50;
        List<double[]> ratios = new ArrayList<>();
        double mean = 0;
        double variance = 0; // of the mean of all groups
        for (int group = 0; group < groups; group++) {
            double level = group; // far apart: what groups differ by is no noise
            double[] logs = IntStream.range(0, n)
                    .mapToDouble(i -> level + 0.2 * random.nextGaussian())
                    .toArray();
            double own = Arrays.stream(logs).average().orElseThrow();
            mean += own / groups;
            variance += Arrays.stream(logs).map(x -> (x - own) * (x - own)).sum() / n / n / groups / groups;
            ratios.add(Arrays.stream(logs).map(Math::exp).toArray());
        }
        double half = 1.96 * Math.sqrt(variance);
        Interval interval = Statistics.ratioOfGroups(ratios);
        assertEquals(mean, Math.log(interval.estimate()), 1e-9);
        assertEquals(mean - half, Math.log(interval.low()), half / 10);
        assertEquals(mean + half, Math.log(interval.high()), half / 10);
    }

    @Test
    void meansAreArithmeticAndMayBeNegative() {
        assertEquals(Interval.exact(-3), Statistics.mean(-3));
        Interval mean = Statistics.mean(-1, 2, 5, -2, 1, 4, -3, 0, 3); // standard deviation 2.58
        double half = 1.96 * Math.sqrt(60.0 / 9) / 3;
        assertEquals(1, mean.estimate(), 1e-12);
        assertEquals(1 - half, mean.low(), half / 10);
        assertEquals(1 + half, mean.high(), half / 10);
        assertThrows(IllegalArgumentException.class, Statistics::mean);
    }

    /** Both sides are resampled: the variances of the two means add up. */
    @Test
    void intervalOfAQuotientAgreesWithTheNormalOne() {
        Random random = new Random(3);
        int n = 200;
        double[] above = IntStream.range(0, n)
                .mapToDouble(i -> 3 + 0.3 * random.nextGaussian())
                .toArray();
        double[] below = IntStream.range(0, n)
                .mapToDouble(i -> 1 + 0.4 * random.nextGaussian())
                .toArray();
        double middle = Arrays.stream(above).average().orElseThrow()
                - Arrays.stream(below).average().orElseThrow();
        double half = 1.96 * Math.sqrt((variance(above) + variance(below)) / n);
        Interval quotient = Statistics.quotient(
                Arrays.stream(above).map(Math::exp).toArray(),
                Arrays.stream(below).map(Math::exp).toArray());
        assertEquals(middle, Math.log(quotient.estimate()), 1e-9);
        assertEquals(middle - half, Math.log(quotient.low()), half / 10);
        assertEquals(middle + half, Math.log(quotient.high()), half / 10);
    }

    private static double variance(double[] values) {
        double mean = Arrays.stream(values).average().orElseThrow();
        return Arrays.stream(values).map(x -> (x - mean) * (x - mean)).sum() / values.length;
    }
}
