package upa.apps;

import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.commons.cli.CommandLine;
import upa.apps.run.Settings;
import upa.apps.workload.Workload;
import upa.apps.workload.WorkloadFile;
import upa.measure.CommandLines;
import upa.measure.Machine;
import upa.measure.MeasureException;
import upa.measure.allocator.Allocator;
import upa.measure.allocator.Allocators;
import upa.measure.report.Units;

/** Turns the command line into settings, or says what is wrong with it. */
final class SettingsReader {

    private static final int ROUNDS = 3;
    private static final int FULL_ROUNDS = 7;
    private static final int MOST_ROUNDS = 1000;
    private static final long HOLD = 4 * Units.GIB;
    private static final List<String> QUICK = List.of(Allocators.BASE, "glibc-tuned", Allocators.UPA);

    /** What runs unless something else is asked for. */
    static final Set<String> DEFAULT = Stream.concat(Allocators.MAIN.stream(), Stream.of(Allocators.CONTROL))
            .collect(Collectors.toSet());

    private final CommandLine line;
    private final Path root;
    private final boolean full;
    private final boolean quick;

    private SettingsReader(CommandLine line, Path root) {
        this.line = line;
        this.root = root;
        full = line.hasOption("full");
        quick = line.hasOption("quick");
    }

    static Settings read(CommandLine line, Path root, Machine machine) throws MeasureException {
        return new SettingsReader(line, root).settings(machine);
    }

    /** Where this project's libraries are. */
    static Path libraries() {
        return Path.of(System.getProperty("upa.library.path", "build/release/lib"));
    }

    static Path workloads(CommandLine line, Path root) {
        return Path.of(line.getOptionValue(
                "workloads", root.resolve("apps/programs/workloads").toString()));
    }

    private Settings settings(Machine machine) throws MeasureException {
        if (full && quick) {
            throw MeasureException.usage("--full and --quick exclude each other");
        }
        List<Workload> workloads = workloads();
        Set<String> chosen = allocators();
        int[] rounds = rounds(line.getOptionValue("rounds", Integer.toString(full ? FULL_ROUNDS : quick ? 1 : ROUNDS)));
        Path work = root.resolve("build/apps");
        return new Settings(
                workloads,
                Allocators.all().stream().filter(a -> chosen.contains(a.name())).toList(),
                rounds[0],
                rounds[1],
                CommandLines.number(line, "seed", 0, Long.MAX_VALUE / 2, 1),
                line.hasOption("no-warm") ? 0 : Math.min(HOLD, machine.availableMemory() / 4),
                !quick && !line.hasOption("no-profile"),
                line.hasOption("resume"),
                Path.of(line.getOptionValue("out", work.resolve("results").toString())),
                libraries().resolveSibling("bin"),
                libraries(),
                work);
    }

    private List<Workload> workloads() throws MeasureException {
        List<Workload> all = WorkloadFile.all(workloads(line, root));
        if (all.isEmpty()) {
            throw MeasureException.failure("no workloads: folder=" + workloads(line, root));
        }
        if (!line.hasOption("only")) {
            return all.stream().filter(w -> full || !w.optional()).toList();
        }
        List<String> names = CommandLines.list(line, "only");
        for (String name : names) {
            if (all.stream().noneMatch(w -> w.name().equals(name))) {
                throw MeasureException.usage("workload=" + name + " does not exist: ./upa apps list names them");
            }
        }
        return all.stream().filter(w -> names.contains(w.name())).toList();
    }

    private Set<String> allocators() throws MeasureException {
        if (!line.hasOption("contestants")) {
            return full ? named("all") : quick ? Set.copyOf(QUICK) : DEFAULT;
        }
        Set<String> names = new LinkedHashSet<>(List.of(Allocators.BASE));
        for (String word : CommandLines.list(line, "contestants")) {
            names.addAll(named(word));
        }
        return names;
    }

    private static Set<String> named(String word) throws MeasureException {
        Set<String> all = new LinkedHashSet<>(
                Allocators.all().stream().map(Allocator::name).toList());
        return switch (word) {
            case "all" -> all;
            case "main" -> DEFAULT;
            case "pairs" -> {
                Set<String> names = new LinkedHashSet<>(Allocators.PAIRS.keySet());
                names.addAll(Allocators.PAIRS.values());
                yield names;
            }
            default -> {
                if (!all.contains(word)) {
                    throw MeasureException.usage("contestant=" + word + " does not exist: ./upa apps list names them");
                }
                yield Set.of(word);
            }
        };
    }

    /** N, or N..M: the least and the most. */
    private static int[] rounds(String text) throws MeasureException {
        String[] ends = text.split("\\.\\.", 2);
        if (ends.length == 1) {
            int rounds = (int) CommandLines.number("rounds", text, 1, MOST_ROUNDS);
            return new int[] {rounds, rounds};
        }
        // Fewer than 3 say next to nothing of the noise.
        int least = (int) CommandLines.number("rounds=" + text + ": the least", ends[0], ROUNDS, MOST_ROUNDS);
        return new int[] {least, (int) CommandLines.number("rounds=" + text + ": the most", ends[1], least, MOST_ROUNDS)
        };
    }
}
