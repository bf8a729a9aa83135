package upa.tools.top;

import java.math.BigDecimal;
import java.util.List;
import org.apache.commons.cli.ParseException;

/** What the tools that look at running processes are told on their command lines. */
public final class Arguments {

    /** Stands for all processes. */
    public static final long ALL = 0;

    private Arguments() {}

    /**
     * The process that is meant.
     *
     * @param arguments what is left of the command line: the first is a process's number, or {@code all}
     * @return its number, or {@link #ALL}, also if there is none
     * @throws ParseException if it is neither
     */
    public static long process(List<String> arguments) throws ParseException {
        if (arguments.isEmpty() || arguments.getFirst().equals("all")) {
            return ALL;
        }
        String text = arguments.getFirst();
        if (!text.matches("[1-9][0-9]{0,8}")) {
            throw new ParseException("process=" + text + " is neither a number nor all");
        }
        return Long.parseLong(text);
    }

    /**
     * How long to wait between two looks.
     *
     * @param text  seconds
     * @param least the fewest, in seconds
     * @param most  the most, in seconds
     * @return milliseconds
     * @throws ParseException if the text is no such number
     */
    public static long interval(String text, double least, double most) throws ParseException {
        try {
            double seconds = Double.parseDouble(text);
            if (seconds >= least && seconds <= most) {
                return Math.round(seconds * 1000);
            }
        } catch (NumberFormatException e) {
            // Said below.
        }
        throw new ParseException(
                "interval=" + text + " is not a number of seconds from " + plain(least) + " to " + plain(most));
    }

    /** 60, and not 60.0. */
    private static String plain(double number) {
        return BigDecimal.valueOf(number).stripTrailingZeros().toPlainString();
    }
}
