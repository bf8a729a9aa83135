package upa.bench.paging;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import upa.measure.Conditions;
import upa.measure.Targets;
import upa.measure.report.Report;
import upa.measure.report.Report.Block;
import upa.measure.report.Report.Cell;
import upa.measure.report.Report.Chart;
import upa.measure.report.Report.Mark;
import upa.measure.report.Report.Point;
import upa.measure.report.Report.Section;
import upa.measure.report.Report.Series;
import upa.measure.report.Report.Table;
import upa.measure.report.Report.Text;
import upa.measure.report.Report.Unit;
import upa.measure.report.Units;
import upa.measure.stats.Interval;
import upa.measure.stats.Statistics;

/** What the runs say: a time for each way and pattern, and UPA's ways beside their rivals, round by round. */
final class PagingReport {
    private static final String[] COLOURS = {
        "#7f7f7f", "#1f77b4", "#17becf", "#2ca02c", "#bcbd22", "#d62728", "#ff7f0e", "#9467bd", "#8c564b"
    };

    private final List<PagingRow> rows;
    private final List<Way> ways;
    private final long bound;
    private final PageRankSection pageRank;

    PagingReport(List<PagingRow> rows, List<Way> ways, long bound) {
        this.rows =
                rows.stream().filter(r -> !r.pattern().equals(PageRank.NAME)).toList();
        this.ways = ways.stream()
                .filter(w -> rows.stream().anyMatch(r -> r.way().equals(w.id())))
                .toList();
        this.bound = bound;
        pageRank = new PageRankSection(rows, this.ways);
    }

    Report report(Conditions conditions) {
        List<List<Cell>> contestants = ways.stream()
                .map(w -> List.of(Cell.of(w.id()), Cell.of(w.title())))
                .toList();
        List<Section> sections = new ArrayList<>();
        if (!pageRank.isEmpty()) {
            sections.add(Targets.section(pageRank.targets().figures()));
            sections.add(pageRank.section());
        }
        if (!rows.isEmpty()) {
            sections.add(times());
            sections.add(rivals());
        }
        sections.add(conditions.section(new Table("ways", false, List.of(), contestants)));
        return new Report(
                "Memory larger than its bound",
                List.of("A program has twice the memory that it may have resident. A touch reads a word of a page, and"
                        + " each third writes one; pages become half as large when compressed. The bound is of the"
                        + " memory from UPA under its pager, and of the whole process in a cgroup under the kernel."),
                List.of(),
                sections);
    }

    /** Patterns, of two threads as well. */
    private List<String> kinds() {
        return rows.stream().map(PagingReport::kind).distinct().sorted().toList();
    }

    private static String kind(PagingRow r) {
        return r.threads() == 1 ? r.pattern() : r.pattern() + ", " + r.threads() + " threads";
    }

    /** Time of a touch by round. */
    private Map<Integer, Double> rounds(Way way, String kind) {
        Map<Integer, Double> times = new TreeMap<>();
        rows.stream()
                .filter(r -> r.way().equals(way.id()) && kind(r).equals(kind))
                .forEach(r -> times.put(r.round(), r.nsPerTouch()));
        return times;
    }

    private static double[] array(Map<Integer, Double> times) {
        return times.values().stream().mapToDouble(Double::doubleValue).toArray();
    }

    private Section times() {
        List<String> kinds = kinds();
        List<String> header = new ArrayList<>(List.of("way"));
        header.addAll(kinds);
        header.add("first write of a page");
        List<List<Cell>> table = new ArrayList<>();
        for (Way way : ways) {
            if (rows.stream().noneMatch(r -> r.way().equals(way.id()))) {
                continue;
            }
            List<Cell> line = new ArrayList<>(List.of(Cell.of(way.id())));
            for (String kind : kinds) {
                double[] times = array(rounds(way, kind));
                line.add(Cell.of(times.length == 0 ? "-" : Units.time(Statistics.median(times))));
            }
            line.add(Cell.of(Units.time(Statistics.median(rows.stream()
                    .filter(r -> r.way().equals(way.id()))
                    .mapToDouble(PagingRow::fillNsPerPage)
                    .toArray()))));
            table.add(line);
        }
        List<Block> blocks = new ArrayList<>();
        blocks.add(new Text(
                "",
                "Median time of a touch, those included that find the page in memory; bound " + Units.bytes(bound)
                        + "."));
        blocks.add(new Table("time of a touch", false, header, table));
        return new Section("times", "Time of a touch", blocks);
    }

    private Section rivals() {
        List<String> kinds = kinds();
        List<String> header = new ArrayList<>(List.of("way against rival"));
        header.addAll(kinds);
        List<List<Cell>> table = new ArrayList<>();
        List<Series> series = new ArrayList<>();
        for (Way way : ways) {
            Optional<Way> rival = way.rival()
                    .flatMap(id -> ways.stream().filter(w -> w.id().equals(id)).findFirst());
            if (rival.isEmpty()) {
                continue;
            }
            String name = way.id() + " / " + rival.get().id();
            List<Cell> line = new ArrayList<>(List.of(Cell.of(name)));
            List<Point> points = new ArrayList<>();
            for (int k = 0; k < kinds.size(); k++) {
                String kind = kinds.get(k);
                Optional<Interval> ratio = ratio(way, rival.get(), kind);
                line.add(ratio.map(r -> cell(r, rounds(way, kind).size() < 2)).orElse(Cell.of("-")));
                int at = k;
                ratio.ifPresent(r -> points.add(new Point(at, r.estimate(), r.low(), r.high())));
            }
            table.add(line);
            series.add(new Series(name, COLOURS[(series.size() + 1) % COLOURS.length], points));
        }
        List<Block> blocks = new ArrayList<>();
        if (table.isEmpty()) {
            blocks.add(new Text("", "None of the kernel's ways could be measured here."));
        } else {
            blocks.add(new Text(
                    "",
                    "How many times as fast as the rival, round by round, with 95 % intervals; above 1 is faster."));
            blocks.add(new Table("UPA's speed over the kernel's", false, header, table));
            blocks.add(new Chart(
                    "UPA's speed over the kernel's",
                    "Above 1 is faster.",
                    kinds,
                    Unit.RATIO,
                    series,
                    List.of(new Report.Reference(1, "as fast"))));
        }
        return new Section("rivals", "Beside the kernel's own ways", blocks);
    }

    private Optional<Interval> ratio(Way way, Way rival, String kind) {
        Map<Integer, Double> mine = rounds(way, kind);
        Map<Integer, Double> other = rounds(rival, kind);
        double[] ratios = mine.keySet().stream()
                .filter(other::containsKey)
                .mapToDouble(round -> other.get(round) / mine.get(round))
                .toArray();
        return ratios.length == 0 ? Optional.empty() : Optional.of(Statistics.ratio(ratios));
    }

    /** One round decides nothing. */
    private static Cell cell(Interval ratio, boolean once) {
        Mark mark = ratio.low() > 1 ? Mark.GOOD : ratio.high() < 1 ? Mark.BAD : Mark.OPEN;
        return new Cell(Units.ratio(ratio), once ? Mark.OPEN : mark);
    }
}
