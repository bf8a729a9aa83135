package upa.bench;

import java.io.PrintStream;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;

/**
 * Runs all jobs in rounds, each round in a new random order, so that whatever disturbs the machine for a while hits
 * all contestants alike. Shows progress; {@link #stop} ends it early with what there is.
 */
final class Runner {

    private static final int BAR = 24;
    private static final int WIDTH = 118;

    private final Driver driver;
    private final PrintStream progress;
    private final boolean terminal;
    private final List<String> failures = new ArrayList<>();
    private volatile boolean stopped;

    /**
     * A runner.
     *
     * @param progress where progress is shown
     * @param terminal whether that is a terminal, where one line can be written over; else there is a line per round
     */
    Runner(Driver driver, PrintStream progress, boolean terminal) {
        this.driver = driver;
        this.progress = progress;
        this.terminal = terminal;
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
        int done = 0;
        long start = System.nanoTime();
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
                show(round, rounds, done, total, start, job);
                try {
                    // The seed differs between rounds, and is the same for all contestants of a round.
                    measurements.add(job, round, driver.run(job, seed + round));
                } catch (BenchException e) {
                    if (!stoppedSoon()) {
                        failures.add(e.getMessage());
                    }
                }
                done++;
            }
            if (!terminal) {
                progress.printf("round %d of %d done, %s%n", round + 1, rounds, left(done, total, start));
            }
        }
        if (terminal) {
            progress.print("\r" + " ".repeat(WIDTH) + "\r");
        }
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

    private void show(int round, int rounds, int done, int total, long start, Job job) {
        if (terminal) {
            int filled = BAR * done / total;
            String line = String.format(
                    "round %d/%d [%s%s] %3d %%  %s  %s: %s%s",
                    round + 1,
                    rounds,
                    "#".repeat(filled),
                    ".".repeat(BAR - filled),
                    100 * done / total,
                    left(done, total, start),
                    job.experiment().id(),
                    job.contestant().name(),
                    job.variant().isEmpty() ? "" : " " + job.variant());
            progress.print("\r" + String.format("%-" + WIDTH + "." + WIDTH + "s", line));
            progress.flush();
        }
    }

    /** The time left, if the jobs to come take as long as those before. */
    private static String left(int done, int total, long start) {
        if (done == 0) {
            return "estimating the time";
        }
        long seconds = Math.round((System.nanoTime() - start) / 1e9 / done * (total - done));
        return seconds >= 60 ? seconds / 60 + " min " + seconds % 60 + " s left" : seconds + " s left";
    }
}
