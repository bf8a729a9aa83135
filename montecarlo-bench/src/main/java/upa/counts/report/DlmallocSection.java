package upa.counts.report;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Stream;
import upa.counts.data.Counts;
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

/**
 * What a block costs a program: dlmalloc on the kernel's mmap and on each back end of the C library, by dlmalloc_cost.
 */
final class DlmallocSection {

    private static final String PROGRAM = "dlmalloc";
    private static final String KERNEL = "kernel";
    private static final String CYCLE = "cycle";
    private static final String FIRST = "first";
    private static final String REALLOC = "realloc";
    private static final String MIXED = "mixed";
    private static final double PAGE = 4096;

    /** Colours by back end, in the order of the report. */
    private static final Map<String, String> COLOURS = new LinkedHashMap<>();

    static {
        COLOURS.put(KERNEL, "#d1495b");
        COLOURS.put("linear", "#e98a15");
        COLOURS.put("pte", "#2176ae");
        COLOURS.put("pte-raw", "#1b998b");
        COLOURS.put("linear-cleared", "#e98a15");
        COLOURS.put("pte-cleared", "#2176ae");
        COLOURS.put("pte-raw-cleared", "#1b998b");
        COLOURS.put("pte-undeferred", "#57a0d3");
        COLOURS.put("pte-raw-undeferred", "#7b5ea7");
    }

    private final Counts counts;

    private DlmallocSection(Counts counts) {
        this.counts = counts;
    }

    /** The section of the report; empty if dlmalloc was not measured. */
    static Optional<Section> of(Counts counts) {
        DlmallocSection dlmalloc = new DlmallocSection(counts);
        return dlmalloc.sizes(KERNEL, CYCLE).isEmpty() ? Optional.empty() : Optional.of(dlmalloc.section());
    }

    private Section section() {
        List<Block> blocks = new ArrayList<>();
        blocks.add(new Text(
                "Measured",
                "dlmalloc 2.8.6, unmodified, allocates a block, writes to each of its pages once and frees it, on"
                        + " the kernel's mmap and on each back end of UPA's C library, the allocators' work included."
                        + " Blocks below 256 KiB come from dlmalloc's heap, larger ones are a mapping each. linear"
                        + " needs no module; pte is guarded, pte-raw stores 4 KiB entries. cleared: what is not zero"
                        + " is cleared, as mmap must; otherwise old bytes may show, as malloc may. undeferred: a"
                        + " freed block loses its mapping at once, as it does on the kernel."));
        blocks.add(new Text("Seen", seen()));
        blocks.add(
                table("Instructions per page of one block again, and how many times fewer than on the kernel", CYCLE));
        blocks.add(chart(
                "dlmalloc, the same block again: allocate, touch, free, old bytes may show",
                "instructions per page; lower is better",
                CYCLE,
                b -> !b.endsWith("-cleared")));
        blocks.add(chart(
                "dlmalloc, the same block again, cleared",
                "instructions per page, 512 of the kernel's for clearing; lower is better",
                CYCLE,
                b -> b.equals(KERNEL) || b.endsWith("-cleared")));
        blocks.add(table("The same for the first time: memory comes from the kernel, or the pool grows", FIRST));
        blocks.add(chart(
                "dlmalloc, a block for the first time",
                "instructions per page; lower is better",
                FIRST,
                b -> !b.endsWith("-cleared")));
        blocks.add(table(
                "realloc to twice the size shown, something behind it, the new half not touched: the module's"
                        + " back ends put"
                        + " frames there at once, the others leave it to faults",
                REALLOC));
        blocks.add(chart(
                "dlmalloc, realloc to twice the size",
                "instructions per page of the old size, by that size; lower is better",
                REALLOC,
                b -> !b.endsWith("-cleared")));
        blocks.add(mixed());
        return new Section("dlmalloc", "dlmalloc on each back end", blocks);
    }

    private String seen() {
        List<String> statements = new ArrayList<>();
        for (String backend :
                List.of("linear", "pte", "pte-raw", "pte-cleared", "pte-undeferred", "pte-raw-undeferred")) {
            List<Long> mapped = sizes(backend, CYCLE).stream()
                    .filter(p -> p * PAGE >= 1 << 18 && ratio(backend, CYCLE, p).isPresent())
                    .toList();
            if (!mapped.isEmpty()) {
                statements.add(backend + ": "
                        + Stream.of(mapped.getFirst(), mapped.getLast())
                                .distinct()
                                .map(p -> Units.ratio(ratio(backend, CYCLE, p).orElseThrow()) + " ("
                                        + Units.bytes(p * PAGE) + ")")
                                .reduce((a, b) -> a + " to " + b)
                                .orElseThrow());
            }
        }
        return statements.isEmpty()
                ? "not enough was measured to say."
                : "the same block again takes so many times fewer instructions than on the kernel's mmap: "
                        + String.join("; ", statements) + ".";
    }

    private Table table(String caption, String operation) {
        List<Long> sizes = sizes(KERNEL, operation);
        List<String> header = new ArrayList<>(List.of("back end"));
        sizes.forEach(p -> header.add(Units.bytes(p * PAGE)));
        List<List<Cell>> rows = new ArrayList<>();
        for (String backend : backends(operation)) {
            List<Cell> row = new ArrayList<>(List.of(Cell.of(backend)));
            sizes.forEach(p -> row.add(cell(backend, operation, p)));
            rows.add(row);
        }
        return new Table(caption, false, header, rows);
    }

    private Table mixed() {
        List<List<Cell>> rows = new ArrayList<>();
        for (String backend : backends(MIXED)) {
            sizes(backend, MIXED).forEach(p -> rows.add(List.of(Cell.of(backend), cell(backend, MIXED, p))));
        }
        return new Table(
                "Instructions per page of a program that holds 16 blocks of random sizes from 64 KiB to 4 MiB"
                        + " and replaces one"
                        + " at a time, after 64 MiB were in use",
                false,
                List.of("back end", "a page"),
                rows);
    }

    private Chart chart(String title, String note, String operation, Function<String, Boolean> wanted) {
        return new Chart(
                title,
                note,
                List.of(),
                Unit.INSTRUCTIONS,
                backends(operation).stream()
                        .filter(wanted::apply)
                        .map(b -> new Series(
                                b,
                                COLOURS.getOrDefault(b, "#6c757d"),
                                sizes(b, operation).stream()
                                        .map(p -> {
                                            double v = perPage(b, operation, p).orElseThrow();
                                            return new Point(p * PAGE, v, v, v);
                                        })
                                        .toList()))
                        .toList(),
                List.of());
    }

    private Cell cell(String backend, String operation, long pages) {
        Optional<Double> cost = perPage(backend, operation, pages);
        Optional<Double> ratio = backend.equals(KERNEL) ? Optional.empty() : ratio(backend, operation, pages);
        if (cost.isEmpty() || ratio.isEmpty()) {
            return Cell.of(cost.map(Units::digits).orElse(""));
        }
        double r = ratio.get();
        return new Cell(
                Units.digits(cost.get()) + " (" + Units.ratio(r) + ")",
                r > 1 ? Mark.GOOD : r < 1 ? Mark.BAD : Mark.NONE);
    }

    private Optional<Double> perPage(String backend, String operation, long pages) {
        return counts.total(PROGRAM, backend, operation, pages).map(t -> t / pages);
    }

    private Optional<Double> ratio(String backend, String operation, long pages) {
        return perPage(KERNEL, operation, pages)
                .flatMap(k ->
                        perPage(backend, operation, pages).filter(b -> b > 0).map(b -> k / b));
    }

    private List<Long> sizes(String backend, String operation) {
        return counts.pages(PROGRAM, backend, operation);
    }

    private List<String> backends(String operation) {
        return COLOURS.keySet().stream()
                .filter(b -> !sizes(b, operation).isEmpty())
                .toList();
    }
}
