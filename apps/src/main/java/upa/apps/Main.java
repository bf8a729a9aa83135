package upa.apps;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.commons.cli.CommandLine;
import org.apache.commons.cli.DefaultParser;
import org.apache.commons.cli.Option;
import org.apache.commons.cli.Options;
import org.apache.commons.cli.ParseException;
import upa.bench.BenchException;
import upa.bench.CommandLines;
import upa.bench.CtrlC;
import upa.bench.Driver;
import upa.bench.Machine;
import upa.bench.ReportBuilder;
import upa.bench.report.Report;
import upa.bench.report.TextReport;
import upa.bench.report.Units;

/**
 * {@code upa apps}: measures real programs under UPA and under other allocators, and reports.
 *
 * <p>Exit status: 0 all done, 1 a contestant failed or nothing was measured, 2 the command line is wrong, 130 cut short.
 */
public final class Main {

    private static final int ROUNDS = 3;
    private static final int FULL_ROUNDS = 7;
    private static final int MOST_ROUNDS = 1000;
    private static final long GIB = 1L << 30;
    private static final long HOLD = 4 * GIB;
    private static final int INTERRUPTED = 130;
    private static final double BUSY = 0.7;

    private static final Options OPTIONS = new Options()
            .addOption(Option.builder()
                    .longOpt("only")
                    .hasArg()
                    .argName("A,B,...")
                    .desc("only these workloads; list names them")
                    .get())
            .addOption(Option.builder()
                    .longOpt("contestants")
                    .hasArg()
                    .argName("A,B,...")
                    .desc("only these, besides glibc; also main (the default: glibc, the allocators that keep all memory,"
                            + " upa), pairs (each allocator with and without UPA) or all")
                    .get())
            .addOption(Option.builder()
                    .longOpt("rounds")
                    .hasArg()
                    .argName("N|N..M")
                    .desc("repetitions (3; --full: 7; --quick: 1); 3..9: three of all, up to nine of those whose speed over glibc (over"
                            + " the same allocator without UPA) is not yet known to 4 % or to its distance from 1")
                    .get())
            .addOption(Option.builder()
                    .longOpt("full")
                    .desc("all contestants, 7 rounds: hours")
                    .get())
            .addOption(Option.builder()
                    .longOpt("quick")
                    .desc("one round of glibc, glibc-tuned and upa, without profiles: a glance, no intervals")
                    .get())
            .addOption(Option.builder()
                    .longOpt("resume")
                    .desc("go on with the run whose results are in the folder, which was cut short")
                    .get())
            .addOption(Option.builder()
                    .longOpt("seed")
                    .hasArg()
                    .argName("N")
                    .desc("of the order of runs (1)")
                    .get())
            .addOption(Option.builder()
                    .longOpt("no-profile")
                    .desc("do not profile (the kernel's work on memory under glibc and upa, the pages asked for: three more runs)")
                    .get())
            .addOption(Option.builder()
                    .longOpt("no-warm")
                    .desc("do not make memory host-warm first")
                    .get())
            .addOption(Option.builder()
                    .longOpt("out")
                    .hasArg()
                    .argName("DIR")
                    .desc("folder of the results (build/apps/results)")
                    .get())
            .addOption(Option.builder()
                    .longOpt("workloads")
                    .hasArg()
                    .argName("DIR")
                    .desc("folder of the workloads (apps/workloads)")
                    .get())
            .addOption(Option.builder().longOpt("help").desc("this text").get());

    private final PrintStream out;
    private final PrintStream err;
    private final Machine machine;
    private final boolean terminal;
    private final Path root;

    /** A program that talks to these streams, about the project in this folder. */
    Main(PrintStream out, PrintStream err, Machine machine, boolean terminal, Path root) {
        this.out = out;
        this.err = err;
        this.machine = machine;
        this.terminal = terminal;
        this.root = root;
    }

    /**
     * The entry point.
     *
     * @param args the command line
     */
    public static void main(String[] args) {
        boolean terminal = System.console() != null && System.console().isTerminal();
        Path root = Path.of(System.getProperty("upa.root", "."));
        System.exit(new Main(System.out, System.err, new Machine(Path.of("/")), terminal, root).run(args));
    }

    /** Runs a command line and returns the exit status. */
    int run(String... args) {
        try {
            CommandLine line = new DefaultParser(false).parse(OPTIONS, args);
            List<String> words = line.getArgList();
            if (line.hasOption("help")) {
                CommandLines.help(
                        out,
                        "./upa apps [option...] | ./upa apps list",
                        "Measures real programs with their memory from UPA, and under the allocators people would otherwise"
                                + " pick. Without options: all workloads, the main contestants, 3 rounds: about twenty minutes.",
                        OPTIONS);
                return 0;
            }
            if (words.equals(List.of("list"))) {
                list(line);
                return 0;
            }
            if (!words.isEmpty()) {
                throw BenchException.usage("argument=" + words.getFirst() + " is not understood");
            }
            return measure(settings(line), line);
        } catch (ParseException e) {
            return CommandLines.complain(err, "upa apps", BenchException.usage(e.getMessage()));
        } catch (BenchException e) {
            return CommandLines.complain(err, "upa apps", e);
        }
    }

    private void list(CommandLine line) throws BenchException {
        out.println("Workloads (* page allocation is expected to matter):");
        for (Workload workload : WorkloadFile.all(folder(line))) {
            out.printf(
                    "  %-20s %-8s %s %s%n",
                    workload.name(), workload.kind().id(), workload.pageAllocationMatters() ? "*" : " ", workload.title());
        }
        out.println("Contestants (* part of the default):");
        for (Contestant contestant : Contestant.all()) {
            out.printf(
                    "  %-20s %s %s%s%n",
                    contestant.name(),
                    Contestant.MAIN.contains(contestant.name()) ? "*" : " ",
                    contestant.description(),
                    contestant.missing(libraries()).map(m -> " (" + m + ")").orElse(""));
        }
    }

    // Command line

    private Path libraries() {
        return Path.of(System.getProperty("upa.library.path", "build/release/lib"));
    }

    private Path folder(CommandLine line) {
        return Path.of(line.getOptionValue("workloads", root.resolve("apps/workloads").toString()));
    }

    private Settings settings(CommandLine line) throws BenchException {
        boolean full = line.hasOption("full");
        boolean quick = line.hasOption("quick");
        if (full && quick) {
            throw BenchException.usage("--full and --quick exclude each other");
        }
        List<Workload> workloads = WorkloadFile.all(folder(line));
        if (line.hasOption("only")) {
            workloads = choose(workloads, CommandLines.list(line, "only"));
        }
        if (workloads.isEmpty()) {
            throw BenchException.failure("no workloads: folder=" + folder(line));
        }
        Set<String> names = full
                ? names("all")
                : quick ? new LinkedHashSet<>(List.of(Contestant.BASE, "glibc-tuned", Contestant.UPA)) : names("main");
        if (line.hasOption("contestants")) {
            names = new LinkedHashSet<>(List.of(Contestant.BASE));
            for (String word : CommandLines.list(line, "contestants")) {
                names.addAll(names(word));
            }
        }
        Set<String> chosen = names;
        int[] rounds = rounds(line.getOptionValue("rounds", Integer.toString(full ? FULL_ROUNDS : quick ? 1 : ROUNDS)));
        long seed = line.hasOption("seed") ? CommandLines.number("seed", line.getOptionValue("seed"), 0, Long.MAX_VALUE / 2) : 1;
        Path work = root.resolve("build/apps");
        return new Settings(
                workloads,
                Contestant.all().stream().filter(c -> chosen.contains(c.name())).toList(),
                rounds[0],
                rounds[1],
                seed,
                line.hasOption("no-warm") ? 0 : Math.min(HOLD, machine.availableMemory() / 4),
                !quick && !line.hasOption("no-profile"),
                line.hasOption("resume"),
                Path.of(line.getOptionValue("out", work.resolve("results").toString())),
                libraries().resolveSibling("bin"),
                libraries(),
                work);
    }

    /** N, or N..M: the least and the most. */
    private static int[] rounds(String text) throws BenchException {
        String[] ends = text.split("\\.\\.", 2);
        if (ends.length == 1) {
            int rounds = (int) CommandLines.number("rounds", text, 1, MOST_ROUNDS);
            return new int[] {rounds, rounds};
        }
        // Fewer than 3 say next to nothing of the noise.
        int least = (int) CommandLines.number("rounds=" + text + ": the least", ends[0], ROUNDS, MOST_ROUNDS);
        return new int[] {least, (int) CommandLines.number("rounds=" + text + ": the most", ends[1], least, MOST_ROUNDS)};
    }

    private static Set<String> names(String word) throws BenchException {
        Set<String> all = new LinkedHashSet<>(
                Contestant.all().stream().map(Contestant::name).toList());
        return switch (word) {
            case "all" -> all;
            case "main" -> Contestant.MAIN;
            case "pairs" -> {
                Set<String> names = new LinkedHashSet<>(Contestant.PAIRS.keySet());
                names.addAll(Contestant.PAIRS.values());
                yield names;
            }
            default -> {
                if (!all.contains(word)) {
                    throw BenchException.usage("contestant=" + word + " does not exist: ./upa apps list names them");
                }
                yield Set.of(word);
            }
        };
    }

    private static List<Workload> choose(List<Workload> all, List<String> names) throws BenchException {
        for (String name : names) {
            if (all.stream().noneMatch(w -> w.name().equals(name))) {
                throw BenchException.usage("workload=" + name + " does not exist: ./upa apps list names them");
            }
        }
        return all.stream().filter(w -> names.contains(w.name())).toList();
    }

    // The run

    /** Two at once would measure each other, and share the folder of the running program. */
    private int measure(Settings settings, CommandLine line) throws BenchException {
        Path file = settings.work().resolve("lock");
        try {
            Files.createDirectories(settings.work());
            try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                    FileLock lock = channel.tryLock()) {
                if (lock == null) {
                    throw running(file);
                }
                return measureAlone(settings, line);
            }
        } catch (OverlappingFileLockException e) {
            throw running(file);
        } catch (IOException e) {
            throw BenchException.failure("cannot lock file=" + file + ": " + CommandLines.reason(e));
        }
    }

    private static BenchException running(Path lock) {
        return BenchException.failure("another ./upa apps is running: file=" + lock + " is locked: wait for its end");
    }

    private int measureAlone(Settings settings, CommandLine line) throws BenchException {
        CommandLines.makeFolder(settings.out());
        Map<String, String> facts = machine.facts();
        List<String> notes = new ArrayList<>();
        if (machine.load() > BUSY) {
            notes.add("Others were using this machine when the run began (load " + Units.digits(machine.load())
                    + "): intervals are wide.");
        }
        ReportBuilder.fewRounds(settings.rounds()).ifPresent(notes::add);
        long start = System.nanoTime();
        Measurer measurer = new Measurer(settings);
        Preparation preparation = new Preparation(settings, machine, err);
        Runner runner = new Runner(settings, measurer, err, terminal);
        Runnable stop = () -> {
            preparation.stop();
            runner.stop();
        };
        try (Driver driver = new Driver(settings.tools().resolve("upa-driver")); var _ = new CtrlC(stop)) {
            List<Contestant> contestants = contestants(settings, measurer, line, notes);
            List<Workload> workloads = ready(settings, preparation, runner, notes);
            String warmth = driver.warm(settings.hold(), err, "upa apps");
            if (!runner.isStopped() && !workloads.isEmpty()) {
                err.println("upa apps: " + Units.count(workloads.size(), "program") + ", "
                        + Units.count(contestants.size(), "contestant") + ", " + rounds(settings) + "; Ctrl-C ends it early, reports what there is, and --resume goes on");
                runner.run(workloads, contestants);
            }
            Profiler profiler = new Profiler(settings, measurer, err, terminal);
            if (settings.profile() && !runner.isStopped()) {
                profiler.run(workloads, contestants, runner::isStopped);
                profiler.problem().ifPresent(notes::add);
            }
            boolean stopped = runner.isStopped();
            if (stopped) {
                notes.add("The run was cut short; ./upa apps --resume goes on with it.");
            }
            Results results = new Results(settings.workloads(), runner.runs());
            List<Run> failures = runner.runs().stream().filter(r -> !r.isGood()).toList();
            failures.stream()
                    .map(r -> "Failed: " + r.contestant() + " at " + r.workload() + ": " + r.problem())
                    .distinct()
                    .forEach(notes::add);
            if (results.runs().isEmpty()) {
                throw BenchException.failure("nothing was measured");
            }
            Map<String, String> method = AppsReport.method(settings, warmth, System.nanoTime() - start, machine.load());
            Mallocs mallocs = new Mallocs(new Commands(settings.work().resolve("mallocs")));
            Report report = AppsReport.build(results, contestants, profiler, mallocs, settings.libraries(), facts, method, notes);
            out.print(new TextReport(terminal).format(report));
            DataFiles.write(settings.out(), report, results, profiler, facts, method);
            out.println("\nReport with charts: " + settings.out().resolve("report.html"));
            out.println("Data: " + settings.out().resolve("results.csv") + ", " + settings.out().resolve("results.json"));
            return stopped ? INTERRUPTED : failures.isEmpty() ? 0 : BenchException.FAILURE;
        }
    }

    private static String rounds(Settings settings) {
        return settings.mostRounds() > settings.rounds()
                ? settings.rounds() + " to " + Units.count(settings.mostRounds(), "round")
                : Units.count(settings.rounds(), "round");
    }

    /** Those that can take part. One that was asked for by name and cannot is an error; else it is left out with a line. */
    private List<Contestant> contestants(Settings settings, Measurer measurer, CommandLine line, List<String> notes)
            throws BenchException {
        List<Contestant> able = new ArrayList<>();
        Set<String> named = line.hasOption("contestants") ? Set.copyOf(CommandLines.list(line, "contestants")) : Set.of();
        for (Contestant contestant : settings.contestants()) {
            Optional<String> problem = contestant.missing(settings.libraries());
            if (problem.isEmpty()) {
                problem = measurer.preloadProblem(contestant);
            }
            if (problem.isEmpty()) {
                able.add(contestant);
            } else if (named.contains(contestant.name()) || contestant.name().equals(Contestant.BASE)) {
                throw BenchException.failure("contestant=" + contestant.name() + " cannot take part: " + problem.get());
            } else {
                String text = "contestant=" + contestant.name() + " is left out: " + problem.get();
                err.println("upa apps: " + text);
                notes.add(text);
            }
        }
        return able;
    }

    private List<Workload> ready(Settings settings, Preparation preparation, Runner runner, List<String> notes)
            throws BenchException {
        List<Workload> ready = new ArrayList<>();
        preparation.install();
        for (Workload workload : settings.workloads()) {
            if (runner.isStopped()) {
                break;
            }
            Optional<String> problem = preparation.problem(workload);
            if (problem.isEmpty()) {
                ready.add(workload);
            } else if (!runner.isStopped()) {
                String text = "workload=" + workload.name() + " is left out: " + problem.get();
                err.println("upa apps: " + text);
                notes.add(text);
            }
        }
        return ready;
    }
}
