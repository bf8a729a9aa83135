package upa.bench.report;

import static upa.bench.report.Statements.seen;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import upa.bench.driver.Experiment;
import upa.bench.results.Measurements;
import upa.bench.results.Measurements.Line;
import upa.measure.report.Report.Block;
import upa.measure.report.Report.Cell;
import upa.measure.report.Report.Table;
import upa.measure.report.Units;
import upa.measure.stats.Interval;

/** Experiments f and g: one thread and two at once, of memory and of page numbers alone. */
final class ThreadsSection {

    private ThreadsSection() {}

    static List<Block> blocks(Lookup lookup, Blocks make, Experiment experiment) {
        Measurements measurements = lookup.measurements();
        List<Line> all = lookup.lines(experiment, "", "warm");
        List<String> statements = new ArrayList<>();
        List<List<Cell>> rows = new ArrayList<>();
        for (Line one : all.stream().filter(l -> l.threads() == 1).toList()) {
            Line two = new Line(experiment, one.contestant(), "", 2, "warm");
            List<Double> speedUps = new ArrayList<>();
            for (long size : measurements.sizes(one)) {
                Optional<Interval> speedUp = measurements.speedUp(one, two, size);
                speedUp.ifPresent(s -> speedUps.add(s.estimate()));
                rows.add(Blocks.cells(
                        one.contestant(),
                        Units.bytes(size),
                        lookup.time(one, size),
                        lookup.time(two, size),
                        speedUp.map(Units::ratio).orElse("")));
            }
            if (!speedUps.isEmpty()) {
                speedUps.sort(null);
                statements.add(one.contestant() + ": " + Units.ratio(speedUps.getFirst()) + " to "
                        + Units.ratio(speedUps.getLast()));
            }
        }
        List<Block> blocks = new ArrayList<>();
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
        for (int threads : List.of(1, 2)) {
            blocks.add(make.timeChart(
                    "Time of one operation, " + (threads == 1 ? "one thread" : "two threads at once"),
                    "lower is better",
                    all.stream().filter(l -> l.threads() == threads).toList()));
        }
        return blocks;
    }
}
