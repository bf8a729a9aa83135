package upa.tools.reclaim;

import java.io.PrintStream;
import java.nio.file.Path;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import org.apache.commons.cli.CommandLine;
import org.apache.commons.cli.DefaultParser;
import org.apache.commons.cli.Option;
import org.apache.commons.cli.Options;
import org.apache.commons.cli.ParseException;
import upa.measure.OneLine;
import upa.tools.top.Arguments;
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
            "       ./upa reclaim --bound BYTES|none PID|all",
            "       ./upa reclaim --watch [--available BYTES] [--to BYTES] [--interval SECONDS]",
            "",
            "Has a running program under UPA, or all of your own (root: of everybody's), give back the memory of what",
            "they have freed. What is in use stays as it is; what was given back is faulted in again when needed.",
            "BYTES is a number with K, M, G or T or without.",
            "",
            "  --to BYTES           so much may stay of each (0)",
            "  --bound BYTES|none   from now on, whenever the program is resident beyond so many bytes, it keeps",
            "                       nothing that is free; stands until it is changed or the program ends, forked",
            "                       children have none",
            "  --watch              stay, and take under pressure, from the largest keepers first: while less is",
            "                       available on the machine than --available says; while programs wait for memory",
            "                       and it is short; while a cgroup is near its limit, from the programs in it.",
            "                       Says what was taken.",
            "  --available BYTES    what is to be available on the machine (a sixteenth of its memory)",
            "  --interval SECONDS   between two looks, 0.05 to 60 (0.25)",
            "",
            "Without it, a program that falls silent gives back by itself within seconds. Nothing is held by --watch:",
            "if it ends, or is killed, everything goes on as without it.");

    private static final Options OPTIONS = new Options()
            .addOption(Option.builder().longOpt("to").hasArg().get())
            .addOption(Option.builder().longOpt("bound").hasArg().get())
            .addOption(Option.builder().longOpt("watch").get())
            .addOption(Option.builder().longOpt("available").hasArg().get())
            .addOption(Option.builder().longOpt("interval").hasArg().get())
            .addOption(Option.builder("h").longOpt("help").get());

    private static final String SUFFIXES = "KMGT";
    private static final long MOST_BYTES = 1L << 47;
    private static final long PATIENCE_MS = 5000;
    private static final double LEAST_INTERVAL = 0.05;
    private static final double MOST_INTERVAL = 60;
    private static final long DEFAULT_INTERVAL_MS = 250;
    private static final double MIB = 1 << 20;

    private final Processes processes;
    private final Orders orders;
    private final Path proc;
    private final PrintStream out;
    private final PrintStream err;

    Main(Path proc, long patienceMs, PrintStream out, PrintStream err) {
        this.processes = new Processes(proc);
        this.orders = new Orders(processes, patienceMs);
        this.proc = proc;
        this.out = out;
        this.err = err;
    }

    /**
     * Runs the command and exits.
     *
     * @param arguments its command line
     */
    public static void main(String[] arguments) {
        System.exit(new Main(Path.of("/proc"), PATIENCE_MS, System.out, System.err).run(arguments));
    }

    /** What is done with one process. */
    @FunctionalInterface
    private interface Action {
        Outcome on(long pid) throws TopException;
    }

    int run(String... arguments) {
        CommandLine line;
        Action action;
        long keep = 0;
        long mark = 0;
        long pid;
        long interval = DEFAULT_INTERVAL_MS;
        try {
            line = new DefaultParser(false).parse(OPTIONS, arguments);
            if (line.hasOption("help")) {
                USAGE.forEach(out::println);
                return 0;
            }
            check(line);
            if (line.hasOption("to")) {
                keep = bytes("to", line.getOptionValue("to"));
            }
            if (line.hasOption("available")) {
                mark = bytes("available", line.getOptionValue("available"));
            }
            if (line.hasOption("interval")) {
                interval = Arguments.interval(line.getOptionValue("interval"), LEAST_INTERVAL, MOST_INTERVAL);
            }
            action = action(line, keep);
            pid = Arguments.process(line.getArgList());
        } catch (ParseException e) {
            err.println(OneLine.of("upa: reclaim: " + e.getMessage() + ": see ./upa reclaim --help"));
            return 2;
        }
        if (line.hasOption("watch")) {
            return watch(mark, keep, interval);
        }
        return pid == Arguments.ALL ? all(action, line.hasOption("bound")) : one(pid, action);
    }

    private static void check(CommandLine line) throws ParseException {
        List<String> arguments = line.getArgList();
        if (line.hasOption("watch")) {
            if (line.hasOption("bound")) {
                throw new ParseException("--watch and --bound are two things");
            }
            if (!arguments.isEmpty() && !arguments.equals(List.of("all"))) {
                throw new ParseException("--watch takes no process, got argument=" + arguments.getFirst());
            }
            return;
        }
        for (String option : List.of("available", "interval")) {
            if (line.hasOption(option)) {
                throw new ParseException("--" + option + " needs --watch");
            }
        }
        if (line.hasOption("bound") && line.hasOption("to")) {
            throw new ParseException("--bound and --to are two things");
        }
        if (arguments.size() != 1) {
            throw new ParseException("one process or all, got arguments=" + arguments.size());
        }
    }

    private Action action(CommandLine line, long keep) throws ParseException {
        if (!line.hasOption("bound")) {
            return pid -> orders.reclaim(pid, keep);
        }
        String text = line.getOptionValue("bound");
        long bytes = text.equals("none") ? -1 : bytes("bound", text);
        return pid -> orders.bound(pid, bytes);
    }

    private static long bytes(String option, String text) throws ParseException {
        if (text.matches("[0-9]{1,15}[KMGT]?")) {
            int suffix = SUFFIXES.indexOf(text.charAt(text.length() - 1));
            long number = Long.parseLong(suffix < 0 ? text : text.substring(0, text.length() - 1));
            int shift = 10 * (suffix + 1);
            if (number <= MOST_BYTES >> shift) {
                return number << shift;
            }
        }
        throw new ParseException(option + "=" + text + " is not a number of bytes from 0 to 128T");
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

    private int one(long pid, Action action) {
        try {
            say(action.on(pid));
            return 0;
        } catch (TopException e) {
            err.println(OneLine.of("upa: " + e.getMessage()));
            return 1;
        }
    }

    /** Those that end meanwhile, or may not be read, are none of the user's. */
    private int all(Action action, boolean saysEach) {
        int status = 0;
        int asked = 0;
        for (long pid : processes.find()) {
            try {
                Outcome outcome = action.on(pid);
                asked++;
                if (saysEach || outcome.given() > 0) {
                    say(outcome);
                }
            } catch (TopException e) {
                if (e.reason() == TopException.Reason.SILENT || e.reason() == TopException.Reason.BROKEN) {
                    err.println(OneLine.of("upa: " + e.getMessage()));
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

    /** The processes of /proc. */
    private final class Running implements Watch.Keepers {
        @Override
        public Collection<Long> find() {
            return processes.find();
        }

        @Override
        public Sample read(long pid) throws TopException {
            return processes.read(pid);
        }

        @Override
        public Outcome reclaim(long pid, long keep) throws TopException {
            return orders.reclaim(pid, keep);
        }
    }

    /** Until it is interrupted or killed, or nobody reads any more. */
    private int watch(long mark, long keep, long milliseconds) {
        Watch watch = new Watch(new Running(), proc, Path.of("/sys/fs/cgroup"), mark, keep, out);
        if (!watch.isPossible()) {
            err.println(OneLine.of(
                    "upa: nothing to watch: " + proc.resolve("meminfo") + " does not say what is available"));
            return 1;
        }
        while (!out.checkError()) {
            watch.look(System.nanoTime() / 1_000_000);
            try {
                Thread.sleep(milliseconds);
            } catch (InterruptedException e) {
                return 0;
            }
        }
        return 0;
    }
}
