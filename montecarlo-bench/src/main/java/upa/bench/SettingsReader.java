package upa.bench;

import static upa.measure.report.Units.GIB;
import static upa.measure.report.Units.KIB;
import static upa.measure.report.Units.MIB;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.apache.commons.cli.CommandLine;
import upa.bench.driver.Contestant;
import upa.bench.driver.Experiment;
import upa.measure.CommandLines;
import upa.measure.Machine;
import upa.measure.MeasureException;
import upa.measure.allocator.Allocator;
import upa.measure.report.Units;

/** Turns the command line into settings, or says what is wrong with it. */
final class SettingsReader {

    static final List<String> SAMPLERS = List.of("douglas", "log-uniform");
    static final long LARGEST = GIB;

    /** Huge pages for malloc are a question of their own. */
    private static final String HUGE_MALLOC = "glibc-hugepages";

    private static final int QUICK_ROUNDS = 5;
    private static final int FULL_ROUNDS = 15;
    private static final int MOST_ROUNDS = 1000;
    private static final long QUICK_HOLD = 4 * GIB;
    private static final long FULL_HOLD = 8 * GIB;

    private final CommandLine line;
    private final boolean full;

    private SettingsReader(CommandLine line) {
        this.line = line;
        full = line.hasOption("full");
    }

    static Settings read(CommandLine line, Machine machine) throws MeasureException {
        return new SettingsReader(line).settings(machine);
    }

    private Settings settings(Machine machine) throws MeasureException {
        List<String> samplers = samplers();
        long available = machine.availableMemory();
        long asked = line.hasOption("largest") ? size("largest", line.getOptionValue("largest")) : LARGEST;
        if (available < Plan.MEMORY_NEEDED && full) {
            throw MeasureException.failure("too little memory for --full: available=" + Units.bytes(available)
                    + " needed=" + Units.bytes(Plan.MEMORY_NEEDED) + ": free some, or run without --full");
        }
        return new Settings(
                full,
                experiments(samplers),
                samplers,
                contestants(),
                (int) CommandLines.number(line, "rounds", 1, MOST_ROUNDS, full ? FULL_ROUNDS : QUICK_ROUNDS),
                CommandLines.number(line, "seed", 0, Long.MAX_VALUE / 2, 1),
                fitting(asked, available),
                line.hasOption("no-warm") ? 0 : Math.min(full ? FULL_HOLD : QUICK_HOLD, available / 2),
                line.hasOption("jmh") || full && !line.hasOption("experiment"),
                driver(line),
                out(line));
    }

    static Path driver(CommandLine line) {
        String driver = System.getProperty(
                "upa.driver",
                library().resolveSibling("bin").resolve("upa-driver").toString());
        return Path.of(line.getOptionValue("driver", driver));
    }

    /** Where the launcher lies. */
    static Path root() {
        return library().resolve("../../..").normalize();
    }

    /** The folder of the results. */
    static Path out(CommandLine line) {
        return Path.of(line.getOptionValue(
                "out", library().resolve("../../bench").normalize().toString()));
    }

    private static Path library() {
        return Path.of(System.getProperty("upa.library.path", "build/release/lib"));
    }

    /** The largest block of which a few and their caches still fit. */
    private static long fitting(long largest, long available) {
        long size = largest;
        while (size > MIB && size > available / 6) {
            size /= 2;
        }
        return size;
    }

    private List<Contestant> contestants() throws MeasureException {
        List<Contestant> all = new ArrayList<>(Contestant.all());
        String[] own = line.hasOption("malloc") ? line.getOptionValues("malloc") : new String[0];
        for (String text : own) {
            String[] parts = text.split("=", 2);
            if (parts.length < 2 || parts[0].isEmpty() || !Files.isReadable(Path.of(parts[1]))) {
                throw MeasureException.usage(
                        "malloc=" + text + ": must be a name and a readable file, as in NAME=FILE");
            }
            if (all.stream().anyMatch(c -> c.name().equals(parts[0]))) {
                throw MeasureException.usage("malloc=" + text + ": there is a contestant of that name, choose another");
            }
            all.add(Contestant.of(Allocator.ofLibrary(parts[0], Path.of(parts[1]))));
        }
        if (line.hasOption("contestants")) {
            return choose(all, CommandLines.list(line, "contestants"));
        }
        return all.stream().filter(c -> full || !c.name().equals(HUGE_MALLOC)).toList();
    }

    private static List<Contestant> choose(List<Contestant> all, List<String> names) throws MeasureException {
        for (String name : names) {
            Contestant found = all.stream()
                    .filter(c -> c.name().equals(name))
                    .findFirst()
                    .orElseThrow(
                            () -> MeasureException.usage("contestant=" + name + " does not exist: --list names them"));
            Optional<String> missing = found.missing();
            if (missing.isPresent()) {
                throw MeasureException.failure("contestant=" + name + " cannot take part: " + missing.get());
            }
        }
        return all.stream().filter(c -> names.contains(c.name())).toList();
    }

    private Set<Experiment> experiments(List<String> samplers) throws MeasureException {
        boolean traces = samplers.stream().anyMatch(Plan::isTrace);
        if (!line.hasOption("experiment")) {
            return samplers.stream().allMatch(Plan::isTrace)
                    ? EnumSet.of(Experiment.REPLAY)
                    : EnumSet.allOf(Experiment.class);
        }
        Set<Experiment> experiments = EnumSet.noneOf(Experiment.class);
        for (String name : CommandLines.list(line, "experiment")) {
            experiments.add(Experiment.find(name)
                    .orElseThrow(() -> MeasureException.usage(
                            "experiment=" + name + " does not exist: choose from " + Experiment.names())));
        }
        if (experiments.contains(Experiment.REPLAY) && !traces) {
            throw MeasureException.usage("experiment=replay needs a trace: --sampler trace:FILE");
        }
        return experiments;
    }

    private List<String> samplers() throws MeasureException {
        if (!line.hasOption("sampler")) {
            return full ? SAMPLERS : SAMPLERS.subList(0, 1);
        }
        List<String> samplers = CommandLines.list(line, "sampler");
        for (String sampler : samplers) {
            if (Plan.isTrace(sampler)) {
                if (!Files.isReadable(Path.of(sampler.substring(Plan.TRACE_PREFIX.length())))) {
                    throw MeasureException.failure("sampler=" + sampler + ": the file cannot be read");
                }
            } else if (!SAMPLERS.contains(sampler) && !sampler.matches("fixed:[1-9][0-9]*[KMG]?")) {
                throw MeasureException.usage("sampler=" + sampler
                        + " does not exist: choose from douglas, log-uniform, fixed:SIZE and trace:FILE");
            }
        }
        return samplers;
    }

    private static long size(String option, String text) throws MeasureException {
        if (text.matches("[1-9][0-9]{0,8}[KMG]?")) {
            long unit = switch (text.charAt(text.length() - 1)) {
                case 'K' -> KIB;
                case 'M' -> MIB;
                case 'G' -> GIB;
                default -> 1;
            };
            long value = Long.parseLong(text.replaceAll("[KMG]", "")) * unit;
            if (value >= 64 * KIB && value <= 64 * GIB) {
                return Long.highestOneBit(value);
            }
        }
        throw MeasureException.usage(option + "=" + text + ": must be a size from 64K to 64G, such as 64M");
    }
}
