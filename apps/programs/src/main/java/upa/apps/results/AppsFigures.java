package upa.apps.results;

import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Predicate;
import upa.apps.workload.Workload;
import upa.measure.Figure;
import upa.measure.Figure.Reading;
import upa.measure.Figure.Verdict;
import upa.measure.Targets;
import upa.measure.allocator.Allocators;
import upa.measure.report.Units;
import upa.measure.stats.Interval;

/**
 * The figures that real programs shall reach, held against what was measured: of several programs one decides.
 */
public final class AppsFigures {

    private static final double OVER_GLIBC = 1.10;
    private static final double OVER_BEST = 1.00;
    private static final double MUCH = 1.41;
    private static final int MUCH_PROGRAMS = 3;
    private static final double NO_LOSS = 0.98;
    private static final double CHURN = 5;
    private static final double PEAK = 1.25;

    private final Results results;
    private final Targets targets = new Targets();

    private AppsFigures(Results results) {
        this.results = results;
    }

    /**
     * All figures.
     *
     * @param results of the runs
     * @return in the order of the project's goals
     */
    public static List<Figure> of(Results results) {
        AppsFigures figures = new AppsFigures(results);
        figures.all();
        return figures.targets.figures();
    }

    private void all() {
        List<Workload> all = results.workloads();
        targets.atLeast(
                "geometric mean over all programs",
                OVER_GLIBC,
                "glibc",
                reading(results.speedUp(all, Allocators.BASE, Allocators.UPA)));
        targets.atLeast(
                "geometric mean over all programs, each against its best rival",
                OVER_BEST,
                "the best-tuned allocator",
                reading(results.speedUpOverBest(all, Allocators.UPA)));
        much();
        every(
                "programs to which page allocation hardly matters",
                Allocators.BASE,
                Allocators.UPA,
                w -> !w.pageAllocationMatters(),
                NO_LOSS);
        Allocators.PAIRS.forEach((without, with) -> every(with + ", every program", without, with, w -> true, NO_LOSS));
        List.of("jemalloc", "mimalloc")
                .forEach(name -> every(
                        "upa-" + name + ", churn of large blocks",
                        name,
                        "upa-" + name,
                        w -> w.kind() == Workload.Kind.CHURN,
                        CHURN));
        Allocators.PAIRS.forEach(this::peak);
    }

    private void much() {
        List<Interval> ratios = results.workloads().stream()
                .flatMap(w -> results.speedUp(w, Allocators.BASE, Allocators.UPA).stream())
                .toList();
        long surely = ratios.stream().filter(r -> r.low() >= MUCH).count();
        long perhaps = ratios.stream().filter(r -> r.high() >= MUCH).count();
        targets.add(new Figure(
                "programs at least " + Units.ratio(MUCH) + " as fast as under glibc",
                "≥ " + MUCH_PROGRAMS,
                ratios.isEmpty() ? "" : surely + (perhaps > surely ? " to " + perhaps : ""),
                "",
                ratios.isEmpty()
                        ? Verdict.UNMEASURED
                        : surely >= MUCH_PROGRAMS
                                ? Verdict.REACHED
                                : perhaps >= MUCH_PROGRAMS ? Verdict.UNDECIDED : Verdict.MISSED,
                false));
    }

    private void every(String name, String without, String with, Predicate<Workload> which, double target) {
        targets.atLeast(
                name,
                target,
                without,
                readings(
                        which,
                        w -> results.speedUp(w, without, with),
                        w -> results.speedUp(w, Allocators.BASE, Allocators.CONTROL)));
    }

    private void peak(String without, String with) {
        targets.atMost(
                "peak memory of " + with,
                PEAK,
                Units.ratio(PEAK) + " " + without,
                Units::ratio,
                readings(
                        w -> true,
                        w -> results.ratio(w, with, without, Run::peakBytes),
                        w -> results.ratio(w, Allocators.CONTROL, Allocators.BASE, Run::peakBytes)));
    }

    /** Of all programs, beside what the base line is against itself. */
    private List<Reading> reading(Optional<Interval> mean) {
        Optional<Interval> control = results.speedUp(results.workloads(), Allocators.BASE, Allocators.CONTROL);
        return mean.stream().map(i -> new Reading(i, "", control)).toList();
    }

    private List<Reading> readings(
            Predicate<Workload> which,
            Function<Workload, Optional<Interval>> ratio,
            Function<Workload, Optional<Interval>> control) {
        return results.workloads().stream()
                .filter(which)
                .flatMap(w -> ratio.apply(w).stream().map(i -> new Reading(i, w.name(), control.apply(w))))
                .toList();
    }
}
