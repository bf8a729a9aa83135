package upa.bench.paging;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import upa.measure.Conditions;
import upa.measure.Machine;
import upa.measure.report.HtmlReport;
import upa.measure.report.Report;
import upa.measure.report.TextReport;

class PagingReportTest {
    private static PagingRow row(String way, int threads, int round, double ns) {
        return new PagingRow(way, "random", threads, round, 2 << 20, 1 << 20, 10, ns, 500);
    }

    @Test
    void waysAreComparedRoundByRound() {
        List<PagingRow> rows = new ArrayList<>();
        for (int round = 0; round < 7; round++) {
            rows.add(row("upa-file", 1, round, 1000 * (round + 1)));
            // A round that the rival lacks does not count.
            if (round != 3) {
                rows.add(row("swap", 1, round, 2000 * (round + 1)));
            }
            rows.add(row("upa-file", 2, round, 900));
        }
        Report report =
                new PagingReport(rows, Way.all("/f"), 1 << 20).report(new Conditions(new Machine(Path.of("/")), 7));
        String text = new TextReport(false).format(report);
        assertTrue(text.contains("bound 1 MiB"), text);
        assertTrue(text.lines().anyMatch(l -> l.matches(" +upa-file +4 µs +900 ns +500 ns")), text);
        assertTrue(text.lines().anyMatch(l -> l.matches(" +upa-file / swap +2x +-")), text);
        assertFalse(text.contains("zram"), text);
        assertTrue(HtmlReport.format(report).contains("Beside the kernel's own ways"));
    }

    @Test
    void withoutTheKernelsWaysItSaysSo() {
        Report report = new PagingReport(List.of(row("upa-lz4", 1, 0, 5)), Way.all("/f"), 1 << 20)
                .report(new Conditions(new Machine(Path.of("/")), 1));
        assertTrue(new TextReport(false).format(report).contains("None of the kernel's ways could be measured here."));
    }

    private static PagingRow pageRank(String way, int round, double ns) {
        return new PagingRow(way, "pagerank", 1, round, 280 << 20, 168 << 20, 5, ns, 500);
    }

    @Test
    void pageRankHasASectionAndFigures() {
        List<PagingRow> rows = new ArrayList<>();
        for (int round = 0; round < 5; round++) {
            rows.add(pageRank("upa-csr", round, 2e9));
            rows.add(pageRank("upa-file", round, 4e9));
            rows.add(pageRank("swap", round, 2.8e9));
        }
        Report report =
                new PagingReport(rows, Way.all("/f"), 1 << 20).report(new Conditions(new Machine(Path.of("/")), 5));
        String text = new TextReport(false).format(report);
        assertTrue(text.contains("the program has 280 MiB"), text);
        assertTrue(text.lines().anyMatch(l -> l.matches(" +upa-csr +2 s \\(2 s - 2 s\\)")), text);
        assertTrue(text.lines().anyMatch(l -> l.matches(" +upa-csr / swap +1.4x")), text);
        assertTrue(text.lines().anyMatch(l -> l.contains("1.5x kernel, swap to a file") && l.contains("missed")), text);
        assertTrue(text.lines().anyMatch(l -> l.contains("1.3x policy clock, file") && l.contains("reached")), text);
        assertFalse(text.contains("Time of a touch"), text);
        assertTrue(HtmlReport.format(report).contains("PageRank"));
    }
}
