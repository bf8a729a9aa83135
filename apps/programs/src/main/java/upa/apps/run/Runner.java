package upa.apps.run;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;
import upa.apps.results.Results;
import upa.apps.results.Run;
import upa.apps.results.RunLog;
import upa.apps.workload.Workload;
import upa.measure.Console;
import upa.measure.MeasureException;
import upa.measure.Progress;
import upa.measure.allocator.Allocator;
import upa.measure.allocator.Allocators;

/**
 * Runs all workloads in rounds. Within a round the workloads come in random order, and within a workload the
 * contestants, so that whatever disturbs the machine for a while hits them alike and the data of a workload are equally
 * warm for all. One run of each workload under the base line comes first and counts only as the output that the others
 * have to repeat.
 */
public final class Runner {

    /** A workload's runs under the profiler. */
    private static final int PROFILES = 3;

    private final Settings settings;
    private final Measurer measurer;
    private final RunLog log;
    private final Console console;
    private final List<Run> runs = new ArrayList<>();
    private final Map<String, String> expected = new HashMap<>();
    private final Set<String> hopeless = new HashSet<>();
    private final Map<Workload, List<Double>> took = new HashMap<>();
    private volatile boolean stopped;

    public Runner(Settings settings, Measurer measurer, Console console) {
        this.settings = settings;
        this.measurer = measurer;
        this.console = console;
        log = new RunLog(settings.out());
    }

    /** Ends the run as soon as possible; from any thread. */
    public void stop() {
        stopped = true;
        measurer.stop();
    }

    public boolean isStopped() {
        return stopped;
    }

    /** All finished runs, warm-ups and failed ones too. */
    public List<Run> runs() {
        return List.copyOf(runs);
    }

    /** One contestant's turn at one workload. */
    private record Turn(Workload workload, Allocator contestant, int round) {}

    /**
     * Runs what is to be run.
     *
     * @param workloads that are ready
     * @param contestants that can take part, the base line first
     */
    public void run(List<Workload> workloads, List<Allocator> contestants) throws MeasureException {
        resume(workloads, contestants);
        Progress shown = new Progress(console, 1);
        List<List<Turn>> blocks = blocks(workloads, contestants, Run.WARM_UP);
        for (int round = Run.WARM_UP; !blocks.isEmpty() && !stopped; round++) {
            for (int i = 0; i < blocks.size(); i++) {
                for (Turn turn : blocks.get(i)) {
                    estimate(shown, workloads, contestants, blocks, i, round);
                    if (!hopeless.contains(turn.workload().name()) && !isDone(turn) && !stopped) {
                        shown.show(
                                title(round),
                                turn.workload().name() + " " + turn.contestant().name());
                        long start = System.nanoTime();
                        add(turn, shown);
                        took.computeIfAbsent(turn.workload(), w -> new ArrayList<>())
                                .add((System.nanoTime() - start) / 1e9);
                    }
                }
            }
            if (!stopped) {
                blocks = round + 1 < settings.mostRounds() ? blocks(workloads, contestants, round + 1) : List.of();
                estimate(shown, workloads, contestants, blocks, 0, round + 1);
                shown.line(title(round) + " done");
            }
        }
        shown.clear();
    }

    private String title(int round) {
        int least = settings.rounds();
        int most = settings.mostRounds();
        return round == Run.WARM_UP
                ? "warm-up"
                : "round " + (round + 1) + " of "
                        + (round >= least ? "at most " + most : least + (most > least ? " to " + most : ""));
    }

    /** Says how long the rest will take: this round from a block on, the rounds to come, and profiles. */
    private void estimate(
            Progress shown,
            List<Workload> workloads,
            List<Allocator> contestants,
            List<List<Turn>> blocks,
            int from,
            int round) {
        double least = 0;
        Map<Workload, Integer> open = new HashMap<>();
        for (int i = 0; i < blocks.size(); i++) {
            Workload workload = blocks.get(i).getFirst().workload();
            open.put(workload, blocks.get(i).size());
            if (i >= from && !hopeless.contains(workload.name())) {
                least += blocks.get(i).stream().filter(turn -> !isDone(turn)).count() * seconds(workload);
            }
        }
        double most = least;
        int sure = Math.max(0, settings.rounds() - 1 - round);
        int perhaps = Math.max(0, settings.mostRounds() - 1 - round - sure);
        for (Workload workload : workloads) {
            if (!hopeless.contains(workload.name())) {
                double rest = (sure * contestants.size() + (settings.profile() ? PROFILES : 0)) * seconds(workload);
                // Whoever takes part in this round may do so in all.
                int who = round < settings.rounds() ? contestants.size() : open.getOrDefault(workload, 0);
                least += rest;
                most += rest + perhaps * who * seconds(workload);
            }
        }
        shown.expect(
                took.values().stream().flatMap(List::stream).mapToDouble(t -> t).sum(), least, most);
    }

    /** What a run of a workload takes: as long as it did, or else as the others did. */
    private double seconds(Workload workload) {
        return took
                .getOrDefault(
                        workload, took.values().stream().flatMap(List::stream).toList())
                .stream()
                .mapToDouble(t -> t)
                .average()
                .orElse(0);
    }

    private void add(Turn turn, Progress shown) throws MeasureException {
        Run run = judged(measurer.run(turn.workload(), turn.contestant(), turn.round()));
        if (stopped) {
            return; // It was we who ended it.
        }
        runs.add(run);
        log.add(run);
        if (!run.isGood()) {
            shown.clear();
            console.err()
                    .println("upa apps: workload=" + run.workload() + " contestant=" + run.contestant() + ": "
                            + run.problem());
            if (run.isWarmUp()) {
                // Without a good run under the base line there is nothing to compare with.
                hopeless.add(run.workload());
            }
        }
    }

    /** Adds the judgement on the output: it has to be that of the first good run under the base line. */
    private Run judged(Run run) {
        if (!run.isGood()) {
            return run;
        }
        if (!expected.containsKey(run.workload())) {
            expected.put(run.workload(), run.output());
        }
        String wanted = expected.get(run.workload());
        return wanted.equals(run.output())
                ? run
                : run.withProblem("its output differs from the first under " + Allocators.BASE + ": sha256="
                        + run.output().substring(0, 12) + " expected=" + wanted.substring(0, 12));
    }

    private boolean isDone(Turn turn) {
        return runs.stream()
                .anyMatch(r -> r.workload().equals(turn.workload().name())
                        && r.contestant().equals(turn.contestant().name())
                        && r.round() == turn.round());
    }

    /** Takes over the runs of before that are still valid: of the same files, and of rounds that were finished. */
    private void resume(List<Workload> workloads, List<Allocator> contestants) throws MeasureException {
        List<Run> before = settings.resume() ? log.read() : List.of();
        for (Workload workload : workloads) {
            List<Run> valid = before.stream()
                    .filter(r ->
                            r.workload().equals(workload.name()) && r.digest().equals(workload.digest()))
                    .toList();
            for (int round = Run.WARM_UP; round < settings.mostRounds(); round++) {
                List<String> wanted = names(participants(workload, contestants, round));
                int now = round;
                List<Run> taken = valid.stream()
                        .filter(r -> r.round() == now && wanted.contains(r.contestant()))
                        .toList();
                if (taken.size() < wanted.size()) {
                    break; // Half a round would be compared with runs of another hour.
                }
                runs.addAll(taken);
                taken.stream()
                        .filter(Run::isGood)
                        .findFirst()
                        .ifPresent(r -> expected.putIfAbsent(r.workload(), r.output()));
            }
        }
        if (!settings.resume()) {
            log.setAside();
        }
        log.begin(runs);
    }

    /** The turns of a round, in blocks of one workload, all in random order. */
    private List<List<Turn>> blocks(List<Workload> workloads, List<Allocator> contestants, int round) {
        RandomGenerator random = new SplittableRandom(settings.seed() + round);
        List<Workload> order = new ArrayList<>(workloads);
        Collections.shuffle(order, random);
        List<List<Turn>> blocks = new ArrayList<>();
        for (Workload workload : order) {
            List<Turn> block = new ArrayList<>();
            participants(workload, contestants, round).forEach(c -> block.add(new Turn(workload, c, round)));
            Collections.shuffle(block, random);
            if (!block.isEmpty()) {
                blocks.add(block);
            }
        }
        return blocks;
    }

    /**
     * Who runs a workload in a round: warm-ups the base line, all in the rounds there are to be, then those not
     * settled.
     */
    private List<Allocator> participants(Workload workload, List<Allocator> contestants, int round) {
        return round == Run.WARM_UP
                ? contestants.subList(0, 1)
                : round < settings.rounds() ? contestants : open(workload, contestants, round);
    }

    /** Those whose speed at a workload is not settled by the rounds before, and those that they are compared with. */
    private List<Allocator> open(Workload workload, List<Allocator> contestants, int round) {
        if (settings.mostRounds() == settings.rounds()) {
            return List.of();
        }
        Results results = new Results(
                List.of(workload), runs.stream().filter(r -> r.round() < round).toList());
        Set<String> open = new HashSet<>();
        for (Allocator contestant : contestants) {
            if (contestant.name().equals(Allocators.CONTROL)) {
                continue; // It follows the others: of its own distance from 1 nobody needs to know more.
            }
            for (String base : List.of(
                    Allocators.BASE, Allocators.withoutUpa(contestant.name()).orElse(Allocators.BASE))) {
                if (names(contestants).contains(base) && !results.isSettled(workload, base, contestant.name())) {
                    open.addAll(List.of(Allocators.BASE, Allocators.CONTROL, base, contestant.name()));
                }
            }
        }
        return contestants.stream().filter(c -> open.contains(c.name())).toList();
    }

    private static List<String> names(List<Allocator> contestants) {
        return contestants.stream().map(Allocator::name).toList();
    }
}
