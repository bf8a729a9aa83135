package upa.apps.profile;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;
import upa.apps.results.Run;
import upa.apps.run.Commands;
import upa.apps.run.Measurer;
import upa.apps.run.Settings;
import upa.apps.workload.Workload;
import upa.measure.Console;
import upa.measure.MeasureException;
import upa.measure.Progress;
import upa.measure.allocator.Allocator;
import upa.measure.allocator.Allocators;

/**
 * Finds out why: which share of a program's time the kernel spends on memory, from one run each under the base line and
 * under UPA with {@code perf record}, and what pages the program asks for, from one run under UPA that records them.
 * None of these is timed.
 */
public final class Profiler {

    private static final String EVENT = "cpu-clock";
    private static final String HERTZ = "997";
    private static final int SCRIPT_SECONDS = 120;

    private final Settings settings;
    private final Measurer measurer;
    private final Console console;
    private final Commands commands;
    private final Map<String, KernelShare> shares = new LinkedHashMap<>();
    private final Map<String, PageProfile> pages = new LinkedHashMap<>();
    private String problem = "";

    public Profiler(Settings settings, Measurer measurer, Console console) {
        this.settings = settings;
        this.measurer = measurer;
        this.console = console;
        commands = new Commands(settings.work().resolve("profile"));
    }

    /** Why there are no profiles, or not all; empty if there are. */
    public Optional<String> problem() {
        return problem.isEmpty() ? Optional.empty() : Optional.of(problem);
    }

    /** The kernel's share of the time; empty if it was not found out. */
    public Optional<KernelShare> share(Workload workload, String contestant) {
        return Optional.ofNullable(shares.get(key(workload, contestant)));
    }

    /** What pages it asks for; empty if that was not found out. */
    public Optional<PageProfile> pages(Workload workload) {
        return Optional.ofNullable(pages.get(workload.name()));
    }

    private static String key(Workload workload, String contestant) {
        return workload.name() + " " + contestant;
    }

    /** Profiles all that is to be profiled, until it is stopped. */
    public void run(List<Workload> workloads, List<Allocator> contestants, BooleanSupplier stopped)
            throws MeasureException {
        Path folder = settings.work().resolve("profile").toAbsolutePath();
        Path data = folder.resolve("perf.data");
        Path trace = folder.resolve("trace");
        List<Allocator> who = contestants.stream()
                .filter(c -> c.name().equals(Allocators.BASE) || c.name().equals(Allocators.UPA))
                .toList();
        try {
            Files.createDirectories(folder);
            boolean perf = canProfile(data);
            if (!perf) {
                problem = "The kernel's share of the time was not measured: perf record cannot see the kernel here"
                        + " (Debian package linux-perf; root, or kernel.perf_event_paranoid=1 and"
                        + " kernel.kptr_restrict=0).";
            }
            Progress shown = new Progress(console, workloads.size());
            for (Workload workload : workloads) {
                for (Allocator contestant : who) {
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
            throw MeasureException.failure("cannot profile in folder=" + folder + ": " + e.getMessage());
        }
    }

    /** Whether perf works and can name the kernel's functions, which may be forbidden. */
    private boolean canProfile(Path data) throws IOException {
        List<String> command = new ArrayList<>(record(data));
        command.addAll(List.of("dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=8"));
        boolean works =
                commands.run(command, Path.of("/"), Map.of(), SCRIPT_SECONDS).isGood()
                        && script(data).output().contains("do_syscall_64");
        Files.deleteIfExists(data);
        return works;
    }

    private static List<String> record(Path data) {
        return List.of(
                "perf",
                "record",
                "-q",
                "-o",
                data.toString(),
                "-e",
                EVENT,
                "-F",
                HERTZ,
                "-g",
                "--kernel-callchains",
                "--");
    }

    private void profile(Workload workload, Allocator contestant, Path data, BooleanSupplier stopped)
            throws IOException, MeasureException {
        Run run = measurer.run(workload, contestant, Run.WARM_UP, record(data), Map.of());
        if (run.isGood()) {
            try (Stream<String> lines = script(data).output().lines()) {
                KernelShare share = KernelShare.parse(lines, "upa-measure");
                if (share.total() > 0) {
                    shares.put(key(workload, contestant.name()), share);
                }
            }
        } else if (!stopped.getAsBoolean()) {
            problem = "Not every program could be profiled: " + contestant.name() + " at " + workload.name() + ": "
                    + run.problem();
        }
        Files.deleteIfExists(data);
    }

    private void trace(Workload workload, Allocator contestant, Path trace) throws IOException, MeasureException {
        PageProfile.delete(trace);
        Run run = measurer.run(workload, contestant, Run.WARM_UP, List.of(), Map.of("UPA_TRACE", trace.toString()));
        if (run.isGood()) {
            PageProfile.read(trace).ifPresent(profile -> pages.put(workload.name(), profile));
        }
        PageProfile.delete(trace);
    }

    private Commands.Outcome script(Path data) throws IOException {
        return commands.run(
                List.of("perf", "script", "-i", data.toString(), "-F", "comm,ip,sym"),
                Path.of("/"),
                Map.of(),
                SCRIPT_SECONDS);
    }
}
