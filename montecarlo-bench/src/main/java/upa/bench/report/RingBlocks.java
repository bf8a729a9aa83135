package upa.bench.report;

import java.util.ArrayList;
import java.util.List;
import upa.bench.driver.DriverOutput;
import upa.bench.driver.Experiment;
import upa.bench.results.Measurements;
import upa.bench.results.Measurements.Line;
import upa.measure.report.Report.Block;
import upa.measure.report.Report.Cell;
import upa.measure.report.Report.Table;
import upa.measure.report.Report.Unit;
import upa.measure.report.Units;
import upa.measure.stats.Latencies;

/** What a stream of blocks of all sizes costs, in time and memory: Monte-Carlo rings, and replays. */
final class RingBlocks {

    private RingBlocks() {}

    static List<Block> of(
            Lookup lookup, Blocks make, Experiment experiment, String sampler, String phase, String baseName) {
        Measurements measurements = lookup.measurements();
        List<Line> lines = lookup.lines(experiment, sampler, phase);
        Line base = Lookup.line(experiment, baseName, sampler, phase);
        List<List<Cell>> rows = new ArrayList<>();
        for (Line line : lines) {
            Latencies pooled = measurements.pooled(line, 0);
            var points = measurements.rounds(line, 0).values();
            double operations =
                    points.stream().mapToLong(DriverOutput.Point::operations).sum();
            double faults =
                    points.stream().mapToLong(DriverOutput.Point::faults).sum();
            rows.add(List.of(
                    Cell.of(line.contestant()),
                    Cell.of(lookup.mean(line).map(Units::time).orElse("")),
                    line.equals(base) ? Cell.of("base line") : Blocks.cell(measurements.meanRatio(base, line, 0)),
                    Cell.of(Units.time(pooled.percentile(99))),
                    Cell.of(Units.time(pooled.max())),
                    Cell.of(Units.digits(faults / operations)),
                    Cell.of(lookup.memory(line)),
                    Cell.of(measurements
                            .fact(line, "end_rss_bytes")
                            .map(Units::bytes)
                            .orElse(""))));
        }
        return List.of(
                new Table(
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
                        rows),
                make.barChart("Mean time per block, sizes: " + sampler, Unit.NANOSECONDS, lines, lookup::mean),
                make.barChart(
                        "Peak memory, sizes: " + sampler,
                        Unit.MEMORY,
                        lines,
                        l -> measurements.fact(l, "peak_rss_bytes")),
                make.timeChart(
                        "Median time per block by size, sizes: " + sampler,
                        "sizes rounded down to a power of two",
                        lines));
    }
}
