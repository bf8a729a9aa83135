package upa.counts.report;

import static upa.counts.data.PageCosts.BATCH;
import static upa.counts.data.PageCosts.FAULT;
import static upa.counts.data.PageCosts.KERNEL;
import static upa.counts.data.PageCosts.POPULATE;
import static upa.counts.data.PageCosts.RAW_PMD;
import static upa.counts.data.PageCosts.RAW_PTE;
import static upa.counts.data.PageCosts.THP;
import static upa.counts.report.CountsBlocks.BACKENDS;
import static upa.counts.report.CountsBlocks.PAGE;
import static upa.counts.report.CountsBlocks.against;
import static upa.counts.report.CountsBlocks.number;
import static upa.counts.report.CountsBlocks.seen;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Stream;
import upa.counts.data.Counts;
import upa.counts.data.PageCosts;
import upa.measure.report.Report.Block;
import upa.measure.report.Report.Cell;
import upa.measure.report.Report.Section;
import upa.measure.report.Report.Table;
import upa.measure.report.Report.Text;
import upa.measure.report.Report.Unit;
import upa.measure.report.Units;
import upa.measure.stats.Statistics;

/** A page of 4 KiB, through the kernel and through each mode of the module. */
final class PagesSection {

    private final Counts counts;
    private final PageCosts costs;
    private final CountsBlocks make;

    private PagesSection(CountsBlocks make) {
        counts = make.counts();
        costs = make.costs();
        this.make = make;
    }

    static Section of(CountsBlocks make) {
        return new PagesSection(make).section();
    }

    private Section section() {
        List<String> backends =
                BACKENDS.stream().filter(b -> !b.equals(RAW_PMD)).toList();
        List<Block> blocks = new ArrayList<>();
        blocks.add(new Text(
                "Measured",
                "A request of the size shown is allocated (entries stored or mmap called), each of its pages"
                        + " is written to once, and all is taken away (entries emptied and one flush, or munmap)."
                        + " Only mapping is counted, not the bookkeeping of an allocator. The pool's frames were"
                        + " cleared when they entered it; the kernel clears each page anew, which is part of its"
                        + " counts (512 stores of a word) and left out in the ratios so marked."));
        blocks.add(new Text("Seen", seen(Stream.of(RAW_PTE, BATCH, FAULT).flatMap(b -> ratioStatement(b).stream()))));
        List<List<Cell>> rows = new ArrayList<>();
        for (long pages : costs.sizes(RAW_PTE)) {
            List<Cell> row = new ArrayList<>(List.of(Cell.of(Units.bytes(pages * PAGE))));
            for (String backend : List.of(KERNEL, POPULATE, THP, FAULT, BATCH, RAW_PTE)) {
                row.add(number(costs.cost(backend, pages).map(c -> c / pages)));
            }
            row.add(against(costs.ratio(KERNEL, BATCH, pages)));
            row.add(against(costs.ratio(KERNEL, RAW_PTE, pages)));
            row.add(against(costs.ratioWithoutClearing(KERNEL, RAW_PTE, pages)));
            rows.add(row);
        }
        blocks.add(new Table(
                "Instructions per page of 4 KiB, and how many times fewer than the kernel's mmap",
                false,
                List.of(
                        "request",
                        KERNEL,
                        "populate",
                        "huge",
                        FAULT,
                        BATCH,
                        RAW_PTE,
                        "guarded",
                        "raw",
                        "raw, no clearing"),
                rows));
        blocks.add(make.chart(
                "Instructions per page: allocate, touch, free",
                "lower is better; clearing included",
                Unit.INSTRUCTIONS,
                backends,
                (b, p) -> costs.cost(b, p).map(c -> c / p)));
        blocks.add(make.chart(
                "The same without the kernel's clearing",
                "lower is better",
                Unit.INSTRUCTIONS,
                backends,
                (b, p) -> costs.withoutClearing(b, p).map(c -> c / p)));
        blocks.add(make.chart(
                "How many times fewer than the kernel's mmap",
                "higher is better",
                Unit.RATIO,
                backends.stream().filter(b -> !b.equals(KERNEL)).toList(),
                (b, p) -> costs.ratio(KERNEL, b, p)));
        blocks.add(slopes());
        blocks.add(operations());
        return new Section("pages", "A page of 4 KiB", blocks);
    }

    private Optional<String> ratioStatement(String backend) {
        List<Long> sizes = costs.sizes(backend).stream()
                .filter(p -> costs.ratio(KERNEL, backend, p).isPresent())
                .toList();
        return sizes.isEmpty()
                ? Optional.empty()
                : Optional.of(backend + " costs "
                        + Units.ratio(
                                costs.ratio(KERNEL, backend, sizes.getFirst()).orElseThrow())
                        + " (" + Units.bytes(sizes.getFirst() * PAGE) + ") to "
                        + Units.ratio(
                                costs.ratio(KERNEL, backend, sizes.getLast()).orElseThrow())
                        + " (" + Units.bytes(sizes.getLast() * PAGE) + ") less than the kernel");
    }

    private Table slopes() {
        List<List<Cell>> rows = new ArrayList<>();
        for (String backend : BACKENDS) {
            rows.add(List.of(
                    Cell.of(backend),
                    slope(backend, pages -> costs.cost(backend, pages)),
                    slope(backend, pages -> counts.sum(backend, pages, "allocate", "free"))));
        }
        return new Table(
                "Log-log slope of cost against size over all sizes: 0 where the size does not matter, 1 where"
                        + " the cost is"
                        + " proportional to it",
                false,
                List.of("backend", "with touch", "allocate + free alone"),
                rows);
    }

    private Cell slope(String backend, Function<Long, Optional<Double>> cost) {
        List<Long> sizes = costs.sizes(backend).stream()
                .filter(p -> cost.apply(p).isPresent())
                .toList();
        if (sizes.size() < 2) {
            return Cell.of("");
        }
        return Cell.of(Units.digits(Statistics.logLogSlope(
                sizes.stream().mapToDouble(Long::doubleValue).toArray(),
                sizes.stream().mapToDouble(p -> cost.apply(p).orElseThrow()).toArray())));
    }

    private Table operations() {
        List<String> operations = List.of("allocate", "touch", "reuse", "clear", "flush", "free", "realloc");
        List<String> header = new ArrayList<>(List.of("backend", "request"));
        header.addAll(operations);
        List<List<Cell>> rows = new ArrayList<>();
        for (String backend : BACKENDS) {
            for (long pages : costs.sizes(backend)) {
                List<Cell> row = new ArrayList<>(List.of(Cell.of(backend), Cell.of(Units.bytes(pages * PAGE))));
                operations.forEach(o -> row.add(number(costs.operation(backend, o, pages))));
                rows.add(row);
            }
        }
        return new Table("All counts, for the whole request", true, header, rows);
    }
}
