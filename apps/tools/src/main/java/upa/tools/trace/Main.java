package upa.tools.trace;

import java.io.BufferedOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.List;
import org.apache.commons.cli.CommandLine;
import org.apache.commons.cli.DefaultParser;
import org.apache.commons.cli.Option;
import org.apache.commons.cli.Options;
import org.apache.commons.cli.ParseException;
import upa.measure.OneLine;

/**
 * {@code upa trace}: what traces say of the programs that made them.
 *
 * <p>Exit status: 0 done, 1 a file cannot be read as a trace, 2 the command line is wrong.
 */
public final class Main {

    private static final List<String> USAGE = List.of(
            "usage: ./upa trace [--records] FILE...",
            "",
            "What a trace says of the program: its requests, their sizes and lifetimes, how much of what it"
                    + " asked for it had freed before.",
            "./upa run --trace FILE records one. ./upa bench --sampler trace:FILE replays it against every allocator.",
            "",
            "  --records   every record instead: number, nanoseconds, thread, kind, address, bytes, protection"
                    + " or advice or flags, outcome");

    private static final Options OPTIONS = new Options()
            .addOption(Option.builder().longOpt("records").get())
            .addOption(Option.builder("h").longOpt("help").get());

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
        CommandLine line;
        try {
            line = new DefaultParser(false).parse(OPTIONS, arguments);
        } catch (ParseException e) {
            err.println(OneLine.of("upa: trace: " + e.getMessage() + ": see ./upa trace --help"));
            return 2;
        }
        if (line.hasOption("help")) {
            USAGE.forEach(out::println);
            return 0;
        }
        if (line.getArgList().isEmpty()) {
            err.println("upa: trace needs a file: ./upa trace FILE");
            return 2;
        }
        boolean records = line.hasOption("records");
        boolean first = true;
        int status = 0;
        for (String file : line.getArgList()) {
            if (!first) {
                out.println();
            }
            first = false;
            try (Trace trace = Trace.open(Path.of(file))) {
                if (records) {
                    trace.forEach(r -> out.println(TraceText.record(r)));
                } else {
                    TraceText.summary(TraceSummary.of(trace)).forEach(out::println);
                }
            } catch (TraceException e) {
                err.println(OneLine.of("upa: " + e.getMessage()));
                status = 1;
            } catch (InvalidPathException e) {
                err.println(OneLine.of("upa: cannot read trace file=" + e.getInput() + ": " + e.getReason()));
                status = 1;
            }
        }
        return status;
    }
}
