package upa.bench.report;

import static upa.bench.report.Lookup.KERNEL;
import static upa.bench.report.Lookup.UNCLEARED;
import static upa.bench.report.Lookup.UPA;
import static upa.bench.report.Lookup.line;
import static upa.bench.report.Statements.seen;
import static upa.bench.report.Statements.spread;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import upa.bench.driver.Experiment;
import upa.bench.results.Measurements;
import upa.bench.results.Measurements.Line;
import upa.measure.report.Report.Block;

/** Experiment a: allocate, touch, free by size, warm and cold. */
final class SizesSection {

    /** The contestants that a narrow table shows. */
    private static final Set<String> MAIN = Set.of(KERNEL, "kernel-populate", UPA, UNCLEARED);

    private SizesSection() {}

    static List<Block> blocks(Lookup lookup, Blocks make) {
        Measurements measurements = lookup.measurements();
        Line kernel = line(Experiment.SIZES, KERNEL, "", "warm");
        Line coldKernel = line(Experiment.SIZES, KERNEL, "", "cold");
        List<Block> blocks = new ArrayList<>();
        blocks.add(seen(Stream.of(
                spread(measurements, "warm, uncleared", kernel, line(Experiment.SIZES, UNCLEARED, "", "warm")),
                spread(measurements, "warm, cleared", kernel, line(Experiment.SIZES, UPA, "", "warm")),
                spread(measurements, "cold", coldKernel, line(Experiment.SIZES, UPA, "", "cold")))));
        for (String phase : List.of("warm", "cold")) {
            List<Line> lines = lookup.lines(Experiment.SIZES, "", phase);
            Line base = phase.equals("warm") ? kernel : coldKernel;
            String caption = "Times faster than the kernel's mmap, " + phase;
            blocks.add(make.ratioTable(
                    caption,
                    base,
                    lines.stream().filter(l -> MAIN.contains(l.contestant())).toList()));
            blocks.add(make.timeChart("Time of one operation, " + phase, "lower is better", lines));
            blocks.add(make.ratioChart(caption, "higher is better", base, lines));
            blocks.addAll(make.details(phase, base, lines));
        }
        return blocks;
    }
}
