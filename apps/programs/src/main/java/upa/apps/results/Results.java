package upa.apps.results;

import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;
import upa.apps.workload.Workload;
import upa.measure.allocator.Allocators;
import upa.measure.stats.Interval;
import upa.measure.stats.Statistics;

/** What the runs say: medians, and ratios taken round by round. Warm-ups and failed runs count for nothing here. */
public final class Results {

    private static final double SETTLED = 0.04;

    private final List<Workload> workloads;
    private final List<Run> runs;

    public Results(List<Workload> workloads, List<Run> runs) {
        this.runs = runs.stream().filter(r -> !r.isWarmUp()).toList();
        this.workloads = workloads.stream()
                .filter(w -> this.runs.stream().anyMatch(r -> r.workload().equals(w.name())))
                .toList();
    }

    /** Those of which there is a run, in order. */
    public List<Workload> workloads() {
        return workloads;
    }

    /** All runs that are not warm-ups. */
    public List<Run> runs() {
        return runs;
    }

    public boolean has(String contestant) {
        return runs.stream().anyMatch(r -> r.contestant().equals(contestant));
    }

    /** Why a contestant failed at a workload; empty if no run of it did. */
    public Optional<String> problem(Workload workload, String contestant) {
        return of(workload, contestant)
                .filter(r -> !r.isGood())
                .map(Run::problem)
                .findFirst();
    }

    /** The programs that a workload's processes were seen to run: paths. */
    public List<String> programs(Workload workload) {
        return of(workload, Allocators.BASE)
                .flatMap(r -> r.programs().stream())
                .distinct()
                .toList();
    }

    private java.util.stream.Stream<Run> of(Workload workload, String contestant) {
        return runs.stream()
                .filter(r ->
                        r.workload().equals(workload.name()) && r.contestant().equals(contestant));
    }

    /** The good runs by round; none if any failed, since a figure of a program that sometimes fails is none. */
    private Map<Integer, Run> good(Workload workload, String contestant) {
        Map<Integer, Run> byRound = new TreeMap<>();
        if (problem(workload, contestant).isEmpty()) {
            of(workload, contestant).forEach(r -> byRound.put(r.round(), r));
        }
        return byRound;
    }

    /** The median of something over the rounds; empty without good runs. */
    public Optional<Double> median(Workload workload, String contestant, ToDoubleFunction<Run> what) {
        double[] values =
                good(workload, contestant).values().stream().mapToDouble(what).toArray();
        return values.length == 0 ? Optional.empty() : Optional.of(Statistics.median(values));
    }

    /** How many times faster a contestant is than another at a workload. */
    public Optional<Interval> speedUp(Workload workload, String base, String contestant) {
        return ratio(workload, contestant, base, Run::speed);
    }

    /**
     * Whether a contestant differs from the base line in speed by no more than the base line from itself under another
     * name, in the same rounds. False if that was not measured.
     */
    public boolean isNoise(Workload workload, String contestant) {
        Optional<Interval> control = speedUp(workload, Allocators.BASE, Allocators.CONTROL);
        Optional<Interval> speed = speedUp(workload, Allocators.BASE, contestant);
        return control.isPresent()
                && speed.isPresent()
                && Math.abs(Math.log(speed.get().estimate()))
                        <= Math.abs(Math.log(control.get().estimate()));
    }

    /**
     * How many times as much a contestant has of something as another; empty without a round of both in which both are
     * above 0.
     */
    public Optional<Interval> ratio(Workload workload, String contestant, String base, ToDoubleFunction<Run> what) {
        double[] ratios = ratios(workload, contestant, base, what);
        return ratios.length == 0 ? Optional.empty() : Optional.of(Statistics.ratio(ratios));
    }

    /**
     * Whether more rounds would say little about how much faster a contestant is than another: the interval is no wider
     * than 4 %, or than its own distance from 1. Not whether it excludes 1, which chance does in a quarter of all cases
     * with 3 rounds. A failed contestant is settled.
     */
    public boolean isSettled(Workload workload, String base, String contestant) {
        return speedUp(workload, base, contestant)
                .map(r -> Math.log(r.high() / r.low())
                        <= Math.max(SETTLED, Math.max(Math.log(r.low()), -Math.log(r.high()))))
                .orElse(true);
    }

    private double[] ratios(Workload workload, String contestant, String base, ToDoubleFunction<Run> what) {
        return values(ratiosByRound(workload, contestant, base, what));
    }

    private Map<Integer, Double> ratiosByRound(
            Workload workload, String contestant, String base, ToDoubleFunction<Run> what) {
        Map<Integer, Run> to = good(workload, base);
        Map<Integer, Double> ratios = new TreeMap<>();
        good(workload, contestant).forEach((round, run) -> {
            if (to.containsKey(round) && what.applyAsDouble(run) > 0 && what.applyAsDouble(to.get(round)) > 0) {
                ratios.put(round, what.applyAsDouble(run) / what.applyAsDouble(to.get(round)));
            }
        });
        return ratios;
    }

    private static double[] values(Map<Integer, Double> byRound) {
        return byRound.values().stream().mapToDouble(Double::doubleValue).toArray();
    }

    /** The geometric mean over workloads of how many times faster a contestant is than another. */
    public Optional<Interval> speedUp(List<Workload> among, String base, String contestant) {
        return mean(among, contestant, base, Run::speed);
    }

    /** The geometric mean over workloads of how many times as much a contestant has of something as another. */
    public Optional<Interval> ratio(List<Workload> among, String contestant, String base, ToDoubleFunction<Run> what) {
        return mean(among, contestant, base, what);
    }

    /**
     * The geometric mean over workloads of how many times faster a contestant is than the fastest of the rivals at
     * each. Whom a round counts against is told from the other rounds: the fastest of several in the same rounds owes a
     * part of its lead to chance.
     */
    public Optional<Interval> speedUpOverBest(List<Workload> among, String contestant) {
        return mean(among, workload -> overBest(workload, contestant));
    }

    private double[] overBest(Workload workload, String contestant) {
        List<Map<Integer, Double>> rivals = Allocators.TUNED.stream()
                .map(rival -> ratiosByRound(workload, contestant, rival, Run::speed))
                .toList();
        return rivals.stream()
                .flatMap(rival -> rival.keySet().stream())
                .distinct()
                .mapToDouble(round -> rivals.stream()
                        .filter(rival -> rival.containsKey(round))
                        .min(Comparator.comparingDouble(rival -> medianOfOthers(rival, round)))
                        .orElseThrow()
                        .get(round))
                .toArray();
    }

    /** The median over all rounds but one; over that one if it is the only one. */
    private static double medianOfOthers(Map<Integer, Double> byRound, int round) {
        Map<Integer, Double> others = new TreeMap<>(byRound);
        others.remove(round);
        return Statistics.median(values(others.isEmpty() ? byRound : others));
    }

    private Optional<Interval> mean(List<Workload> among, String contestant, String base, ToDoubleFunction<Run> what) {
        return mean(among, workload -> ratios(workload, contestant, base, what));
    }

    private static Optional<Interval> mean(List<Workload> among, Function<Workload, double[]> ratios) {
        List<double[]> groups =
                among.stream().map(ratios).filter(group -> group.length > 0).toList();
        return groups.isEmpty() ? Optional.empty() : Optional.of(Statistics.ratioOfGroups(groups));
    }
}
