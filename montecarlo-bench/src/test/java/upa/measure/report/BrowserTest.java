package upa.measure.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntFunction;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import upa.measure.report.Report.Chart;
import upa.measure.report.Report.Highlight;
import upa.measure.report.Report.Point;
import upa.measure.report.Report.Reference;
import upa.measure.report.Report.Section;
import upa.measure.report.Report.Series;
import upa.measure.report.Report.Text;
import upa.measure.report.Report.Unit;

/** Pages with every kind of chart, as a browser shows them. Skipped where there is no Chromium. */
class BrowserTest {

    private static final int PHONE = 390;
    private static final int DESK = 1280;
    private static final List<String> COLOURS =
            List.of("#2176ae", "#d1495b", "#66a182", "#edae49", "#7d5ba6", "#8d6a4f", "#3d8b8b", "#b05f9c");

    @TempDir
    Path folder;

    private Browser browser;

    @BeforeEach
    void aBrowser() {
        assumeTrue(Browser.find().isPresent(), "no Chromium: apt-get install chromium-headless-shell");
        browser = Browser.find().orElseThrow();
    }

    @ParameterizedTest
    @CsvSource({"390, false", "390, true", "1280, false", "1280, true"})
    void everyChartIsDrawnAndReadable(int width, boolean dark) throws Exception {
        Browser.Seen seen = browser.open(folder, HtmlReport.format(everything()), width, dark);
        assertEquals(List.of(), seen.errors());
        assertEquals(width, seen.innerWidth());
        assertTrue(seen.pageWidth() <= width, "scrolls sideways: page=" + seen.pageWidth() + " window=" + width);
        assertEquals(charts().size(), seen.charts().size());
        for (int i = 0; i < charts().size(); i++) {
            Browser.SeenChart chart = seen.charts().get(i);
            assertEquals(charts().get(i).series().size(), chart.colours(), chart.toString());
            // A course over time is one shape.
            assertTrue(charts().get(i).unit() == Unit.MEMORY || chart.marks() >= chart.points(), chart.toString());
            assertEquals(List.of(), chart.unreadable(), chart.title());
            assertTrue(chart.plotShare() > 0.3, "the plot is too narrow: " + chart);
        }
        // The names of categories may be broken, but none is missing.
        String texts = String.join("", seen.charts().get(1).texts());
        assertTrue(texts.contains("program-0") && texts.contains("program-39"), texts);
    }

    @Test
    void theReadersSchemeDecidesTheColours() throws Exception {
        String page = HtmlReport.format(everything());
        Browser.Seen light = browser.open(folder, page, DESK, false);
        Browser.Seen dark = browser.open(folder, page, DESK, true);
        assertEquals("rgb(255, 255, 255)", light.background());
        assertEquals("rgb(20, 24, 31)", dark.background());
        assertNotEquals(light.ink(), dark.ink());
    }

    @Test
    void anErrorOfAScriptIsSeen() throws Exception {
        String page = HtmlReport.format(everything()).replace("\ndraw();\n", "\ndraw();\nnonsense();\n");
        assertTrue(browser.open(folder, page, PHONE, false).errors().stream().anyMatch(e -> e.contains("nonsense")));
    }

    private static Report everything() {
        List<Section> sections = new ArrayList<>();
        for (Chart chart : charts()) {
            sections.add(new Section("s" + sections.size(), chart.title(), List.of(new Text("Seen", "text"), chart)));
        }
        return new Report(
                "Everything",
                List.of("A paragraph of some words, so that a narrow page has something to break into lines."),
                List.of(new Highlight("1.5x", "faster"), new Highlight("0.9x", "the memory")),
                sections);
    }

    private static List<Chart> charts() {
        return List.of(
                new Chart(
                        "Lines over sizes",
                        "a note",
                        List.of(),
                        Unit.NANOSECONDS,
                        series(
                                8,
                                i -> IntStream.range(0, 10)
                                        .mapToObj(k -> point(4096L << 2 * k, 50 * (i + 1) * Math.pow(2, k)))
                                        .toList()),
                        List.of(new Reference(1000, "target"))),
                new Chart(
                        "Dots of programs",
                        "many",
                        programs(40),
                        Unit.RATIO,
                        series(8, i -> categories(40, i)),
                        List.of(new Reference(1, "glibc"))),
                new Chart("Shares", "", programs(5), Unit.SHARE, series(2, i -> categories(5, i)), List.of()),
                new Chart(
                        "Bars",
                        "one a category",
                        programs(6),
                        Unit.INSTRUCTIONS,
                        series(6, i -> List.of(point(i, 1000 * (i + 1)))),
                        List.of()),
                new Chart(
                        "Memory over time",
                        "",
                        List.of(),
                        Unit.MEMORY,
                        series(
                                3,
                                i -> IntStream.range(0, 50)
                                        .mapToObj(k -> point(k * 1e8, (i + 1) * 1e7 * (k + 1)))
                                        .toList()),
                        List.of()));
    }

    private static List<String> programs(int count) {
        return IntStream.range(0, count)
                .mapToObj(i -> "program-" + i + (i % 7 == 3 ? " with a long name of its own" : ""))
                .toList();
    }

    private static List<Point> categories(int count, int series) {
        return IntStream.range(0, count)
                .mapToObj(c -> new Point(c, 0.5 + 0.1 * series, 0.4 + 0.1 * series, 0.6 + 0.1 * series))
                .toList();
    }

    private static Point point(double x, double y) {
        return new Point(x, y, 0.9 * y, 1.1 * y);
    }

    private static List<Series> series(int count, IntFunction<List<Point>> points) {
        return IntStream.range(0, count)
                .mapToObj(i -> new Series("contestant-" + i, COLOURS.get(i), points.apply(i)))
                .toList();
    }
}
