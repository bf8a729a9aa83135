package upa.bench;

import static upa.bench.Plan.GIB;
import static upa.bench.Plan.KIB;
import static upa.bench.Plan.MIB;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Predicate;
import upa.bench.Measurements.Line;
import upa.bench.report.Units;
import upa.bench.stats.Interval;

/** The figures to reach, held against what was measured: of several sizes the worst one counts. */
public final class Figures {

    /** What came of a target. */
    public enum Verdict {
        /** All of the interval is on the right side. */
        REACHED,
        /** All of it is on the wrong side. */
        MISSED,
        /** The target lies within the interval. */
        UNDECIDED,
        /** The run did not measure it. */
        UNMEASURED
    }

    /**
     * One figure to reach.
     *
     * @param name what it is
     * @param target what to reach
     * @param measured value and interval; empty if unmeasured
     * @param where the size that was worst; empty if there is but one
     * @param verdict what came of it
     */
    public record Figure(String name, String target, String measured, String where, Verdict verdict) {}

    private final Measurements measurements;
    private final List<Figure> figures = new ArrayList<>();

    private Figures(Measurements measurements) {
        this.measurements = measurements;
    }

    /** All figures, in the order of the project's goals. */
    static List<Figure> of(Measurements measurements, JmhResults jmh) {
        Figures figures = new Figures(measurements);
        figures.pages();
        figures.malloc();
        figures.java(jmh);
        figures.metadata();
        return figures.figures;
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
        within("allocate + free alone, 1 GiB, upa_region_map", 10_000, measurements.time(region, GIB));
        within("allocate + free alone, 1 GiB, upa_mmap", 10_000, measurements.time(mmap, GIB));
        within("allocate + free alone, 4 KiB, upa_region_map", 80, measurements.time(region, 4 * KIB));
        within("allocate + free alone, 4 KiB, upa_mmap", 80, measurements.time(mmap, 4 * KIB));
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
        faster(
                "PageArena" + block,
                10,
                "Arena.ofConfined",
                "",
                jmh.ratio(JmhResults.CONFINED_1M, JmhResults.PAGE_ARENA_1M));
        faster(
                "PageArena uncleared" + block,
                10,
                "Arena.ofConfined",
                "",
                jmh.ratio(JmhResults.CONFINED_1M, JmhResults.PAGE_ARENA_UNCLEARED_1M));
        Line one = new Line(Experiment.LLFREE, "llfree", "", 1, "warm");
        Line two = new Line(Experiment.LLFREE, "llfree", "", 2, "warm");
        within("LLFree get + put, one page, C", 75, measurements.time(one, 4 * KIB));
        Optional<Interval> java = jmh.time(JmhResults.LLFREE_JAVA)
                .flatMap(j -> measurements
                        .median(one, 4 * KIB)
                        .map(c -> new Interval(j.estimate() / c, j.low() / c, j.high() / c)));
        add(
                "LLFree get + put, one page, Java",
                "≤ 1.5x C",
                java,
                Units::ratio,
                "",
                i -> i.high() <= 1.5,
                i -> i.low() > 1.5);
        faster(
                "LLFree get + put, one page, C, two threads",
                1.8,
                "one thread",
                "",
                measurements.speedUp(one, two, 4 * KIB));
    }

    private void metadata() {
        Line line = line(Experiment.SCALE, "region-uncleared", "warm");
        Optional<Interval> share = measurements
                .fact(line, "metadata_bytes")
                .flatMap(m -> measurements.fact(line, "managed_bytes").map(b -> Interval.exact(100 * m / b)));
        add(
                "metadata of the memory managed",
                "≤ 0.01 %",
                share,
                i -> String.format(Locale.ROOT, "%.4f %%", i.estimate()),
                "",
                i -> i.high() <= 0.01,
                i -> i.low() > 0.01);
    }

    /** The worst ratio over the sizes from low to high. */
    private void faster(String name, double target, String whom, Line base, Line fast, long low, long high) {
        List<Long> sizes = measurements.sizes(fast).stream()
                .filter(size -> size >= low && size <= high)
                .filter(size -> measurements.ratio(base, fast, size).isPresent())
                .toList();
        Optional<Long> worst = sizes.stream()
                .min(Comparator.comparingDouble(size ->
                        measurements.ratio(base, fast, size).orElseThrow().estimate()));
        String where = sizes.size() > 1 ? Units.bytes(worst.orElseThrow()) : "";
        faster(name, target, whom, where, worst.flatMap(size -> measurements.ratio(base, fast, size)));
    }

    private void faster(String name, double target, String whom, String where, Optional<Interval> measured) {
        add(
                name,
                "≥ " + Units.ratio(target) + " " + whom,
                measured,
                Units::ratio,
                where,
                i -> i.low() >= target,
                i -> i.high() < target);
    }

    private void within(String name, double nanoseconds, Optional<Interval> measured) {
        add(
                name,
                "≤ " + Units.time(nanoseconds),
                measured,
                Units::time,
                "",
                i -> i.high() <= nanoseconds,
                i -> i.low() > nanoseconds);
    }

    private void add(
            String name,
            String target,
            Optional<Interval> measured,
            Function<Interval, String> show,
            String where,
            Predicate<Interval> reached,
            Predicate<Interval> missed) {
        Verdict verdict = measured.map(
                        i -> reached.test(i) ? Verdict.REACHED : missed.test(i) ? Verdict.MISSED : Verdict.UNDECIDED)
                .orElse(Verdict.UNMEASURED);
        figures.add(new Figure(name, target, measured.map(show).orElse(""), where, verdict));
    }

    private static Line line(Experiment experiment, String contestant, String phase) {
        return new Line(experiment, contestant, "", 1, phase);
    }
}
