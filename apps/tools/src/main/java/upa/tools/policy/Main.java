package upa.tools.policy;

import java.io.BufferedOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import upa.measure.OneLine;
import upa.pager.host.Policies;
import upa.pager.host.PolicySpec;
import upa.pager.live.PagerCommand;
import upa.pager.live.PagerException;
import upa.pager.simulate.TraceException;
import upa.policy.PolicyException;
import upa.policy.PolicyInfo;

/**
 * {@code upa policy}.
 *
 * <p>Exit status: 0 done, 1 a file cannot be read or written or a policy failed, 2 the command line is wrong.
 */
public final class Main {
    private static final List<String> USAGE = List.of(
            "usage: ./upa policy COMMAND [ARGUMENT...]",
            "",
            "  list                   the policies there are, and their options",
            "  simulate TRACE [--policy A,B] [--memory 50%] [--evidence accesses|faults] [--staging 2%] [--batch 64]",
            "                         how policies do on recorded accesses, beside Belady's bound",
            "  new NAME [--in FOLDER] a Maven project for a policy of your own: it builds, is tested, and runs",
            "  status [PID]           processes under ./upa run --policy: their policy, bound and memory",
            "  stats PID              what its pages did, and what the stores hold",
            "  set PID NAME[,...]     other policies for it, from now on",
            "  move PID --from STORE --to STORE",
            "                         all its pages in one store to another, while it runs",
            "  limit PID [--memory SIZE] [--rate SIZE|none]",
            "                         another bound for it; most that goes from store to store in a second",
            "  share --memory SIZE [PID=SHARE...] [--once]",
            "                         holds all of them together within it, by shares and by need, until Ctrl-C",
            "  record [PID] FILE [--seconds 10] [--stacks FILE]",
            "                         what happens to its pages: a trace for simulate, and for report; without PID,",
            "                         of the only process there is; with --stacks also where its threads wait for",
            "                         pages: sampled stacks, collapsed as for flame graphs",
            "  report FILE [--stacks FILE] [--html PAGE]",
            "                         what a recording shows: memory, hot and cold by address and time, working set,",
            "                         how long faults take, where threads wait; with charts on a page",
            "",
            "A policy is NAME[,key=value...], or file.jar:class; several beside each other are joined by +, as in",
            "stride+s3-fifo. It can also be a rule: 'when age>30s and not written: move to compressed; quota 64MiB/s'.",
            "TRACE has a page number or 0x-address in each line, rows as 'START COUNT', or what",
            "'valgrind --tool=lackey --trace-mem=yes PROGRAM' prints; compressed by gzip or not. --memory takes pages",
            "of 4 KiB as 64M, or a part of the pages accessed; several by commas. Give --policy several times"
                    + " for rules.");

    private Main() {}

    /**
     * Runs the command and exits.
     *
     * @param arguments its command line
     */
    public static void main(String[] arguments) {
        try (PrintStream out = new PrintStream(
                new BufferedOutputStream(new FileOutputStream(FileDescriptor.out)), false, StandardCharsets.UTF_8)) {
            int status = run(arguments, out, System.err);
            out.flush();
            System.exit(status);
        }
    }

    static int run(String[] arguments, PrintStream out, PrintStream err) {
        String command = arguments.length == 0 ? "" : arguments[0];
        String[] rest = arguments.length == 0 ? arguments : Arrays.copyOfRange(arguments, 1, arguments.length);
        if (rest.length > 0 && (rest[0].equals("-h") || rest[0].equals("--help"))) {
            USAGE.forEach(out::println);
            return 0;
        }
        try {
            switch (command) {
                case "-h", "--help" -> USAGE.forEach(out::println);
                case "list" -> list(rest, out);
                case "simulate" -> {
                    return SimulateCommand.parse(rest).run(out, err);
                }
                case "new" ->
                    NewCommand.parse(rest, Path.of(System.getProperty("upa.root", ".")))
                            .run(out);
                case "status" -> {
                    return status(rest, out, err);
                }
                case "stats" -> out.print(PagerCommand.ask(pid(rest, 1, "stats PID"), "stats", ""));
                case "set" -> PagerCommand.ask(pid(rest, 2, "set PID NAME[,key=value...]"), "set", spec(rest[1]));
                case "move" -> out.print(MoveCommand.parse(rest).run());
                case "record" ->
                    out.print(RecordCommand.parse(rest, Path.of(System.getProperty("upa.root", ".")))
                            .run());
                case "report" -> ReportCommand.parse(rest).run(out);
                case "limit" -> LimitCommand.parse(rest).run();
                case "share" -> ShareCommand.parse(rest).run(out);
                case "serve" -> ServeCommand.parse(rest).run();
                case "" -> throw new UsageException("no command given");
                default -> throw new UsageException("there is no command=" + command);
            }
            return 0;
        } catch (UsageException e) {
            err.println(OneLine.of("upa: policy: " + e.getMessage() + ": see ./upa policy --help"));
            return 2;
        } catch (InvalidPathException e) {
            err.println(OneLine.of("upa: policy: no file can be named so in this locale: name=" + e.getInput()));
            return 2;
        } catch (PolicyException | TraceException | ProjectException | PagerException e) {
            err.println(OneLine.of("upa: " + e.getMessage()));
            return 1;
        }
    }

    private static int pid(String[] rest, int count, String needs) throws UsageException {
        if (rest.length != count) {
            throw new UsageException("the command is: " + needs + "; got arguments=" + rest.length);
        }
        return pid(rest[0]);
    }

    static int pid(String text) throws UsageException {
        if (!text.matches("[1-9][0-9]{0,8}")) {
            throw new UsageException("a process has a number, got pid=" + text);
        }
        return Integer.parseInt(text);
    }

    private static String spec(String text) throws UsageException {
        try {
            return PolicySpec.parse(text).in(Path.of("").toAbsolutePath()).text();
        } catch (PolicyException e) {
            throw new UsageException(e.getMessage());
        }
    }

    private static int status(String[] rest, PrintStream out, PrintStream err) throws UsageException, PagerException {
        int pid = rest.length == 0 ? 0 : pid(rest, 1, "status [PID]");
        List<Path> silent = new ArrayList<>();
        String text = PagerCommand.status(pid, silent::add);
        if (!silent.isEmpty() && (pid == 0 || text.isEmpty())) {
            out.print(text);
            err.println(OneLine.of("upa: a pager does not answer, as one that is stopped: socket="
                    + String.join(", ", silent.stream().map(Path::toString).toList())));
            return 1;
        }
        if (text.isEmpty() && pid != 0) {
            throw new PagerException("no pager of this user has pid=" + pid
                    + ": it is gone, or was not started with ./upa run --policy");
        }
        out.print(text.isEmpty() ? "no process of this user is paged\n" : text);
        return 0;
    }

    private static void list(String[] rest, PrintStream out) throws UsageException {
        if (rest.length > 0) {
            throw new UsageException("list takes no argument, got argument=" + rest[0]);
        }
        int width =
                Policies.list().stream().mapToInt(p -> p.name().length()).max().orElse(0);
        for (PolicyInfo policy : Policies.list()) {
            out.println(policy.name() + " ".repeat(width - policy.name().length() + 2) + policy.summary());
            for (String option : policy.options()) {
                out.println(" ".repeat(width + 4) + option);
            }
        }
    }
}
