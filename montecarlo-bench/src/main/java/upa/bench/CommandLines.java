package upa.bench;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import org.apache.commons.cli.CommandLine;
import org.apache.commons.cli.Options;
import org.apache.commons.cli.help.HelpFormatter;
import org.apache.commons.cli.help.TextHelpAppendable;

/** What the command lines of measurements have in common: help, complaints of one line, lists, numbers, the results' folder. */
public final class CommandLines {

    private static final int WIDTH = 118;

    private CommandLines() {}

    /**
     * Prints the text of --help.
     *
     * @param out where to
     * @param syntax how the command is called
     * @param purpose what it does
     * @param options its options
     * @throws BenchException if it cannot be written
     */
    public static void help(PrintStream out, String syntax, String purpose, Options options) throws BenchException {
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
                    .printHelp(syntax, purpose, options, "", false);
        } catch (IOException e) {
            throw BenchException.failure(e.getMessage());
        }
        text.toString().lines().map(String::stripTrailing).forEach(out::println);
    }

    /**
     * Says in one line what went wrong, and where to read more if the command line was at fault.
     *
     * @param err where to
     * @param command the command, such as "upa bench"
     * @param e what went wrong
     * @return the exit status
     */
    public static int complain(PrintStream err, String command, BenchException e) {
        String hint = e.status() == BenchException.USAGE ? " (see ./" + command + " --help)" : "";
        err.println(command + ": " + e.getMessage().strip().replace('\n', ' ') + hint);
        return e.status();
    }

    /**
     * The parts of an option's value, A,B,...
     *
     * @param line the command line
     * @param option an option that it has
     * @return the parts, one at least
     * @throws BenchException if one is empty
     */
    public static List<String> list(CommandLine line, String option) throws BenchException {
        String value = line.getOptionValue(option);
        List<String> parts = List.of(value.split(",", -1));
        if (parts.contains("")) {
            throw BenchException.usage(option + "=" + value + ": must be names with commas between them");
        }
        return parts;
    }

    /**
     * Makes the folder of the results, and sees that something can be written there: before, and not after hours.
     *
     * @param folder which
     * @throws BenchException if that fails
     */
    public static void makeFolder(Path folder) throws BenchException {
        try {
            Files.createDirectories(folder);
            Files.delete(Files.createTempFile(folder, "upa", ""));
        } catch (IOException e) {
            throw cannotWrite(folder, e);
        }
    }

    /**
     * What to say when results cannot be written.
     *
     * @param file a file or folder
     * @param e what the system said
     * @return the exception to throw
     */
    public static BenchException cannotWrite(Path file, IOException e) {
        return BenchException.failure("cannot write results: file=" + file + ": " + reason(e));
    }

    /**
     * Why something cannot be written: in Java the message often is but the name of the file.
     *
     * @param e what the system said
     * @return a few words
     */
    public static String reason(IOException e) {
        return switch (e) {
            case NoSuchFileException _ -> "no such folder, and it cannot be made";
            case AccessDeniedException _ -> "permission denied";
            case FileAlreadyExistsException _ -> "not a folder";
            case FileSystemException f when f.getReason() != null -> f.getReason();
            default -> e.getMessage();
        };
    }

    /**
     * A number in bounds.
     *
     * @param option whose value it is
     * @param text the value
     * @param low the least that is allowed
     * @param high the greatest
     * @return the number
     * @throws BenchException if it is none, or out of bounds
     */
    public static long number(String option, String text, long low, long high) throws BenchException {
        try {
            long value = Long.parseLong(text);
            if (value >= low && value <= high) {
                return value;
            }
        } catch (NumberFormatException e) {
            // Said below.
        }
        throw BenchException.usage(option + "=" + text + ": must be a whole number from " + low + " to " + high);
    }
}
