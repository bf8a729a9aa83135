package upa.apps.report;

import java.util.ArrayList;
import java.util.List;
import upa.apps.profile.Profiler;
import upa.apps.results.Results;
import upa.apps.run.Mallocs;
import upa.apps.workload.Workload;
import upa.measure.allocator.Allocators;
import upa.measure.report.Report.Block;
import upa.measure.report.Report.Section;
import upa.measure.report.Report.Text;

/** Program by program, why it gains or not. */
final class ProgramsSection {

    private final Results results;
    private final Profiler profiler;
    private final Mallocs mallocs;

    private ProgramsSection(Results results, Profiler profiler, Mallocs mallocs) {
        this.results = results;
        this.profiler = profiler;
        this.mallocs = mallocs;
    }

    static Section of(Results results, Profiler profiler, Mallocs mallocs) {
        return new ProgramsSection(results, profiler, mallocs).section();
    }

    private Section section() {
        List<Block> blocks = new ArrayList<>();
        for (boolean matters : List.of(true, false)) {
            List<Workload> group = results.workloads().stream()
                    .filter(w -> w.pageAllocationMatters() == matters)
                    .toList();
            if (!group.isEmpty()) {
                blocks.add(new Text(
                        "",
                        matters
                                ? "Programs to which page allocation was expected to matter:"
                                : "Programs to which it was expected to matter little, where UPA must not hurt:"));
            }
            for (Workload workload : group) {
                blocks.add(new Text(
                        workload.name(),
                        workload.title() + ". "
                                + Explanation.of(
                                                results,
                                                workload,
                                                profiler.pages(workload),
                                                profiler.share(workload, Allocators.BASE),
                                                profiler.share(workload, Allocators.UPA))
                                        .orElse("Not measured well under both glibc and UPA.")
                                + whoseMalloc(workload)));
            }
        }
        return new Section("programs", "Program by program: why it gains, or not", blocks);
    }

    private String whoseMalloc(Workload workload) {
        StringBuilder text = new StringBuilder();
        List<String> programs = results.programs(workload);
        mallocs.unusual(programs)
                .forEach((program, says) -> text.append(programs.size() == 1 ? " It " : " " + program + " ")
                        .append(says)
                        .append("."));
        return text.toString();
    }
}
