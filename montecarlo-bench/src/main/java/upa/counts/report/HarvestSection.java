package upa.counts.report;

import static upa.counts.report.CountsBlocks.PAGE;
import static upa.counts.report.CountsBlocks.number;

import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import java.util.stream.Collectors;
import upa.counts.data.Counts;
import upa.counts.data.PageCosts;
import upa.measure.report.Report.Block;
import upa.measure.report.Report.Cell;
import upa.measure.report.Report.Section;
import upa.measure.report.Report.Table;
import upa.measure.report.Report.Text;
import upa.measure.report.Units;

/** Which pages were used since the last look. */
final class HarvestSection {

    static final String HARVEST = "harvest_cost";

    private final Counts counts;
    private final PageCosts costs;

    private HarvestSection(CountsBlocks make) {
        counts = make.counts();
        costs = make.costs();
    }

    static Section of(CountsBlocks make) {
        return new HarvestSection(make).section();
    }

    private Section section() {
        List<Block> blocks = new ArrayList<>();
        blocks.add(new Text(
                "Measured",
                "Learning which pages were written since the last time, of all that are mapped, when 1 % or 100 %"
                        + " of them were. harvest: one call of the module, which also clears the bits; raw-pte:"
                        + " the process reads its own table; soft-dirty: pagemap and clear_refs of a stock kernel;"
                        + " soft-dirty-refault: what the next write to each page then costs, since clear_refs"
                        + " takes write permission away; referenced: smaps, which tells only a sum."));
        List<String> backends = counts.rows().stream()
                .filter(r -> r.program().equals(HARVEST))
                .map(Counts.Row::backend)
                .distinct()
                .toList();
        TreeSet<Long> sizes = counts.rows().stream()
                .filter(r -> r.program().equals(HARVEST))
                .map(Counts.Row::pages)
                .collect(Collectors.toCollection(TreeSet::new));
        List<String> header = new ArrayList<>(List.of("way"));
        sizes.forEach(p -> {
            header.add(Units.bytes(p * PAGE) + ", 1 %");
            header.add(Units.bytes(p * PAGE) + ", 100 %");
        });
        List<List<Cell>> rows = new ArrayList<>();
        for (String backend : backends) {
            List<Cell> row = new ArrayList<>(List.of(Cell.of(backend)));
            for (long pages : sizes) {
                for (String share : List.of("1%", "100%")) {
                    row.add(number(counts.total(HARVEST, backend, share, pages).map(c -> c / pages)));
                }
            }
            rows.add(row);
        }
        blocks.add(new Table("Instructions per page mapped", false, header, rows));
        counts.remarks().stream()
                .filter(r -> r.startsWith(HARVEST))
                .map(r -> r.replace(HARVEST + ": ", ""))
                .reduce((a, b) -> a + "; " + b)
                .ifPresent(r -> blocks.add(new Text(
                        "Note",
                        r
                                + ": the kernel does not flush after clearing accessed bits, so pages whose"
                                + " translation is still in the TLB look idle to it.")));
        return new Section("harvest", "Which pages were used: harvest against stock kernels", blocks);
    }
}
