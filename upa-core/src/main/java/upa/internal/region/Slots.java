package upa.internal.region;

/** How many slots a region has. */
public final class Slots {
    private static final int LEAST = 8;
    private static final int MOST = 1024;

    private Slots() {}

    /** Twice the processors, so that threads that come and go seldom meet; few enough to leave trees for large runs. */
    public static int byDefault() {
        int slots = LEAST;
        while (slots < 2 * Runtime.getRuntime().availableProcessors() && slots < MOST) {
            slots *= 2;
        }
        return slots;
    }
}
