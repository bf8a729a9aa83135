package upa.apps;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;
import upa.bench.BenchException;
import upa.bench.Progress;

/**
 * Finds out why: which share of a program's time the kernel spends on memory, from one run each under the base line and under UPA
 * with {@code perf record}, and what pages the program asks for, from one run under UPA that records them. None of these is timed.
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
    private final Map<String, KernelShare> shares = new LinkedHashMap<>();
    private final Map<String, PageProfile> pages = new LinkedHashMap<>();
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

    /** The kernel's share of the time; empty if it was not found out. */
    Optional<KernelShare> share(Workload workload, String contestant) {
        return Optional.ofNullable(shares.get(key(workload, contestant)));
    }

    /** What pages it asks for; empty if that was not found out. */
    Optional<PageProfile> pages(Workload workload) {
        return Optional.ofNullable(pages.get(workload.name()));
    }

    private static String key(Workload workload, String contestant) {
        return workload.name() + " " + contestant;
    }

    /** Profiles all that is to be profiled, until it is stopped. */
    void run(List<Workload> workloads, List<Contestant> contestants, BooleanSupplier stopped) throws BenchException {
        Path folder = settings.work().resolve("profile").toAbsolutePath();
        Path data = folder.resolve("perf.data");
        Path trace = folder.resolve("trace");
        List<Contestant> who = contestants.stream()
                .filter(c -> c.name().equals(Contestant.BASE) || c.name().equals(Contestant.UPA))
                .toList();
        try {
            Files.createDirectories(folder);
            boolean perf = canProfile(data);
            if (!perf) {
                problem = "The kernel's share of the time was not measured: perf record cannot see the kernel here"
                        + " (Debian package linux-perf; root, or kernel.perf_event_paranoid=1 and kernel.kptr_restrict=0).";
            }
            Progress shown = new Progress(progress, terminal, workloads.size());
            for (Workload workload : workloads) {
                for (Contestant contestant : who) {
                    if (perf && !stopped.getAsBoolean()) {
                        shown.show("profiles", workload.name() + " " + contestant.name());
                        profile(workload, contestant, data, stopped);
                    }
                    if (contestant.upa() && !stopped.getAsBoolean()) {
                        shown.show("profiles", workload.name() + " trace");
                        trace(workload, contestant, trace);
                    }
                }
                shown.step();
            }
            shown.line("profiles done");
            shown.clear();
        } catch (IOException e) {
            throw BenchException.failure("cannot profile in folder=" + folder + ": " + e.getMessage());
        }
    }

    /** Whether perf works and can name the kernel's functions, which may be forbidden. */
    private boolean canProfile(Path data) throws IOException {
        List<String> command = new ArrayList<>(record(data));
        command.addAll(List.of("dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=8"));
        boolean works = commands.run(command, Path.of("/"), Map.of(), SCRIPT_SECONDS).isGood()
                && script(data).output().contains("do_syscall_64");
        Files.deleteIfExists(data);
        return works;
    }

    private static List<String> record(Path data) {
        return List.of(
                "perf", "record", "-q", "-o", data.toString(), "-e", EVENT, "-F", HERTZ, "-g", "--kernel-callchains", "--");
    }

    private void profile(Workload workload, Contestant contestant, Path data, BooleanSupplier stopped)
            throws IOException, BenchException {
        Run run = measurer.run(workload, contestant, Run.WARM_UP, record(data), Map.of());
        if (run.isGood()) {
            try (Stream<String> lines = script(data).output().lines()) {
                KernelShare share = KernelShare.parse(lines, "upa-measure");
                if (share.total() > 0) {
                    shares.put(key(workload, contestant.name()), share);
                }
            }
        } else if (!stopped.getAsBoolean()) {
            problem = "Not every program could be profiled: " + contestant.name() + " at " + workload.name() + ": " + run.problem();
        }
        Files.deleteIfExists(data);
    }

    private void trace(Workload workload, Contestant contestant, Path trace) throws IOException, BenchException {
        PageProfile.delete(trace);
        Run run = measurer.run(workload, contestant, Run.WARM_UP, List.of(), Map.of("UPA_TRACE", trace.toString()));
        if (run.isGood()) {
            PageProfile.read(trace).ifPresent(profile -> pages.put(workload.name(), profile));
        }
        PageProfile.delete(trace);
    }

    private Commands.Outcome script(Path data) throws IOException {
        return commands.run(
                List.of("perf", "script", "-i", data.toString(), "-F", "comm,ip,sym"), Path.of("/"), Map.of(), SCRIPT_SECONDS);
    }
}
