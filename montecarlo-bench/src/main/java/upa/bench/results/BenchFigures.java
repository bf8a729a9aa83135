package upa.bench.results;

import static upa.measure.report.Units.GIB;
import static upa.measure.report.Units.KIB;
import static upa.measure.report.Units.MIB;

import java.util.List;
import java.util.Locale;
import java.util.Optional;
import upa.bench.driver.Contestant;
import upa.bench.driver.Experiment;
import upa.bench.results.Measurements.Line;
import upa.measure.Figure;
import upa.measure.Figure.Reading;
import upa.measure.Targets;
import upa.measure.report.Units;
import upa.measure.stats.Interval;

/** The figures to reach, held against what was measured: of several sizes one decides. */
public final class BenchFigures {

    private final Measurements measurements;
    private final Targets targets = new Targets();

    private BenchFigures(Measurements measurements) {
        this.measurements = measurements;
    }

    /**
     * All figures.
     *
     * @param measurements of the driver
     * @param jmh of the JMH benchmarks
     * @return in the order of the project's goals
     */
    public static List<Figure> of(Measurements measurements, JmhResults jmh) {
        BenchFigures figures = new BenchFigures(measurements);
        figures.pages();
        figures.malloc();
        figures.java(jmh);
        figures.metadata();
        return figures.targets.figures();
    }

    private void pages() {
        Line kernel = line(Experiment.SIZES, "kernel", "warm");
        Line uncleared = line(Experiment.SIZES, "upa-uncleared", "warm");
        Line cleared = line(Experiment.SIZES, "upa", "warm");
        String warm = "warm allocate + touch + free, ";
        faster(warm + "uncleared, 4 KiB", 20, "kernel mmap", kernel, uncleared, 4 * KIB, 4 * KIB);
        faster(warm + "uncleared, 64 KiB-256 MiB", 100, "kernel mmap", kernel, uncleared, 64 * KIB, 256 * MIB);
        faster(warm + "cleared, 4 KiB", 15, "kernel mmap", kernel, cleared, 4 * KIB, 4 * KIB);
        faster(warm + "cleared, 64 KiB-16 MiB", 25, "kernel mmap", kernel, cleared, 64 * KIB, 16 * MIB);
        faster(warm + "cleared, above 16 MiB", 15, "kernel mmap", kernel, cleared, 16 * MIB + 1, Long.MAX_VALUE);
        Line region = line(Experiment.SCALE, "region-uncleared", "warm");
        Line mmap = line(Experiment.SCALE, "upa-uncleared", "warm");
        within("allocate + free alone, 1 GiB, upa_region_map", 10_000, region, region, GIB);
        within("allocate + free alone, 1 GiB, upa_mmap", 10_000, mmap, region, GIB);
        within("allocate + free alone, 4 KiB, upa_region_map", 80, region, region, 4 * KIB);
        within("allocate + free alone, 4 KiB, upa_mmap", 80, mmap, region, 4 * KIB);
    }

    private void malloc() {
        Line kernel = line(Experiment.MALLOC, "dlmalloc-kernel", "warm");
        for (String contestant : List.of("dlmalloc-upa-uncleared", "dlmalloc-upa")) {
            Line upa = line(Experiment.MALLOC, contestant, "warm");
            faster(contestant + ", 1 MiB-8 MiB", 10, "dlmalloc-kernel", kernel, upa, MIB, 8 * MIB);
            faster(contestant + ", any size", 0.95, "dlmalloc-kernel", kernel, upa, 1, Long.MAX_VALUE);
        }
    }

    private void java(JmhResults jmh) {
        within("allocate + free alone, 4 KiB, Java Region", 150, jmh.time(JmhResults.REGION_4K));
        String block = ", 1 MiB written once per page";
        targets.atLeast(
                "PageArena" + block,
                10,
                "Arena.ofConfined",
                Reading.of(jmh.ratio(JmhResults.CONFINED_1M, JmhResults.PAGE_ARENA_1M)));
        targets.atLeast(
                "PageArena cleared ahead" + block,
                3,
                "Arena.ofConfined",
                Reading.of(jmh.ratio(JmhResults.CONFINED_1M, JmhResults.PAGE_ARENA_AHEAD_1M)));
        targets.atLeast(
                "PageArena uncleared" + block,
                10,
                "Arena.ofConfined",
                Reading.of(jmh.ratio(JmhResults.CONFINED_1M, JmhResults.PAGE_ARENA_UNCLEARED_1M)));
        Line one = new Line(Experiment.LLFREE, "llfree", "", 1, "warm");
        Line two = new Line(Experiment.LLFREE, "llfree", "", 2, "warm");
        within("LLFree get + put, one page, C", 75, one, one, 4 * KIB);
        Optional<Interval> java = jmh.time(JmhResults.LLFREE_JAVA)
                .flatMap(j -> measurements
                        .median(one, 4 * KIB)
                        .map(c -> new Interval(j.estimate() / c, j.low() / c, j.high() / c)));
        targets.atMost("LLFree get + put, one page, Java", 1.5, "1.5x C", Units::ratio, Reading.of(java));
        targets.atLeast(
                "LLFree get + put, one page, C, two threads",
                1.8,
                "one thread",
                Reading.of(measurements.speedUp(one, two, 4 * KIB)));
    }

    private void metadata() {
        Line line = line(Experiment.SCALE, "region-uncleared", "warm");
        Optional<Interval> share = measurements
                .fact(line, "metadata_bytes")
                .flatMap(m -> measurements.fact(line, "managed_bytes").map(b -> Interval.exact(100 * m / b)));
        targets.atMost(
                "metadata of the memory managed",
                0.01,
                "0.01 %",
                i -> String.format(Locale.ROOT, "%.4f %%", i.estimate()),
                Reading.of(share));
    }

    /** The ratios over the sizes from low to high. */
    private void faster(String name, double target, String whom, Line base, Line fast, long low, long high) {
        List<Long> sizes = measurements.sizes(fast).stream()
                .filter(size -> size >= low && size <= high)
                .filter(size -> measurements.ratio(base, fast, size).isPresent())
                .toList();
        targets.atLeast(
                name,
                target,
                whom,
                sizes.stream()
                        .map(size -> new Reading(
                                measurements.ratio(base, fast, size).orElseThrow(),
                                sizes.size() > 1 ? Units.bytes(size) : "",
                                control(base, size)))
                        .toList());
    }

    /** How many times faster a line was than itself under the other name. */
    private Optional<Interval> control(Line line, long size) {
        String name = Contestant.controlOf(line.contestant());
        Line again = new Line(line.experiment(), name, line.variant(), line.threads(), line.phase());
        return measurements.ratio(line, again, size);
    }

    /** The experiment's control is that of one of its lines. */
    private void within(String name, double nanoseconds, Line line, Line controlled, long size) {
        targets.atMost(
                name,
                nanoseconds,
                Units.time(nanoseconds),
                Units::time,
                measurements.time(line, size).stream()
                        .map(time -> new Reading(time, "", control(controlled, size)))
                        .toList());
    }

    private void within(String name, double nanoseconds, Optional<Interval> measured) {
        targets.atMost(name, nanoseconds, Units.time(nanoseconds), Units::time, Reading.of(measured));
    }

    private static Line line(Experiment experiment, String contestant, String phase) {
        return new Line(experiment, contestant, "", 1, phase);
    }
}
