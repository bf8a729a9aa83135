package upa.counts.report;

import static upa.counts.data.PageCosts.BATCH;
import static upa.counts.data.PageCosts.FAULT;
import static upa.counts.data.PageCosts.RAW_PTE;
import static upa.counts.report.CountsBlocks.GIB_PAGES;
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

/** What it costs that no write of the process can do harm. */
final class SafetySection {

    private final PageCosts costs;
    private final CountsBlocks make;

    private SafetySection(CountsBlocks make) {
        costs = make.costs();
        this.make = make;
    }

    static Section of(CountsBlocks make) {
        return new SafetySection(make).section();
    }

    private Section section() {
        List<Block> blocks = new ArrayList<>();
        blocks.add(new Text(
                "Claimed",
                "Guarded mode, in which no write of the process can reach memory outside its pool, costs at most three"
                        + " times raw mode from 64 pages on."));
        blocks.add(new Text(
                "Seen",
                seen(Stream.of(BATCH, FAULT)
                        .flatMap(
                                b -> spread(costs.sizes(b), p -> costs.ratio(b, RAW_PTE, p))
                                        .map(s -> b + " over raw: " + s)
                                        .stream()))));
        blocks.add(make.chart(
                "Guarded over raw: allocate, touch, free",
                "lower is better",
                Unit.RATIO,
                List.of(BATCH, FAULT),
                (b, p) -> costs.ratio(b, RAW_PTE, p)));
        List<List<Cell>> rows = new ArrayList<>();
        for (String backend : List.of(RAW_PTE, BATCH, FAULT)) {
            for (long pages : List.of(64L, GIB_PAGES)) {
                List<Cell> row = new ArrayList<>(List.of(Cell.of(backend), Cell.of(Units.bytes(pages * PAGE))));
                for (String operation : List.of("allocate", "touch", "clear", "flush")) {
                    row.add(number(costs.operation(backend, operation, pages).map(c -> c / pages)));
                }
                row.add(number(costs.cost(backend, pages).map(c -> c / pages)));
                rows.add(row);
            }
        }
        blocks.add(new Table(
                "Where they go, instructions per page: allocate stores and, in batch, installs; touch includes faults;"
                        + " clear empties the process's table; flush is the call",
                false,
                List.of("backend", "request", "allocate", "touch", "clear", "flush", "all"),
                rows));
        return new Section("safety", "The cost of safety", blocks);
    }
}
