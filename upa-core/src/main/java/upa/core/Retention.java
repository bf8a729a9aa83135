package upa.core;

import java.time.Duration;
import java.time.temporal.ChronoUnit;

/**
 * How much free memory a {@link Region} keeps, so that the next caller gets it at once, before it goes back to the
 * kernel by itself.
 *
 * <p>The rule follows use. What was in use lately and is not now may stay, since a program that had it is likely to
 * want it again; the memory of that halves every half-life. Beyond it stays a percentage of the most that was in use
 * lately, but 2 MiB at least. Where memory is limited (a cgroup) or short (the machine, PSI), less stays, or nothing.
 * It is the rule of {@code upa run}, whose defaults are the same.
 *
 * @param percent  what stays beyond what was in use lately, in percent of that; 0 .. {@link #MAX_PERCENT}
 * @param halfLife after so long half of what was in use lately still counts; 0 (only what is in use now counts) ..
 *                 {@link #MAX_HALF_LIFE}, in milliseconds; or {@link ChronoUnit#FOREVER}: everything stays
 */
public record Retention(int percent, Duration halfLife) {
    /** The largest percentage. */
    public static final int MAX_PERCENT = 1000;
    /** The longest half-life but for ever. */
    public static final Duration MAX_HALF_LIFE = Duration.ofHours(1);
    /** 10 %, and a second. */
    public static final Retention DEFAULT = new Retention(10, Duration.ofSeconds(1));
    /** Everything stays until {@link Region#giveBack}. */
    public static final Retention EVERYTHING = new Retention(0, ChronoUnit.FOREVER.getDuration());

    /**
     * Checks the values.
     *
     * @throws IllegalArgumentException if one is out of range
     */
    public Retention {
        if (percent < 0
                || percent > MAX_PERCENT
                || halfLife.isNegative()
                || halfLife.compareTo(MAX_HALF_LIFE) > 0 && !isForEver(halfLife)) {
            throw new IllegalArgumentException("out of range: percent=" + percent + " (0.." + MAX_PERCENT
                    + ") halfLife=" + halfLife + " (0.." + MAX_HALF_LIFE + ", or FOREVER)");
        }
    }

    private static boolean isForEver(Duration duration) {
        return duration.equals(ChronoUnit.FOREVER.getDuration());
    }

    /** {@return whether everything stays} */
    public boolean keepsEverything() {
        return isForEver(halfLife);
    }
}
