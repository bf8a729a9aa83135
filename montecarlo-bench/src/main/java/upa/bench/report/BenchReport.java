package upa.bench.report;

import static upa.bench.report.Lookup.KERNEL;
import static upa.bench.report.Lookup.UNCLEARED;
import static upa.bench.report.Lookup.UPA;
import static upa.bench.report.Lookup.line;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import upa.bench.driver.Contestant;
import upa.bench.driver.Experiment;
import upa.bench.results.JmhResults;
import upa.bench.results.Measurements;
import upa.measure.Conditions;
import upa.measure.Figure;
import upa.measure.Targets;
import upa.measure.report.Report;
import upa.measure.report.Report.Block;
import upa.measure.report.Report.Highlight;
import upa.measure.report.Report.Section;
import upa.measure.report.Report.Table;
import upa.measure.report.Report.Text;
import upa.measure.report.Units;
import upa.measure.stats.Interval;

/** Turns measurements into the report: per experiment what is claimed, what is seen, tables and charts. */
public final class BenchReport {

    private BenchReport() {}

    /**
     * The report.
     *
     * @param measurements of the driver
     * @param contestants who took part, in the order of the report
     * @param figures held against them
     * @param jmh of the JMH benchmarks
     * @param conditions of the run
     * @return sections in the order of the experiments
     */
    public static Report of(
            Measurements measurements,
            List<Contestant> contestants,
            List<Figure> figures,
            JmhResults jmh,
            Conditions conditions) {
        Lookup lookup = new Lookup(measurements, contestants);
        Blocks make = new Blocks(lookup);
        List<Section> sections = new ArrayList<>();
        for (Experiment experiment : Experiment.values()) {
            if (lookup.has(experiment)) {
                sections.add(section(lookup, make, experiment));
            }
        }
        if (!jmh.scores().isEmpty()) {
            sections.add(JmhSection.of(jmh));
        }
        sections.add(Targets.section(figures));
        sections.add(conditions.section(new Table(
                "The contestants",
                true,
                List.of(),
                lookup.contestants().stream()
                        .map(c -> Blocks.cells(c.name(), c.description()))
                        .toList())));
        return new Report(
                "What a page allocation costs, and what it could cost",
                List.of(
                        "A program gets memory from the kernel in pages of 4 KiB: it calls mmap, the kernel promises"
                                + " the pages, and each first touch of one is an exception in which the kernel finds a"
                                + " page, clears it and maps it. Freed memory goes the way back, and the next"
                                + " allocation"
                                + " starts anew.",
                        "UPA lets the program keep a range of pages and allocate them itself. A freed page stays"
                                + " mapped, and whoever asks next gets it at once. The idea is Niall Douglas's"
                                + " (User Mode"
                                + " Memory Page Allocation, arXiv 1105.1811, 2011); this page measures it against the"
                                + " kernel and against today's malloc libraries, on one machine, in one run.",
                        "A ratio such as 20x says how many times faster than the base line. The range behind it holds"
                                + " the true value with 95 % confidence: ratios are computed round by round and"
                                + " resampled"
                                + " (bootstrap)."),
                highlights(measurements),
                sections);
    }

    private static List<Highlight> highlights(Measurements measurements) {
        var kernel = line(Experiment.SIZES, KERNEL, "", "warm");
        return Stream.of(
                        highlight(
                                measurements.ratio(kernel, line(Experiment.SIZES, UNCLEARED, "", "warm"), Units.MIB),
                                "faster than the kernel's mmap: 1 MiB, recycled, uncleared, every page touched"),
                        highlight(
                                measurements.ratio(kernel, line(Experiment.SIZES, UPA, "", "warm"), Units.MIB),
                                "the same with the memory cleared, as the kernel does"),
                        measurements
                                .time(line(Experiment.SCALE, "region-uncleared", "", "warm"), Units.GIB)
                                .map(t -> new Highlight(
                                        Units.time(t.estimate()), "to allocate and free 1 GiB of populated pages")),
                        highlight(
                                measurements.ratio(
                                        line(Experiment.MALLOC, MallocSection.DL_KERNEL, "", "warm"),
                                        line(Experiment.MALLOC, MallocSection.DL_UPA, "", "warm"),
                                        4 * Units.MIB),
                                "faster malloc of 4 MiB blocks: dlmalloc on UPA against dlmalloc on the kernel"))
                .flatMap(Optional::stream)
                .toList();
    }

    private static Optional<Highlight> highlight(Optional<Interval> ratio, String meaning) {
        return ratio.map(r -> new Highlight(Units.ratio(r.estimate()), meaning));
    }

    private static Section section(Lookup lookup, Blocks make, Experiment experiment) {
        List<Block> blocks = new ArrayList<>();
        blocks.add(new Text("Claimed", experiment.claim()));
        blocks.addAll(
                switch (experiment) {
                    case SIZES -> SizesSection.blocks(lookup, make);
                    case SCALE -> ScaleSection.blocks(lookup, make);
                    case MALLOC -> MallocSection.blocks(lookup, make);
                    case REALLOC -> ReallocSection.blocks(lookup, make);
                    case ABLATION -> AblationSection.blocks(lookup, make);
                    case REPLAY -> ReplaySection.blocks(lookup, make);
                    case THREADS, LLFREE -> ThreadsSection.blocks(lookup, make, experiment);
                });
        // Behind what is claimed and what is seen.
        blocks.add(2, new Text("Measured", experiment.includes()));
        return new Section(experiment.id(), experiment.title(), blocks);
    }
}
