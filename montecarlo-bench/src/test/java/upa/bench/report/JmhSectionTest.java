package upa.bench.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import upa.bench.results.JmhResults;
import upa.measure.report.Report;
import upa.measure.report.Report.Chart;
import upa.measure.report.Report.Section;
import upa.measure.report.TextReport;

class JmhSectionTest {

    @Test
    void eachClassHasATableAgainstItsBaseLineAndAChart() {
        Section section = JmhSection.of(new JmhResults(Map.of(
                "ArenaBenchmark.confined:bytes=1048576", List.of(80_000.0, 82_000.0),
                "ArenaBenchmark.pageArena:bytes=1048576", List.of(4_000.0, 4_100.0),
                "ArenaBenchmark.pageArena:bytes=4096", List.of(100.0),
                "LlFreeBenchmark.c:order=9", List.of(30.0),
                "LlFreeBenchmark.java:order=9", List.of(60.0))));
        String text = new TextReport(false).format(new Report("", List.of(), List.of(), List.of(section)));
        assertTrue(text.contains("PageArena, 1 MiB: 20x as fast as Arena.ofConfined"), text);
        assertTrue(text.matches("(?s).*1 MiB +81 µs +4.05 µs, 20x\n.*"), text);
        assertTrue(text.matches("(?s).*2 MiB +30 ns +60 ns, 0.5x !\n.*"), text);
        List<Chart> charts = section.blocks().stream()
                .filter(Chart.class::isInstance)
                .map(Chart.class::cast)
                .toList();
        assertEquals(2, charts.size());
        assertEquals(
                2 * 1048576,
                charts.get(1).series().getFirst().points().getFirst().x());
    }
}
