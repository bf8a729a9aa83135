package upa.tools.top;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntFunction;
import org.apache.commons.cli.CommandLine;
import org.apache.commons.cli.DefaultParser;
import org.apache.commons.cli.Option;
import org.apache.commons.cli.Options;
import org.apache.commons.cli.ParseException;
import upa.measure.OneLine;
import upa.pager.live.PagerCommand;
import upa.tools.top.TopException.Reason;

/**
 * {@code upa top}: running programs under UPA, live on a terminal, else a table at each interval.
 *
 * <p>Exit status: 0 done, 1 there is no such process, it does not run under UPA or may not be read, 2 the command line
 * is wrong.
 */
public final class Main {

    private static final List<String> USAGE = List.of(
            "usage: ./upa top [--once] [--interval SECONDS] [PID|all]",
            "",
            "Running programs under UPA (all that may be read, or one), the busiest first. q ends it.",
            "",
            "  --once               one table, of one interval; for scripts",
            "  --interval SECONDS   between two looks, 0.1 to 3600 (1)",
            "",
            "  REQUESTS/s  mmap and munmap served, mmap passed on, brk, purges served",
            "  SERVED      of the mmap calls, how many UPA served; since the program's start if there was none",
            "  LIVE        in use, of the region and the heap; RESIDENT: what the kernel counts",
            "  KEPT        free and populated; RECLAIMABLE: of that, what the kernel may take by itself",
            "  KERNEL, ORDERS, AGENT",
            "              what was taken of KEPT since the start: by the kernel, on orders of others, by the program's"
                    + " own agent",
            "  CLEARED/s   pages handed out populated, hence cleared, each a page fault spared; PURGED/s: pages"
                    + " purged in place",
            "  FAULTS/s    minor page faults of the process; GIVEN/s: pages given back to the kernel",
            "  PAGED       programs under ./upa run --policy: policy, bound, resident and stored memory",
            "",
            "The output is a table at each interval if it does not go to a terminal.");

    private static final Options OPTIONS = new Options()
            .addOption(Option.builder().longOpt("once").get())
            .addOption(Option.builder().longOpt("interval").hasArg().get())
            .addOption(Option.builder("h").longOpt("help").get());

    private static final double LEAST_INTERVAL = 0.1;
    private static final double MOST_INTERVAL = 3600;
    private static final long DEFAULT_INTERVAL_MS = 1000;

    private final Processes processes;
    private final IntFunction<String> pagers;
    private final PrintStream out;
    private final PrintStream err;
    private final boolean terminal;

    /** What pagers say of a process, or of all. */
    Main(Processes processes, IntFunction<String> pagers, PrintStream out, PrintStream err, boolean terminal) {
        this.processes = processes;
        this.pagers = pagers;
        this.out = out;
        this.err = err;
        this.terminal = terminal;
    }

    /**
     * Runs the command and exits.
     *
     * @param arguments its command line
     */
    public static void main(String[] arguments) {
        boolean terminal = System.console() != null && System.console().isTerminal();
        System.exit(new Main(new Processes(Path.of("/proc")), PagerCommand::status, System.out, System.err, terminal)
                .run(arguments));
    }

    int run(String... arguments) {
        CommandLine line;
        long interval = DEFAULT_INTERVAL_MS;
        long pid;
        try {
            line = new DefaultParser(false).parse(OPTIONS, arguments);
            if (line.getArgList().size() > 1) {
                throw new ParseException(
                        "one process or all, got argument=" + line.getArgList().get(1));
            }
            if (line.hasOption("interval")) {
                interval = Arguments.interval(line.getOptionValue("interval"), LEAST_INTERVAL, MOST_INTERVAL);
            }
            pid = Arguments.process(line.getArgList());
        } catch (ParseException e) {
            err.println(OneLine.of("upa: top: " + e.getMessage() + ": see ./upa top --help"));
            return 2;
        }
        if (line.hasOption("help")) {
            USAGE.forEach(out::println);
            return 0;
        }
        try {
            return show(pid, interval, line.hasOption("once"));
        } catch (TopException e) {
            err.println(OneLine.of("upa: " + e.getMessage()));
            return 1;
        } catch (IOException e) {
            err.println(OneLine.of("upa: the terminal cannot be used: " + e.getMessage() + ": try --once"));
            return 1;
        }
    }

    private List<Sample> look(long pid) throws TopException {
        return pid == Arguments.ALL ? processes.all() : List.of(processes.read(pid));
    }

    private int show(long pid, long milliseconds, boolean once) throws TopException, IOException {
        List<Sample> before = look(pid);
        if (once && before.isEmpty()) {
            throw new TopException(Reason.GONE, "no process runs under UPA, or none that may be read");
        }
        if (terminal && !once) {
            live(pid, milliseconds, before);
            return 0;
        }
        do {
            if (!sleep(milliseconds)) {
                return 0;
            }
            List<Sample> now;
            try {
                now = look(pid);
            } catch (TopException e) {
                if (once || e.reason() != Reason.GONE) {
                    throw e;
                }
                // It has been shown, and has ended.
                return 0;
            }
            TopTable.lines(rows(before, now)).forEach(out::println);
            paged(pid).forEach(out::println);
            out.flush();
            before = now;
        } while (!once && !out.checkError());
        return 0;
    }

    private void live(long pid, long milliseconds, List<Sample> first) throws TopException, IOException {
        List<Sample> before = List.of();
        List<Sample> now = first;
        try (Screen screen = new Screen()) {
            do {
                List<String> lines = new ArrayList<>();
                lines.add("upa top: " + (pid == Arguments.ALL ? now.size() + " running under UPA" : "process " + pid)
                        + ", every " + milliseconds / 1000.0 + " s; q ends it");
                lines.add("");
                lines.addAll(TopTable.lines(rows(before, now)));
                lines.addAll(paged(pid));
                screen.show(lines);
                if (screen.wantsToEnd(milliseconds)) {
                    return;
                }
                before = now;
                now = look(pid);
            } while (true);
        } catch (TopException e) {
            throw e.reason() == Reason.GONE ? new TopException(Reason.GONE, "process=" + pid + " has ended") : e;
        }
    }

    /** Those that a pager of this user holds within a bound: their policy, bound, and what is where. */
    private List<String> paged(long pid) {
        List<String> lines =
                new ArrayList<>(pagers.apply(Math.toIntExact(pid)).lines().toList());
        if (!lines.isEmpty()) {
            lines.addAll(0, List.of("", "     PID  PAGED"));
        }
        return lines;
    }

    private static boolean sleep(long milliseconds) {
        try {
            Thread.sleep(milliseconds);
            return true;
        } catch (InterruptedException e) {
            return false;
        }
    }

    private static List<Row> rows(List<Sample> before, List<Sample> now) {
        Map<Long, Sample> known = new HashMap<>();
        before.forEach(s -> known.put(s.pid(), s));
        return now.stream()
                .map(s -> {
                    Sample was = known.get(s.pid());
                    return was != null && was.started() == s.started() ? Row.between(was, s) : Row.first(s);
                })
                .toList();
    }
}
