package upa.measure;

import java.io.IOException;
import java.util.List;
import org.apache.commons.cli.CommandLine;
import org.apache.commons.cli.DefaultParser;
import org.apache.commons.cli.Option;
import org.apache.commons.cli.Options;
import org.apache.commons.cli.ParseException;
import org.apache.commons.cli.help.HelpFormatter;
import org.apache.commons.cli.help.TextHelpAppendable;

/** What the command lines of measurements have in common: options, help, complaints of one line, lists, numbers. */
public final class CommandLines {

    private static final int WIDTH = 118;

    private CommandLines() {}

    /**
     * What a command is called with.
     *
     * @param command such as "upa bench"
     * @param syntax how it is called
     * @param purpose what it does
     * @param options its options, among them {@code help}
     */
    public record Usage(String command, String syntax, String purpose, Options options) {}

    /** The work of a command. */
    @FunctionalInterface
    public interface Body {
        /**
         * Does it.
         *
         * @param line the command line, without --help
         * @return the exit status
         * @throws MeasureException if it cannot be done
         */
        int run(CommandLine line) throws MeasureException;
    }

    /**
     * Reads a command line and does what it says; what goes wrong is said in one line.
     *
     * @param console where to say it
     * @param usage of the command
     * @param args the command line
     * @param body the work
     * @return the exit status
     */
    public static int run(Console console, Usage usage, String[] args, Body body) {
        try {
            CommandLine line = new DefaultParser(false).parse(usage.options(), args);
            if (line.hasOption("help")) {
                help(console, usage);
                return 0;
            }
            return body.run(line);
        } catch (ParseException e) {
            return complain(console, usage.command(), MeasureException.usage(e.getMessage()));
        } catch (MeasureException e) {
            return complain(console, usage.command(), e);
        }
    }

    /**
     * An option that is there or not.
     *
     * @param name without the dashes
     * @param description for --help
     * @return the option
     */
    public static Option flag(String name, String description) {
        return Option.builder().longOpt(name).desc(description).get();
    }

    /**
     * An option with a value.
     *
     * @param name without the dashes
     * @param value what its value is called
     * @param description for --help
     * @return the option
     */
    public static Option value(String name, String value, String description) {
        return Option.builder()
                .longOpt(name)
                .hasArg()
                .argName(value)
                .desc(description)
                .get();
    }

    /**
     * Options in the order of --help, which is the last of them.
     *
     * @param options in that order
     * @return all of them
     */
    public static Options options(Option... options) {
        Options all = new Options();
        for (Option option : options) {
            all.addOption(option);
        }
        return all.addOption(flag("help", "this text"));
    }

    private static void help(Console console, Usage usage) throws MeasureException {
        StringBuilder text = new StringBuilder();
        TextHelpAppendable page = new TextHelpAppendable(text);
        page.setMaxWidth(WIDTH);
        page.setIndent(0);
        page.setLeftPad(0);
        try {
            HelpFormatter.builder()
                    .setShowSince(false)
                    .setHelpAppendable(page)
                    .get()
                    .printHelp(usage.syntax(), usage.purpose(), usage.options(), "", false);
        } catch (IOException e) {
            throw MeasureException.failure(e.getMessage());
        }
        text.toString().lines().map(String::stripTrailing).forEach(console.out()::println);
    }

    /**
     * Says in one line what went wrong, and where to read more if the command line was at fault.
     *
     * @param console where to
     * @param command such as "upa bench"
     * @param e what went wrong
     * @return the exit status
     */
    public static int complain(Console console, String command, MeasureException e) {
        String hint = e.status() == MeasureException.USAGE ? " (see ./" + command + " --help)" : "";
        console.err().println(OneLine.of(command + ": " + e.getMessage().strip() + hint));
        return e.status();
    }

    /**
     * The parts of an option's value, A,B,...
     *
     * @param line the command line
     * @param option an option that it has
     * @return the parts, one at least
     * @throws MeasureException if one is empty
     */
    public static List<String> list(CommandLine line, String option) throws MeasureException {
        String value = line.getOptionValue(option);
        List<String> parts = List.of(value.split(",", -1));
        if (parts.contains("")) {
            throw MeasureException.usage(option + "=" + value + ": must be names with commas between them");
        }
        return parts;
    }

    /**
     * The value of an option that is a number in bounds.
     *
     * @param line the command line
     * @param option which
     * @param low the least that is allowed
     * @param high the greatest
     * @param otherwise the number if the option is not there
     * @return the number
     * @throws MeasureException if the value is none, or out of bounds
     */
    public static long number(CommandLine line, String option, long low, long high, long otherwise)
            throws MeasureException {
        return line.hasOption(option) ? number(option, line.getOptionValue(option), low, high) : otherwise;
    }

    /**
     * A number in bounds.
     *
     * @param option whose value it is
     * @param text the value
     * @param low the least that is allowed
     * @param high the greatest
     * @return the number
     * @throws MeasureException if it is none, or out of bounds
     */
    public static long number(String option, String text, long low, long high) throws MeasureException {
        try {
            long value = Long.parseLong(text);
            if (value >= low && value <= high) {
                return value;
            }
        } catch (NumberFormatException e) {
            // Said below.
        }
        throw MeasureException.usage(option + "=" + text + ": must be a whole number from " + low + " to " + high);
    }
}
