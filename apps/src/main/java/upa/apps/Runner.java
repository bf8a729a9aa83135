package upa.apps;

import java.io.PrintStream;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import upa.bench.BenchException;
import upa.bench.Progress;

/**
 * Runs all workloads in rounds. Within a round the workloads come in random order, and within a workload the contestants, so that
 * whatever disturbs the machine for a while hits them alike and the data of a workload are equally warm for all. One run of
 * each workload under the base line comes first and counts only as the output that the others have to repeat.
 */
final class Runner {

    private final Settings settings;
    private final Measurer measurer;
    private final RunLog log;
    private final PrintStream progress;
    private final boolean terminal;
    private final List<Run> runs = new ArrayList<>();
    private final Map<String, String> expected = new HashMap<>();
    private volatile boolean stopped;

    Runner(Settings settings, Measurer measurer, PrintStream progress, boolean terminal) {
        this.settings = settings;
        this.measurer = measurer;
        this.progress = progress;
        this.terminal = terminal;
        log = new RunLog(settings.out());
    }

    /** Ends the run as soon as possible; from any thread. */
    void stop() {
        stopped = true;
        measurer.stop();
    }

    boolean isStopped() {
        return stopped;
    }

    /** All finished runs, warm-ups and failed ones too. */
    List<Run> runs() {
        return List.copyOf(runs);
    }

    /** One contestant's turn at one workload. */
    private record Turn(Workload workload, Contestant contestant, int round) {}

    /**
     * Runs what is to be run.
     *
     * @param workloads that are ready
     * @param contestants that can take part, the base line first
     */
    void run(List<Workload> workloads, List<Contestant> contestants) throws BenchException {
        resume(workloads, contestants);
        List<List<Turn>> blocks = plan(workloads, contestants, settings.rounds(), settings.seed());
        Set<Turn> done = new HashSet<>();
        for (List<Turn> block : blocks) {
            block.stream().filter(this::isDone).forEach(done::add);
        }
        int total = blocks.stream().mapToInt(List::size).sum();
        Progress shown = new Progress(progress, terminal, total);
        shown.skip(done.size());
        Set<String> hopeless = new HashSet<>();
        int before = Run.WARM_UP;
        for (List<Turn> block : blocks) {
            int round = block.getFirst().round();
            if (round != before) {
                shown.line(before == Run.WARM_UP ? "warm-up done" : "round " + (before + 1) + " of " + settings.rounds() + " done");
                before = round;
            }
            for (Turn turn : block) {
                if (stopped) {
                    shown.clear();
                    return;
                }
                if (!done.contains(turn) && !hopeless.contains(turn.workload().name())) {
                    shown.show(
                            round == Run.WARM_UP ? "warm-up" : "round " + (round + 1) + "/" + settings.rounds(),
                            turn.workload().name() + " " + turn.contestant().name());
                    add(turn, shown, hopeless);
                }
                if (!done.contains(turn)) {
                    shown.step();
                }
            }
        }
        shown.line("all rounds done");
        shown.clear();
    }

    private void add(Turn turn, Progress shown, Set<String> hopeless) throws BenchException {
        Run run = judged(measurer.run(turn.workload(), turn.contestant(), turn.round()));
        if (stopped) {
            return; // It was we who ended it.
        }
        runs.add(run);
        log.add(run);
        if (!run.isGood()) {
            shown.clear();
            progress.println("upa apps: workload=" + run.workload() + " contestant=" + run.contestant() + ": " + run.problem());
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
                : run.withProblem("its output differs from the first under " + Contestant.BASE + ": sha256="
                        + run.output().substring(0, 12) + " expected=" + wanted.substring(0, 12));
    }

    private boolean isDone(Turn turn) {
        return runs.stream()
                .anyMatch(r -> r.workload().equals(turn.workload().name())
                        && r.contestant().equals(turn.contestant().name())
                        && r.round() == turn.round());
    }

    /** Takes over the runs of before that are still valid: of the same files, and of blocks that were finished. */
    private void resume(List<Workload> workloads, List<Contestant> contestants) throws BenchException {
        if (settings.resume()) {
            Map<String, String> digests = new HashMap<>();
            workloads.forEach(w -> digests.put(w.name(), w.digest()));
            List<Run> valid = log.read().stream()
                    .filter(r -> r.digest().equals(digests.get(r.workload())))
                    .filter(r -> contestants.stream().anyMatch(c -> c.name().equals(r.contestant())))
                    .toList();
            Map<List<Object>, Set<String>> blocks = new LinkedHashMap<>();
            valid.forEach(r -> blocks.computeIfAbsent(List.of(r.workload(), r.round()), k -> new HashSet<>())
                    .add(r.contestant()));
            for (Run run : valid) {
                // Half a block would be compared with runs of another hour.
                if (run.isWarmUp() || blocks.get(List.of(run.workload(), run.round())).size() == contestants.size()) {
                    runs.add(run);
                    if (run.isGood()) {
                        expected.putIfAbsent(run.workload(), run.output());
                    }
                }
            }
        }
        log.begin(runs);
    }

    /** The turns, in blocks of one workload and round: warm-ups first, then rounds in random order. */
    private static List<List<Turn>> plan(List<Workload> workloads, List<Contestant> contestants, int rounds, long seed) {
        List<List<Turn>> blocks = new ArrayList<>();
        for (Workload workload : workloads) {
            blocks.add(List.of(new Turn(workload, contestants.getFirst(), Run.WARM_UP)));
        }
        Random random = new Random(seed);
        for (int round = 0; round < rounds; round++) {
            List<Workload> order = new ArrayList<>(workloads);
            Collections.shuffle(order, random);
            for (Workload workload : order) {
                List<Turn> block = new ArrayList<>();
                for (Contestant contestant : contestants) {
                    block.add(new Turn(workload, contestant, round));
                }
                Collections.shuffle(block, random);
                blocks.add(block);
            }
        }
        return blocks;
    }
}
