package upa.bench.report;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import upa.bench.driver.Contestant;
import upa.bench.driver.Experiment;
import upa.bench.results.Comparison;
import upa.bench.results.Comparison.Change;
import upa.bench.results.Comparison.Verdict;
import upa.bench.results.Measurements.Line;
import upa.bench.results.PastRun;
import upa.measure.report.Report;
import upa.measure.report.Report.Block;
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
import upa.measure.report.Units;
import upa.measure.stats.Statistics;

/** Turns the comparison of two runs into a report. */
public final class CompareReport {

    private static final List<Reference> AS_BEFORE = List.of(new Reference(1, "as before"));
    private static final List<String> HEADER =
            List.of("line", "size", "before", "now", "times as fast", "base line", "verdict");

    private CompareReport() {}

    /**
     * The report.
     *
     * @param before the older run
     * @param now the newer run
     * @return sections from what has changed to the conditions of both
     */
    public static Report of(PastRun before, PastRun now) {
        Comparison comparison = new Comparison(before, now);
        List<Change> changes = comparison.changes();
        List<Section> sections = new ArrayList<>();
        sections.add(changed(changes, comparison.alone(), before.unknown() + now.unknown()));
        changes.stream()
                .collect(Collectors.groupingBy(
                        c -> c.key().line().experiment(), LinkedHashMap::new, Collectors.toList()))
                .forEach((experiment, some) -> sections.add(section(experiment, some)));
        sections.add(figures(before, now));
        sections.add(conditions(before, now));
        return new Report(
                "Two runs of the page allocation benchmark",
                List.of("How fast each line is in the newer run against the older one: 1.1x means that it takes a tenth"
                        + " less time than before, about. The runs were not interleaved, so a difference holds what the"
                        + " machine did between them. The base line shows that: its code is the kernel's or another's."
                        + " What has moved no more than its base line, or whose interval (95 %, bootstrap) includes 1,"
                        + " counts as noise."),
                highlights(changes),
                sections);
    }

    private static List<Highlight> highlights(List<Change> changes) {
        List<Highlight> all = new ArrayList<>();
        all.add(new Highlight(Long.toString(count(changes, Verdict.FASTER)), "lines at a size are faster"));
        all.add(new Highlight(Long.toString(count(changes, Verdict.SLOWER)), "are slower"));
        all.add(new Highlight(Long.toString(count(changes, Verdict.NOISE)), "have changed no more than noise"));
        double[] bases = changes.stream()
                .filter(c -> c.verdict() == Verdict.BASE)
                .mapToDouble(c -> c.speed().estimate())
                .toArray();
        if (bases.length > 0) {
            all.add(new Highlight(
                    Units.ratio(Statistics.geometricMean(bases)), "as fast: the base lines, which is the machine"));
        }
        return all;
    }

    private static long count(List<Change> changes, Verdict verdict) {
        return changes.stream().filter(c -> c.verdict() == verdict).count();
    }

    private static Section changed(List<Change> changes, long alone, int unknown) {
        List<Change> moved = changes.stream()
                .filter(c -> c.verdict() == Verdict.FASTER || c.verdict() == Verdict.SLOWER)
                .sorted(Comparator.comparingDouble(c -> c.speed().estimate()))
                .toList();
        List<Block> blocks = new ArrayList<>();
        blocks.add(new Text(
                "Seen",
                count(changes, Verdict.FASTER) + " of " + changes.size() + " lines at a size are faster, "
                        + count(changes, Verdict.SLOWER) + " slower, " + count(changes, Verdict.NOISE)
                        + " within the noise; " + count(changes, Verdict.BASE) + " are base lines."
                        + (alone > 0 ? " One of the runs alone has " + alone + " more." : "")
                        + (unknown > 0 ? " Of experiments that there are no longer are " + unknown + "." : "")));
        if (!moved.isEmpty()) {
            blocks.add(new Table(
                    "What has changed, slowest first",
                    false,
                    HEADER,
                    moved.stream().map(CompareReport::row).toList()));
        }
        return new Section("changed", "What has changed", blocks);
    }

    private static Section section(Experiment experiment, List<Change> changes) {
        Map<Line, List<Change>> lines = changes.stream()
                .collect(Collectors.groupingBy(c -> c.key().line(), LinkedHashMap::new, Collectors.toList()));
        List<String> names = lines.keySet().stream().map(CompareReport::name).toList();
        Map<String, List<Point>> points = new LinkedHashMap<>();
        Map<String, String> colours =
                Contestant.all().stream().collect(Collectors.toMap(Contestant::name, Contestant::colour));
        int category = 0;
        for (Map.Entry<Line, List<Change>> entry : lines.entrySet()) {
            points.computeIfAbsent(entry.getKey().contestant(), _ -> new ArrayList<>())
                    .add(mean(category++, entry.getValue()));
        }
        List<Series> series = points.entrySet().stream()
                .map(e -> new Series(e.getKey(), colours.getOrDefault(e.getKey(), "#7d8597"), e.getValue()))
                .toList();
        return new Section(
                experiment.id(),
                experiment.title(),
                List.of(
                        new Chart(
                                "Times as fast as before",
                                "geometric mean over sizes; to the right is faster",
                                names,
                                Unit.RATIO,
                                series,
                                AS_BEFORE),
                        new Table(
                                "All sizes",
                                true,
                                HEADER,
                                changes.stream().map(CompareReport::row).toList())));
    }

    /** The ends are those of the sizes' intervals, which is wider than the interval of the mean. */
    private static Point mean(int category, List<Change> changes) {
        return new Point(
                category,
                Statistics.geometricMean(
                        changes.stream().mapToDouble(c -> c.speed().estimate()).toArray()),
                Statistics.geometricMean(
                        changes.stream().mapToDouble(c -> c.speed().low()).toArray()),
                Statistics.geometricMean(
                        changes.stream().mapToDouble(c -> c.speed().high()).toArray()));
    }

    private static List<Cell> row(Change change) {
        Mark mark = switch (change.verdict()) {
            case FASTER -> Mark.GOOD;
            case SLOWER -> Mark.BAD;
            case NOISE, BASE -> Mark.NONE;
        };
        String verdict = change.verdict() == Verdict.BASE
                ? "base line"
                : change.verdict().name().toLowerCase();
        return List.of(
                Cell.of(change.key().line().experiment().id() + " "
                        + name(change.key().line())),
                Cell.of(
                        change.key().size() == 0
                                ? "all"
                                : Units.bytes(change.key().size())),
                Cell.of(Units.time(change.before())),
                Cell.of(Units.time(change.now())),
                new Cell(Units.ratio(change.speed()), mark),
                Cell.of(change.base().map(b -> Units.ratio(b.estimate())).orElse("")),
                new Cell(verdict, mark));
    }

    private static String name(Line line) {
        return line.contestant()
                + (line.variant().isEmpty() ? "" : ", " + line.variant())
                + (line.phase().isEmpty() ? "" : ", " + line.phase())
                + (line.threads() == 1 ? "" : ", " + Units.count(line.threads(), "thread"));
    }

    private static Section figures(PastRun before, PastRun now) {
        return new Section(
                "figures",
                "Figures to reach",
                List.of(both("What each run says of them", "figure", before.figures(), now.figures(), false)));
    }

    private static Section conditions(PastRun before, PastRun now) {
        return new Section(
                "conditions",
                "Conditions",
                List.of(
                        both("Machine", "", before.machine(), now.machine(), false),
                        both("Method", "", before.method(), now.method(), true)));
    }

    private static Table both(
            String caption, String title, Map<String, String> before, Map<String, String> now, boolean detail) {
        Set<String> names = new LinkedHashSet<>(now.keySet());
        names.addAll(before.keySet());
        return new Table(
                caption,
                detail,
                List.of(title, "before", "now"),
                names.stream()
                        .map(name -> List.of(
                                Cell.of(name),
                                Cell.of(before.getOrDefault(name, "")),
                                Cell.of(now.getOrDefault(name, ""))))
                        .filter(row -> !row.get(1).text().isEmpty()
                                || !row.get(2).text().isEmpty())
                        .toList());
    }
}
