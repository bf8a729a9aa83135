package upa.apps.report;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import upa.apps.results.MemoryCourse;
import upa.apps.results.Results;
import upa.apps.results.Run;
import upa.apps.workload.Workload;
import upa.measure.allocator.Allocator;
import upa.measure.allocator.Allocators;
import upa.measure.report.Report.Block;
import upa.measure.report.Report.Cell;
import upa.measure.report.Report.Chart;
import upa.measure.report.Report.Point;
import upa.measure.report.Report.Section;
import upa.measure.report.Report.Series;
import upa.measure.report.Report.Table;
import upa.measure.report.Report.Unit;
import upa.measure.report.Units;

/** How much memory each program holds on the average, and when. */
final class MemoryOverTimeSection {

    private final Ratios ratios;
    private final Results results;

    private MemoryOverTimeSection(Ratios ratios) {
        this.ratios = ratios;
        results = ratios.results();
    }

    static Section of(Ratios ratios) {
        return new MemoryOverTimeSection(ratios).section();
    }

    /** Whether any run tells. */
    static boolean isKnown(Results results) {
        return results.runs().stream().anyMatch(r -> r.meanBytes() > 0);
    }

    private Section section() {
        List<Allocator> others = Ratios.others(ratios.shown());
        List<String> header = new ArrayList<>(List.of("program", Allocators.BASE));
        others.forEach(c -> header.add(c.name()));
        List<List<Cell>> rows = new ArrayList<>();
        for (Workload workload : results.workloads()) {
            List<Cell> row = new ArrayList<>();
            row.add(Cell.of(workload.name()));
            row.add(ratios.text(workload, Allocators.BASE, Run::meanBytes, Units::bytes));
            others.forEach(c ->
                    row.add(Ratios.cell(results.ratio(workload, c.name(), Allocators.BASE, Run::meanBytes), false)));
            rows.add(row);
        }
        List<Cell> means = new ArrayList<>(List.of(Cell.of("geometric mean"), Cell.of("")));
        others.forEach(c -> means.add(
                Ratios.cell(results.ratio(results.workloads(), c.name(), Allocators.BASE, Run::meanBytes), false)));
        rows.add(means);
        List<Block> blocks = new ArrayList<>();
        blocks.add(new Table("Mean resident memory over time, times that under glibc", false, header, rows));
        results.workloads().forEach(workload -> chart(workload).ifPresent(blocks::add));
        return new Section("memory-over-time", "Memory over time", blocks);
    }

    /** The run of each contestant whose mean is the median one. */
    private Optional<Chart> chart(Workload workload) {
        List<Series> series = new ArrayList<>();
        for (Allocator contestant : ratios.shown()) {
            typical(workload, contestant.name())
                    .map(run -> new Series(contestant.name(), contestant.colour(), points(run.memory())))
                    .ifPresent(series::add);
        }
        return series.isEmpty()
                ? Optional.empty()
                : Optional.of(new Chart(
                        "Resident memory of " + workload.name(),
                        "of the run whose mean is the median one",
                        List.of(),
                        Unit.MEMORY,
                        series,
                        List.of()));
    }

    private Optional<Run> typical(Workload workload, String contestant) {
        List<Run> runs = results.runs().stream()
                .filter(r -> r.isGood()
                        && r.workload().equals(workload.name())
                        && r.contestant().equals(contestant))
                .filter(r -> r.memory().looks().size() > 1)
                .sorted(Comparator.comparingLong(Run::meanBytes))
                .toList();
        return runs.isEmpty() ? Optional.empty() : Optional.of(runs.get((runs.size() - 1) / 2));
    }

    private static List<Point> points(MemoryCourse course) {
        return course.looks().stream()
                .map(look -> new Point(look.ns(), look.bytes(), look.bytes(), look.bytes()))
                .toList();
    }
}
