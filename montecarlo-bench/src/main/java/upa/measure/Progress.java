package upa.measure;

import java.io.PrintStream;

/**
 * Shows how far a long run is and how long it will still take: one line written over and over on a terminal; elsewhere
 * the lines that {@link #line} is given.
 */
public final class Progress {

    private static final int BAR = 24;
    private static final int WIDTH = 118;

    private final PrintStream out;
    private final boolean terminal;
    private final long start = System.nanoTime();
    private double done;
    private double least;
    private double most;

    /**
     * Starts the clock.
     *
     * @param console where to show it
     * @param total work to come, in any unit that takes about the same time
     */
    public Progress(Console console, double total) {
        out = console.err();
        terminal = console.terminal();
        expect(0, total, total);
    }

    /**
     * Says how much there is to do, from now on in the unit of these.
     *
     * @param done work done since the clock was started
     * @param least work still to come
     * @param most the same, if all is done that perhaps need not be
     */
    public void expect(double done, double least, double most) {
        this.done = done;
        this.least = least;
        this.most = most;
    }

    /** Counts one unit as done. */
    public void step() {
        expect(done + 1, least - 1, most - 1);
    }

    /**
     * Shows what comes next, on a terminal.
     *
     * @param round such as "round 1/5"
     * @param next what is about to run
     */
    public void show(String round, String next) {
        if (terminal) {
            double share = done <= 0 ? 0 : done / (done + most);
            int filled = (int) (BAR * share);
            String line = String.format(
                    "%s [%s%s] %3d %%  %s  %s",
                    round, "#".repeat(filled), ".".repeat(BAR - filled), (int) (100 * share), left(), next);
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
            out.println(most <= 0 ? text : text + ", " + left());
        }
    }

    /** Wipes the line on a terminal. */
    public void clear() {
        if (terminal) {
            out.print("\r" + " ".repeat(WIDTH) + "\r");
            out.flush();
        }
    }

    /** The time left, if the work to come takes as long as that before. */
    private String left() {
        if (done <= 0) {
            return "estimating the time";
        }
        double unit = (System.nanoTime() - start) / 1e9 / done;
        String soonest = time(unit * least);
        String latest = time(unit * most);
        return (soonest.equals(latest) ? latest : soonest + " to " + latest) + " left";
    }

    private static String time(double seconds) {
        long whole = Math.max(0, Math.round(seconds));
        return whole >= 60 ? whole / 60 + " min " + whole % 60 + " s" : whole + " s";
    }
}
