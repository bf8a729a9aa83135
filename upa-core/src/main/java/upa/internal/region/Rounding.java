package upa.internal.region;

/** Sizes in units. */
public final class Rounding {
    private Rounding() {}

    /** The next multiple of a unit, n itself included. Both are positive, and far from overflow. */
    public static long up(long n, long unit) {
        return (n + unit - 1) / unit * unit;
    }
}
