package upa.tools.reclaim;

import java.io.PrintStream;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import org.apache.commons.cli.CommandLine;
import org.apache.commons.cli.DefaultParser;
import org.apache.commons.cli.Option;
import org.apache.commons.cli.Options;
import org.apache.commons.cli.ParseException;
import upa.tools.top.Orders;
import upa.tools.top.Orders.Outcome;
import upa.tools.top.Processes;
import upa.tools.top.Sample;
import upa.tools.top.TopException;

/**
 * {@code upa reclaim}: has programs under UPA give back the memory of what they have freed. They keep working, notice
 * nothing, and get memory again by ordinary page faults.
 *
 * <p>Exit status: 0 done, 1 a process could not be reclaimed from, 2 the command line is wrong.
 */
public final class Main {

    private static final List<String> USAGE = List.of(
            "usage: ./upa reclaim [--to BYTES] PID|all",
            "",
            "Has a running program under UPA, or all of your own (root: of everybody's), give back the memory of what",
            "they have freed. What is in use stays as it is; what was given back is faulted in again when needed.",
            "",
            "  --to BYTES   so much may stay of each, a number with K, M, G or T or without (0)",
            "",
            "Without it, a program that falls silent gives back by itself within seconds.");

    private static final Options OPTIONS = new Options()
            .addOption(Option.builder().longOpt("to").hasArg().get())
            .addOption(Option.builder("h").longOpt("help").get());

    private static final String SUFFIXES = "KMGT";
    private static final long MOST_BYTES = 1L << 47;
    private static final long PATIENCE_MS = 5000;
    private static final double MIB = 1 << 20;

    private final Processes processes;
    private final Orders orders;
    private final PrintStream out;
    private final PrintStream err;

    Main(Processes processes, Orders orders, PrintStream out, PrintStream err) {
        this.processes = processes;
        this.orders = orders;
        this.out = out;
        this.err = err;
    }

    /**
     * Runs the command and exits.
     *
     * @param arguments its command line
     */
    public static void main(String[] arguments) {
        Processes processes = new Processes(Path.of("/proc"));
        System.exit(new Main(processes, new Orders(processes, PATIENCE_MS), System.out, System.err).run(arguments));
    }

    int run(String... arguments) {
        long keep = 0;
        long pid = 0;
        try {
            CommandLine line = new DefaultParser(false).parse(OPTIONS, arguments);
            if (line.hasOption("help")) {
                USAGE.forEach(out::println);
                return 0;
            }
            if (line.hasOption("to")) {
                keep = bytes(line.getOptionValue("to"));
            }
            if (line.getArgList().size() != 1) {
                throw new ParseException(
                        "one process or all, got arguments=" + line.getArgList().size());
            }
            if (!line.getArgList().getFirst().equals("all")) {
                pid = pid(line.getArgList().getFirst());
            }
        } catch (ParseException e) {
            err.println("upa: reclaim: " + e.getMessage() + ": see ./upa reclaim --help");
            return 2;
        }
        return pid == 0 ? all(keep) : one(pid, keep);
    }

    private static long bytes(String text) throws ParseException {
        if (text.matches("[0-9]{1,15}[KMGT]?")) {
            int suffix = SUFFIXES.indexOf(text.charAt(text.length() - 1));
            long number = Long.parseLong(suffix < 0 ? text : text.substring(0, text.length() - 1));
            int shift = 10 * (suffix + 1);
            if (number <= MOST_BYTES >> shift) {
                return number << shift;
            }
        }
        throw new ParseException("to=" + text + " is not a number of bytes from 0 to 128T");
    }

    private static long pid(String text) throws ParseException {
        if (!text.matches("[1-9][0-9]{0,9}")) {
            throw new ParseException("process=" + text + " is neither a number nor all");
        }
        return Long.parseLong(text);
    }

    private void say(Outcome outcome) {
        out.printf(
                Locale.ROOT,
                "process=%d %s: given back %.1f MiB, kept %.1f MiB%n",
                outcome.pid(),
                outcome.command(),
                outcome.given() / MIB,
                outcome.after() / MIB);
    }

    private int one(long pid, long keep) {
        try {
            say(orders.reclaim(pid, keep));
            return 0;
        } catch (TopException e) {
            err.println("upa: " + e.getMessage());
            return 1;
        }
    }

    /** Those that end meanwhile, or may not be read, are none of the user's. */
    private int all(long keep) {
        int status = 0;
        int asked = 0;
        for (Sample sample : processes.all()) {
            try {
                Outcome outcome = orders.reclaim(sample.pid(), keep);
                asked++;
                if (outcome.given() > 0) {
                    say(outcome);
                }
            } catch (TopException e) {
                if (e.reason() == TopException.Reason.SILENT || e.reason() == TopException.Reason.BROKEN) {
                    err.println("upa: " + e.getMessage());
                    status = 1;
                }
            }
        }
        if (asked == 0 && status == 0) {
            err.println("upa: no process runs under UPA, or none that may be reclaimed from");
            return 1;
        }
        return status;
    }
}
