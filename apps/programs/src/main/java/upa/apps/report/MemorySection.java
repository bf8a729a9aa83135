package upa.apps.report;

import java.util.ArrayList;
import java.util.List;
import upa.apps.results.Results;
import upa.apps.results.Run;
import upa.apps.workload.Workload;
import upa.measure.allocator.Allocator;
import upa.measure.allocator.Allocators;
import upa.measure.report.Report.Cell;
import upa.measure.report.Report.Section;
import upa.measure.report.Report.Table;
import upa.measure.report.Units;

/** How much memory each program holds at most. */
final class MemorySection {

    private final Ratios ratios;
    private final Results results;

    private MemorySection(Ratios ratios) {
        this.ratios = ratios;
        results = ratios.results();
    }

    static Section of(Ratios ratios) {
        return new MemorySection(ratios).section();
    }

    private Section section() {
        List<String> header = new ArrayList<>(List.of("program", Allocators.BASE));
        List<Allocator> shown = ratios.shown().stream()
                .filter(c -> !c.name().equals(Allocators.BASE))
                .toList();
        shown.forEach(c -> header.add(c.name()));
        List<List<Cell>> rows = new ArrayList<>();
        for (Workload workload : results.workloads()) {
            List<Cell> row = new ArrayList<>(List.of(
                    Cell.of(workload.name()),
                    Cell.of(results.median(workload, Allocators.BASE, Run::peakBytes)
                            .map(Units::bytes)
                            .orElse(""))));
            shown.forEach(c ->
                    row.add(Ratios.cell(results.ratio(workload, c.name(), Allocators.BASE, Run::peakBytes), false)));
            rows.add(row);
        }
        List<Cell> means = new ArrayList<>(List.of(Cell.of("geometric mean"), Cell.of("")));
        shown.forEach(c -> means.add(
                Ratios.cell(results.ratio(results.workloads(), c.name(), Allocators.BASE, Run::peakBytes), false)));
        rows.add(means);
        return new Section(
                "memory",
                "Peak memory",
                List.of(
                        new Table("Peak resident memory, times that under glibc", false, header, rows),
                        ratios.chart(
                                "Peak resident memory, times that under glibc",
                                "to the left is better",
                                (w, c) -> results.ratio(w, c.name(), Allocators.BASE, Run::peakBytes))));
    }
}
