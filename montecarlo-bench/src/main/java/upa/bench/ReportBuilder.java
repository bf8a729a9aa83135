package upa.bench;

import static upa.bench.Plan.GIB;
import static upa.bench.Plan.MIB;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import upa.bench.Measurements.Key;
import upa.bench.Measurements.Line;
import upa.bench.report.Report;
import upa.bench.report.Report.Block;
import upa.bench.report.Report.Cell;
import upa.bench.report.Report.Chart;
import upa.bench.report.Report.Highlight;
import upa.bench.report.Report.Mark;
import upa.bench.report.Report.Point;
import upa.bench.report.Report.Reference;
import upa.bench.report.Report.Section;
import upa.bench.report.Report.Series;
import upa.bench.report.Report.Table;
import upa.bench.report.Report.Text;
import upa.bench.report.Report.Unit;
import upa.bench.report.Units;
import upa.bench.stats.Interval;
import upa.bench.stats.Latencies;

/** Turns measurements into the report: per experiment what is claimed, what is seen, tables and charts. */
public final class ReportBuilder {

    /** From here on the range of ratios holds their median with more than 95 %: 1 - 2^(1 - n). */
    private static final int ENOUGH_ROUNDS = 6;

    private static final String KERNEL = "kernel";
    private static final String UPA = "upa";
    private static final String UNCLEARED = "upa-uncleared";
    private static final String DL_KERNEL = "dlmalloc-kernel";
    private static final String DL_UPA = "dlmalloc-upa-uncleared";
    private static final List<Reference> PAR = List.of(new Reference(1, "as fast as the base line"));
    /** The contestants that a narrow table shows. */
    private static final Set<String> MAIN = Set.of(KERNEL, "kernel-populate", UPA, UNCLEARED);

    private final Measurements measurements;
    private final List<Contestant> contestants;

    private ReportBuilder(Measurements measurements, List<Contestant> contestants) {
        this.measurements = measurements;
        this.contestants = contestants;
    }

    static Report build(
            Measurements measurements,
            List<Contestant> contestants,
            List<Figures.Figure> figures,
            JmhResults jmh,
            Map<String, String> machine,
            Map<String, String> method,
            List<String> notes) {
        return new ReportBuilder(measurements, contestants).report(figures, jmh, machine, method, notes);
    }

    private Report report(
            List<Figures.Figure> figures,
            JmhResults jmh,
            Map<String, String> machine,
            Map<String, String> method,
            List<String> notes) {
        List<Section> sections = new ArrayList<>();
        for (Experiment experiment : Experiment.values()) {
            if (measurements.keys().stream().anyMatch(k -> k.line().experiment() == experiment)) {
                sections.add(section(experiment));
            }
        }
        if (!jmh.scores().isEmpty()) {
            sections.add(JmhReport.section(jmh));
        }
        sections.add(figures(figures));
        sections.add(conditions(machine, method, notes));
        return new Report(
                "What a page allocation costs, and what it could cost",
                List.of(
                        "A program gets memory from the kernel in pages of 4 KiB: it calls mmap, the kernel promises"
                            + " the pages, and each first touch of one is an exception in which the kernel finds a"
                            + " page, clears it and maps it. Freed memory goes the way back, and the next allocation"
                            + " starts anew.",
                        "UPA lets the program keep a range of pages and allocate them itself. A freed page stays"
                            + " mapped, and whoever asks next gets it at once. The idea is Niall Douglas's (User Mode"
                            + " Memory Page Allocation, arXiv 1105.1811, 2011); this page measures it against the"
                            + " kernel and against today's malloc libraries, on one machine, in one run.",
                        "A ratio such as 20x says how many times faster than the base line. The range behind it holds"
                            + " the true value with 95 % confidence: ratios are computed round by round and resampled"
                            + " (bootstrap)."),
                highlights(),
                sections);
    }

    private List<Highlight> highlights() {
        List<Highlight> out = new ArrayList<>();
        Line kernel = line(Experiment.SIZES, KERNEL, "", "warm");
        measurements
                .ratio(kernel, line(Experiment.SIZES, UNCLEARED, "", "warm"), MIB)
                .ifPresent(r -> out.add(new Highlight(
                        Units.ratio(r.estimate()),
                        "faster than the kernel's mmap: 1 MiB, recycled, uncleared, every page touched")));
        measurements
                .ratio(kernel, line(Experiment.SIZES, UPA, "", "warm"), MIB)
                .ifPresent(r -> out.add(new Highlight(
                        Units.ratio(r.estimate()), "the same with the memory cleared, as the kernel does")));
        measurements
                .time(line(Experiment.SCALE, "region-uncleared", "", "warm"), GIB)
                .ifPresent(t -> out.add(
                        new Highlight(Units.time(t.estimate()), "to allocate and free 1 GiB of populated pages")));
        measurements
                .ratio(
                        line(Experiment.MALLOC, DL_KERNEL, "", "warm"),
                        line(Experiment.MALLOC, DL_UPA, "", "warm"),
                        4 * MIB)
                .ifPresent(r -> out.add(new Highlight(
                        Units.ratio(r.estimate()),
                        "faster malloc of 4 MiB blocks: dlmalloc on UPA against dlmalloc on the kernel")));
        return out;
    }

    private Section section(Experiment experiment) {
        List<Block> blocks = new ArrayList<>();
        blocks.add(new Text("Claimed", experiment.claim()));
        switch (experiment) {
            case SIZES -> sizes(blocks);
            case SCALE -> scale(blocks);
            case MALLOC -> malloc(blocks);
            case REALLOC -> realloc(blocks);
            case ABLATION -> ablation(blocks);
            case REPLAY -> replay(blocks);
            case THREADS, LLFREE -> threads(blocks, experiment);
        }
        blocks.add(2, new Text("Measured", experiment.includes()));
        return new Section(experiment.id(), experiment.title(), blocks);
    }

    // (a)

    private void sizes(List<Block> blocks) {
        Line kernel = line(Experiment.SIZES, KERNEL, "", "warm");
        Line coldKernel = line(Experiment.SIZES, KERNEL, "", "cold");
        blocks.add(seen(Stream.of(
                spread("warm, uncleared", kernel, line(Experiment.SIZES, UNCLEARED, "", "warm")),
                spread("warm, cleared", kernel, line(Experiment.SIZES, UPA, "", "warm")),
                spread("cold", coldKernel, line(Experiment.SIZES, UPA, "", "cold")))));
        for (String phase : List.of("warm", "cold")) {
            List<Line> lines = lines(Experiment.SIZES, "", phase);
            Line base = phase.equals("warm") ? kernel : coldKernel;
            blocks.add(ratioTable(
                    "Times faster than the kernel's mmap, " + phase,
                    base,
                    lines.stream().filter(l -> MAIN.contains(l.contestant())).toList()));
            blocks.add(timeChart("Time of one operation, " + phase, "lower is better", lines));
            blocks.add(ratioChart("Times faster than the kernel's mmap, " + phase, "higher is better", base, lines));
            details(blocks, phase, base, lines);
        }
    }

    // (b)

    private void scale(List<Block> blocks) {
        List<Line> lines = lines(Experiment.SCALE, "", "warm");
        blocks.add(seen(Stream.of(Optional.of("slopes: "
                + lines.stream()
                        .filter(l -> !l.contestant().equals(UPA))
                        .flatMap(l ->
                                measurements
                                        .slope(l)
                                        .map(s -> l.contestant() + " " + Units.digits(s.estimate()))
                                        .stream())
                        .collect(Collectors.joining(", "))))));
        List<List<Cell>> rows = new ArrayList<>();
        for (Line line : lines) {
            List<Long> sizes = measurements.sizes(line);
            String slope = measurements
                    .slope(line)
                    .map(s -> Units.digits(s.estimate()) + " (" + Units.digits(s.low()) + " to "
                            + Units.digits(s.high()) + ")")
                    .orElse("");
            rows.add(cells(line.contestant(), slope, at(line, sizes.getFirst()), at(line, sizes.getLast())));
        }
        if (!lines.isEmpty()) {
            List<Long> sizes = measurements.sizes(lines.getFirst());
            blocks.add(new Table(
                    "Log-log slope of time over size, and median times at both ends",
                    false,
                    List.of("contestant", "slope", Units.bytes(sizes.getFirst()), Units.bytes(sizes.getLast())),
                    rows));
        }
        blocks.add(timeChart("Time to allocate and free, without touching", "flat is scale-invariant", lines));
        details(blocks, "warm", line(Experiment.SCALE, KERNEL, "", "warm"), lines);
    }

    // (c)

    private void malloc(List<Block> blocks) {
        Line base = line(Experiment.MALLOC, DL_KERNEL, "", "warm");
        Line upa = line(Experiment.MALLOC, DL_UPA, "", "warm");
        List<Line> lines = lines(Experiment.MALLOC, "", "warm");
        blocks.add(seen(Stream.of(
                spread("dlmalloc on UPA against dlmalloc on the kernel, from 1 MiB", base, upa, MIB),
                spread("at all sizes", base, upa),
                against(upa, lines))));
        List<List<Cell>> rows = new ArrayList<>();
        for (long size : allSizes(lines)) {
            Optional<Line> rival = lines.stream()
                    .filter(l -> !l.contestant().startsWith("dlmalloc"))
                    .filter(l -> measurements.median(l, size).isPresent())
                    .min(Comparator.comparingDouble(
                            l -> measurements.median(l, size).orElseThrow()));
            rows.add(List.of(
                    Cell.of(Units.bytes(size)),
                    Cell.of(at(base, size)),
                    Cell.of(at(upa, size)),
                    ratio(base, upa, size),
                    Cell.of(rival.map(l -> l.contestant() + " " + at(l, size)).orElse("")),
                    rival.map(l -> ratio(l, upa, size)).orElse(Cell.of(""))));
        }
        blocks.add(new Table(
                "Median time of free + malloc + touch, and how many times faster dlmalloc is on UPA",
                false,
                List.of("block size", DL_KERNEL, DL_UPA, "faster", "fastest rival", "UPA is faster"),
                rows));
        blocks.add(timeChart("Time of one operation by block size", "lower is better", lines));
        blocks.add(ratioChart("Times faster than dlmalloc on the kernel", "higher is better", base, lines));
        details(blocks, "warm", base, lines);
        for (String sampler : variants(Experiment.MALLOC)) {
            rings(blocks, Experiment.MALLOC, sampler, "warm", DL_KERNEL);
        }
    }

    // (d)

    private void realloc(List<Block> blocks) {
        List<Text> seen = new ArrayList<>();
        Line copy = line(Experiment.REALLOC, KERNEL, "copy", "resize-touch");
        Line moved = line(Experiment.REALLOC, UNCLEARED, "relocate", "resize-touch");
        blocks.add(seen(Stream.of(
                spread(
                        "in place, against mremap in place",
                        line(Experiment.REALLOC, KERNEL, "in-place", "resize-touch"),
                        line(Experiment.REALLOC, UNCLEARED, "in-place", "resize-touch")),
                spread(
                        "relocated, against mremap",
                        line(Experiment.REALLOC, KERNEL, "relocate", "resize-touch"),
                        moved),
                spread("relocated, against allocate + memcpy + free of the kernel", copy, moved))));
        blocks.addAll(seen);
        List<List<Cell>> rows = new ArrayList<>();
        for (long size : allSizes(lines(Experiment.REALLOC, "relocate", "resize-touch"))) {
            List<Cell> row = new ArrayList<>(List.of(Cell.of(Units.bytes(size))));
            for (String mode : List.of("in-place", "relocate", "copy")) {
                row.add(ratio(
                        line(Experiment.REALLOC, KERNEL, mode, "resize-touch"),
                        line(Experiment.REALLOC, UNCLEARED, mode, "resize-touch"),
                        size));
            }
            row.add(ratio(copy, moved, size));
            rows.add(row);
        }
        blocks.add(new Table(
                "Times faster than the kernel at the same (mremap; mmap + memcpy + munmap), uncleared",
                false,
                List.of("new size", "in place", "relocated", "copied", "relocated against kernel copied"),
                rows));
        for (String mode : List.of("in-place", "relocate", "copy", "natural")) {
            List<Line> lines = lines(Experiment.REALLOC, mode, "resize-touch");
            String title = switch (mode) {
                case "in-place" -> "In place: time to double and touch the new half";
                case "relocate" -> "Relocated: time to double and touch the new half";
                case "copy" -> "Copied: allocate, memcpy, free, and touch the new half";
                default -> "Natural: one block grows step by step; time of a step with the touch";
            };
            blocks.add(timeChart(title, "lower is better; the size is the one after doubling", lines));
            details(blocks, mode, line(Experiment.REALLOC, KERNEL, mode, "resize-touch"), lines);
            List<Line> alone = lines(Experiment.REALLOC, mode, "resize");
            details(blocks, mode + ", the call alone", line(Experiment.REALLOC, KERNEL, mode, "resize"), alone);
        }
    }

    // (e)

    private void ablation(List<Block> blocks) {
        List<String> samplers = variants(Experiment.ABLATION);
        blocks.add(seen(samplers.stream().map(sampler -> {
            Line kernel = line(Experiment.ABLATION, KERNEL, sampler, "warm");
            Line upa = line(Experiment.ABLATION, UNCLEARED, sampler, "warm");
            Optional<Line> cache = lines(Experiment.ABLATION, sampler, "warm").stream()
                    .filter(l ->
                            l.contestant().startsWith("cache") && l.contestant().endsWith("uncleared"))
                    .min(Comparator.comparingDouble(l -> measurements.mean(l, 0).orElse(Double.MAX_VALUE)));
            return measurements
                    .meanRatio(kernel, upa, 0)
                    .map(r -> sampler + " sizes: UPA uncleared is " + Units.ratio(r)
                            + " as fast as the kernel"
                            + cache.flatMap(c -> measurements.meanRatio(c, upa, 0))
                                    .map(c -> ", and " + Units.ratio(c)
                                            + " as fast as the best cache of freed mappings ("
                                            + cache.get().contestant() + "), with "
                                            + memory(upa) + " of memory against " + memory(cache.get()))
                                    .orElse(""));
        })));
        samplers.forEach(sampler -> rings(blocks, Experiment.ABLATION, sampler, "warm", KERNEL));
    }

    // (h)

    private void replay(List<Block> blocks) {
        List<String> traces = variants(Experiment.REPLAY);
        blocks.add(seen(traces.stream().map(trace -> {
            Line kernel = line(Experiment.REPLAY, KERNEL, trace, "replay");
            Line upa = line(Experiment.REPLAY, UPA, trace, "replay");
            Line any = lines(Experiment.REPLAY, trace, "replay").getFirst();
            return Optional.of(trace + ": " + number(any, "trace_blocks") + " blocks, " + number(any, "trace_resizes") + " resizes, at most "
                    + measurements.fact(any, "trace_peak_bytes").map(Units::bytes).orElse("?") + " live; left out: "
                    + number(any, "trace_purges_left_out") + " purges, " + number(any, "trace_parts_left_out") + " unmaps of a part, "
                    + number(any, "trace_others_left_out") + " other calls, the touches of " + number(any, "trace_untouched_blocks") + " blocks"
                    + measurements.meanRatio(kernel, upa, 0).map(r -> "; UPA cleared is " + Units.ratio(r) + " as fast as the kernel")
                            .orElse(""));
        })));
        traces.forEach(trace -> rings(blocks, Experiment.REPLAY, trace, "replay", KERNEL));
    }

    private String number(Line line, String fact) {
        return measurements.fact(line, fact).map(v -> Long.toString(v.longValue())).orElse("?");
    }

    private void rings(List<Block> blocks, Experiment experiment, String sampler, String phase, String baseName) {
        List<Line> lines = lines(experiment, sampler, phase);
        Line base = line(experiment, baseName, sampler, phase);
        List<List<Cell>> rows = new ArrayList<>();
        for (Line line : lines) {
            Latencies pooled = measurements.pooled(line, 0);
            double operations = measurements.rounds(line, 0).values().stream()
                    .mapToLong(DriverOutput.Point::operations)
                    .sum();
            double faults = measurements.rounds(line, 0).values().stream()
                    .mapToLong(DriverOutput.Point::faults)
                    .sum();
            rows.add(List.of(
                    Cell.of(line.contestant()),
                    Cell.of(measurements.mean(line, 0).map(Units::time).orElse("")),
                    line.equals(base) ? Cell.of("base line") : cell(measurements.meanRatio(base, line, 0)),
                    Cell.of(Units.time(pooled.percentile(99))),
                    Cell.of(Units.time(pooled.max())),
                    Cell.of(Units.digits(faults / operations)),
                    Cell.of(memory(line)),
                    Cell.of(measurements
                            .fact(line, "end_rss_bytes")
                            .map(Units::bytes)
                            .orElse(""))));
        }
        blocks.add(new Table(
                "Sizes: " + sampler + ". Mean time per block, worst cases, page faults per block, memory",
                false,
                List.of(
                        "contestant",
                        "mean",
                        "faster than " + baseName,
                        "p99",
                        "max",
                        "faults",
                        "peak memory",
                        "left at the end"),
                rows));
        List<String> names = lines.stream().map(Line::contestant).toList();
        blocks.add(new Chart(
                "Mean time per block, sizes: " + sampler,
                "lower is better",
                names,
                Unit.NANOSECONDS,
                bars(lines, l -> measurements.mean(l, 0)),
                List.of()));
        blocks.add(new Chart(
                "Peak memory, sizes: " + sampler,
                "lower is better",
                names,
                Unit.MEMORY,
                bars(lines, l -> measurements.fact(l, "peak_rss_bytes")),
                List.of()));
        blocks.add(timeChart(
                "Median time per block by size, sizes: " + sampler, "sizes rounded down to a power of two", lines));
    }

    /** One series per contestant, so that each has its colour. */
    private List<Series> bars(List<Line> lines, java.util.function.Function<Line, Optional<Double>> value) {
        return IntStream.range(0, lines.size())
                .mapToObj(i -> new Series(
                        lines.get(i).contestant(),
                        colour(lines.get(i)),
                        value.apply(lines.get(i))
                                .map(v -> List.of(new Point(i, v, v, v)))
                                .orElse(List.of())))
                .toList();
    }

    private String memory(Line line) {
        return measurements.fact(line, "peak_rss_bytes").map(Units::bytes).orElse("?");
    }

    // (f) and (g)

    private void threads(List<Block> blocks, Experiment experiment) {
        List<String> statements = new ArrayList<>();
        List<List<Cell>> rows = new ArrayList<>();
        for (Line one : lines(experiment, "", "warm").stream()
                .filter(l -> l.threads() == 1)
                .toList()) {
            Line two = new Line(experiment, one.contestant(), "", 2, "warm");
            List<Interval> speedUps = new ArrayList<>();
            for (long size : measurements.sizes(one)) {
                Optional<Interval> speedUp = measurements.speedUp(one, two, size);
                speedUp.ifPresent(speedUps::add);
                rows.add(cells(
                        one.contestant(),
                        Units.bytes(size),
                        at(one, size),
                        at(two, size),
                        speedUp.map(Units::ratio).orElse("")));
            }
            speedUps.stream()
                    .map(Interval::estimate)
                    .min(Double::compare)
                    .ifPresent(least -> statements.add(one.contestant() + ": " + Units.ratio(least) + " to "
                            + Units.ratio(speedUps.stream()
                                    .mapToDouble(Interval::estimate)
                                    .max()
                                    .orElseThrow())));
        }
        blocks.add(seen(Stream.of(Optional.of("two threads do, against one: " + String.join("; ", statements)))));
        blocks.add(new Table(
                "Median time of an operation with one and two threads, and speed-up",
                false,
                List.of(
                        "contestant",
                        experiment == Experiment.LLFREE ? "block of pages" : "block size",
                        "one thread",
                        "two threads",
                        "speed-up"),
                rows));
        for (int threads = 1; threads <= 2; threads++) {
            int n = threads;
            blocks.add(timeChart(
                    "Time of one operation, " + (n == 1 ? "one thread" : "two threads at once"),
                    "lower is better",
                    lines(experiment, "", "warm").stream()
                            .filter(l -> l.threads() == n)
                            .toList()));
        }
    }

    /**
     * The section that holds figures to reach against what was measured.
     *
     * @param figures in order
     * @return the section
     */
    public static Section figures(List<Figures.Figure> figures) {
        List<List<Cell>> rows = figures.stream()
                .filter(f -> f.verdict() != Figures.Verdict.UNMEASURED)
                .map(f -> List.of(
                        Cell.of(f.name()),
                        Cell.of(f.target()),
                        Cell.of(f.measured()),
                        Cell.of(f.where()),
                        new Cell(
                                f.verdict().name().toLowerCase(),
                                switch (f.verdict()) {
                                    case REACHED -> Mark.GOOD;
                                    case MISSED -> Mark.BAD;
                                    case UNDECIDED -> Mark.OPEN;
                                    case UNMEASURED -> Mark.NONE;
                                })))
                .toList();
        long reached = figures.stream()
                .filter(f -> f.verdict() == Figures.Verdict.REACHED)
                .count();
        return new Section(
                "figures",
                "Figures to reach",
                List.of(
                        new Text(
                                "Seen",
                                reached + " reached of " + rows.size() + " measured, " + figures.size()
                                        + " in all. Of several sizes or programs the worst one counts. A figure is reached when"
                                        + " its whole interval is, and undecided when the target lies within the"
                                        + " interval."),
                        new Table(
                                "Targets of the project, held against this run",
                                false,
                                List.of("figure", "target", "measured", "worst at", "verdict"),
                                rows)));
    }

    /**
     * How far intervals are to be trusted.
     *
     * @param rounds the least that each was measured in
     * @return a note for the report; empty if there are enough
     */
    public static Optional<String> fewRounds(int rounds) {
        return rounds >= ENOUGH_ROUNDS
                ? Optional.empty()
                : Optional.of("With " + Units.count(rounds, "round") + " an interval is at most the range of the ratios seen, which holds"
                        + " their median with " + Units.digits(100 - 200 * Math.pow(2, -rounds))
                        + " % and not 95 %: what it decides is to be taken with care.");
    }

    private Section conditions(Map<String, String> machine, Map<String, String> method, List<String> notes) {
        List<Block> blocks = new ArrayList<>();
        blocks.add(table("The machine", machine));
        blocks.add(table("The run", method));
        Set<String> seen =
                measurements.keys().stream().map(k -> k.line().contestant()).collect(Collectors.toSet());
        blocks.add(new Table(
                "The contestants",
                true,
                List.of(),
                contestants.stream()
                        .filter(c -> seen.contains(c.name()))
                        .map(c -> cells(c.name(), c.description()))
                        .toList()));
        notes.forEach(note -> blocks.add(new Text("Note", note)));
        return new Section("conditions", "Machine and method", blocks);
    }

    /**
     * A table of facts.
     *
     * @param caption says what they are of
     * @param facts by name
     * @return the table
     */
    public static Table table(String caption, Map<String, String> facts) {
        return new Table(
                caption,
                false,
                List.of(),
                facts.entrySet().stream()
                        .map(e -> cells(e.getKey(), e.getValue()))
                        .toList());
    }

    // Statements

    private static Text seen(Stream<Optional<String>> statements) {
        String text = statements.flatMap(Optional::stream).collect(Collectors.joining("; "));
        return new Text("Seen", text.isEmpty() ? "not enough was measured to say." : text + ".");
    }

    private Optional<String> spread(String what, Line base, Line fast) {
        return spread(what, base, fast, 1);
    }

    /** Such as "warm: 21x (4 KiB) to 250x (1 MiB) faster, slower at none". */
    private Optional<String> spread(String what, Line base, Line fast, long from) {
        List<Long> sizes = measurements.sizes(fast).stream()
                .filter(s -> s >= from && measurements.ratio(base, fast, s).isPresent())
                .sorted(Comparator.comparingDouble(
                        s -> measurements.ratio(base, fast, s).orElseThrow().estimate()))
                .toList();
        if (sizes.isEmpty()) {
            return Optional.empty();
        }
        String slower = sizes.stream()
                .filter(s -> measurements.ratio(base, fast, s).orElseThrow().high() < 1)
                .sorted()
                .map(Units::bytes)
                .collect(Collectors.joining(", "));
        String least = Units.ratio(
                measurements.ratio(base, fast, sizes.getFirst()).orElseThrow().estimate());
        String most = Units.ratio(
                measurements.ratio(base, fast, sizes.getLast()).orElseThrow().estimate());
        return Optional.of(what + ": " + least + " (" + Units.bytes(sizes.getFirst()) + ") to " + most + " ("
                + Units.bytes(sizes.getLast()) + ") as fast" + (slower.isEmpty() ? "" : ", slower at " + slower));
    }

    /** Which rivals are faster than dlmalloc on UPA, and where. */
    private Optional<String> against(Line upa, List<Line> lines) {
        String losses = lines.stream()
                .filter(l -> !l.contestant().startsWith("dlmalloc"))
                .map(l -> {
                    List<Long> sizes = measurements.sizes(upa).stream()
                            .filter(s -> measurements
                                    .ratio(l, upa, s)
                                    .map(r -> r.high() < 1)
                                    .orElse(false))
                            .toList();
                    return sizes.isEmpty()
                            ? ""
                            : l.contestant() + " at " + sizes.size() + " of "
                                    + measurements.sizes(upa).size() + " sizes";
                })
                .filter(s -> !s.isEmpty())
                .collect(Collectors.joining(", "));
        return lines.stream().allMatch(l -> l.contestant().startsWith("dlmalloc"))
                ? Optional.empty()
                : Optional.of(
                        losses.isEmpty()
                                ? "no rival is faster at any size"
                                : "faster than dlmalloc on UPA are: " + losses);
    }

    // Charts and tables

    private Chart timeChart(String title, String note, List<Line> lines) {
        return new Chart(
                title,
                note,
                List.of(),
                Unit.NANOSECONDS,
                lines.stream()
                        .map(l -> new Series(
                                l.contestant(),
                                colour(l),
                                measurements.sizes(l).stream()
                                        .flatMap(size -> measurements.time(l, size).stream()
                                                .map(t -> point(size, t)))
                                        .toList()))
                        .toList(),
                List.of());
    }

    private Chart ratioChart(String title, String note, Line base, List<Line> lines) {
        return new Chart(
                title,
                note,
                List.of(),
                Unit.RATIO,
                lines.stream()
                        .filter(l -> !l.equals(base))
                        .map(l -> new Series(
                                l.contestant(),
                                colour(l),
                                measurements.sizes(l).stream()
                                        .flatMap(size -> measurements.ratio(base, l, size).stream()
                                                .map(r -> point(size, r)))
                                        .toList()))
                        .toList(),
                PAR);
    }

    private static Point point(long size, Interval i) {
        return new Point(size, i.estimate(), i.low(), i.high());
    }

    private Table ratioTable(String caption, Line base, List<Line> lines) {
        List<Line> others = lines.stream().filter(l -> !l.equals(base)).toList();
        List<String> header = new ArrayList<>(List.of("block size", base.contestant()));
        others.forEach(l -> header.add(l.contestant()));
        List<List<Cell>> rows = new ArrayList<>();
        for (long size : allSizes(lines)) {
            List<Cell> row = new ArrayList<>(List.of(Cell.of(Units.bytes(size)), Cell.of(at(base, size))));
            others.forEach(l -> row.add(ratio(base, l, size)));
            rows.add(row);
        }
        return new Table(caption, false, header, rows);
    }

    /** All times and ratios, folded. */
    private void details(List<Block> blocks, String what, Line base, List<Line> lines) {
        if (lines.isEmpty()) {
            return;
        }
        List<String> header = List.of(
                "contestant",
                "block size",
                "median",
                "p99",
                "max",
                "operations",
                "per sample",
                "faults each",
                "times faster than " + base.contestant());
        List<List<Cell>> rows = new ArrayList<>();
        for (Line line : lines) {
            for (long size : measurements.sizes(line)) {
                Latencies pooled = measurements.pooled(line, size);
                var points = measurements.rounds(line, size).values();
                double operations = points.stream()
                        .mapToLong(DriverOutput.Point::operations)
                        .sum();
                double faults =
                        points.stream().mapToLong(DriverOutput.Point::faults).sum();
                rows.add(List.of(
                        Cell.of(line.contestant()),
                        Cell.of(Units.bytes(size)),
                        Cell.of(at(line, size)),
                        Cell.of(Units.time(pooled.percentile(99))),
                        Cell.of(Units.time(pooled.max())),
                        Cell.of(Units.digits(operations)),
                        Cell.of(Long.toString(points.iterator().next().batch())),
                        Cell.of(Units.digits(faults / operations)),
                        line.equals(base) ? Cell.of("base line") : ratio(base, line, size)));
            }
        }
        blocks.add(new Table(
                "All figures, " + what
                        + " (where several operations are timed as one sample, p99 and max are of their means)",
                true,
                header,
                rows));
    }

    private String at(Line line, long size) {
        return measurements.median(line, size).map(Units::time).orElse("");
    }

    private Cell ratio(Line base, Line fast, long size) {
        return cell(measurements.ratio(base, fast, size));
    }

    private static Cell cell(Optional<Interval> ratio) {
        return ratio.map(r -> new Cell(Units.ratio(r), r.low() > 1 ? Mark.GOOD : r.high() < 1 ? Mark.BAD : Mark.NONE))
                .orElse(Cell.of(""));
    }

    private static List<Cell> cells(String... texts) {
        return Stream.of(texts).map(Cell::of).toList();
    }

    // Lookup

    private static Line line(Experiment experiment, String contestant, String variant, String phase) {
        return new Line(experiment, contestant, variant, 1, phase);
    }

    /** The lines there are, in the order of the contestants. */
    private List<Line> lines(Experiment experiment, String variant, String phase) {
        Set<Line> there = measurements.keys().stream()
                .map(Key::line)
                .filter(l -> l.experiment() == experiment
                        && l.variant().equals(variant)
                        && l.phase().equals(phase))
                .collect(Collectors.toSet());
        return contestants.stream()
                .flatMap(c -> there.stream()
                        .filter(l -> l.contestant().equals(c.name()))
                        .sorted(Comparator.comparingInt(Line::threads)))
                .toList();
    }

    private List<String> variants(Experiment experiment) {
        return measurements.keys().stream()
                .map(Key::line)
                .filter(l -> l.experiment() == experiment)
                .map(Line::variant)
                .filter(v -> !v.isEmpty())
                .distinct()
                .sorted()
                .toList();
    }

    private List<Long> allSizes(List<Line> lines) {
        TreeSet<Long> sizes = new TreeSet<>();
        lines.forEach(l -> sizes.addAll(measurements.sizes(l)));
        return List.copyOf(sizes);
    }

    private String colour(Line line) {
        return contestants.stream()
                .filter(c -> c.name().equals(line.contestant()))
                .findFirst()
                .orElseThrow()
                .colour();
    }
}
