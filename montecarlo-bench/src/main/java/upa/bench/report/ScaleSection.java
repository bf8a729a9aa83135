package upa.bench.report;

import static upa.bench.report.Lookup.KERNEL;
import static upa.bench.report.Lookup.UPA;
import static upa.bench.report.Lookup.line;
import static upa.bench.report.Statements.seen;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import upa.bench.driver.Experiment;
import upa.bench.results.Measurements;
import upa.bench.results.Measurements.Line;
import upa.measure.report.Report.Block;
import upa.measure.report.Report.Cell;
import upa.measure.report.Report.Table;
import upa.measure.report.Units;

/** Experiment b: allocate and free alone, and whether the size matters. */
final class ScaleSection {

    private ScaleSection() {}

    static List<Block> blocks(Lookup lookup, Blocks make) {
        Measurements measurements = lookup.measurements();
        List<Line> lines = lookup.lines(Experiment.SCALE, "", "warm");
        List<Block> blocks = new ArrayList<>();
        blocks.add(seen(Stream.of(Optional.of("slopes: "
                + lines.stream()
                        .filter(l -> !l.contestant().equals(UPA))
                        .flatMap(l -> measurements.slope(l).stream()
                                .map(s -> l.contestant() + " " + Units.digits(s.estimate())))
                        .collect(Collectors.joining(", "))))));
        List<List<Cell>> rows = new ArrayList<>();
        for (Line line : lines) {
            List<Long> sizes = measurements.sizes(line);
            String slope = measurements
                    .slope(line)
                    .map(s -> Units.digits(s.estimate()) + " (" + Units.digits(s.low()) + " to "
                            + Units.digits(s.high()) + ")")
                    .orElse("");
            rows.add(Blocks.cells(
                    line.contestant(), slope, lookup.time(line, sizes.getFirst()), lookup.time(line, sizes.getLast())));
        }
        if (!lines.isEmpty()) {
            List<Long> sizes = measurements.sizes(lines.getFirst());
            blocks.add(new Table(
                    "Log-log slope of time over size, and median times at both ends",
                    false,
                    List.of("contestant", "slope", Units.bytes(sizes.getFirst()), Units.bytes(sizes.getLast())),
                    rows));
        }
        blocks.add(make.timeChart("Time to allocate and free, without touching", "flat is scale-invariant", lines));
        blocks.addAll(make.details("warm", line(Experiment.SCALE, KERNEL, "", "warm"), lines));
        return blocks;
    }
}
