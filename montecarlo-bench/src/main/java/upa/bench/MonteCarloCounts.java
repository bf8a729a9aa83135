package upa.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import upa.bench.report.Report.Block;
import upa.bench.report.Report.Cell;
import upa.bench.report.Report.Chart;
import upa.bench.report.Report.Mark;
import upa.bench.report.Report.Point;
import upa.bench.report.Report.Section;
import upa.bench.report.Report.Series;
import upa.bench.report.Report.Table;
import upa.bench.report.Report.Text;
import upa.bench.report.Report.Unit;
import upa.bench.report.Units;

/**
 * The Monte-Carlo driver in the virtual machine: unchanged, with a clock that advances by one nanosecond for each instruction,
 * so that its times are counts.
 */
final class MonteCarloCounts {

    private static final String FAILED = ".failed";
    private static final String KERNEL = "kernel";
    private static final String DL_KERNEL = "dlmalloc-kernel";

    private MonteCarloCounts() {}

    /**
     * One run.
     *
     * @param contestant who was measured
     * @param workload touch or ring
     * @param points as the driver prints them; none if it failed
     * @param failure why it failed; empty if it did not
     */
    record Run(String contestant, String workload, List<DriverOutput.Point> points, String failure) {

        private Optional<Double> mean(String phase, long size) {
            return points.stream()
                    .filter(p -> p.phase().equals(phase) && p.size() == size)
                    .map(DriverOutput.Point::mean)
                    .findFirst();
        }
    }

    /** All runs below a folder, in files CONTESTANT-WORKLOAD; none if there is no such folder. */
    static List<Run> read(Path folder) throws BenchException {
        if (!Files.isDirectory(folder)) {
            return List.of();
        }
        List<Run> runs = new ArrayList<>();
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : files.sorted(Comparator.comparing(MonteCarloCounts::place)).toList()) {
                String name = file.getFileName().toString().replace(FAILED, "");
                int dash = name.lastIndexOf('-');
                List<String> lines = Files.readAllLines(file);
                boolean failed = file.toString().endsWith(FAILED);
                runs.add(new Run(
                        name.substring(0, dash),
                        name.substring(dash + 1),
                        failed ? List.of() : DriverOutput.parse(lines).points(),
                        failed ? String.join(" ", lines) : ""));
            }
        } catch (IOException e) {
            throw BenchException.failure("cannot read the driver's output: folder=" + folder + ": " + e.getMessage());
        }
        return runs;
    }

    /** In the order of the contestants, those nobody knows last. */
    private static int place(Path file) {
        List<Contestant> all = Contestant.all();
        String name = file.getFileName().toString();
        for (int i = 0; i < all.size(); i++) {
            if (name.startsWith(all.get(i).name() + "-")
                    && !name.substring(all.get(i).name().length() + 1).contains("-")) {
                return i;
            }
        }
        return all.size();
    }

    static Section section(List<Run> runs) {
        List<Block> blocks = new ArrayList<>();
        blocks.add(new Text(
                "Measured",
                "The driver of ./upa bench, the same program with the same contestants, with its allocator's work"
                    + " included. Its clock is the guest's, which advances by one nanosecond for each instruction: a"
                    + " time of 1 µs is 1 000 instructions, and its budgets are of instructions too. UPA recycles pages"
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
                    "Douglas's Monte-Carlo: instructions of one block from allocation to release, and how many times fewer"
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
