package upa.counts.report;

import static upa.counts.data.PageCosts.HUGE_PAGES;
import static upa.counts.data.PageCosts.RAW_PMD;
import static upa.counts.data.PageCosts.THP;
import static upa.counts.report.CountsBlocks.GIB_PAGES;
import static upa.counts.report.CountsBlocks.PAGE;
import static upa.counts.report.CountsBlocks.against;
import static upa.counts.report.CountsBlocks.number;
import static upa.counts.report.CountsBlocks.seen;
import static upa.counts.report.CountsBlocks.spread;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
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

/** 2 MiB at a time. */
final class HugePagesSection {

    private final Counts counts;
    private final PageCosts costs;
    private final CountsBlocks make;

    private HugePagesSection(CountsBlocks make) {
        counts = make.counts();
        costs = make.costs();
        this.make = make;
    }

    static Section of(CountsBlocks make) {
        return new HugePagesSection(make).section();
    }

    private Section section() {
        List<Block> blocks = new ArrayList<>();
        blocks.add(new Text(
                "Measured",
                "As before, with entries that map 2 MiB each, and one write in each 2 MiB. A program that writes"
                        + " to each"
                        + " 4 KiB spends 2 048 instructions per 2 MiB on that alone, whoever maps them."));
        double clearings = costs.clearings(THP, GIB_PAGES);
        blocks.add(new Text(
                "Seen",
                seen(Stream.of(
                                spread(costs.sizes(THP), p -> costs.hugeRatio(THP, RAW_PMD, p))
                                        .map(s ->
                                                "raw 2 MiB entries cost " + s + " less than huge pages of the kernel"),
                                Optional.of("this kernel clears a huge page " + (clearings > 1 ? "twice" : "once")))
                        .flatMap(Optional::stream))));
        List<List<Cell>> rows = new ArrayList<>();
        for (long pages : costs.sizes(THP)) {
            double blocks2M = pages / (double) HUGE_PAGES;
            rows.add(List.of(
                    Cell.of(Units.bytes(pages * PAGE)),
                    number(costs.hugeCost(THP, pages).map(c -> c / blocks2M)),
                    number(costs.hugeWithoutClearing(THP, pages).map(c -> c / blocks2M)),
                    number(costs.hugeCost(RAW_PMD, pages).map(c -> c / blocks2M)),
                    number(counts.sum(RAW_PMD, pages, "allocate", "clear").map(c -> c / blocks2M)),
                    against(costs.hugeRatio(THP, RAW_PMD, pages)),
                    against(costs.hugeRatioWithoutClearing(THP, RAW_PMD, pages)),
                    against(costs.ratio(THP, RAW_PMD, pages))));
        }
        blocks.add(new Table(
                "Instructions per 2 MiB, and how many times fewer than the kernel's huge pages",
                false,
                List.of(
                        "request",
                        "kernel",
                        "kernel, no clearing",
                        RAW_PMD,
                        "entries alone",
                        "fewer",
                        "no clearing",
                        "if each 4 KiB is written"),
                rows));
        blocks.add(make.chart(
                "Instructions per 2 MiB: allocate, touch once, free",
                "lower is better; one flush for each request",
                Unit.INSTRUCTIONS,
                List.of(THP, RAW_PMD),
                (b, p) -> p < HUGE_PAGES
                        ? Optional.empty()
                        : costs.hugeCost(b, p).map(c -> c / ((double) p / HUGE_PAGES))));
        return new Section("huge", "2 MiB at a time", blocks);
    }
}
