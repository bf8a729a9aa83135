package upa.apps.report;

import java.util.ArrayList;
import java.util.List;
import upa.apps.results.Results;
import upa.apps.results.Run;
import upa.apps.workload.Workload;
import upa.measure.allocator.Allocator;
import upa.measure.allocator.Allocators;
import upa.measure.report.Report.Cell;
import upa.measure.report.Report.Mark;
import upa.measure.report.Report.Section;
import upa.measure.report.Report.Table;
import upa.measure.report.Units;

/** Servers, as their load generator sees them. */
final class ServersSection {

    private final Ratios ratios;
    private final Results results;

    private ServersSection(Ratios ratios) {
        this.ratios = ratios;
        results = ratios.results();
    }

    static Section of(Ratios ratios) {
        return new ServersSection(ratios).section();
    }

    private Section section() {
        List<List<Cell>> rows = new ArrayList<>();
        for (Workload workload : results.workloads()) {
            if (workload.server().isEmpty()) {
                continue;
            }
            for (Allocator contestant : ratios.contestants()) {
                String c = contestant.name();
                rows.add(List.of(
                        Cell.of(workload.name()),
                        Cell.of(c),
                        results.problem(workload, c).isPresent()
                                ? new Cell(Ratios.FAILED, Mark.BAD)
                                : ratios.text(workload, c, Run::throughput, Units::digits),
                        c.equals(Allocators.BASE) ? Cell.of("base line") : ratios.speedUp(workload, Allocators.BASE, c),
                        ratios.text(workload, c, Run::p50Ns, Units::time),
                        ratios.text(workload, c, Run::p99Ns, Units::time),
                        ratios.text(workload, c, Run::cpuNs, Units::time)));
            }
        }
        return new Section(
                "servers",
                "Servers",
                List.of(new Table(
                        "As their load generator sees them (medians)",
                        false,
                        List.of("program", "contestant", "requests/s", "times glibc", "p50", "p99", "CPU time"),
                        rows)));
    }
}
