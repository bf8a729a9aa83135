package upa.apps.report;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import upa.apps.profile.Profiler;
import upa.apps.results.AppsFigures;
import upa.apps.results.Results;
import upa.apps.results.Run;
import upa.apps.run.Mallocs;
import upa.apps.run.Settings;
import upa.apps.workload.Workload;
import upa.measure.Conditions;
import upa.measure.HostMemory;
import upa.measure.Targets;
import upa.measure.allocator.Allocator;
import upa.measure.allocator.Allocators;
import upa.measure.report.Report;
import upa.measure.report.Report.Highlight;
import upa.measure.report.Report.Section;
import upa.measure.report.Report.Table;
import upa.measure.report.Units;

/** Turns the runs of real programs into the report. */
public final class AppsReport {

    private AppsReport() {}

    /**
     * Says how the runs are made.
     *
     * @param settings of the run
     * @param memory they are made in
     * @param conditions where to say it
     */
    public static void describe(Settings settings, HostMemory memory, Conditions conditions) {
        conditions.method(
                "Rounds",
                settings.rounds()
                        + (settings.mostRounds() == settings.rounds()
                                ? ""
                                : " to " + settings.mostRounds()
                                        + " (more than the least of those whose interval is wider than 4 % and"
                                        + " than its distance from 1)")
                        + ", in each the programs in a new random order and the contestants of a program in a random"
                        + " order, one right after the other; one run of each program before, dropped; seed "
                        + settings.seed());
        if (settings.resume()) {
            conditions.note("The run went on with an earlier one, whose time is not part of its duration.");
        }
        conditions.method(
                "Time", "of a program from its start to its end; of a server, that of the load, without start and end");
        conditions.method("Memory", memory.state());
        conditions.method(
                "Peak memory",
                "of a single process the kernel's record; of several the greatest sum of proportional set sizes,"
                        + " looked at every"
                        + " 10 ms or, if that would take more than 2 % of a processor, less often");
        conditions.method(
                "Memory over time",
                "of a single process its resident set, of several the sum of their proportional sets; as often as"
                        + " the peak");
        conditions.method(
                "CPU time, faults",
                "of all processes of the program, those it started too; of a server from its start to its end");
    }

    /**
     * The report.
     *
     * @param results of the runs
     * @param contestants in the order of the report
     * @param profiler that has profiled
     * @param mallocs tells whose malloc programs call
     * @param conditions of the run
     * @return sections from speed to conditions
     */
    public static Report of(
            Results results, List<Allocator> contestants, Profiler profiler, Mallocs mallocs, Conditions conditions) {
        Ratios ratios = new Ratios(results, contestants);
        List<Workload> workloads = results.workloads();
        List<Section> sections = new ArrayList<>();
        sections.add(SpeedSection.of(ratios));
        sections.add(MemorySection.of(ratios));
        if (MemoryOverTimeSection.isKnown(results)) {
            sections.add(MemoryOverTimeSection.of(ratios));
        }
        if (workloads.stream().anyMatch(w -> profiler.share(w, Allocators.BASE).isPresent())) {
            sections.add(KernelSection.of(ratios, profiler));
        }
        if (workloads.stream().anyMatch(w -> w.server().isPresent())) {
            sections.add(ServersSection.of(ratios));
        }
        sections.add(ProgramsSection.of(results, profiler, mallocs));
        sections.add(Targets.section(AppsFigures.of(results)));
        sections.add(conditions.section(contestants(ratios.contestants(), mallocs)));
        return new Report(
                "Real programs on user-mode pages",
                List.of(
                        "UPA lets a program keep the pages it has freed and allocate them itself, instead of"
                                + " asking the kernel"
                                + " each time. This page says what that does for programs that people use,"
                                + " unchanged, on one"
                                + " machine, in one run: under libc's malloc, under the allocators people would"
                                + " otherwise pick, as"
                                + " shipped and set to keep all their memory, and on UPA.",
                        "A ratio such as 1.2x says how many times as fast as under plain glibc. The range behind"
                                + " it holds the"
                                + " true value with 95 % confidence: ratios are computed round by round and"
                                + " resampled (bootstrap)."
                                + " Where the range includes 1, the difference is within the noise, and marked"
                                + " ~; so is less than 0.5 %, and what is no more than glibc differs from itself, run"
                                + " once more in the same rounds."),
                highlights(results),
                sections);
    }

    private static List<Highlight> highlights(Results results) {
        List<Highlight> out = new ArrayList<>();
        List<Workload> all = results.workloads();
        results.speedUp(all, Allocators.BASE, Allocators.UPA)
                .ifPresent(r -> out.add(new Highlight(
                        Units.ratio(r.estimate()),
                        "as fast as under glibc, geometric mean over " + all.size() + " programs")));
        results.speedUpOverBest(all, Allocators.UPA)
                .ifPresent(r -> out.add(new Highlight(
                        Units.ratio(r.estimate()),
                        "as fast as under the best allocator that keeps all memory, chosen per program")));
        results.ratio(all, Allocators.UPA, Allocators.BASE, Run::peakBytes)
                .ifPresent(r ->
                        out.add(new Highlight(Units.ratio(r.estimate()), "the peak memory of glibc, geometric mean")));
        return out;
    }

    private static Table contestants(List<Allocator> contestants, Mallocs mallocs) {
        Map<String, String> who = new LinkedHashMap<>();
        contestants.forEach(c -> who.put(
                c.name(),
                c.description()
                        + mallocs.of(c).map(file -> "; malloc of " + file).orElse("")
                        + (c.environment().isEmpty() ? "" : "; " + c.environment())));
        return Conditions.table("The contestants", who);
    }
}
