package upa.bench;

import java.io.PrintStream;

/**
 * Shows how far a long run is and how long it will still take: one line written over and over on a terminal; elsewhere the lines
 * that {@link #line} is given.
 */
public final class Progress {

    private static final int BAR = 24;
    private static final int WIDTH = 118;

    private final PrintStream out;
    private final boolean terminal;
    private final int total;
    private final long start = System.nanoTime();
    private int done;
    private int before;

    /**
     * Starts the clock.
     *
     * @param out where to show it
     * @param terminal whether that is a terminal
     * @param total steps to come, of about the same length
     */
    public Progress(PrintStream out, boolean terminal, int total) {
        this.out = out;
        this.terminal = terminal;
        this.total = total;
    }

    /**
     * Counts steps that were done in an earlier run: they say nothing of the time that is left.
     *
     * @param steps 0 or more
     */
    public void skip(int steps) {
        done += steps;
        before += steps;
    }

    /** Counts one step as done. */
    public void step() {
        done++;
    }

    /**
     * Shows what comes next, on a terminal.
     *
     * @param round such as "round 1/5"
     * @param next what is about to run
     */
    public void show(String round, String next) {
        if (terminal) {
            int filled = total == 0 ? BAR : BAR * done / total;
            String line = String.format(
                    "%s [%s%s] %3d %%  %s  %s",
                    round, "#".repeat(filled), ".".repeat(BAR - filled), total == 0 ? 100 : 100 * done / total, left(), next);
            out.print("\r" + String.format("%-" + WIDTH + "." + WIDTH + "s", line));
            out.flush();
        }
    }

    /**
     * Prints a line with the time that is left, where there is no terminal.
     *
     * @param text such as "round 1 of 5 done"
     */
    public void line(String text) {
        if (!terminal) {
            out.println(text + ", " + left());
        }
    }

    /** Wipes the line on a terminal. */
    public void clear() {
        if (terminal) {
            out.print("\r" + " ".repeat(WIDTH) + "\r");
            out.flush();
        }
    }

    /** The time left, if the steps to come take as long as those before. */
    private String left() {
        if (done == before) {
            return "estimating the time";
        }
        long seconds = Math.round((System.nanoTime() - start) / 1e9 / (done - before) * (total - done));
        return seconds >= 60 ? seconds / 60 + " min " + seconds % 60 + " s left" : seconds + " s left";
    }
}
