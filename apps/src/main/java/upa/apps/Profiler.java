package upa.apps;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;
import upa.bench.BenchException;
import upa.bench.Progress;

/**
 * Finds out which share of a program's time the kernel spends on memory: one run each under the base line and under UPA with
 * {@code perf record}, apart from the runs that are timed.
 */
final class Profiler {

    private static final String EVENT = "cpu-clock";
    private static final String HERTZ = "997";
    private static final int SCRIPT_SECONDS = 120;

    private final Settings settings;
    private final Measurer measurer;
    private final PrintStream progress;
    private final boolean terminal;
    private final Commands commands;
    private String problem = "";

    Profiler(Settings settings, Measurer measurer, PrintStream progress, boolean terminal) {
        this.settings = settings;
        this.measurer = measurer;
        this.progress = progress;
        this.terminal = terminal;
        commands = new Commands(settings.work().resolve("profile"));
    }

    /** Why there are no profiles, or not all; empty if there are. */
    Optional<String> problem() {
        return problem.isEmpty() ? Optional.empty() : Optional.of(problem);
    }

    /** The key of a workload's share under a contestant. */
    static String key(Workload workload, String contestant) {
        return workload.name() + " " + contestant;
    }

    /** Shares by {@link #key}; fewer if it was stopped or perf is not to be had. */
    Map<String, KernelShare> run(List<Workload> workloads, List<Contestant> contestants, BooleanSupplier stopped)
            throws BenchException {
        Map<String, KernelShare> shares = new LinkedHashMap<>();
        List<Contestant> who = contestants.stream()
                .filter(c -> c.name().equals(Contestant.BASE) || c.name().equals(Contestant.UPA))
                .toList();
        Path data = settings.work().resolve("profile").resolve("perf.data").toAbsolutePath();
        try {
            Files.createDirectories(data.getParent());
            // A function of the kernel must have its name: perf may be forbidden to see it.
            if (!commands.run(
                                    List.of("perf", "record", "-q", "-o", data.toString(), "-e", EVENT, "-g", "--kernel-callchains",
                                            "dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=8"),
                                    Path.of("/"), Map.of(), SCRIPT_SECONDS)
                            .isGood()
                    || !script(data).output().contains("do_syscall_64")) {
                problem = "The kernel's share of the time was not measured: perf record cannot see the kernel here"
                        + " (Debian package linux-perf; root, or kernel.perf_event_paranoid=1 and kernel.kptr_restrict=0).";
                return shares;
            }
            Progress shown = new Progress(progress, terminal, workloads.size() * who.size());
            for (Workload workload : workloads) {
                for (Contestant contestant : who) {
                    if (stopped.getAsBoolean()) {
                        shown.clear();
                        return shares;
                    }
                    shown.show("profiles", workload.name() + " " + contestant.name());
                    Run run = measurer.run(
                            workload,
                            contestant,
                            Run.WARM_UP,
                            List.of("perf", "record", "-q", "-o", data.toString(), "-e", EVENT, "-F", HERTZ, "-g",
                                    "--kernel-callchains", "--"));
                    if (run.isGood()) {
                        Commands.Outcome outcome = script(data);
                        KernelShare share;
                        try (Stream<String> lines = outcome.output().lines()) {
                            share = KernelShare.parse(lines, "upa-measure");
                        }
                        if (share.total() > 0) {
                            shares.put(key(workload, contestant.name()), share);
                        }
                    } else if (!stopped.getAsBoolean()) {
                        problem = "Not every program could be profiled: " + contestant.name() + " at " + workload.name() + ": "
                                + run.problem();
                    }
                    shown.step();
                }
            }
            shown.line("profiles done");
            shown.clear();
            return shares;
        } catch (IOException e) {
            throw BenchException.failure("cannot profile in folder=" + data.getParent() + ": " + e.getMessage());
        } finally {
            try {
                Files.deleteIfExists(data);
            } catch (IOException e) {
                // Overwritten by the next run.
            }
        }
    }

    private Commands.Outcome script(Path data) throws IOException {
        return commands.run(
                List.of("perf", "script", "-i", data.toString(), "-F", "comm,ip,sym"), Path.of("/"), Map.of(), SCRIPT_SECONDS);
    }
}
