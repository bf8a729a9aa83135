package upa.apps;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import upa.apps.results.MemoryCourse;
import upa.apps.results.Run;
import upa.apps.workload.LoadFormat;
import upa.apps.workload.Workload;
import upa.measure.Machine;
import upa.measure.MeasureException;

/** Workloads made of a line of shell, runs made of figures, and a machine made of a few files. */
public final class Fakes {

    public static final String DIGEST = "d";

    private Fakes() {}

    /** A workload below a folder whose program is a line of shell. */
    public static Path shell(Path folder, String name, String script, String more) throws IOException {
        Path workload = folder.resolve(name);
        Files.createDirectories(workload);
        Files.writeString(workload.resolve("run.sh"), script + "\n");
        Files.writeString(workload.resolve("workload.json"), """
                {"title": "%s", "kind": "churn", "pageAllocationMatters": true, "run": ["sh", "{workload}/run.sh"],
                 "check": "stdout"%s}
                """.formatted(name, more));
        return workload;
    }

    public static Workload workload(String name, boolean matters) {
        return new Workload(
                name,
                Path.of("/nowhere", name),
                "title of " + name,
                Workload.Kind.CHURN,
                matters,
                false,
                List.of(),
                0,
                0,
                List.of(),
                List.of("true"),
                Map.of(),
                Workload.Check.STDOUT,
                List.of(),
                10,
                Optional.empty(),
                DIGEST);
    }

    public static Workload server(String name) {
        Workload w = workload(name, false);
        return new Workload(
                name,
                w.folder(),
                w.title(),
                Workload.Kind.SERVER,
                false,
                false,
                List.of(),
                0,
                0,
                List.of(),
                w.run(),
                Map.of(),
                Workload.Check.LOAD,
                List.of(),
                10,
                Optional.of(new Workload.Server(List.of(), List.of("true"), LoadFormat.UPA_LOAD, 15, 0)),
                DIGEST);
    }

    public static Run run(String workload, String contestant, int round, double seconds, long faults, long peakMib) {
        long ns = Math.round(seconds * 1e9);
        return new Run(
                workload,
                DIGEST,
                contestant,
                round,
                null,
                ns,
                ns / 2,
                ns / 4,
                faults,
                0,
                peakMib << 20,
                memory(ns, peakMib << 20),
                1,
                0,
                0,
                0,
                List.of("/bin/sh"),
                "sum");
    }

    /** All of it from the middle on. */
    private static MemoryCourse memory(long ns, long bytes) {
        return new MemoryCourse(bytes / 2, List.of(new MemoryCourse.Look(0, 0), new MemoryCourse.Look(ns / 2, bytes)));
    }

    /** The same run in another round, of another duration. */
    public static Run lasting(Run run, int round, long wallNs) {
        return new Run(
                run.workload(),
                run.digest(),
                run.contestant(),
                round,
                null,
                wallNs,
                run.userNs(),
                run.systemNs(),
                run.minorFaults(),
                run.majorFaults(),
                run.peakBytes(),
                run.memory(),
                run.processes(),
                0,
                0,
                0,
                run.programs(),
                run.output());
    }

    public static Run request(String workload, String contestant, int round, double throughput) {
        return new Run(
                workload,
                DIGEST,
                contestant,
                round,
                null,
                1_000_000_000,
                1,
                1,
                1,
                0,
                1,
                MemoryCourse.UNKNOWN,
                1,
                throughput,
                2e6,
                9e6,
                List.of(),
                "sum");
    }

    public static Machine machine(Path root, long availableMib) throws IOException {
        Files.createDirectories(root.resolve("proc"));
        Files.writeString(
                root.resolve("proc/meminfo"),
                "MemTotal: " + 2048 * availableMib + " kB\nMemAvailable: " + 1024 * availableMib + " kB\n");
        Files.writeString(root.resolve("proc/cpuinfo"), "model name\t: Imaginary CPU\n");
        Files.writeString(root.resolve("proc/loadavg"), "0.10 0.20 0.30 1/100 1234\n");
        return new Machine(root);
    }

    public interface Action {
        Object run() throws MeasureException;
    }

    /** What an action complains of. */
    public static String problem(Action action) {
        try {
            Object result = action.run();
            throw new AssertionError("no exception, but " + result);
        } catch (MeasureException e) {
            return e.getMessage();
        }
    }
}
