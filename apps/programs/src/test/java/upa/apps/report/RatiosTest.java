package upa.apps.report;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import upa.apps.Fakes;
import upa.apps.results.Results;
import upa.apps.results.Run;
import upa.apps.workload.Workload;
import upa.measure.allocator.Allocators;
import upa.measure.report.Report.Cell;
import upa.measure.report.Report.Mark;
import upa.measure.stats.Interval;

class RatiosTest {

    private static Cell cell(double estimate, double low, double high, boolean moreIsBetter) {
        return Ratios.cell(Optional.of(new Interval(estimate, low, high)), moreIsBetter);
    }

    @Test
    void aDifferenceIsMarkedByWhatIsBetter() {
        assertEquals(new Cell("1.2x (1.1-1.3)", Mark.GOOD), cell(1.2, 1.1, 1.3, true));
        assertEquals(new Cell("1.2x (1.1-1.3)", Mark.BAD), cell(1.2, 1.1, 1.3, false));
        assertEquals(new Cell("0.8x (0.7-0.9)", Mark.BAD), cell(0.8, 0.7, 0.9, true));
        assertEquals(new Cell("0.8x (0.7-0.9)", Mark.GOOD), cell(0.8, 0.7, 0.9, false));
    }

    @Test
    void whatIncludesOneOrIsShownAsOneIsNoDifference() {
        assertEquals(Cell.of("~1.2x (1-1.3)"), cell(1.2, 1, 1.3, true));
        assertEquals(Cell.of("~0.8x (0.7-1)"), cell(0.8, 0.7, 1, true));
        assertEquals(Cell.of("~1x (1-1.01)"), cell(1.004, 1.001, 1.006, true));
        assertEquals(Cell.of("~0.996x (0.993-0.999)"), cell(0.996, 0.993, 0.999, false));
        assertEquals(Mark.GOOD, cell(1.006, 1.001, 1.01, true).mark());
    }

    @Test
    void ofASingleRoundNothingIsKnown() {
        assertEquals(Cell.of("2x"), cell(2, 2, 2, true));
        assertEquals(Cell.of(""), Ratios.cell(Optional.empty(), true));
    }

    @Test
    void aProgramsDifferenceIsHeldAgainstItsControl() {
        Workload w = Fakes.workload("w", true);
        List<Run> runs = new ArrayList<>();
        for (int round = 0; round < 3; round++) {
            runs.add(Fakes.run("w", "glibc", round, 1, 1, 1));
            runs.add(Fakes.run("w", "jemalloc", round, 1.05 + round / 100.0, 1, 1));
            runs.add(Fakes.run("w", "upa", round, 1.05 + round / 100.0, 1, 1));
            runs.add(Fakes.run("w", "upa-jemalloc", round, 1.2 + round / 100.0, 1, 1));
        }
        assertEquals(Mark.BAD, ratios(w, runs).speedUp(w, "glibc", "upa").mark());
        for (int round = 0; round < 3; round++) {
            runs.add(Fakes.run("w", "glibc-again", round, 1.1, 1, 1));
        }
        Cell cell = ratios(w, runs).speedUp(w, "glibc", "upa");
        assertEquals(Mark.NONE, cell.mark());
        assertEquals("~0.943x (0.935-0.952)", cell.text());
        // Of another base line the control says nothing.
        assertEquals(
                Mark.BAD, ratios(w, runs).speedUp(w, "jemalloc", "upa-jemalloc").mark());
    }

    private static Ratios ratios(Workload workload, List<Run> runs) {
        return new Ratios(new Results(List.of(workload), runs), Allocators.all());
    }
}
