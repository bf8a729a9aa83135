package upa.apps.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import upa.apps.Fakes;
import upa.apps.results.MemoryCourse;
import upa.apps.results.Results;
import upa.apps.results.Run;
import upa.apps.workload.Workload;
import upa.measure.allocator.Allocators;
import upa.measure.report.Report.Cell;
import upa.measure.report.Report.Chart;
import upa.measure.report.Report.Point;
import upa.measure.report.Report.Section;
import upa.measure.report.Report.Table;
import upa.measure.report.Report.Unit;

class MemoryOverTimeSectionTest {

    private final Workload a = Fakes.workload("a", true);
    private final Workload b = Fakes.workload("b", true);

    private Section section(List<Run> runs) {
        return MemoryOverTimeSection.of(new Ratios(
                new Results(List.of(a, b), runs), List.of(Allocators.named("glibc"), Allocators.named("upa"))));
    }

    @Test
    void meansAndTheTypicalRunsAreShown() {
        List<Run> runs = List.of(
                Fakes.run("a", "glibc", 0, 4, 1, 100),
                Fakes.run("a", "glibc", 1, 4, 1, 300),
                Fakes.run("a", "glibc", 2, 4, 1, 200),
                Fakes.run("a", "upa", 0, 4, 1, 50),
                Fakes.run("b", "glibc", 0, 4, 1, 100).withProblem("failed"));
        Section section = section(runs);
        Table means = (Table) section.blocks().get(0);
        assertEquals(List.of("program", "glibc", "upa"), means.header());
        assertEquals(
                List.of(Cell.of("a"), Cell.of("100 MiB"), Cell.of("0.5x")),
                means.rows().get(0));
        assertEquals("", means.rows().get(1).get(1).text(), "a program that failed has no mean");
        assertEquals("geometric mean", means.rows().getLast().getFirst().text());
        assertEquals(2, section.blocks().size(), "and no chart");
        Chart chart = (Chart) section.blocks().get(1);
        assertEquals("Resident memory of a", chart.title());
        assertEquals(Unit.MEMORY, chart.unit());
        assertEquals(
                List.of("glibc", "upa"),
                chart.series().stream().map(s -> s.name()).toList());
        double bytes = 200 << 20;
        assertEquals(
                List.of(new Point(0, 0, 0, 0), new Point(2e9, bytes, bytes, bytes)),
                chart.series().get(0).points());
    }

    @Test
    void runsOfEarlierVersionsTellNothing() {
        Run run = Fakes.request("a", "glibc", 0, 1);
        assertEquals(MemoryCourse.UNKNOWN, run.memory());
        assertFalse(MemoryOverTimeSection.isKnown(new Results(List.of(a), List.of(run))));
        Run known = Fakes.run("a", "glibc", 0, 1, 1, 1);
        assertTrue(MemoryOverTimeSection.isKnown(new Results(List.of(a), List.of(known))));
        assertEquals(1, section(List.of(run)).blocks().size(), "no chart");
    }
}
