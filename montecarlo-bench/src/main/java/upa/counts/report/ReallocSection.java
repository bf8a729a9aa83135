package upa.counts.report;

import static upa.counts.data.PageCosts.BATCH;
import static upa.counts.data.PageCosts.KERNEL;
import static upa.counts.data.PageCosts.POPULATE;
import static upa.counts.data.PageCosts.RAW_PMD;
import static upa.counts.data.PageCosts.RAW_PTE;
import static upa.counts.report.CountsBlocks.BACKENDS;
import static upa.counts.report.CountsBlocks.PAGE;
import static upa.counts.report.CountsBlocks.number;
import static upa.counts.report.CountsBlocks.seen;
import static upa.counts.report.CountsBlocks.spread;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import upa.counts.data.PageCosts;
import upa.measure.report.Report.Block;
import upa.measure.report.Report.Cell;
import upa.measure.report.Report.Section;
import upa.measure.report.Report.Table;
import upa.measure.report.Report.Text;
import upa.measure.report.Report.Unit;
import upa.measure.report.Units;

/** A block moves to twice its size. */
final class ReallocSection {

    private final PageCosts costs;
    private final CountsBlocks make;

    private ReallocSection(CountsBlocks make) {
        costs = make.costs();
        this.make = make;
    }

    static Section of(CountsBlocks make) {
        return new ReallocSection(make).section();
    }

    private Section section() {
        List<String> backends =
                BACKENDS.stream().filter(b -> !b.equals(POPULATE)).toList();
        List<Block> blocks = new ArrayList<>();
        blocks.add(new Text(
                "Measured",
                "A block moves to twice its size at another place: the kernel by mremap, which moves page tables and"
                        + " leaves the new half to faults; the module's modes by moving entries and mapping the"
                        + " new half,"
                        + " with one flush. Nothing is copied."));
        blocks.add(new Text(
                "Seen",
                seen(Stream.of(RAW_PTE, BATCH, RAW_PMD)
                        .flatMap(b -> spread(
                                costs.sizes(b),
                                p -> costs.operation(KERNEL, "realloc", p)
                                        .flatMap(k ->
                                                costs.operation(b, "realloc", p).map(r -> k / r)))
                                .map(s -> b + " takes " + s + " fewer instructions than mremap")
                                .stream()))));
        List<List<Cell>> rows = new ArrayList<>();
        for (long pages : costs.sizes(RAW_PTE)) {
            if (costs.operation(KERNEL, "realloc", pages).isPresent()) {
                List<Cell> row = new ArrayList<>(List.of(Cell.of(Units.bytes(pages * PAGE))));
                backends.forEach(b -> row.add(number(costs.operation(b, "realloc", pages))));
                rows.add(row);
            }
        }
        List<String> header = new ArrayList<>(List.of("old size"));
        header.addAll(backends);
        blocks.add(new Table("Instructions of one realloc to twice the size", false, header, rows));
        blocks.add(make.chart(
                "Instructions of one realloc to twice the size",
                "by the old size; lower is better. mremap moves whole tables of 2 MiB where both places are aligned",
                Unit.INSTRUCTIONS,
                backends,
                (b, p) -> costs.operation(b, "realloc", p)));
        return new Section("realloc", "realloc: mremap against editing entries", blocks);
    }
}
