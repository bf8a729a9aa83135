package upa.measure.report;

import java.util.Locale;
import upa.measure.stats.Interval;

/** Figures as text, with their units and three significant digits. */
public final class Units {

    /** Bytes of a kibibyte. */
    public static final long KIB = 1L << 10;
    /** Bytes of a mebibyte. */
    public static final long MIB = 1L << 20;
    /** Bytes of a gibibyte. */
    public static final long GIB = 1L << 30;

    private static final String[] BINARY = {"B", "KiB", "MiB", "GiB", "TiB"};
    private static final String[] TIMES = {"ns", "µs", "ms", "s"};

    private Units() {}

    /**
     * A size.
     *
     * @param bytes 0 or more
     * @return such as "64 KiB" or "1.5 GiB"
     */
    public static String bytes(double bytes) {
        int unit = 0;
        double value = bytes;
        while (value >= 1024 && unit < BINARY.length - 1) {
            value /= 1024;
            unit++;
        }
        return digits(value) + " " + BINARY[unit];
    }

    /**
     * A time.
     *
     * @param nanoseconds 0 or more
     * @return such as "83.1 ns" or "1.24 ms"
     */
    public static String time(double nanoseconds) {
        int unit = 0;
        double value = nanoseconds;
        while (value >= 999.5 && unit < TIMES.length - 1) {
            value /= 1000;
            unit++;
        }
        return digits(value) + " " + TIMES[unit];
    }

    /**
     * A ratio.
     *
     * @param ratio above 0
     * @return such as "0.97x" or "1250x"
     */
    public static String ratio(double ratio) {
        return digits(ratio) + "x";
    }

    /**
     * A ratio with its interval, if that has a width in these digits.
     *
     * @param ratio the ratio
     * @return such as "41.3x (39.8-42.9)"
     */
    public static String ratio(Interval ratio) {
        String low = digits(ratio.low());
        String high = digits(ratio.high());
        return ratio(ratio.estimate()) + (low.equals(high) ? "" : " (" + low + "-" + high + ")");
    }

    /**
     * A time with its interval, if that has a width in these digits.
     *
     * @param time in nanoseconds
     * @return such as "52.4 ns (52 ns - 53.1 ns)"
     */
    public static String time(Interval time) {
        String low = time(time.low());
        String high = time(time.high());
        return time(time.estimate()) + (low.equals(high) ? "" : " (" + low + " - " + high + ")");
    }

    /**
     * So many of something.
     *
     * @param number how many
     * @param noun what, a single one of them
     * @return such as "1 round" or "3 rounds"
     */
    public static String count(int number, String noun) {
        return number + " " + noun + (number == 1 ? "" : "s");
    }

    /**
     * Three significant digits, without trailing zeros after the point and never in powers of ten.
     *
     * @param value any number
     * @return such as "0.0063", "1.5", "42" or "12345"
     */
    public static String digits(double value) {
        double magnitude = Math.abs(value);
        int decimals =
                magnitude == 0 || magnitude >= 99.95 ? 0 : Math.max(0, 2 - (int) Math.floor(Math.log10(magnitude)));
        String text = String.format(Locale.ROOT, "%." + Math.min(decimals, 9) + "f", value);
        return text.contains(".") ? text.replaceAll("0+$", "").replaceAll("\\.$", "") : text;
    }
}
