package upa.measure.report;

import com.google.gson.Gson;
import java.io.IOException;
import java.io.InputStream;
import java.io.StringReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Properties;
import upa.measure.report.Report.Cell;
import upa.measure.report.Report.Chart;
import upa.measure.report.Report.FlameGraph;
import upa.measure.report.Report.HeatMap;
import upa.measure.report.Report.Highlight;
import upa.measure.report.Report.Mark;
import upa.measure.report.Report.Section;
import upa.measure.report.Report.Table;
import upa.measure.report.Report.Text;

/**
 * A report as one HTML page that needs nothing else: styles, data and the chart library (Apache
 * ECharts) are in it, and the charts are drawn as SVG when it is opened. Light or dark as the reader's system is.
 */
public final class HtmlReport {

    private static final String ECHARTS = "/META-INF/resources/webjars/echarts/%s/echarts.min.js";
    private static final String ECHARTS_PROPERTIES = "/META-INF/maven/org.webjars/echarts/pom.properties";

    private static final int NAMES_WIDTH = 110;
    private static final int CELL_WIDTH = 8;
    private static final int CELL_HEIGHT = 10;
    private static final double FAINTEST = 0.15;

    private final StringBuilder out = new StringBuilder();
    private final List<Chart> charts = new ArrayList<>();

    private HtmlReport() {}

    /**
     * The report as a page.
     *
     * @param report to show
     * @return HTML
     */
    public static String format(Report report) {
        return new HtmlReport().page(report);
    }

    private String page(Report report) {
        out.append("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
        out.append("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        out.append("<meta name=\"color-scheme\" content=\"light dark\">\n");
        element("title", report.title());
        out.append("<style>\n").append(resource("report.css")).append("</style>\n</head>\n<body>\n<main>\n<header>\n");
        element("h1", report.title());
        report.introduction().forEach(text -> element("p", text));
        out.append("</header>\n");
        if (!report.highlights().isEmpty()) {
            out.append("<div class=\"highlights\">\n");
            for (Highlight highlight : report.highlights()) {
                out.append("<div><b>").append(escape(highlight.figure())).append("</b><span>");
                out.append(escape(highlight.meaning())).append("</span></div>\n");
            }
            out.append("</div>\n");
        }
        out.append("<nav>");
        for (Section section : report.sections()) {
            out.append("<a href=\"#").append(escape(section.id())).append("\">").append(escape(section.title()));
            out.append("</a> ");
        }
        out.append("</nav>\n");
        report.sections().forEach(this::section);
        out.append("</main>\n<script>\n")
                .append(resource(ECHARTS.formatted(chartLibraryVersion())))
                .append("\n</script>\n");
        // "<" would end the script element if it came with "/script".
        out.append("<script>\nconst charts = ")
                .append(new Gson().toJson(charts).replace("<", "\\u003c"))
                .append(";\n");
        out.append(resource("report.js")).append("</script>\n</body>\n</html>\n");
        return out.toString();
    }

    private void section(Section section) {
        out.append("<section id=\"").append(escape(section.id())).append("\">\n");
        element("h2", section.title());
        for (Report.Block block : section.blocks()) {
            switch (block) {
                case Text text -> text(text);
                case Table table -> table(table);
                case Chart chart -> chart(chart);
                case HeatMap map -> heatMap(map);
                case FlameGraph graph -> flameGraph(graph);
            }
        }
        out.append("</section>\n");
    }

    private void text(Text text) {
        out.append("<p>");
        if (!text.label().isEmpty()) {
            out.append("<b class=\"label\">").append(escape(text.label())).append("</b> ");
        }
        out.append(escape(text.text())).append("</p>\n");
    }

    private void table(Table table) {
        out.append(table.detail() ? "<details><summary>" : "<div class=\"table\"><p class=\"caption\">");
        out.append(escape(table.caption())).append(table.detail() ? "</summary><div class=\"table\">" : "</p>");
        out.append(table.isFacts() ? "<table class=\"facts\">\n" : "<table>\n<thead><tr>");
        table.header().forEach(title -> out.append("<th>").append(escape(title)).append("</th>"));
        out.append(table.isFacts() ? "<tbody>\n" : "</tr></thead>\n<tbody>\n");
        for (List<Cell> row : table.rows()) {
            out.append("<tr>");
            for (Cell cell : row) {
                out.append(
                        cell.mark() == Mark.NONE
                                ? "<td>"
                                : "<td class=\"" + cell.mark().name().toLowerCase() + "\">");
                out.append(escape(cell.text())).append("</td>");
            }
            out.append("</tr>\n");
        }
        out.append("</tbody></table></div>").append(table.detail() ? "</details>\n" : "\n");
    }

    private void chart(Chart chart) {
        out.append("<figure><figcaption><b>").append(escape(chart.title())).append("</b> ");
        out.append(escape(chart.note()))
                .append("</figcaption><div class=\"chart\" data-chart=\"")
                .append(charts.size());
        out.append("\"></div></figure>\n");
        charts.add(chart);
    }

    /** Drawn here: it needs no scale that a reader could choose. */
    private void heatMap(HeatMap map) {
        int columns = map.values().isEmpty() ? 1 : map.values().getFirst().size();
        long most = map.values().stream()
                .flatMap(List::stream)
                .mapToLong(Long::longValue)
                .max()
                .orElse(0);
        int width = NAMES_WIDTH + columns * CELL_WIDTH;
        out.append("<figure><figcaption><b>").append(escape(map.title())).append("</b> ");
        out.append(escape(map.note())).append("</figcaption>");
        out.append(String.format(
                Locale.ROOT,
                "<svg class=\"heat\" viewBox=\"0 0 %d %d\" width=\"100%%\" font-size=\"9\" fill=\"currentColor\">%n",
                width,
                (map.rows().size() + 2) * CELL_HEIGHT));
        for (int r = 0; r < map.rows().size(); r++) {
            text(0, r, map.rows().get(r));
            for (int c = 0; c < columns; c++) {
                long value = map.values().get(r).get(c);
                if (value > 0) {
                    out.append(String.format(
                            Locale.ROOT,
                            "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"#d62728\" opacity=\"%.2f\">"
                                    + "<title>%s: %d</title></rect>%n",
                            NAMES_WIDTH + c * CELL_WIDTH,
                            r * CELL_HEIGHT,
                            CELL_WIDTH,
                            CELL_HEIGHT,
                            FAINTEST + (1 - FAINTEST) * Math.log1p(value) / Math.log1p(most),
                            escape(map.rows().get(r)),
                            value));
                }
            }
        }
        text(NAMES_WIDTH, map.rows().size() + 1, map.columns());
        out.append("</svg></figure>\n");
    }

    private void flameGraph(FlameGraph graph) {
        out.append("<figure><figcaption><b>").append(escape(graph.title())).append("</b> ");
        out.append(escape(graph.note())).append("</figcaption>");
        out.append(FlameGraphSvg.draw(graph, HtmlReport::escape)).append("</figure>\n");
    }

    private void text(int x, int row, String text) {
        out.append("<text x=\"" + x + "\" y=\"" + ((row + 1) * CELL_HEIGHT - 2) + "\">")
                .append(escape(text))
                .append("</text>\n");
    }

    private void element(String name, String text) {
        out.append('<')
                .append(name)
                .append('>')
                .append(escape(text))
                .append("</")
                .append(name)
                .append(">\n");
    }

    private static String escape(String text) {
        return text.replace("&", "&amp;")
                .replace("<", "&lt;")
                .replace(">", "&gt;")
                .replace("\"", "&quot;");
    }

    private static String chartLibraryVersion() {
        Properties properties = new Properties();
        try {
            properties.load(new StringReader(resource(ECHARTS_PROPERTIES)));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return properties.getProperty("version");
    }

    private static String resource(String name) {
        try (InputStream in = HtmlReport.class.getResourceAsStream(name)) {
            if (in == null) {
                throw new IllegalStateException("missing on the class path: resource=" + name);
            }
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
