package upa.apps.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import upa.apps.Fakes;
import upa.apps.results.Results;
import upa.apps.results.Run;
import upa.apps.workload.Workload;
import upa.measure.allocator.Allocators;
import upa.measure.report.Report.Table;
import upa.measure.report.Report.Text;

class SpeedSectionTest {

    private final List<Workload> workloads = new ArrayList<>();
    private final List<Run> runs = new ArrayList<>();

    /** A program that takes a second under glibc, and so long under UPA and under glibc once more. */
    private void program(String name, double upa, double again, int rounds) {
        workloads.add(Fakes.workload(name, true));
        for (int round = 0; round < rounds; round++) {
            runs.add(Fakes.run(name, "glibc", round, 1, 1, 1));
            runs.add(Fakes.run(name, "upa", round, upa + round / 1000.0, 1, 1));
            runs.add(Fakes.run(name, "glibc-again", round, again, 1, 1));
        }
    }

    private List<String> seen() {
        Text text = (Text) SpeedSection.of(new Ratios(new Results(workloads, runs), Allocators.all()))
                .blocks()
                .getFirst();
        return List.of(text.text().split("; "));
    }

    @Test
    void whatIsFasterAndSlowerIsHeldAgainstTheControl() {
        program("quick", 0.8, 1.05, 3);
        program("slow", 1.2, 1.05, 3);
        program("noisy", 1.05, 1.1, 3);
        program("lucky", 0.95, 1.1, 3);
        program("once", 0.5, 1, 1);
        List<String> seen = seen();
        assertTrue(seen.contains("faster: quick"), seen.toString());
        assertTrue(seen.contains("slower: slow"), seen.toString());
        assertTrue(seen.contains("within the noise: noisy, lucky"), seen.toString());
        assertTrue(seen.contains("of a single round, so that nothing is known of the noise: once."), seen.toString());
    }

    @Test
    void timesAreShownBesideRatios() {
        program("quick", 0.5, 1, 3);
        Table table = (Table) SpeedSection.of(new Ratios(new Results(workloads, runs), Allocators.all()))
                .blocks()
                .get(1);
        assertEquals(List.of("program", "glibc", "glibc-again", "upa"), table.header());
        assertEquals("quick", table.rows().getFirst().get(0).text());
        assertEquals("1 s", table.rows().getFirst().get(1).text());
        assertTrue(
                table.rows().getFirst().get(3).text().startsWith("2x ("),
                table.rows().toString());
        assertEquals("geometric mean", table.rows().getLast().get(0).text());
    }
}
