package upa.bench;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import upa.bench.driver.Driver;
import upa.bench.driver.Job;
import upa.bench.results.Measurements;
import upa.measure.Console;
import upa.measure.MeasureException;
import upa.measure.Progress;

/**
 * Runs all jobs in rounds, each round in a new random order, so that whatever disturbs the machine for a while hits
 * all contestants alike. Shows progress; {@link #stop} ends it early with what there is.
 */
final class Runner {

    private final Driver driver;
    private final Console console;
    private final List<String> failures = new ArrayList<>();
    private volatile boolean stopped;

    /**
     * A runner.
     *
     * @param console where progress is shown: on a terminal in one line that is written over, else in a line per round
     */
    Runner(Driver driver, Console console) {
        this.driver = driver;
        this.console = console;
    }

    /** Ends the run as soon as possible; from any thread. */
    void stop() {
        stopped = true;
        driver.close();
    }

    boolean isStopped() {
        return stopped;
    }

    /** What went wrong, a line each. */
    List<String> failures() {
        return failures;
    }

    Measurements run(List<Job> jobs, long seed) {
        Measurements measurements = new Measurements();
        Random random = new Random(seed);
        int rounds = jobs.stream().mapToInt(Job::rounds).max().orElse(0);
        int total = jobs.stream().mapToInt(Job::rounds).sum();
        Progress shown = new Progress(console, total);
        for (int round = 0; round < rounds && !stopped; round++) {
            List<Job> order = new ArrayList<>();
            for (Job job : jobs) {
                if (round < job.rounds()) {
                    order.add(job);
                }
            }
            Collections.shuffle(order, random);
            for (Job job : order) {
                if (stopped) {
                    break;
                }
                shown.show(
                        "round " + (round + 1) + "/" + rounds,
                        job.experiment().id() + "  " + job.contestant().name()
                                + (job.variant().isEmpty() ? "" : " " + job.variant()));
                try {
                    // The seed differs between rounds, and is the same for all contestants of a round.
                    measurements.add(job, round, driver.run(job, seed + round));
                } catch (MeasureException e) {
                    if (!stoppedSoon()) {
                        failures.add(e.getMessage());
                    }
                }
                shown.step();
            }
            shown.line("round " + (round + 1) + " of " + rounds + " done");
        }
        shown.clear();
        return measurements;
    }

    /** Ctrl-C ends the driver too, maybe an instant before we hear of it. */
    private boolean stoppedSoon() {
        try {
            Thread.sleep(100);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        return stopped;
    }
}
