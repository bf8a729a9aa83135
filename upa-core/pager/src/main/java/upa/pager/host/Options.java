package upa.pager.host;

import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import upa.policy.PolicyException;
import upa.policy.PolicyOptions;

/** Options as given, and a record of which were asked for. */
public final class Options implements PolicyOptions {
    private static final Pattern BYTES =
            Pattern.compile("([0-9]{1,15})(?:([KMGT])(?:iB?|B)?|B)?", Pattern.CASE_INSENSITIVE);
    private static final Pattern DURATION = Pattern.compile("([0-9]{1,9})(ms|s|m|h)");
    private static final Pattern FRACTION = Pattern.compile("([0-9]{1,9}(?:\\.[0-9]{1,9})?)(%?)");

    private final String owner;
    private final Map<String, String> values;
    private final TreeSet<String> asked = new TreeSet<>();

    /**
     * Makes options.
     *
     * @param owner  whose they are, for messages: {@code policy=clock}
     * @param values by key
     */
    public Options(String owner, Map<String, String> values) {
        this.owner = owner;
        this.values = new LinkedHashMap<>(values);
    }

    /**
     * Checks that all options given have been asked for.
     *
     * @throws PolicyException naming one that was not, and those that were
     */
    public void checkAllAsked() {
        for (String key : values.keySet()) {
            if (!asked.contains(key)) {
                throw new PolicyException(owner + " has no option=" + key
                        + (asked.isEmpty() ? "; it has none" : "; it has " + String.join(", ", asked)));
            }
        }
    }

    private String value(String key) {
        asked.add(key);
        return values.get(key);
    }

    private PolicyException wrong(String key, String is, String needed) {
        return new PolicyException(owner + " option=" + key + " has value=" + is + ", needs " + needed);
    }

    @Override
    public String text(String key, String fallback) {
        String value = value(key);
        return value == null ? fallback : value;
    }

    @Override
    public int count(String key, int fallback, int least, int most) {
        String value = value(key);
        if (value == null) {
            return fallback;
        }
        if (value.matches("[0-9]{1,10}")) {
            long count = Long.parseLong(value);
            if (count >= least && count <= most) {
                return (int) count;
            }
        }
        throw wrong(key, value, "a whole number from " + least + " to " + most);
    }

    @Override
    public double fraction(String key, double fallback, double least, double most) {
        String value = value(key);
        if (value == null) {
            return fallback;
        }
        Matcher m = FRACTION.matcher(value);
        if (m.matches()) {
            double fraction = Double.parseDouble(m.group(1)) / (m.group(2).isEmpty() ? 1 : 100);
            if (fraction >= least && fraction <= most) {
                return fraction;
            }
        }
        throw wrong(key, value, "a part from " + percent(least) + " to " + percent(most));
    }

    private static String percent(double fraction) {
        String text = String.format(Locale.ROOT, "%.6f", fraction * 100).replaceAll("\\.?0+$", "");
        return text + "%";
    }

    @Override
    public long bytes(String key, long fallback, long least, long most) {
        String value = value(key);
        if (value == null) {
            return fallback;
        }
        long bytes = parseBytes(value);
        if (bytes < least || bytes > most) {
            throw wrong(key, value, "bytes from " + least + " to " + most + ", as 64K, 2M or 1G");
        }
        return bytes;
    }

    /**
     * Reads a number of bytes.
     *
     * @param text as {@code 4096}, {@code 64K} or {@code 1GiB}
     * @return how many, or -1 if it is none or more than 2^63 - 1
     */
    public static long parseBytes(String text) {
        Matcher m = BYTES.matcher(text);
        if (!m.matches()) {
            return -1;
        }
        int shift = m.group(2) == null
                ? 0
                : 10 * ("KMGT".indexOf(Character.toUpperCase(m.group(2).charAt(0))) + 1);
        long count = Long.parseLong(m.group(1));
        return count > Long.MAX_VALUE >> shift ? -1 : count << shift;
    }

    /**
     * Reads a time.
     *
     * @param text as {@code 100ms}, {@code 30s}, {@code 5m} or {@code 1h}
     * @return how long, or null if it is none
     */
    public static Duration parseDuration(String text) {
        Matcher m = DURATION.matcher(text);
        if (!m.matches()) {
            return null;
        }
        long count = Long.parseLong(m.group(1));
        return switch (m.group(2)) {
            case "ms" -> Duration.ofMillis(count);
            case "s" -> Duration.ofSeconds(count);
            case "m" -> Duration.ofMinutes(count);
            default -> Duration.ofHours(count);
        };
    }

    @Override
    public Duration duration(String key, Duration fallback, Duration least, Duration most) {
        String value = value(key);
        if (value == null) {
            return fallback;
        }
        Duration duration = parseDuration(value);
        if (duration == null || duration.compareTo(least) < 0 || duration.compareTo(most) > 0) {
            throw wrong(key, value, "a time from " + text(least) + " to " + text(most) + ", as 100ms, 30s or 5m");
        }
        return duration;
    }

    private static String text(Duration duration) {
        return duration.toMillis() % 1000 == 0 ? duration.toSeconds() + "s" : duration.toMillis() + "ms";
    }

    @Override
    public boolean flag(String key, boolean fallback) {
        String value = value(key);
        if (value == null) {
            return fallback;
        }
        return switch (value) {
            case "on" -> true;
            case "off" -> false;
            default -> throw wrong(key, value, "on or off");
        };
    }
}
