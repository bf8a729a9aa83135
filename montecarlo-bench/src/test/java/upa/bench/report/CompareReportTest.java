package upa.bench.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import upa.bench.driver.Experiment;
import upa.bench.results.Measurements.Key;
import upa.bench.results.Measurements.Line;
import upa.bench.results.PastRun;
import upa.measure.report.Report;
import upa.measure.report.Report.Block;
import upa.measure.report.Report.Cell;
import upa.measure.report.Report.Table;
import upa.measure.report.Report.Text;

class CompareReportTest {

    private static Key key(String contestant, String variant, int threads, long size) {
        return new Key(new Line(Experiment.SIZES, contestant, variant, threads, "warm"), size);
    }

    private static final Key KERNEL = key("kernel", "", 1, 4096);
    private static final Key FASTER = key("upa", "", 1, 4096);
    private static final Key SLOWER = key("upa", "touch", 2, 0);
    private static final Key SLOWEST = key("upa", "", 1, 8192);

    private static PastRun run(
            Map<String, String> machine, double kernel, double faster, double slower, double slowest) {
        return new PastRun(
                machine,
                Map.of("rounds", "2"),
                Map.of("worst size", faster + "x"),
                Map.of(
                        KERNEL, new double[] {kernel, kernel},
                        FASTER, new double[] {faster, faster},
                        SLOWER, new double[] {slower, slower},
                        SLOWEST, new double[] {slowest, slowest}),
                1);
    }

    private static Report report() {
        return CompareReport.of(
                run(Map.of("kernel", "6.1", "swap", "none", "unknown", ""), 1000, 800, 100, 100),
                run(Map.of("kernel", "6.12", "huge pages", "always", "unknown", ""), 1000, 400, 200, 400));
    }

    private static List<Block> blocks(String section) {
        return report().sections().stream()
                .filter(s -> s.id().equals(section))
                .findFirst()
                .orElseThrow()
                .blocks();
    }

    private static List<List<String>> rows(Block table) {
        return ((Table) table)
                .rows().stream().map(r -> r.stream().map(Cell::text).toList()).toList();
    }

    @Test
    void whatHasChangedStandsSlowestFirst() {
        List<Block> blocks = blocks("changed");
        assertEquals(
                "1 of 4 lines at a size are faster, 2 slower, 0 within the noise; 1 are base lines."
                        + " Of experiments that there are no longer are 2.",
                ((Text) blocks.getFirst()).text());
        assertEquals(
                List.of(
                        List.of("sizes upa, warm", "8 KiB", "100 ns", "400 ns", "0.25x", "", "slower"),
                        List.of("sizes upa, touch, warm, 2 threads", "all", "100 ns", "200 ns", "0.5x", "", "slower"),
                        List.of("sizes upa, warm", "4 KiB", "800 ns", "400 ns", "2x", "1x", "faster")),
                rows(blocks.get(1)));
    }

    @Test
    void aFactOfOneRunAloneIsShownAndAnEmptyOneIsNot() {
        List<List<String>> machine = rows(blocks("conditions").getFirst());
        assertEquals(3, machine.size(), machine.toString());
        assertTrue(
                machine.containsAll(List.of(
                        List.of("kernel", "6.1", "6.12"),
                        List.of("swap", "none", ""),
                        List.of("huge pages", "", "always"))),
                machine.toString());
        assertEquals(
                List.of(List.of("worst size", "800.0x", "400.0x")),
                rows(blocks("figures").getFirst()));
    }
}
