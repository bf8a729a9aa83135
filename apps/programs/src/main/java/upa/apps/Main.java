package upa.apps;

import static upa.measure.CommandLines.flag;
import static upa.measure.CommandLines.value;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.commons.cli.CommandLine;
import upa.apps.profile.Profiler;
import upa.apps.report.AppsReport;
import upa.apps.results.AppsFigures;
import upa.apps.results.Results;
import upa.apps.results.Run;
import upa.apps.run.Commands;
import upa.apps.run.Mallocs;
import upa.apps.run.Measurer;
import upa.apps.run.Preparation;
import upa.apps.run.Runner;
import upa.apps.run.Settings;
import upa.apps.workload.Workload;
import upa.apps.workload.WorkloadFile;
import upa.measure.CommandLines;
import upa.measure.Conditions;
import upa.measure.Console;
import upa.measure.CtrlC;
import upa.measure.HostMemory;
import upa.measure.Machine;
import upa.measure.MeasureException;
import upa.measure.OneLine;
import upa.measure.ResultFolder;
import upa.measure.allocator.Allocator;
import upa.measure.allocator.Allocators;
import upa.measure.report.Units;

/**
 * {@code upa apps}: measures real programs under UPA and under other allocators, and reports.
 *
 * <p>Exit status: 0 all done, 1 a contestant failed or nothing was measured, 2 the command line is wrong, 130 cut
 * short.
 */
public final class Main {

    private static final CommandLines.Usage USAGE = new CommandLines.Usage(
            "upa apps",
            "./upa apps [option...] | ./upa apps list",
            "Measures real programs with their memory from UPA, and under the allocators people would otherwise pick."
                    + " Without options: all workloads but optional ones, the main contestants, 3 rounds: about half an"
                    + " hour.",
            CommandLines.options(
                    value("only", "A,B,...", "only these workloads; list names them"),
                    value(
                            "contestants",
                            "A,B,...",
                            "only these, besides glibc; also main (the default: glibc, the allocators that keep all"
                                    + " memory, upa), pairs (each allocator with and without UPA) or all"),
                    value(
                            "rounds",
                            "N|N..M",
                            "repetitions (3; --full: 7; --quick: 1); 3..9: three of all, up to nine of those"
                                    + " whose speed"
                                    + " over glibc (over the same allocator without UPA) is not yet known to 4 % or to"
                                    + " its distance from 1"),
                    flag("full", "all workloads and contestants, 7 rounds: hours"),
                    flag("quick", "one round of glibc, glibc-tuned and upa, without profiles: a glance, no intervals"),
                    flag("resume", "go on with the run whose results are in the folder, which was cut short"),
                    value("seed", "N", "of the order of runs (1)"),
                    flag(
                            "no-profile",
                            "do not profile (the kernel's work on memory under glibc and upa, the pages asked"
                                    + " for: three"
                                    + " more runs)"),
                    flag("no-warm", "do not make memory host-warm first"),
                    value("out", "DIR", "folder of the results (build/apps/results)"),
                    value("workloads", "DIR", "folder of the workloads (apps/programs/workloads)")));

    private final Console console;
    private final Machine machine;
    private final Path root;

    /** A program that talks to this console, about the project in this folder. */
    Main(Console console, Machine machine, Path root) {
        this.console = console;
        this.machine = machine;
        this.root = root;
    }

    /**
     * The entry point.
     *
     * @param args the command line
     */
    public static void main(String[] args) {
        Path root = Path.of(System.getProperty("upa.root", "."));
        System.exit(new Main(Console.system(), new Machine(Path.of("/")), root).run(args));
    }

    /** Runs a command line and returns the exit status. */
    int run(String... args) {
        return CommandLines.run(console, USAGE, args, this::execute);
    }

    private int execute(CommandLine line) throws MeasureException {
        List<String> words = line.getArgList();
        if (words.equals(List.of("list"))) {
            list(line);
            return 0;
        }
        if (!words.isEmpty()) {
            throw MeasureException.usage("argument=" + words.getFirst() + " is not understood");
        }
        return measure(SettingsReader.read(line, root, machine), line);
    }

    private void list(CommandLine line) throws MeasureException {
        console.out().println("Workloads (* page allocation is expected to matter; optional: if named, or --full):");
        for (Workload workload : WorkloadFile.all(SettingsReader.workloads(line, root))) {
            console.out()
                    .printf(
                            "  %-20s %-8s %s %s%s%n",
                            workload.name(),
                            workload.kind().id(),
                            workload.pageAllocationMatters() ? "*" : " ",
                            workload.title(),
                            workload.optional() ? " (optional)" : "");
        }
        console.out().println("Contestants (* part of the default):");
        for (Allocator allocator : Allocators.all()) {
            console.out()
                    .printf(
                            "  %-20s %s %s%s%n",
                            allocator.name(),
                            SettingsReader.DEFAULT.contains(allocator.name()) ? "*" : " ",
                            allocator.description(),
                            allocator
                                    .missing(SettingsReader.libraries())
                                    .map(m -> " (" + m + ")")
                                    .orElse(""));
        }
    }

    /** Two at once would measure each other, and share the folder of the running program. */
    private int measure(Settings settings, CommandLine line) throws MeasureException {
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
            throw MeasureException.failure("cannot lock file=" + file + ": " + ResultFolder.reason(e));
        }
    }

    private static MeasureException running(Path lock) {
        return MeasureException.failure("another ./upa apps is running: file=" + lock + " is locked: wait for its end");
    }

    private int measureAlone(Settings settings, CommandLine line) throws MeasureException {
        ResultFolder folder = ResultFolder.make(settings.out());
        Conditions conditions = new Conditions(machine, settings.rounds());
        Measurer measurer = new Measurer(settings);
        Preparation preparation = new Preparation(settings, machine, console);
        Runner runner = new Runner(settings, measurer, console);
        Runnable stop = () -> {
            preparation.stop();
            runner.stop();
        };
        try (var _ = new CtrlC(stop)) {
            List<Allocator> contestants = contestants(settings, measurer, line, conditions);
            List<Workload> workloads = ready(settings, preparation, runner, conditions);
            Profiler profiler = new Profiler(settings, measurer, console);
            Path driver = settings.tools().resolve("upa-driver");
            try (HostMemory memory = HostMemory.warm(console, "upa apps", driver, settings.hold())) {
                AppsReport.describe(settings, memory, conditions);
                if (!runner.isStopped() && !workloads.isEmpty()) {
                    console.err()
                            .println("upa apps: " + Units.count(workloads.size(), "program") + ", "
                                    + Units.count(contestants.size(), "contestant") + ", " + rounds(settings)
                                    + "; Ctrl-C ends it early, reports what there is, and --resume goes on");
                    runner.run(workloads, contestants);
                }
                if (settings.profile() && !runner.isStopped()) {
                    profiler.run(workloads, contestants, runner::isStopped);
                    profiler.problem().ifPresent(conditions::note);
                }
            }
            return report(settings, runner, contestants, profiler, conditions, folder);
        }
    }

    private int report(
            Settings settings,
            Runner runner,
            List<Allocator> contestants,
            Profiler profiler,
            Conditions conditions,
            ResultFolder folder)
            throws MeasureException {
        boolean stopped = runner.isStopped();
        if (stopped) {
            conditions.note("The run was cut short; ./upa apps --resume goes on with it.");
        }
        Results results = new Results(settings.workloads(), runner.runs());
        List<Run> failures = runner.runs().stream().filter(r -> !r.isGood()).toList();
        failures.stream()
                .map(r -> "Failed: " + r.contestant() + " at " + r.workload() + ": " + r.problem())
                .distinct()
                .forEach(conditions::note);
        if (results.runs().isEmpty()) {
            throw MeasureException.failure("nothing was measured");
        }
        conditions.end();
        Mallocs mallocs = new Mallocs(new Commands(settings.work().resolve("mallocs")), settings.libraries());
        folder.publish(
                console,
                AppsReport.of(results, contestants, profiler, mallocs, conditions),
                Row.class,
                Row.of(results),
                data(results, contestants, profiler, conditions));
        return stopped ? MeasureException.INTERRUPTED : failures.isEmpty() ? 0 : MeasureException.FAILURE;
    }

    private static Map<String, Object> data(
            Results results, List<Allocator> contestants, Profiler profiler, Conditions conditions) {
        Map<String, Object> speedUps = new LinkedHashMap<>();
        Map<String, Object> profiles = new LinkedHashMap<>();
        for (Workload workload : results.workloads()) {
            Map<String, Object> ratios = new LinkedHashMap<>();
            for (Allocator contestant : contestants) {
                results.speedUp(workload, Allocators.BASE, contestant.name())
                        .ifPresent(ratio -> ratios.put(contestant.name(), ratio));
            }
            speedUps.put(workload.name(), ratios);
            Map<String, Object> profile = new LinkedHashMap<>();
            profiler.pages(workload).ifPresent(p -> profile.put("pages", p));
            for (String contestant : List.of(Allocators.BASE, Allocators.UPA)) {
                profiler.share(workload, contestant).ifPresent(s -> profile.put("kernel_samples " + contestant, s));
            }
            profiles.put(workload.name(), profile);
        }
        Map<String, Object> data = new LinkedHashMap<>();
        data.put("machine", conditions.machine());
        data.put("method", conditions.method());
        data.put("figures", AppsFigures.of(results));
        data.put("speed_up_over_glibc", speedUps);
        data.put("profiles", profiles);
        return data;
    }

    private static String rounds(Settings settings) {
        return settings.mostRounds() > settings.rounds()
                ? settings.rounds() + " to " + Units.count(settings.mostRounds(), "round")
                : Units.count(settings.rounds(), "round");
    }

    /**
     * Those that can take part. One that was asked for by name and cannot is an error; else it is left out with a line.
     */
    private List<Allocator> contestants(Settings settings, Measurer measurer, CommandLine line, Conditions conditions)
            throws MeasureException {
        List<Allocator> able = new ArrayList<>();
        Set<String> named =
                line.hasOption("contestants") ? Set.copyOf(CommandLines.list(line, "contestants")) : Set.of();
        for (Allocator allocator : settings.contestants()) {
            Optional<String> problem = allocator.missing(settings.libraries());
            if (problem.isEmpty()) {
                problem = measurer.preloadProblem(allocator);
            }
            if (problem.isEmpty()) {
                able.add(allocator);
            } else if (named.contains(allocator.name()) || allocator.name().equals(Allocators.BASE)) {
                throw MeasureException.failure(
                        "contestant=" + allocator.name() + " cannot take part: " + problem.get());
            } else {
                leftOut("contestant=" + allocator.name(), problem.get(), conditions);
            }
        }
        return able;
    }

    private List<Workload> ready(Settings settings, Preparation preparation, Runner runner, Conditions conditions)
            throws MeasureException {
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
                leftOut("workload=" + workload.name(), problem.get(), conditions);
            }
        }
        return ready;
    }

    private void leftOut(String what, String problem, Conditions conditions) {
        String text = what + " is left out: " + problem;
        console.err().println(OneLine.of("upa apps: " + text));
        conditions.note(text);
    }
}
