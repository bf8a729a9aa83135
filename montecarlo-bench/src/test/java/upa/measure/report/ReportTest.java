package upa.measure.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import upa.measure.report.Report.Cell;
import upa.measure.report.Report.Chart;
import upa.measure.report.Report.Highlight;
import upa.measure.report.Report.Mark;
import upa.measure.report.Report.Point;
import upa.measure.report.Report.Reference;
import upa.measure.report.Report.Section;
import upa.measure.report.Report.Series;
import upa.measure.report.Report.Table;
import upa.measure.report.Report.Text;
import upa.measure.report.Report.Unit;

class ReportTest {

    private static final Report REPORT = new Report(
            "Title <1> & more",
            List.of("An \"introduction\"."),
            List.of(new Highlight("42x", "faster")),
            List.of(
                    new Section(
                            "one",
                            "Section one",
                            List.of(
                                    new Text("Seen", "a < b"),
                                    new Table(
                                            "Short",
                                            false,
                                            List.of("size", "time"),
                                            List.of(
                                                    List.of(Cell.of("4 KiB"), new Cell("1 µs", Mark.GOOD)),
                                                    List.of(Cell.of("1 MiB"), new Cell("12 µs", Mark.BAD)),
                                                    List.of(Cell.of("1 GiB"), new Cell("3 ms", Mark.OPEN)))),
                                    new Table("Long", true, List.of("hidden"), List.of(List.of(Cell.of("deep")))),
                                    new Table(
                                            "Facts",
                                            false,
                                            List.of(),
                                            List.of(List.of(Cell.of("CPU"), Cell.of("fast")))),
                                    new Chart(
                                            "A chart",
                                            "note",
                                            List.of(),
                                            Unit.NANOSECONDS,
                                            List.of(new Series(
                                                    "</script><b>", "#123456", List.of(new Point(4096, 10, 9, 11)))),
                                            List.of(new Reference(1, "par"))))),
                    new Section("two", "Section two", List.of())));

    @Test
    void thePageHoldsEverythingAndEscapesIt() {
        String html = HtmlReport.format(REPORT);
        assertTrue(html.contains("<title>Title &lt;1&gt; &amp; more</title>"));
        assertTrue(html.contains("<p>An &quot;introduction&quot;.</p>"));
        assertTrue(html.contains("<b>42x</b><span>faster</span>"));
        assertTrue(html.contains("<a href=\"#two\">Section two</a>"));
        assertTrue(html.contains("<td class=\"good\">1 µs</td>"));
        assertTrue(html.contains("<details><summary>Long</summary>"));
        assertTrue(html.contains("<tr><td>CPU</td><td>fast</td></tr>"));
        assertTrue(html.contains("\"y\":10.0,\"low\":9.0,\"high\":11.0"), "the data of the chart");
        assertFalse(html.contains("</script><b>"), "a name has ended the script");
    }

    @Test
    void thePageNeedsNothingElse() {
        String html = HtmlReport.format(REPORT);
        assertTrue(html.contains("echarts"), "the chart library");
        String page = html.replaceAll("(?s)<script>.*?</script>", "");
        assertFalse(page.contains("<script"), "loads a script");
        assertFalse(page.matches("(?s).*<(link|img|iframe)\\b.*"), "loads something");
        assertFalse(page.contains("@import") || page.contains("url("), "loads a style");
    }

    @Test
    void theTerminalGetsTextAndShortTables() {
        String text = new TextReport(false).format(REPORT);
        assertEquals("""

            Section one
            ===========
              Seen: a < b

              Short
              size      time
              --------------
              4 KiB     1 µs
              1 MiB  12 µs !
              1 GiB   3 ms ?


              Facts
              CPU  fast


            Section two
            ===========
            """, text);
        assertTrue(new TextReport(true).format(REPORT).contains("\u001b[31m12 µs\u001b[0m"));
    }

    @Test
    void longParagraphsAreWrapped() {
        Report report = new Report(
                "",
                List.of(),
                List.of(),
                List.of(new Section(
                        "s", "S", List.of(new Text("", "word ".repeat(60).strip())))));
        String text = new TextReport(false).format(report);
        assertTrue(text.lines().allMatch(l -> l.length() <= 120), text);
        assertEquals(60, text.split("word", -1).length - 1);
    }

    @Test
    void aRowOfAnotherLengthIsRejected() {
        assertEquals(
                "row of 1 cells in a table of 2: row=[Cell[text=x, mark=NONE]]",
                assertThrows(
                                IllegalArgumentException.class,
                                () -> new Table("", false, List.of("a", "b"), List.of(List.of(Cell.of("x")))))
                        .getMessage());
    }

    @Test
    void aHeatMapHasACellForEachValueAndNoneForZero() {
        Report.HeatMap map = new Report.HeatMap(
                "heat", "a note", "time", List.of("page <0>", "page 512"), List.of(List.of(0L, 1L), List.of(100L, 0L)));
        Report report = new Report("t", List.of(), List.of(), List.of(new Report.Section("s", "S", List.of(map))));
        String html = HtmlReport.format(report);
        assertEquals(3, html.split("<rect ", -1).length);
        assertTrue(html.contains("<title>page &lt;0&gt;: 1</title>"), html);
        assertTrue(html.contains("opacity=\"1.00\"><title>page 512: 100</title>"), html);
        assertTrue(html.contains(">time</text>"));
        assertEquals("\nS\n=\n", new TextReport(false).format(report));
    }

    @Test
    void aHeatMapThatIsNoPlaneIsRefused() {
        assertThrows(
                IllegalArgumentException.class,
                () -> new Report.HeatMap("t", "", "", List.of("a", "b"), List.of(List.of(1L), List.of(1L, 2L))));
        assertThrows(IllegalArgumentException.class, () -> new Report.HeatMap("t", "", "", List.of("a"), List.of()));
    }

    @Test
    void aFlameGraphIsAsWideAsItCounts() {
        Report.FlameGraph graph = new Report.FlameGraph(
                "flames",
                "a note",
                "faults",
                java.util.Map.of(
                        "main;often (a.c:7)", 70L, "main;<some>", 20L, "main;often (a.c:7);callee", 9L, "b", 1L));
        Report report = new Report("t", List.of(), List.of(), List.of(new Report.Section("s", "S", List.of(graph))));
        String html = HtmlReport.format(report);
        assertEquals(7, html.split("<rect ", -1).length, "all, main, b, two callees of main and one of theirs");
        assertTrue(html.contains("<title>all: 100 faults, 100.0 %</title><rect x=\"0.0\" y=\"48\" width=\"1000.0\""));
        assertTrue(html.contains("<title>often (a.c:7): 79 faults, 79.0 %</title><rect x=\"210.0\" y=\"16\""), html);
        assertTrue(html.contains("<title>&lt;some&gt;: 20 faults, 20.0 %</title><rect x=\"10.0\" y=\"16\""), html);
        assertTrue(html.contains(">callee</text>"));
        assertEquals("\nS\n=\n", new TextReport(false).format(report));
        Report none = new Report(
                "t",
                List.of(),
                List.of(),
                List.of(new Report.Section(
                        "s", "S", List.of(new Report.FlameGraph("flames", "", "faults", java.util.Map.of())))));
        assertEquals(1, HtmlReport.format(none).split("<rect ", -1).length);
    }
}
