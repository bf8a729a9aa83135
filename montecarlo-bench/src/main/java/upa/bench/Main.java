package upa.bench;

import static upa.measure.CommandLines.flag;
import static upa.measure.CommandLines.value;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.commons.cli.CommandLine;
import org.apache.commons.cli.Option;
import upa.bench.driver.Contestant;
import upa.bench.driver.Driver;
import upa.bench.driver.Experiment;
import upa.bench.driver.Job;
import upa.bench.paging.PagingExperiment;
import upa.bench.report.BenchReport;
import upa.bench.report.CompareReport;
import upa.bench.results.BenchFigures;
import upa.bench.results.Comparison;
import upa.bench.results.JmhResults;
import upa.bench.results.Measurements;
import upa.bench.results.PastRun;
import upa.measure.CommandLines;
import upa.measure.Conditions;
import upa.measure.Console;
import upa.measure.CtrlC;
import upa.measure.Figure;
import upa.measure.HostMemory;
import upa.measure.Machine;
import upa.measure.MeasureException;
import upa.measure.OneLine;
import upa.measure.ResultFolder;
import upa.measure.Targets;
import upa.measure.report.Units;

/**
 * {@code upa bench}: measures page allocation and malloc, and reports.
 *
 * <p>Exit status: 0 all done, 1 something failed, 2 the command line is wrong, 130 cut short.
 */
public final class Main {

    private static final CommandLines.Usage USAGE = new CommandLines.Usage(
            "upa bench",
            "./upa bench [option...]",
            "Measures what page allocations cost through the kernel and through UPA, and malloc on either."
                    + " Without options: a selection that takes about two minutes.",
            CommandLines.options(
                    flag("full", "measure everything, with 15 rounds: about two hours"),
                    value(
                            "experiment",
                            "A,B,...",
                            "only these, by letter or name: " + Experiment.names()
                                    + "; or paging, by itself: a program larger than its bound, under UPA's pager and"
                                    + " under the kernel (root; sets up a cgroup, swap and zswap, and undoes it)"),
                    value(
                            "patterns",
                            "A,B,...",
                            "of paging, only these: " + String.join(", ", PagingExperiment.PATTERNS)),
                    value(
                            "sampler",
                            "A,B,...",
                            "sizes of the Monte-Carlo ring: douglas, log-uniform or fixed:SIZE; or trace:FILE, a"
                                    + " program's own requests (./upa run --trace FILE)"),
                    value("contestants", "A,B,...", "only these; --list names them"),
                    value("malloc", "NAME=FILE", "one more malloc, from a shared library; may be repeated"),
                    value("rounds", "N", "repetitions (5; --full: 15)"),
                    value("seed", "N", "of sizes and of the order of jobs (1)"),
                    value("largest", "SIZE", "largest block, such as 64M (1G)"),
                    flag("no-warm", "do not make memory host-warm first"),
                    flag("jmh", "run the JMH benchmarks of the Java API as well (part of --full)"),
                    value("out", "DIR", "folder of the results (build/bench)"),
                    value(
                            "compare",
                            "OLD",
                            "measure nothing, and compare the results in --out with those of an older run in the folder"
                                    + " OLD: a page compare.html in --out"),
                    value("driver", "FILE", "the C driver (build/release/bin/upa-driver)"),
                    flag("list", "list experiments and contestants, and measure nothing")));

    private static final List<String> PAGING_OPTIONS =
            List.of("experiment", "patterns", "full", "rounds", "seed", "out", "driver", "no-warm");
    private static final long PAGING_MIB = 256;
    private static final long FULL_PAGING_MIB = 1024;
    private static final int FULL_PAGING_ROUNDS = 7;
    private static final long TOUCHES = 100_000;
    private static final int ITERATIONS = 5;
    private static final int FULL_ITERATIONS = 20;
    private static final int SECONDS = 3;
    private static final int FULL_SECONDS = 20;
    private static final long FULL_TOUCHES = 400_000;

    private final Console console;
    private final Machine machine;

    /** A program that talks to this console. */
    Main(Console console, Machine machine) {
        this.console = console;
        this.machine = machine;
    }

    /**
     * The entry point.
     *
     * @param args the command line
     */
    public static void main(String[] args) {
        System.exit(new Main(Console.system(), new Machine(Path.of("/"))).run(args));
    }

    /** Runs a command line and returns the exit status. */
    int run(String... args) {
        return CommandLines.run(console, USAGE, args, this::execute);
    }

    private int execute(CommandLine line) throws MeasureException {
        if (!line.getArgList().isEmpty()) {
            throw MeasureException.usage("argument=" + line.getArgList().getFirst() + " is not understood");
        }
        if (line.hasOption("list")) {
            list();
            return 0;
        }
        if (line.hasOption("compare")) {
            return compare(line);
        }
        if (line.hasOption("experiment")
                && CommandLines.list(line, "experiment").contains(PagingExperiment.ID)) {
            return paging(line);
        }
        if (line.hasOption("patterns")) {
            throw MeasureException.usage("option=--patterns is of experiment=paging alone");
        }
        return bench(SettingsReader.read(line, machine));
    }

    private int paging(CommandLine line) throws MeasureException {
        for (Option option : line.getOptions()) {
            if (!PAGING_OPTIONS.contains(option.getLongOpt())) {
                throw MeasureException.usage("option=--" + option.getLongOpt() + " is not of experiment=paging, which"
                        + " takes " + String.join(", ", PAGING_OPTIONS));
            }
        }
        if (CommandLines.list(line, "experiment").size() > 1) {
            throw MeasureException.usage("experiment=paging is measured by itself");
        }
        List<String> patterns =
                line.hasOption("patterns") ? CommandLines.list(line, "patterns") : PagingExperiment.PATTERNS;
        for (String pattern : patterns) {
            if (!PagingExperiment.PATTERNS.contains(pattern)) {
                throw MeasureException.usage(
                        "pattern=" + pattern + ": choose from " + String.join(", ", PagingExperiment.PATTERNS));
            }
        }
        boolean full = line.hasOption("full");
        Path driver = SettingsReader.driver(line);
        Path root = SettingsReader.root();
        return new PagingExperiment(
                        console,
                        machine,
                        new PagingExperiment.Size(
                                patterns,
                                full ? FULL_PAGING_MIB : PAGING_MIB,
                                (int) CommandLines.number(line, "rounds", 1, 100, full ? FULL_PAGING_ROUNDS : 3),
                                full ? FULL_TOUCHES : TOUCHES,
                                full ? FULL_ITERATIONS : ITERATIONS,
                                full ? FULL_SECONDS : SECONDS,
                                CommandLines.number(line, "seed", 1, 1 << 30, 1)),
                        driver.resolveSibling("upa-paging"),
                        root.resolve("upa"),
                        Path.of("/var/tmp"))
                .run(SettingsReader.out(line));
    }

    private int compare(CommandLine line) throws MeasureException {
        for (Option option : line.getOptions()) {
            if (!Set.of("compare", "out", "no-warm", "driver").contains(option.getLongOpt())) {
                throw MeasureException.usage(
                        "option=--" + option.getLongOpt() + " is of a measurement: --compare takes --out alone");
            }
        }
        Path out = SettingsReader.out(line);
        PastRun before = PastRun.read(Path.of(line.getOptionValue("compare")));
        PastRun now = PastRun.read(out);
        if (new Comparison(before, now).changes().isEmpty()) {
            throw MeasureException.failure("nothing to compare: the runs have no line at a size in common");
        }
        ResultFolder.make(out).publishPage(console, CompareReport.of(before, now), "compare.html");
        return 0;
    }

    private void list() {
        console.out().println("Experiments:");
        for (Experiment experiment : Experiment.values()) {
            console.out().printf("  %s  %-10s %s%n", experiment.letter(), experiment.id(), experiment.title());
        }
        console.out().println("Contestants:");
        for (Contestant contestant : Contestant.all()) {
            console.out()
                    .printf(
                            "  %-24s %s%s%n",
                            contestant.name(),
                            contestant.description(),
                            contestant.missing().map(why -> " (" + why + ")").orElse(""));
        }
    }

    private int bench(Settings settings) throws MeasureException {
        Conditions conditions = new Conditions(machine, settings.rounds());
        List<Job> jobs = Plan.jobs(settings);
        if (jobs.isEmpty() && !settings.jmh()) {
            throw MeasureException.usage("none of the contestants takes part in these experiments: contestants="
                    + settings.contestants().stream().map(Contestant::name).collect(Collectors.joining(",")));
        }
        leftOut(settings, conditions);
        ResultFolder folder = ResultFolder.make(settings.out());
        Driver driver = new Driver(settings.driver());
        Runner runner = new Runner(driver, console);
        // JMH ends when one of its JVMs does.
        Runnable stop = () -> {
            runner.stop();
            ProcessHandle.current().descendants().forEach(ProcessHandle::destroy);
        };
        try (driver;
                var _ = new CtrlC(stop)) {
            check(driver, settings);
            try (HostMemory memory = HostMemory.warm(console, "upa bench", settings.driver(), settings.hold())) {
                describe(settings, memory, conditions);
                console.err()
                        .println("upa bench: "
                                + Units.count(
                                        jobs.stream().mapToInt(Job::rounds).sum(), "run") + " in "
                                + Units.count(settings.rounds(), "round")
                                + "; Ctrl-C ends it early and reports what there is");
                Measurements measurements = runner.run(jobs, settings.seed());
                JmhResults jmh = settings.jmh() && !runner.isStopped() ? jmh(settings, runner) : JmhResults.none();
                return report(settings, runner, measurements, jmh, conditions, folder);
            }
        }
    }

    private static void leftOut(Settings settings, Conditions conditions) {
        settings.contestants().stream()
                .filter(c -> !c.isInstalled())
                .collect(Collectors.groupingBy(
                        c -> c.missing().orElseThrow(),
                        LinkedHashMap::new,
                        Collectors.mapping(Contestant::name, Collectors.toList())))
                .forEach((why, names) -> conditions.note(
                        String.join(", ", names) + (names.size() > 1 ? " were" : " was") + " left out (" + why + ")."));
        if (settings.largest() < SettingsReader.LARGEST) {
            conditions.note("Blocks above " + Units.bytes(settings.largest()) + " were left out.");
        }
    }

    /** What cannot work is said before anything is measured. */
    private static void check(Driver driver, Settings settings) throws MeasureException {
        for (String sampler : settings.samplers()) {
            if (!SettingsReader.SAMPLERS.contains(sampler)) {
                driver.checkSampler(sampler);
            }
        }
        for (Contestant contestant : settings.contestants()) {
            if (contestant.isOwn()) {
                driver.checkMalloc(contestant);
            }
        }
    }

    private static void describe(Settings settings, HostMemory memory, Conditions conditions) {
        conditions.method("Selection", settings.full() ? "full" : "quick");
        conditions.method(
                "Rounds",
                settings.rounds() + ", each in a new random order, every contestant in a process of its own; seed "
                        + settings.seed());
        conditions.method("Memory", memory.state());
    }

    private JmhResults jmh(Settings settings, Runner runner) {
        try {
            return Jmh.run(settings, console.err());
        } catch (MeasureException e) {
            // What has been measured before is worth reporting all the same.
            runner.failures().add(e.getMessage());
            return JmhResults.none();
        }
    }

    private int report(
            Settings settings,
            Runner runner,
            Measurements measurements,
            JmhResults jmh,
            Conditions conditions,
            ResultFolder folder)
            throws MeasureException {
        boolean stopped = runner.isStopped();
        if (stopped) {
            conditions.note("The run was cut short.");
        }
        runner.failures().forEach(f -> conditions.note("Failed: " + f));
        runner.failures().stream()
                .distinct()
                .limit(5)
                .forEach(f -> console.err().println(OneLine.of("upa bench: " + f)));
        if (measurements.isEmpty() && jmh.scores().isEmpty()) {
            throw MeasureException.failure("nothing was measured");
        }
        conditions.end();
        measurements.text("hypervisor").ifPresent(name -> conditions.fact("Hypervisor", name));
        List<Figure> figures = BenchFigures.of(measurements, jmh);
        Map<String, Object> data = new LinkedHashMap<>();
        data.put("machine", conditions.machine());
        data.put("method", conditions.method());
        data.put("figures", figures);
        data.put("jmh_ns", jmh.scores());
        folder.publish(
                console,
                BenchReport.of(measurements, settings.contestants(), figures, jmh, conditions),
                Row.class,
                Row.of(measurements),
                data);
        // The last line, so that nobody takes noise for a result.
        Targets.noise(figures).ifPresent(text -> console.err().println("upa bench: " + text));
        return stopped ? MeasureException.INTERRUPTED : runner.failures().isEmpty() ? 0 : MeasureException.FAILURE;
    }
}
