package upa.apps;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Predicate;
import upa.bench.Figures.Figure;
import upa.bench.Figures.Verdict;
import upa.bench.report.Units;
import upa.bench.stats.Interval;

/** The figures that real programs shall reach, held against what was measured: of several programs the worst one counts. */
final class AppsFigures {

    private static final double OVER_GLIBC = 1.10;
    private static final double OVER_BEST = 1.00;
    private static final double MUCH = 1.41;
    private static final int MUCH_PROGRAMS = 3;
    private static final double NO_LOSS = 0.98;
    private static final double CHURN = 5;
    private static final double PEAK = 1.25;

    private final Results results;
    private final List<Figure> figures = new ArrayList<>();

    private AppsFigures(Results results) {
        this.results = results;
    }

    static List<Figure> of(Results results) {
        AppsFigures figures = new AppsFigures(results);
        figures.all();
        return figures.figures;
    }

    private void all() {
        List<Workload> all = results.workloads();
        atLeast("geometric mean over all programs", OVER_GLIBC, "glibc", "",
                results.speedUp(all, Contestant.BASE, Contestant.UPA));
        atLeast("geometric mean over all programs, each against its best rival", OVER_BEST, "the best-tuned allocator", "",
                results.speedUpOverBest(all, Contestant.UPA));
        much();
        worst("programs to which page allocation hardly matters", Contestant.BASE, Contestant.UPA,
                w -> !w.pageAllocationMatters(), NO_LOSS);
        Contestant.PAIRS.forEach((without, with) -> worst(with + ", every program", without, with, w -> true, NO_LOSS));
        List.of("jemalloc", "mimalloc").forEach(name -> worst("upa-" + name + ", churn of large blocks", name, "upa-" + name,
                w -> w.kind() == Workload.Kind.CHURN, CHURN));
        Contestant.PAIRS.forEach(this::peak);
    }

    private void much() {
        List<Interval> ratios = results.workloads().stream()
                .flatMap(w -> results.speedUp(w, Contestant.BASE, Contestant.UPA).stream())
                .toList();
        long surely = ratios.stream().filter(r -> r.low() >= MUCH).count();
        long perhaps = ratios.stream().filter(r -> r.high() >= MUCH).count();
        figures.add(new Figure(
                "programs at least " + Units.ratio(MUCH) + " as fast as under glibc",
                "≥ " + MUCH_PROGRAMS,
                ratios.isEmpty() ? "" : surely + (perhaps > surely ? " to " + perhaps : ""),
                "",
                ratios.isEmpty()
                        ? Verdict.UNMEASURED
                        : surely >= MUCH_PROGRAMS
                                ? Verdict.REACHED
                                : perhaps >= MUCH_PROGRAMS ? Verdict.UNDECIDED : Verdict.MISSED));
    }

    private void worst(String name, String without, String with, Predicate<Workload> which, double target) {
        Optional<Workload> worst = extreme(which, w -> results.speedUp(w, without, with), false);
        atLeast(name, target, without, worst.map(Workload::name).orElse(""), worst.flatMap(w -> results.speedUp(w, without, with)));
    }

    private void peak(String without, String with) {
        Function<Workload, Optional<Interval>> ratio = w -> results.ratio(w, with, without, Run::peakBytes);
        Optional<Workload> worst = extreme(w -> true, ratio, true);
        Optional<Interval> measured = worst.flatMap(ratio);
        add("peak memory of " + with, "≤ " + Units.ratio(PEAK) + " " + without, measured, worst.map(Workload::name).orElse(""),
                measured.map(i -> i.high() <= PEAK ? Verdict.REACHED : i.low() > PEAK ? Verdict.MISSED : Verdict.UNDECIDED));
    }

    private Optional<Workload> extreme(
            Predicate<Workload> which, Function<Workload, Optional<Interval>> ratio, boolean greatest) {
        Comparator<Workload> order =
                Comparator.comparingDouble(w -> ratio.apply(w).orElseThrow().estimate());
        return results.workloads().stream()
                .filter(which)
                .filter(w -> ratio.apply(w).isPresent())
                .min(greatest ? order.reversed() : order);
    }

    private void atLeast(String name, double target, String whom, String where, Optional<Interval> measured) {
        add(name, "≥ " + Units.ratio(target) + " " + whom, measured, where,
                measured.map(i -> i.low() >= target ? Verdict.REACHED : i.high() < target ? Verdict.MISSED : Verdict.UNDECIDED));
    }

    private void add(String name, String target, Optional<Interval> measured, String where, Optional<Verdict> verdict) {
        figures.add(new Figure(
                name, target, measured.map(Units::ratio).orElse(""), where, verdict.orElse(Verdict.UNMEASURED)));
    }
}
