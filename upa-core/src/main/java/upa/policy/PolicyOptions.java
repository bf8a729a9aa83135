package upa.policy;

import java.time.Duration;

/**
 * The options of a policy, {@code key=value} on the command line. A key that {@link MemoryPolicy#attach} has not asked
 * for is an error that names those it asked for. Every method throws a {@link PolicyException} that says which key and
 * which values there are, if the value is not of its kind or out of range.
 */
public interface PolicyOptions {

    /**
     * Text, as it is.
     *
     * @param key      name of the option
     * @param fallback value if it is not given; may be null
     * @return its value
     */
    String text(String key, String fallback);

    /**
     * A whole number in decimal.
     *
     * @param key      name of the option
     * @param fallback value if it is not given
     * @param least    smallest value allowed
     * @param most     largest value allowed
     * @return its value
     */
    int count(String key, int fallback, int least, int most);

    /**
     * A part of a whole, as {@code 10%} or {@code 0.1}.
     *
     * @param key      name of the option
     * @param fallback value if it is not given
     * @param least    smallest value allowed
     * @param most     largest value allowed
     * @return its value, 0 to 1 for 0 to 100 percent
     */
    double fraction(String key, double fallback, double least, double most);

    /**
     * A number of bytes, as {@code 4096}, {@code 64K}, {@code 2M} or {@code 1GiB}; units are powers of 1024.
     *
     * @param key      name of the option
     * @param fallback value if it is not given
     * @param least    smallest value allowed
     * @param most     largest value allowed
     * @return its value
     */
    long bytes(String key, long fallback, long least, long most);

    /**
     * A time, as {@code 100ms}, {@code 30s} or {@code 5m}.
     *
     * @param key      name of the option
     * @param fallback value if it is not given
     * @param least    smallest value allowed
     * @param most     largest value allowed
     * @return its value
     */
    Duration duration(String key, Duration fallback, Duration least, Duration most);

    /**
     * A yes or no: {@code on}, {@code off}.
     *
     * @param key      name of the option
     * @param fallback value if it is not given
     * @return its value
     */
    boolean flag(String key, boolean fallback);
}
