package upa.apps.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import upa.apps.profile.KernelShare;
import upa.apps.profile.Profiler;
import upa.apps.results.Results;
import upa.apps.workload.Workload;
import upa.measure.allocator.Allocators;
import upa.measure.report.Report.Cell;
import upa.measure.report.Report.Chart;
import upa.measure.report.Report.Point;
import upa.measure.report.Report.Section;
import upa.measure.report.Report.Series;
import upa.measure.report.Report.Table;
import upa.measure.report.Report.Text;
import upa.measure.report.Report.Unit;
import upa.measure.report.Units;
import upa.measure.stats.Interval;

/** Which share of the time is the kernel's work on memory. */
final class KernelSection {

    private final Ratios ratios;
    private final Results results;
    private final Profiler profiler;

    private KernelSection(Ratios ratios, Profiler profiler) {
        this.ratios = ratios;
        results = ratios.results();
        this.profiler = profiler;
    }

    static Section of(Ratios ratios, Profiler profiler) {
        return new KernelSection(ratios, profiler).section();
    }

    private Section section() {
        List<String> categories = new ArrayList<>();
        List<Point> before = new ArrayList<>();
        List<Point> after = new ArrayList<>();
        List<List<Cell>> rows = new ArrayList<>();
        for (Workload workload : results.workloads()) {
            Optional<KernelShare> base = profiler.share(workload, Allocators.BASE);
            Optional<KernelShare> upa = profiler.share(workload, Allocators.UPA);
            if (base.isEmpty()) {
                continue;
            }
            int x = categories.size();
            categories.add(workload.name());
            before.add(Ratios.point(x, Interval.exact(base.get().share())));
            upa.ifPresent(s -> after.add(Ratios.point(x, Interval.exact(s.share()))));
            for (String contestant : List.of(Allocators.BASE, Allocators.UPA)) {
                profiler.share(workload, contestant).ifPresent(s -> rows.add(shareRow(workload, contestant, s)));
            }
        }
        List<String> header = new ArrayList<>(List.of("program", "on", "all"));
        for (KernelShare.Work work : KernelShare.Work.values()) {
            header.add(work.title());
        }
        header.add("samples");
        return new Section(
                "kernel",
                "What the kernel does about memory",
                List.of(
                        new Text(
                                "Measured",
                                "One run each under perf record (timer samples of the call chains of all"
                                        + " processes, 997 a second),"
                                        + " apart from the runs that are timed. A sample counts as work on"
                                        + " memory if its chain in the"
                                        + " kernel goes through a page fault, munmap, mremap, madvise, mmap,"
                                        + " mprotect, brk, the copy"
                                        + " of page tables by fork, or the end of an address space."),
                        new Table("Share of all samples, percent", false, header, rows),
                        new Chart(
                                "Share of the time that the kernel works on memory, before (glibc) and after (UPA)",
                                "to the left is better",
                                categories,
                                Unit.SHARE,
                                List.of(
                                        new Series(Allocators.BASE, Ratios.colour(Allocators.BASE), before),
                                        new Series(Allocators.UPA, Ratios.colour(Allocators.UPA), after)),
                                List.of())));
    }

    private static List<Cell> shareRow(Workload workload, String contestant, KernelShare share) {
        List<Cell> row = new ArrayList<>(
                List.of(Cell.of(workload.name()), Cell.of(contestant), Cell.of(Units.digits(100 * share.share()))));
        for (KernelShare.Work work : KernelShare.Work.values()) {
            row.add(Cell.of(Units.digits(100 * share.share(work))));
        }
        row.add(Cell.of(Long.toString(share.total())));
        return row;
    }
}
