package upa.counts.report;

import static upa.counts.data.PageCosts.BATCH;
import static upa.counts.data.PageCosts.FAULT;
import static upa.counts.data.PageCosts.KERNEL;
import static upa.counts.data.PageCosts.POPULATE;
import static upa.counts.data.PageCosts.RAW_PMD;
import static upa.counts.data.PageCosts.RAW_PTE;
import static upa.counts.data.PageCosts.THP;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.BiFunction;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import upa.counts.data.Counts;
import upa.counts.data.PageCosts;
import upa.measure.report.Report.Cell;
import upa.measure.report.Report.Chart;
import upa.measure.report.Report.Mark;
import upa.measure.report.Report.Point;
import upa.measure.report.Report.Series;
import upa.measure.report.Report.Unit;
import upa.measure.report.Units;

/** What the sections on instruction counts share: the counts, colours, charts over sizes, and cells. */
final class CountsBlocks {

    static final double PAGE = 4096;
    static final long GIB_PAGES = Units.GIB / 4096;
    static final List<String> BACKENDS = List.of(KERNEL, POPULATE, THP, FAULT, BATCH, RAW_PTE, RAW_PMD);

    private static final Map<String, String> COLOURS = Map.ofEntries(
            Map.entry(KERNEL, "#d1495b"),
            Map.entry(POPULATE, "#e98a15"),
            Map.entry(THP, "#a06a42"),
            Map.entry(FAULT, "#57a0d3"),
            Map.entry(BATCH, "#2176ae"),
            Map.entry(RAW_PTE, "#1b998b"),
            Map.entry(RAW_PMD, "#7b5ea7"),
            Map.entry("batched", "#2176ae"),
            Map.entry("per-range", "#57a0d3"),
            Map.entry("hull", "#6c757d"),
            Map.entry("madvise", "#d1495b"),
            Map.entry("munmap-like", "#e98a15"));

    private final Counts counts;
    private final PageCosts costs;

    CountsBlocks(Counts counts) {
        this.counts = counts;
        costs = new PageCosts(counts);
    }

    Counts counts() {
        return counts;
    }

    PageCosts costs() {
        return costs;
    }

    Chart chart(
            String title,
            String note,
            Unit unit,
            List<String> backends,
            BiFunction<String, Long, Optional<Double>> value) {
        return new Chart(
                title,
                note,
                List.of(),
                unit,
                backends.stream()
                        .map(b -> series(b, costs.sizes(b), p -> value.apply(b, p)))
                        .filter(s -> !s.points().isEmpty())
                        .toList(),
                List.of());
    }

    static Series series(String name, List<Long> sizes, Function<Long, Optional<Double>> value) {
        return new Series(
                name,
                COLOURS.getOrDefault(name, "#6c757d"),
                sizes.stream()
                        .flatMap(p -> value.apply(p).stream().filter(v -> v > 0).map(v -> new Point(p * PAGE, v, v, v)))
                        .toList());
    }

    /** Such as "6.35x (4 KiB) to 316x (1 GiB)", by size. */
    static Optional<String> spread(List<Long> sizes, Function<Long, Optional<Double>> ratio) {
        List<Long> there =
                sizes.stream().filter(p -> ratio.apply(p).isPresent()).toList();
        if (there.isEmpty()) {
            return Optional.empty();
        }
        return Stream.of(there.getFirst(), there.getLast())
                .map(p -> Units.ratio(ratio.apply(p).orElseThrow()) + " (" + Units.bytes(p * PAGE) + ")")
                .reduce((a, b) -> a + " to " + b);
    }

    static String seen(Stream<String> statements) {
        String text = statements.collect(Collectors.joining("; "));
        return text.isEmpty() ? "not enough was measured to say." : text + ".";
    }

    static Cell number(Optional<Double> value) {
        return Cell.of(value.map(Units::digits).orElse(""));
    }

    static Cell against(Optional<Double> ratio) {
        return ratio.map(r -> new Cell(Units.ratio(r), r > 1 ? Mark.GOOD : r < 1 ? Mark.BAD : Mark.NONE))
                .orElse(Cell.of(""));
    }
}
