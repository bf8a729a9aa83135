package upa.policy;

/**
 * How much the program suffers from a lack of memory.
 *
 * @param stalled      part of the last seconds that threads spent waiting for pages, 0 to 1
 * @param freeFraction part of the machine's memory that is available, 0 to 1
 */
public record Pressure(double stalled, double freeFraction) {

    /** No pressure at all. */
    public static final Pressure NONE = new Pressure(0, 1);
}
