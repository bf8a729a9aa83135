package upa.bench.results;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.IntStream;
import upa.measure.stats.Interval;
import upa.measure.stats.Statistics;

/**
 * What the JMH benchmarks have measured: nanoseconds per operation, a mean per fork and iteration.
 *
 * @param scores by benchmark, such as {@code ArenaBenchmark.pageArena:bytes=1048576}
 */
public record JmhResults(Map<String, List<Double>> scores) {

    /** Region, 4 KiB. */
    public static final String REGION_4K = "RegionBenchmark.region:bytes=4096";
    /** PageArena, 1 MiB, cleared. */
    public static final String PAGE_ARENA_1M = "ArenaBenchmark.pageArena:bytes=1048576";
    /** PageArena, 1 MiB, uncleared. */
    public static final String PAGE_ARENA_UNCLEARED_1M = "ArenaBenchmark.pageArenaUncleared:bytes=1048576";
    /** PageArena, 1 MiB, cleared ahead of need. */
    public static final String PAGE_ARENA_AHEAD_1M = "ArenaBenchmark.pageArenaAhead:bytes=1048576";
    /** Arena.ofConfined, 1 MiB. */
    public static final String CONFINED_1M = "ArenaBenchmark.confined:bytes=1048576";
    /** LLFree in Java, one page. */
    public static final String LLFREE_JAVA = "LlFreeBenchmark.java:order=0";

    /** No results. */
    public static JmhResults none() {
        return new JmhResults(new TreeMap<>());
    }

    /** Mean time of a benchmark with its interval, in ns; empty if there is none of that name. */
    public Optional<Interval> time(String benchmark) {
        return Optional.ofNullable(benchmark).map(scores::get).map(s -> Statistics.ratio(array(s)));
    }

    /** How many times faster `fast` is than `base`, iteration by iteration. */
    public Optional<Interval> ratio(String base, String fast) {
        List<Double> bases = base == null ? null : scores.get(base);
        List<Double> fasts = fast == null ? null : scores.get(fast);
        if (bases == null || fasts == null) {
            return Optional.empty();
        }
        return Optional.of(Statistics.ratio(IntStream.range(0, Math.min(bases.size(), fasts.size()))
                .mapToDouble(i -> bases.get(i) / fasts.get(i))
                .toArray()));
    }

    private static double[] array(List<Double> values) {
        return values.stream().mapToDouble(Double::doubleValue).toArray();
    }
}
