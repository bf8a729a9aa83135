package upa.counts.report;

import static upa.counts.report.CountsBlocks.number;

import java.util.ArrayList;
import java.util.List;
import upa.counts.data.Counts;
import upa.counts.data.PageCosts;
import upa.measure.report.Report.Block;
import upa.measure.report.Report.Cell;
import upa.measure.report.Report.Chart;
import upa.measure.report.Report.Section;
import upa.measure.report.Report.Table;
import upa.measure.report.Report.Text;
import upa.measure.report.Report.Unit;

/** What one TLB shoot-down costs as the batch grows. */
final class ShootdownSection {

    private static final String SHOOTDOWN = "shootdown";

    private final Counts counts;
    private final PageCosts costs;

    private ShootdownSection(CountsBlocks make) {
        counts = make.counts();
        costs = make.costs();
    }

    static Section of(CountsBlocks make) {
        return new ShootdownSection(make).section();
    }

    private Section section() {
        List<Block> blocks = new ArrayList<>();
        blocks.add(new Text(
                "Measured",
                "Pages are taken away in one batch, either in one run or one page in 16. A stale translation"
                        + " must be flushed before its frame is used again; the flush costs the same for one page"
                        + " as for any number. Stock kernels offer no way to unmap scattered pages in one call."));
        for (boolean scattered : List.of(true, false)) {
            String operation = scattered ? "scattered" : "contiguous";
            List<String> backends = counts.rows().stream()
                    .filter(r -> r.program().equals(SHOOTDOWN) && r.operation().equals(operation))
                    .map(Counts.Row::backend)
                    .distinct()
                    .toList();
            List<Long> sizes = backends.isEmpty() ? List.of() : counts.pages(SHOOTDOWN, backends.getFirst(), operation);
            List<List<Cell>> rows = new ArrayList<>();
            for (String backend : backends) {
                List<Cell> row = new ArrayList<>(List.of(Cell.of(backend)));
                sizes.forEach(p -> row.add(number(counts.total(SHOOTDOWN, backend, operation, p))));
                rows.add(row);
            }
            List<String> header = new ArrayList<>(List.of("pages in the batch"));
            sizes.forEach(p -> header.add(Long.toString(p)));
            blocks.add(new Table(
                    "Instructions of one batch, " + (scattered ? "pages scattered one in 16" : "pages in one run"),
                    !scattered,
                    header,
                    rows));
            blocks.add(new Chart(
                    "Instructions per page taken away, " + operation,
                    "by the size of the batch; lower is better",
                    List.of(),
                    Unit.INSTRUCTIONS,
                    backends.stream()
                            .map(b -> CountsBlocks.series(
                                    b,
                                    counts.pages(SHOOTDOWN, b, operation),
                                    p -> counts.total(SHOOTDOWN, b, operation, p)
                                            .map(c -> c / p)))
                            .toList(),
                    List.of()));
        }
        return new Section("shootdown", "What one TLB shoot-down costs as the batch grows", blocks);
    }
}
