package upa.bench;

import java.io.PrintStream;
import java.nio.file.Path;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.commons.cli.CommandLine;
import org.apache.commons.cli.DefaultParser;
import org.apache.commons.cli.Option;
import org.apache.commons.cli.Options;
import org.apache.commons.cli.ParseException;
import upa.bench.report.Report;
import upa.bench.report.TextReport;
import upa.bench.report.Units;

/**
 * {@code upa bench}: measures page allocation and malloc, and reports.
 *
 * <p>Exit status: 0 all done, 1 something failed or the run was cut short, 2 the command line is wrong.
 */
public final class Main {

    private static final int QUICK_ROUNDS = 5;
    private static final int FULL_ROUNDS = 15;
    private static final long QUICK_HOLD = 4 * Plan.GIB;
    private static final long FULL_HOLD = 8 * Plan.GIB;
    private static final long LARGEST = Plan.GIB;
    private static final int INTERRUPTED = 130;
    private static final double BUSY = 0.7;
    private static final List<String> SAMPLERS = List.of("douglas", "log-uniform");

    private static final Options OPTIONS = new Options()
            .addOption(Option.builder()
                    .longOpt("full")
                    .desc("measure everything, with 15 rounds: about two hours")
                    .get())
            .addOption(Option.builder()
                    .longOpt("experiment")
                    .hasArg()
                    .argName("A,B,...")
                    .desc("only these, by letter or name: " + Experiment.names())
                    .get())
            .addOption(Option.builder()
                    .longOpt("sampler")
                    .hasArg()
                    .argName("A,B,...")
                    .desc("sizes of the Monte-Carlo ring: douglas, log-uniform or fixed:SIZE; or trace:FILE, a program's own"
                            + " requests (./upa run --trace FILE)")
                    .get())
            .addOption(Option.builder()
                    .longOpt("contestants")
                    .hasArg()
                    .argName("A,B,...")
                    .desc("only these; --list names them")
                    .get())
            .addOption(Option.builder()
                    .longOpt("malloc")
                    .hasArg()
                    .argName("NAME=FILE")
                    .desc("one more malloc, from a shared library; may be repeated")
                    .get())
            .addOption(Option.builder()
                    .longOpt("rounds")
                    .hasArg()
                    .argName("N")
                    .desc("repetitions (5; --full: 15)")
                    .get())
            .addOption(Option.builder()
                    .longOpt("seed")
                    .hasArg()
                    .argName("N")
                    .desc("of sizes and of the order of jobs (1)")
                    .get())
            .addOption(Option.builder()
                    .longOpt("largest")
                    .hasArg()
                    .argName("SIZE")
                    .desc("largest block, such as 64M (1G)")
                    .get())
            .addOption(Option.builder()
                    .longOpt("no-warm")
                    .desc("do not make memory host-warm first")
                    .get())
            .addOption(Option.builder()
                    .longOpt("jmh")
                    .desc("run the JMH benchmarks of the Java API as well (part of --full)")
                    .get())
            .addOption(Option.builder()
                    .longOpt("out")
                    .hasArg()
                    .argName("DIR")
                    .desc("folder of the results (build/bench)")
                    .get())
            .addOption(Option.builder()
                    .longOpt("driver")
                    .hasArg()
                    .argName("FILE")
                    .desc("the C driver (build/release/bin/upa-driver)")
                    .get())
            .addOption(Option.builder()
                    .longOpt("list")
                    .desc("list experiments and contestants, and measure nothing")
                    .get())
            .addOption(Option.builder().longOpt("help").desc("this text").get());

    private final PrintStream out;
    private final PrintStream err;
    private final Machine machine;
    private final boolean terminal;

    /** A program that talks to these streams. */
    Main(PrintStream out, PrintStream err, Machine machine, boolean terminal) {
        this.out = out;
        this.err = err;
        this.machine = machine;
        this.terminal = terminal;
    }

    /**
     * The entry point.
     *
     * @param args the command line
     */
    public static void main(String[] args) {
        boolean terminal = System.console() != null && System.console().isTerminal();
        int status = new Main(System.out, System.err, new Machine(Path.of("/")), terminal).run(args);
        System.exit(status);
    }

    /** Runs a command line and returns the exit status. */
    int run(String... args) {
        try {
            CommandLine line = new DefaultParser(false).parse(OPTIONS, args);
            if (!line.getArgList().isEmpty()) {
                throw BenchException.usage("argument=" + line.getArgList().getFirst() + " is not understood");
            }
            if (line.hasOption("help")) {
                CommandLines.help(
                        out,
                        "./upa bench [option...]",
                        "Measures what page allocations cost through the kernel and through UPA, and malloc on either."
                                + " Without options: a selection that takes about two minutes.",
                        OPTIONS);
                return 0;
            }
            if (line.hasOption("list")) {
                list();
                return 0;
            }
            return bench(settings(line));
        } catch (ParseException e) {
            return CommandLines.complain(err, "upa bench", BenchException.usage(e.getMessage()));
        } catch (BenchException e) {
            return CommandLines.complain(err, "upa bench", e);
        }
    }

    private void list() {
        out.println("Experiments:");
        for (Experiment experiment : Experiment.values()) {
            out.printf("  %s  %-10s %s%n", experiment.letter(), experiment.id(), experiment.title());
        }
        out.println("Contestants:");
        for (Contestant contestant : Contestant.all()) {
            out.printf(
                    "  %-24s %s%s%n",
                    contestant.name(), contestant.description(), contestant.isInstalled() ? "" : missing(contestant));
        }
    }

    private static String missing(Contestant contestant) {
        return " (" + contestant.missing() + ")";
    }

    // Command line

    private Settings settings(CommandLine line) throws BenchException {
        boolean full = line.hasOption("full");
        List<Contestant> contestants = Contestant.all();
        for (String own : values(line, "malloc")) {
            String[] parts = own.split("=", 2);
            if (parts.length < 2 || parts[0].isEmpty() || !java.nio.file.Files.isReadable(Path.of(parts[1]))) {
                throw BenchException.usage("malloc=" + own + ": must be a name and a readable file, as in NAME=FILE");
            }
            if (contestants.stream().anyMatch(c -> c.name().equals(parts[0]))) {
                throw BenchException.usage("malloc=" + own + ": there is a contestant of that name, choose another");
            }
            contestants.add(Contestant.ofLibrary(parts[0], Path.of(parts[1])));
        }

        if (line.hasOption("contestants")) {
            contestants = choose(contestants, CommandLines.list(line, "contestants"));
        }
        Set<Experiment> experiments = EnumSet.allOf(Experiment.class);
        if (line.hasOption("experiment")) {
            experiments = EnumSet.noneOf(Experiment.class);
            for (String name : CommandLines.list(line, "experiment")) {
                experiments.add(Experiment.find(name)
                        .orElseThrow(() -> BenchException.usage(
                                "experiment=" + name + " does not exist: choose from " + Experiment.names())));
            }
        }
        List<String> samplers =
                line.hasOption("sampler") ? CommandLines.list(line, "sampler") : full ? SAMPLERS : SAMPLERS.subList(0, 1);
        for (String sampler : samplers) {
            if (Plan.isTrace(sampler)) {
                if (!java.nio.file.Files.isReadable(Path.of(sampler.substring(Plan.TRACE_PREFIX.length())))) {
                    throw BenchException.failure("sampler=" + sampler + ": the file cannot be read");
                }
            } else if (!SAMPLERS.contains(sampler) && !sampler.matches("fixed:[1-9][0-9]*[KMG]?")) {
                throw BenchException.usage("sampler=" + sampler
                        + " does not exist: choose from douglas, log-uniform, fixed:SIZE and trace:FILE");
            }
        }
        boolean traces = samplers.stream().anyMatch(Plan::isTrace);
        if (!line.hasOption("experiment") && samplers.stream().allMatch(Plan::isTrace)) {
            experiments = EnumSet.of(Experiment.REPLAY);
        } else if (line.hasOption("experiment") && experiments.contains(Experiment.REPLAY) && !traces) {
            throw BenchException.usage("experiment=replay needs a trace: --sampler trace:FILE");
        }
        long largest = line.hasOption("largest") ? size("largest", line.getOptionValue("largest")) : LARGEST;
        long available = machine.availableMemory();
        if (available < Plan.MEMORY_NEEDED && full) {
            throw BenchException.failure("too little memory for --full: available=" + Units.bytes(available)
                    + " needed=" + Units.bytes(Plan.MEMORY_NEEDED) + ": free some, or run without --full");
        }
        // Blocks of which a few and their caches still fit.
        while (largest > Plan.MIB && largest > available / 6) {
            largest /= 2;
        }
        long hold = line.hasOption("no-warm") ? 0 : Math.min(full ? FULL_HOLD : QUICK_HOLD, available / 2);
        Path library = Path.of(System.getProperty("upa.library.path", "build/release/lib"));
        Path driver = Path.of(line.getOptionValue(
                "driver",
                System.getProperty(
                        "upa.driver",
                        library.resolveSibling("bin").resolve("upa-driver").toString())));
        Path results = Path.of(line.getOptionValue(
                "out", library.resolve("../../bench").normalize().toString()));
        int rounds = line.hasOption("rounds")
                ? (int) CommandLines.number("rounds", line.getOptionValue("rounds"), 1, 1000)
                : full ? FULL_ROUNDS : QUICK_ROUNDS;
        long seed = line.hasOption("seed") ? CommandLines.number("seed", line.getOptionValue("seed"), 0, Long.MAX_VALUE / 2) : 1;
        return new Settings(
                full,
                experiments,
                samplers,
                contestants,
                rounds,
                seed,
                largest,
                hold,
                line.hasOption("jmh") || full && !line.hasOption("experiment"),
                driver,
                results);
    }

    private static List<Contestant> choose(List<Contestant> all, List<String> names) throws BenchException {
        for (String name : names) {
            Contestant found = all.stream()
                    .filter(c -> c.name().equals(name))
                    .findFirst()
                    .orElseThrow(
                            () -> BenchException.usage("contestant=" + name + " does not exist: --list names them"));
            if (!found.isInstalled()) {
                throw BenchException.failure("contestant=" + name + " cannot take part: " + found.missing());
            }
        }
        return all.stream().filter(c -> names.contains(c.name())).toList();
    }

    private static List<String> values(CommandLine line, String option) {
        return line.hasOption(option) ? List.of(line.getOptionValues(option)) : List.of();
    }

    private static long size(String option, String text) throws BenchException {
        if (text.matches("[1-9][0-9]{0,8}[KMG]?")) {
            long unit = switch (text.charAt(text.length() - 1)) {
                case 'K' -> Plan.KIB;
                case 'M' -> Plan.MIB;
                case 'G' -> Plan.GIB;
                default -> 1;
            };
            long value = Long.parseLong(text.replaceAll("[KMG]", "")) * unit;
            if (value >= 64 * Plan.KIB && value <= 64 * Plan.GIB) {
                return Long.highestOneBit(value);
            }
        }
        throw BenchException.usage(option + "=" + text + ": must be a size from 64K to 64G, such as 64M");
    }

    // The run

    private int bench(Settings settings) throws BenchException {
        Map<String, String> facts = machine.facts();
        List<String> notes = new ArrayList<>();
        if (machine.load() > BUSY) {
            notes.add("Others were using this machine when the run began (load " + Units.digits(machine.load())
                    + "): intervals are wide, p99 and max are theirs.");
        }
        ReportBuilder.fewRounds(settings.rounds()).ifPresent(notes::add);
        List<Job> jobs = Plan.jobs(settings);
        if (jobs.isEmpty() && !settings.jmh()) {
            throw BenchException.usage("none of the contestants takes part in these experiments: contestants="
                    + settings.contestants().stream().map(Contestant::name).collect(Collectors.joining(",")));
        }
        settings.contestants().stream()
                .filter(c -> !c.isInstalled())
                .collect(Collectors.groupingBy(
                        Main::missing, LinkedHashMap::new, Collectors.mapping(Contestant::name, Collectors.toList())))
                .forEach((why, names) -> notes.add(
                        String.join(", ", names) + (names.size() > 1 ? " were" : " was") + " left out" + why + "."));
        if (settings.largest() < LARGEST) {
            notes.add("Blocks above " + Units.bytes(settings.largest()) + " were left out.");
        }
        CommandLines.makeFolder(settings.out());
        long start = System.nanoTime();
        Measurements measurements;
        JmhResults jmh = JmhResults.none();
        String warmth;
        Driver driver = new Driver(settings.driver());
        Runner runner = new Runner(driver, err, terminal);
        // JMH ends when one of its JVMs does.
        Runnable stop = () -> {
            runner.stop();
            ProcessHandle.current().descendants().forEach(ProcessHandle::destroy);
        };
        try (driver; var _ = new CtrlC(stop)) {
            for (String sampler : settings.samplers()) {
                if (!SAMPLERS.contains(sampler)) {
                    driver.checkSampler(sampler);
                }
            }
            for (Contestant contestant : settings.contestants()) {
                if (contestant.isOwn()) {
                    driver.checkMalloc(contestant);
                }
            }
            warmth = driver.warm(settings.hold(), err, "upa bench");
            err.println("upa bench: " + Units.count(jobs.stream().mapToInt(Job::rounds).sum(), "run") + " in "
                    + Units.count(settings.rounds(), "round") + "; Ctrl-C ends it early and reports what there is");
            measurements = runner.run(jobs, settings.seed());
            if (settings.jmh() && !runner.isStopped()) {
                try {
                    jmh = Jmh.run(settings, err);
                } catch (BenchException e) {
                    // What has been measured before is worth reporting all the same.
                    runner.failures().add(e.getMessage());
                }
            }
            boolean stopped = runner.isStopped();
            if (stopped) {
                notes.add("The run was cut short.");
            }
            runner.failures().forEach(f -> notes.add("Failed: " + f));
            runner.failures().stream().distinct().limit(5).forEach(f -> err.println("upa bench: " + f));
            if (measurements.isEmpty() && jmh.scores().isEmpty()) {
                throw BenchException.failure("nothing was measured");
            }
            report(settings, facts, measurements, jmh, notes, warmth, start);
            return stopped ? INTERRUPTED : runner.failures().isEmpty() ? 0 : BenchException.FAILURE;
        }
    }

    private void report(
            Settings settings,
            Map<String, String> facts,
            Measurements measurements,
            JmhResults jmh,
            List<String> notes,
            String warmth,
            long start)
            throws BenchException {
        Map<String, String> method = new LinkedHashMap<>();
        method.put(
                "Date",
                ZonedDateTime.now()
                                .format(DateTimeFormatter.ISO_OFFSET_DATE_TIME.withZone(java.time.ZoneOffset.UTC))
                                .substring(0, 16)
                                .replace('T', ' ')
                        + " UTC");
        method.put("Selection", settings.full() ? "full" : "quick");
        method.put(
                "Rounds",
                settings.rounds() + ", each in a new random order, every contestant in a process of its own; seed "
                        + settings.seed());
        method.put("Duration", Units.time((double) System.nanoTime() - start));
        method.put("Memory", warmth);
        method.put("Load after", Units.digits(machine.load()));
        measurements
                .text("hypervisor")
                .ifPresent(name -> facts.merge("Hypervisor", name, (seen, n) -> seen + " (" + n + ")"));
        List<Figures.Figure> figures = Figures.of(measurements, jmh);
        Report report = ReportBuilder.build(measurements, settings.contestants(), figures, jmh, facts, method, notes);
        out.print(new TextReport(terminal).format(report));
        DataFiles.write(settings.out(), report, measurements, figures, jmh, facts, method);
        out.println("\nReport with charts: " + settings.out().resolve("report.html"));
        out.println("Data: " + settings.out().resolve("results.csv") + ", "
                + settings.out().resolve("results.json"));
    }
}
