package upa.bench.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import upa.bench.results.JmhResults;
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

/** The section of the report on the JMH benchmarks: per class a table, a chart over sizes, and all figures. */
final class JmhSection {

    private static final long PAGE_BYTES = 4096;
    private static final Map<String, String> COLOURS = Map.ofEntries(
            Map.entry("mmap", "#d1495b"),
            Map.entry("confined", "#e98a15"),
            Map.entry("shared", "#f4b860"),
            Map.entry("netty", "#9d4edd"),
            Map.entry("pageArena", "#2176ae"),
            Map.entry("pageArenaAhead", "#5c415d"),
            Map.entry("pageArenaUncleared", "#1b998b"),
            Map.entry("pageArenaShared", "#57a0d3"),
            Map.entry("region", "#2176ae"),
            Map.entry("java", "#2176ae"),
            Map.entry("javaTwoThreads", "#57a0d3"),
            Map.entry("c", "#6c757d"));

    /**
     * A benchmark class.
     *
     * @param name the class
     * @param title what it measures
     * @param base the method that the others are held against
     */
    private record Group(String name, String title, String base) {}

    private static final List<Group> GROUPS = List.of(
            new Group("ArenaBenchmark", "Open an arena, allocate a block, write once to each page, close", "confined"),
            new Group("RegionBenchmark", "Allocate and free a block alone", "mmap"),
            new Group("LlFreeBenchmark", "Get and put page numbers", "c"));

    private final JmhResults results;

    private JmhSection(JmhResults results) {
        this.results = results;
    }

    static Section of(JmhResults results) {
        return new JmhSection(results).build();
    }

    private Section build() {
        List<Block> blocks = new ArrayList<>();
        blocks.add(new Text(
                "Claimed",
                "Java programs get pages as fast as C programs do, and PageArena serves whoever uses the JDK's"
                        + " arenas."));
        String seen = Stream.of(
                        results.ratio(JmhResults.CONFINED_1M, JmhResults.PAGE_ARENA_1M)
                                .map(r -> "PageArena, 1 MiB: " + Units.ratio(r) + " as fast as Arena.ofConfined"),
                        results.ratio(JmhResults.CONFINED_1M, JmhResults.PAGE_ARENA_UNCLEARED_1M)
                                .map(r -> "uncleared: " + Units.ratio(r)),
                        results.time(JmhResults.REGION_4K)
                                .map(t -> "Region, 4 KiB: " + Units.time(t) + " to allocate and free"))
                .flatMap(Optional::stream)
                .collect(Collectors.joining("; "));
        blocks.add(new Text("Seen", seen.isEmpty() ? "not enough was measured to say." : seen + "."));
        blocks.add(new Text(
                "Measured",
                "Mean time of one operation in a warmed-up JVM, over forks and iterations; a busy machine makes means"
                        + " longer. The C twin of LLFree is called through critical downcalls."));
        for (Group group : GROUPS) {
            TreeMap<String, TreeMap<Long, String>> methods = methods(group);
            if (!methods.isEmpty()) {
                add(blocks, group, methods);
            }
        }
        return new Section("jmh", "Java: arenas, regions and LLFree under JMH", blocks);
    }

    /** The names of a class's results, by method and size. */
    private TreeMap<String, TreeMap<Long, String>> methods(Group group) {
        TreeMap<String, TreeMap<Long, String>> methods = new TreeMap<>();
        for (String name : results.scores().keySet()) {
            String[] parts = name.split("[.:=]");
            if (parts.length == 4 && parts[0].equals(group.name())) {
                long value = Long.parseLong(parts[3]);
                methods.computeIfAbsent(parts[1], k -> new TreeMap<>())
                        .put(parts[2].equals("order") ? PAGE_BYTES << value : value, name);
            }
        }
        return methods;
    }

    private void add(List<Block> blocks, Group group, TreeMap<String, TreeMap<Long, String>> methods) {
        TreeMap<Long, String> base = methods.getOrDefault(group.base(), new TreeMap<>());
        List<String> others =
                methods.keySet().stream().filter(m -> !m.equals(group.base())).toList();
        TreeSet<Long> sizes = new TreeSet<>();
        methods.values().forEach(m -> sizes.addAll(m.keySet()));
        List<String> header = new ArrayList<>(List.of("block size", group.base()));
        header.addAll(others);
        List<List<Cell>> rows = new ArrayList<>();
        List<List<Cell>> all = new ArrayList<>();
        for (long size : sizes) {
            List<Cell> row = new ArrayList<>(List.of(Cell.of(Units.bytes(size)), Cell.of(time(base.get(size)))));
            for (String method : others) {
                String name = methods.get(method).get(size);
                Optional<Interval> ratio = results.ratio(base.get(size), name);
                row.add(new Cell(
                        time(name)
                                + ratio.map(r -> ", " + Units.ratio(r.estimate()))
                                        .orElse(""),
                        ratio.map(JmhSection::mark).orElse(Mark.NONE)));
            }
            rows.add(row);
        }
        for (String method : methods.keySet()) {
            methods.get(method)
                    .forEach((size, name) -> all.add(List.of(
                            Cell.of(method),
                            Cell.of(Units.bytes(size)),
                            Cell.of(results.time(name).map(Units::time).orElse("")),
                            Cell.of(
                                    method.equals(group.base())
                                            ? "base line"
                                            : results.ratio(base.get(size), name)
                                                    .map(Units::ratio)
                                                    .orElse("")))));
        }
        blocks.add(
                new Table(group.title() + ": mean time, and times faster than " + group.base(), false, header, rows));
        blocks.add(new Chart(
                group.title(),
                "lower is better",
                List.of(),
                Unit.NANOSECONDS,
                methods.entrySet().stream()
                        .map(m -> new Series(
                                m.getKey(), COLOURS.getOrDefault(m.getKey(), "#8c6d31"), points(m.getValue())))
                        .toList(),
                List.of()));
        blocks.add(new Table(
                "All figures of " + group.name(),
                true,
                List.of("benchmark", "block size", "mean", "times faster than " + group.base()),
                all));
    }

    private List<Point> points(TreeMap<Long, String> names) {
        return names.entrySet().stream()
                .map(e -> {
                    Interval t = results.time(e.getValue()).orElseThrow();
                    return new Point(e.getKey(), t.estimate(), t.low(), t.high());
                })
                .toList();
    }

    private String time(String name) {
        return results.time(name).map(t -> Units.time(t.estimate())).orElse("");
    }

    private static Mark mark(Interval ratio) {
        return ratio.low() > 1 ? Mark.GOOD : ratio.high() < 1 ? Mark.BAD : Mark.NONE;
    }
}
