package upa.bench.results;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.ToDoubleFunction;
import upa.bench.driver.DriverOutput;
import upa.bench.driver.Experiment;
import upa.bench.driver.Job;
import upa.measure.stats.Interval;
import upa.measure.stats.Latencies;
import upa.measure.stats.Statistics;

/** All that has been measured, by what and by round. Not thread-safe. */
public final class Measurements {

    /**
     * What was measured, apart from the size.
     *
     * @param experiment which
     * @param contestant by name
     * @param variant see {@link upa.bench.driver.Job}
     * @param threads at once
     * @param phase see the driver
     */
    public record Line(Experiment experiment, String contestant, String variant, int threads, String phase) {}

    /**
     * A line at one size.
     *
     * @param line which
     * @param size in bytes; 0: all sizes together
     */
    public record Key(Line line, long size) {}

    private final Map<Key, SortedMap<Integer, DriverOutput.Point>> points = new HashMap<>();
    private final Map<Line, SortedMap<Integer, Map<String, String>>> facts = new HashMap<>();

    /** None yet. */
    public Measurements() {}

    /** Adds what a job has measured in a round. */
    public void add(Job job, int round, DriverOutput output) {
        for (DriverOutput.Point point : output.points()) {
            Line line =
                    new Line(job.experiment(), job.contestant().name(), job.variant(), job.threads(), point.phase());
            facts.computeIfAbsent(line, k -> new TreeMap<>()).put(round, output.facts());
            if (point.operations() > 0) {
                points.computeIfAbsent(new Key(line, point.size()), k -> new TreeMap<>())
                        .put(round, point);
            }
        }
    }

    /** Whether nothing was measured. */
    public boolean isEmpty() {
        return points.isEmpty();
    }

    /** All keys in a stable order. */
    public List<Key> keys() {
        return points.keySet().stream()
                .sorted(Comparator.comparing((Key k) -> k.line().experiment())
                        .thenComparing(k -> k.line().variant())
                        .thenComparing(k -> k.line().phase())
                        .thenComparing(k -> k.line().contestant())
                        .thenComparing(k -> k.line().threads())
                        .thenComparing(Key::size))
                .toList();
    }

    /** What was measured, by round; empty if nothing was. */
    public SortedMap<Integer, DriverOutput.Point> rounds(Line line, long size) {
        return points.getOrDefault(new Key(line, size), new TreeMap<>());
    }

    /** Sizes measured of a line, but not 0. */
    public List<Long> sizes(Line line) {
        TreeSet<Long> sizes = new TreeSet<>();
        points.keySet().stream()
                .filter(k -> k.line().equals(line) && k.size() != 0)
                .forEach(k -> sizes.add(k.size()));
        return new ArrayList<>(sizes);
    }

    /** The median over rounds of the round's median time, in ns. */
    public Optional<Double> median(Line line, long size) {
        return overRounds(line, size, p -> p.latencies().median());
    }

    /** The median over rounds of the round's mean time, in ns. */
    public Optional<Double> mean(Line line, long size) {
        return overRounds(line, size, DriverOutput.Point::mean);
    }

    /** The median over rounds of the round's median, with a bootstrap interval of it, in ns. */
    public Optional<Interval> time(Line line, long size) {
        double[] values = rounds(line, size).values().stream()
                .mapToDouble(p -> p.latencies().median())
                .filter(v -> v > 0)
                .toArray();
        return values.length == 0 ? Optional.empty() : Optional.of(Statistics.ratio(values));
    }

    /** The samples of all rounds. */
    public Latencies pooled(Line line, long size) {
        Latencies all = new Latencies();
        rounds(line, size).values().forEach(p -> all.add(p.latencies()));
        return all;
    }

    /** How many times faster `fast` is than `base`, by medians, computed round by round. */
    public Optional<Interval> ratio(Line base, Line fast, long size) {
        return ratio(base, fast, size, p -> p.latencies().median());
    }

    /** The same by means: of a ring, the ratio of the total times. */
    public Optional<Interval> meanRatio(Line base, Line fast, long size) {
        return ratio(base, fast, size, DriverOutput.Point::mean);
    }

    /** How many times more operations per second the threads of `many` do than the one of `one`, by medians. */
    public Optional<Interval> speedUp(Line one, Line many, long size) {
        double threads = (double) many.threads() / one.threads();
        return ratio(one, many, size)
                .map(r -> new Interval(threads * r.estimate(), threads * r.low(), threads * r.high()));
    }

    private Optional<Interval> ratio(Line base, Line fast, long size, ToDoubleFunction<DriverOutput.Point> value) {
        SortedMap<Integer, DriverOutput.Point> bases = rounds(base, size);
        SortedMap<Integer, DriverOutput.Point> fasts = rounds(fast, size);
        double[] ratios = bases.keySet().stream()
                .filter(fasts::containsKey)
                .mapToDouble(round -> value.applyAsDouble(bases.get(round)) / value.applyAsDouble(fasts.get(round)))
                .filter(r -> r > 0 && Double.isFinite(r))
                .toArray();
        return ratios.length == 0 ? Optional.empty() : Optional.of(Statistics.ratio(ratios));
    }

    /** The slope of log time over log size, computed round by round; empty with fewer than three sizes. */
    public Optional<Interval> slope(Line line) {
        List<Long> sizes = sizes(line);
        if (sizes.size() < 3) {
            return Optional.empty();
        }
        TreeSet<Integer> rounds = new TreeSet<>(rounds(line, sizes.getFirst()).keySet());
        sizes.forEach(size -> rounds.retainAll(rounds(line, size).keySet()));
        double[] slopes = rounds.stream()
                .mapToDouble(round -> Statistics.logLogSlope(
                        sizes.stream().mapToDouble(Long::doubleValue).toArray(),
                        sizes.stream()
                                .mapToDouble(size -> Math.max(
                                        0.001,
                                        rounds(line, size)
                                                .get(round)
                                                .latencies()
                                                .median()))
                                .toArray()))
                .toArray();
        return slopes.length == 0 ? Optional.empty() : Optional.of(Statistics.mean(slopes));
    }

    /** The median over rounds of a fact that is a number. */
    public Optional<Double> fact(Line line, String name) {
        double[] values = facts.getOrDefault(line, new TreeMap<>()).values().stream()
                .filter(f -> f.containsKey(name))
                .mapToDouble(f -> Double.parseDouble(f.get(name)))
                .toArray();
        return values.length == 0 ? Optional.empty() : Optional.of(Statistics.median(values));
    }

    /** A fact that is the same for all, as the first run has told it. */
    public Optional<String> text(String name) {
        return facts.values().stream()
                .flatMap(rounds -> rounds.values().stream())
                .flatMap(f -> Optional.ofNullable(f.get(name)).stream())
                .findFirst();
    }

    private Optional<Double> overRounds(Line line, long size, ToDoubleFunction<DriverOutput.Point> value) {
        double[] values =
                rounds(line, size).values().stream().mapToDouble(value).toArray();
        return values.length == 0 ? Optional.empty() : Optional.of(Statistics.median(values));
    }
}
