package upa.counts.report;

import static upa.counts.data.PageCosts.KERNEL;
import static upa.counts.data.PageCosts.POPULATE;
import static upa.counts.data.PageCosts.THP;
import static upa.counts.report.CountsBlocks.GIB_PAGES;
import static upa.counts.report.CountsBlocks.PAGE;
import static upa.counts.report.CountsBlocks.against;
import static upa.counts.report.CountsBlocks.number;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import upa.counts.data.PageCosts;
import upa.measure.report.Report.Block;
import upa.measure.report.Report.Cell;
import upa.measure.report.Report.Chart;
import upa.measure.report.Report.Point;
import upa.measure.report.Report.Section;
import upa.measure.report.Report.Series;
import upa.measure.report.Report.Table;
import upa.measure.report.Report.Text;
import upa.measure.report.Report.Unit;
import upa.measure.report.Units;

/** What instruction counts leave out, with a check by the clock. */
final class LimitsSection {

    private final PageCosts costs;
    private final Optional<PageCosts> host;

    private LimitsSection(CountsBlocks make, Optional<PageCosts> host) {
        this.host = host;
        costs = make.costs();
    }

    static Section of(CountsBlocks make, Optional<PageCosts> host) {
        return new LimitsSection(make, host).section();
    }

    private Section section() {
        List<Block> blocks = new ArrayList<>();
        blocks.add(new Text(
                "Limits",
                "Instruction counts know nothing of caches and of misses in the TLB, so an instruction that"
                        + " waits for memory counts as one that does not: this favours whoever touches memory in"
                        + " few instructions, the module's modes above all. They know nothing of interrupts"
                        + " between processors: on a machine that runs several threads of the process each"
                        + " shoot-down costs microseconds that count as nothing here, which favours whoever"
                        + " flushes more often, the kernel. And they know nothing of how many instructions a"
                        + " processor works on at once."));
        if (host.isEmpty()) {
            blocks.add(new Text("Check", "not made: no times of the host were given."));
            return new Section("limits", "What instruction counts leave out", blocks);
        }
        PageCosts times = host.get();
        blocks.add(new Text(
                "Check",
                "The same program ran on the machine that ran the virtual machine, on its own kernel, and took"
                        + " the time; of several rounds the least counts, since others may use the machine. Where a"
                        + " kernel operation is held against another, counts and times should give the same"
                        + " ratio; where they do not, the counts mislead by that much. No time can be had there"
                        + " for the module's modes, but a bound: they must touch the page, and the touch of a page"
                        + " that is mapped (reuse) costs what caches and TLB make it cost. So in time no mode can"
                        + " be more times cheaper than the kernel than reuse is, shown as \"by time\"."));
        List<List<Cell>> ratios = new ArrayList<>();
        for (long pages : costs.sizes(KERNEL)) {
            if (pages < 16 || times.cost(KERNEL, pages).isEmpty()) {
                continue;
            }
            List<Cell> row = new ArrayList<>(List.of(Cell.of(Units.bytes(pages * PAGE))));
            for (Function<PageCosts, Optional<Double>> ratio : comparisons(pages)) {
                row.add(against(ratio.apply(costs)));
                row.add(against(ratio.apply(times)));
            }
            ratios.add(row);
        }
        blocks.add(new Table(
                "Ratios by instructions counted and by time taken",
                false,
                List.of(
                        "request",
                        "kernel / reuse: counted",
                        "by time",
                        "kernel / populate: counted",
                        "by time",
                        "kernel / huge: counted",
                        "by time",
                        "touch / munmap: counted",
                        "by time"),
                ratios));
        blocks.add(new Chart(
                "How many times cheaper it is to touch a page again than to get it from the kernel",
                "the gap is what counts leave out: caches and TLB misses",
                List.of(),
                Unit.RATIO,
                List.of(
                        reuseSeries("counted", "#1b998b", costs),
                        reuseSeries("by time on this host", "#d1495b", times)),
                List.of()));
        blocks.add(perInstruction(times));
        return new Section("limits", "What instruction counts leave out", blocks);
    }

    private static List<Function<PageCosts, Optional<Double>>> comparisons(long pages) {
        return List.of(
                c -> c.cost(KERNEL, pages)
                        .flatMap(k -> c.reuse(KERNEL, pages).filter(r -> r > 0).map(r -> k / r)),
                c -> c.ratio(KERNEL, POPULATE, pages),
                c -> c.ratio(KERNEL, THP, pages),
                c -> c.operation(KERNEL, "touch", pages)
                        .flatMap(t -> c.operation(KERNEL, "free", pages).map(f -> t / f)));
    }

    private Series reuseSeries(String name, String colour, PageCosts from) {
        List<Point> points = new ArrayList<>();
        for (long pages : from.sizes(KERNEL)) {
            if (pages >= 16) {
                comparisons(pages).getFirst().apply(from).ifPresent(r -> points.add(new Point(pages * PAGE, r, r, r)));
            }
        }
        return new Series(name, colour, points);
    }

    private Table perInstruction(PageCosts times) {
        List<List<Cell>> rows = new ArrayList<>();
        for (String backend : List.of(KERNEL, POPULATE, THP)) {
            for (String operation : List.of("allocate", "touch", "touch-huge", "reuse", "free", "realloc")) {
                List<Cell> row = new ArrayList<>(List.of(Cell.of(backend + ", " + operation)));
                boolean any = false;
                for (long pages : List.of(64L, 16384L, GIB_PAGES)) {
                    Optional<Double> count = costs.operation(backend, operation, pages);
                    Optional<Double> time = times.operation(backend, operation, pages);
                    any |= count.isPresent() && time.isPresent();
                    row.add(number(count.map(c -> c / pages)));
                    row.add(Cell.of(time.map(t -> Units.time(t / pages)).orElse("")));
                    row.add(Cell.of(count.flatMap(c -> time.map(t -> Units.digits(t / c)))
                            .orElse("")));
                }
                if (any) {
                    rows.add(row);
                }
            }
        }
        List<String> header = new ArrayList<>(List.of("operation"));
        for (long pages : List.of(64L, 16384L, GIB_PAGES)) {
            header.addAll(List.of(Units.bytes(pages * PAGE) + ": count a page", "time a page", "ns an instruction"));
        }
        return new Table(
                "Per page: instructions counted in the virtual machine, time taken on the host, and time per"
                        + " instruction",
                true,
                header,
                rows);
    }
}
