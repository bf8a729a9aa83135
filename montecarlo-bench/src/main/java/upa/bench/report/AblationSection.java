package upa.bench.report;

import static upa.bench.report.Lookup.KERNEL;
import static upa.bench.report.Lookup.UNCLEARED;
import static upa.bench.report.Lookup.line;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import upa.bench.driver.Experiment;
import upa.bench.results.Measurements;
import upa.bench.results.Measurements.Line;
import upa.measure.report.Report.Block;
import upa.measure.report.Units;

/** Experiment e: Douglas's own Monte-Carlo, and what each part of UPA adds to it. */
final class AblationSection {

    private AblationSection() {}

    static List<Block> blocks(Lookup lookup, Blocks make) {
        List<String> samplers = lookup.variants(Experiment.ABLATION);
        List<Block> blocks = new ArrayList<>();
        blocks.add(Statements.seen(samplers.stream().map(sampler -> statement(lookup, sampler))));
        samplers.forEach(
                sampler -> blocks.addAll(RingBlocks.of(lookup, make, Experiment.ABLATION, sampler, "warm", KERNEL)));
        return blocks;
    }

    private static Optional<String> statement(Lookup lookup, String sampler) {
        Measurements measurements = lookup.measurements();
        Line kernel = line(Experiment.ABLATION, KERNEL, sampler, "warm");
        Line upa = line(Experiment.ABLATION, UNCLEARED, sampler, "warm");
        Optional<Line> cache = lookup.lines(Experiment.ABLATION, sampler, "warm").stream()
                .filter(l ->
                        l.contestant().startsWith("cache") && l.contestant().endsWith("uncleared"))
                .min(Comparator.comparingDouble(l -> lookup.mean(l).orElse(Double.MAX_VALUE)));
        String against = cache.flatMap(c -> measurements
                        .meanRatio(c, upa, 0)
                        .map(r -> ", and " + Units.ratio(r) + " as fast as the best cache of freed mappings ("
                                + c.contestant() + "), with " + lookup.memory(upa) + " of memory against "
                                + lookup.memory(c)))
                .orElse("");
        return measurements
                .meanRatio(kernel, upa, 0)
                .map(r -> sampler + " sizes: UPA uncleared is " + Units.ratio(r) + " as fast as the kernel" + against);
    }
}
