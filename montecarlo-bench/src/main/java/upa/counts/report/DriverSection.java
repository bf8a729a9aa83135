package upa.counts.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import upa.bench.driver.Contestant;
import upa.bench.driver.DriverOutput;
import upa.counts.data.DriverRuns.Run;
import upa.measure.report.Report.Block;
import upa.measure.report.Report.Cell;
import upa.measure.report.Report.Chart;
import upa.measure.report.Report.Mark;
import upa.measure.report.Report.Point;
import upa.measure.report.Report.Section;
import upa.measure.report.Report.Series;
import upa.measure.report.Report.Table;
import upa.measure.report.Report.Text;
import upa.measure.report.Report.Unit;
import upa.measure.report.Units;

/** The Monte-Carlo driver in the virtual machine, by instructions. */
final class DriverSection {

    private static final String KERNEL = "kernel";
    private static final String DL_KERNEL = "dlmalloc-kernel";

    private DriverSection() {}

    static Section of(List<Run> runs) {
        List<Block> blocks = new ArrayList<>();
        blocks.add(new Text(
                "Measured",
                "The driver of ./upa bench, the same program with the same contestants, with its allocator's work"
                        + " included. Its clock is the guest's, which advances by one nanosecond for each"
                        + " instruction: a"
                        + " time of 1 µs is 1 000 instructions, and its budgets are of instructions too. UPA"
                        + " recycles pages"
                        + " here on a stock kernel, without the module, unless a name says so."));
        for (String phase : List.of("warm", "cold")) {
            List<Run> touch = runs.stream()
                    .filter(r -> r.workload().equals("touch"))
                    .filter(r -> r.points().stream().anyMatch(p -> p.phase().equals(phase)))
                    .toList();
            if (touch.isEmpty()) {
                continue;
            }
            blocks.add(sizes(phase, touch));
            blocks.add(new Chart(
                    "Instructions of allocate, touch every page, free: " + phase,
                    phase.equals("warm") ? "lower is better" : "after all memory was given back; lower is better",
                    List.of(),
                    Unit.INSTRUCTIONS,
                    touch.stream().map(r -> series(r, phase)).toList(),
                    List.of()));
        }
        ring(blocks, runs.stream().filter(r -> r.workload().equals("ring")).toList());
        runs.stream()
                .filter(r -> !r.failure().isEmpty())
                .forEach(r -> blocks.add(
                        new Text("Note", r.contestant() + ", " + r.workload() + ", was left out: " + r.failure())));
        return new Section("driver", "The Monte-Carlo driver, by instructions", blocks);
    }

    private static Table sizes(String phase, List<Run> runs) {
        List<Long> sizes = runs.stream()
                .flatMap(r -> r.points().stream())
                .map(DriverOutput.Point::size)
                .distinct()
                .sorted()
                .toList();
        List<String> header = new ArrayList<>(List.of("contestant"));
        sizes.forEach(s -> header.add(Units.bytes(s)));
        List<List<Cell>> rows = new ArrayList<>();
        for (Run run : runs) {
            Optional<Run> base = base(runs, run);
            List<Cell> row = new ArrayList<>(List.of(Cell.of(run.contestant())));
            for (long size : sizes) {
                row.add(cell(run.mean(phase, size), base.flatMap(b -> b.mean(phase, size)), base.isPresent()));
            }
            rows.add(row);
        }
        return new Table(
                "Instructions of allocate, touch every page, free, " + phase
                        + ", and how many times fewer than kernel's (of dlmalloc: dlmalloc-kernel's)",
                false,
                header,
                rows);
    }

    private static void ring(List<Block> blocks, List<Run> runs) {
        List<List<Cell>> rows = new ArrayList<>();
        for (Run run : runs) {
            if (!run.points().isEmpty()) {
                Optional<Run> base = base(runs, run);
                rows.add(List.of(
                        Cell.of(run.contestant()),
                        cell(run.mean("cold", 0), base.flatMap(b -> b.mean("cold", 0)), base.isPresent()),
                        cell(run.mean("warm", 0), base.flatMap(b -> b.mean("warm", 0)), base.isPresent())));
            }
        }
        if (!rows.isEmpty()) {
            blocks.add(new Table(
                    "Douglas's Monte-Carlo: instructions of one block from allocation to release, and how many"
                            + " times fewer"
                            + " than kernel's",
                    false,
                    List.of("contestant", "while the ring fills", "in its steady state"),
                    rows));
        }
    }

    /** Whom a run is held against; none for base lines. */
    private static Optional<Run> base(List<Run> runs, Run run) {
        String name = run.contestant().startsWith("dlmalloc") ? DL_KERNEL : KERNEL;
        return runs.stream()
                .filter(r -> r.contestant().equals(name) && !run.contestant().equals(name))
                .findFirst();
    }

    private static Cell cell(Optional<Double> mean, Optional<Double> base, boolean compared) {
        if (mean.isEmpty()) {
            return Cell.of("");
        }
        if (!compared || base.isEmpty()) {
            return Cell.of(Units.digits(mean.get()));
        }
        double ratio = base.get() / mean.get();
        return new Cell(
                Units.digits(mean.get()) + " (" + Units.ratio(ratio) + ")",
                ratio > 1 ? Mark.GOOD : ratio < 1 ? Mark.BAD : Mark.NONE);
    }

    private static Series series(Run run, String phase) {
        return new Series(
                run.contestant(),
                Contestant.all().stream()
                        .filter(c -> c.name().equals(run.contestant()))
                        .map(Contestant::colour)
                        .findFirst()
                        .orElse("#6c757d"),
                run.points().stream()
                        .filter(p -> p.phase().equals(phase))
                        .map(p -> new Point(p.size(), p.mean(), p.mean(), p.mean()))
                        .toList());
    }
}
