package upa.bench.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import upa.bench.driver.DriverOutput;
import upa.bench.results.Measurements;
import upa.bench.results.Measurements.Line;
import upa.measure.report.Report.Block;
import upa.measure.report.Report.Cell;
import upa.measure.report.Report.Chart;
import upa.measure.report.Report.Mark;
import upa.measure.report.Report.Point;
import upa.measure.report.Report.Reference;
import upa.measure.report.Report.Series;
import upa.measure.report.Report.Table;
import upa.measure.report.Report.Unit;
import upa.measure.report.Units;
import upa.measure.stats.Interval;
import upa.measure.stats.Latencies;

/** The tables and charts that several sections have. */
final class Blocks {

    private static final List<Reference> PAR = List.of(new Reference(1, "as fast as the base line"));

    private final Lookup lookup;
    private final Measurements measurements;

    Blocks(Lookup lookup) {
        this.lookup = lookup;
        measurements = lookup.measurements();
    }

    Chart timeChart(String title, String note, List<Line> lines) {
        return new Chart(
                title,
                note,
                List.of(),
                Unit.NANOSECONDS,
                lines.stream()
                        .map(l -> series(l, size -> measurements.time(l, size)))
                        .toList(),
                List.of());
    }

    Chart ratioChart(String title, String note, Line base, List<Line> lines) {
        return new Chart(
                title,
                note,
                List.of(),
                Unit.RATIO,
                lines.stream()
                        .filter(l -> !l.equals(base))
                        .map(l -> series(l, size -> measurements.ratio(base, l, size)))
                        .toList(),
                PAR);
    }

    private Series series(Line line, Function<Long, Optional<Interval>> value) {
        return new Series(
                line.contestant(),
                lookup.colour(line),
                measurements.sizes(line).stream()
                        .flatMap(size ->
                                value.apply(size).stream().map(i -> new Point(size, i.estimate(), i.low(), i.high())))
                        .toList());
    }

    /** A bar for each line, a series each so that it has its colour. */
    Chart barChart(String title, Unit unit, List<Line> lines, Function<Line, Optional<Double>> value) {
        return new Chart(
                title,
                "lower is better",
                lines.stream().map(Line::contestant).toList(),
                unit,
                IntStream.range(0, lines.size())
                        .mapToObj(i -> new Series(
                                lines.get(i).contestant(),
                                lookup.colour(lines.get(i)),
                                value.apply(lines.get(i)).stream()
                                        .map(v -> new Point(i, v, v, v))
                                        .toList()))
                        .toList(),
                List.of());
    }

    Table ratioTable(String caption, Line base, List<Line> lines) {
        List<Line> others = lines.stream().filter(l -> !l.equals(base)).toList();
        List<String> header = new ArrayList<>(List.of("block size", base.contestant()));
        others.forEach(l -> header.add(l.contestant()));
        List<List<Cell>> rows = new ArrayList<>();
        for (long size : lookup.sizes(lines)) {
            List<Cell> row = new ArrayList<>(List.of(Cell.of(Units.bytes(size)), Cell.of(lookup.time(base, size))));
            others.forEach(l -> row.add(ratio(base, l, size)));
            rows.add(row);
        }
        return new Table(caption, false, header, rows);
    }

    /** All times and ratios, folded; nothing without lines. */
    List<Block> details(String what, Line base, List<Line> lines) {
        if (lines.isEmpty()) {
            return List.of();
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
                        Cell.of(lookup.time(line, size)),
                        Cell.of(Units.time(pooled.percentile(99))),
                        Cell.of(Units.time(pooled.max())),
                        Cell.of(Units.digits(operations)),
                        Cell.of(Long.toString(points.iterator().next().batch())),
                        Cell.of(Units.digits(faults / operations)),
                        line.equals(base) ? Cell.of("base line") : ratio(base, line, size)));
            }
        }
        return List.of(new Table(
                "All figures, " + what
                        + " (where several operations are timed as one sample, p99 and max are of their means)",
                true,
                header,
                rows));
    }

    Cell ratio(Line base, Line fast, long size) {
        return cell(measurements.ratio(base, fast, size));
    }

    /** A ratio, marked where its interval leaves no doubt. */
    static Cell cell(Optional<Interval> ratio) {
        return ratio.map(r -> new Cell(Units.ratio(r), r.low() > 1 ? Mark.GOOD : r.high() < 1 ? Mark.BAD : Mark.NONE))
                .orElse(Cell.of(""));
    }

    static List<Cell> cells(String... texts) {
        return Stream.of(texts).map(Cell::of).toList();
    }
}
