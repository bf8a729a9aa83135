package upa.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import upa.bench.report.Units;

/** Runs {@code upa-driver} processes. One at a time; {@link #close} from any thread ends what runs. */
public final class Driver implements AutoCloseable {

    private static final int KILLED = 128;
    private static final long PAGE_BYTES = 4096;

    private final Path program;
    private volatile Process running;
    private Process holder;

    /**
     * The driver.
     *
     * @param program its executable
     * @throws BenchException if the program is missing
     */
    public Driver(Path program) throws BenchException {
        if (!Files.isExecutable(program)) {
            throw BenchException.failure(
                    "no driver at file=" + program + ": build it with ./upa build, or name it with --driver");
        }
        this.program = program;
    }

    /** Runs a job. */
    DriverOutput run(Job job, long seed) throws BenchException {
        List<String> command = new ArrayList<>(List.of(
                program.toString(),
                "--contestant",
                job.contestant().driverName(),
                "--label",
                job.contestant().name(),
                "--threads",
                Integer.toString(job.threads()),
                "--seed",
                Long.toString(seed)));
        Map<String, String> environment = job.contestant().environment();
        Optional<Path> library = job.contestant().library().flatMap(Contestant.Library::find);
        if (job.contestant().driverName().equals("malloc")) {
            // ld.so only warns when it cannot preload, and glibc would be measured instead.
            command.add("--expect-malloc");
            command.add(library.map(file -> file.getFileName().toString()).orElse("libc.so"));
        }
        command.addAll(job.arguments());
        return run(command, environment, library);
    }

    private DriverOutput run(List<String> command, Map<String, String> environment, Optional<Path> preload)
            throws BenchException {
        try {
            ProcessBuilder builder = new ProcessBuilder(command);
            builder.environment().putAll(environment);
            preload.ifPresent(file -> builder.environment().put("LD_PRELOAD", file.toString()));
            Path errors = Files.createTempFile("upa-driver", ".err");
            try {
                running = builder.redirectError(errors.toFile())
                        .redirectInput(ProcessBuilder.Redirect.from(
                                Path.of("/dev/null").toFile()))
                        .start();
                List<String> lines;
                try (BufferedReader reader = running.inputReader(StandardCharsets.US_ASCII)) {
                    lines = reader.lines().toList();
                }
                int status = running.waitFor();
                if (status != 0) {
                    throw BenchException.failure(
                            why(command, status, Files.readString(errors).strip()));
                }
                return DriverOutput.parse(lines);
            } finally {
                running = null;
                Files.deleteIfExists(errors);
            }
        } catch (IOException e) {
            throw BenchException.failure("cannot run " + program + ": " + e.getMessage());
        } catch (InterruptedException e) {
            throw BenchException.failure("interrupted");
        }
    }

    private static String why(List<String> command, int status, String errors) {
        String what = status > KILLED
                ? "was killed by signal " + (status - KILLED) + (status == KILLED + 9 ? " (out of memory?)" : "")
                : "failed with status " + status;
        return "upa-driver " + what + (errors.isEmpty() ? "" : ": " + errors) + ": " + String.join(" ", command);
    }

    /** Fails unless sizes can be drawn so, or the trace be replayed, with what is wrong in one line. */
    void checkSampler(String sampler) throws BenchException {
        check(Map.of(), "--print-requests", "1", "--sampler", sampler);
    }

    /** Fails unless the library can be preloaded and brings a malloc, with what is wrong in one line. */
    void checkMalloc(Contestant contestant) throws BenchException {
        Path library = contestant.library().flatMap(Contestant.Library::find).orElseThrow();
        check(Map.of("LD_PRELOAD", library.toString()), "--contestant", contestant.driverName(), "--expect-malloc",
                library.getFileName().toString(), "--workload", "touch", "--sizes", "64", "--min-samples", "1", "--budget-ms", "1");
    }

    private void check(Map<String, String> environment, String... arguments) throws BenchException {
        try {
            List<String> command = new ArrayList<>(List.of(program.toString()));
            command.addAll(List.of(arguments));
            ProcessBuilder builder = new ProcessBuilder(command).redirectOutput(ProcessBuilder.Redirect.DISCARD);
            builder.environment().putAll(environment);
            Process process = builder.start();
            String said = new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8).strip();
            if (process.waitFor() != 0) {
                // The last line: before it may be the dynamic linker's warnings.
                throw BenchException.failure(
                        said.substring(said.lastIndexOf('\n') + 1).replaceFirst("^upa-driver: ", ""));
            }
        } catch (IOException e) {
            throw BenchException.failure("cannot run " + program + ": " + e.getMessage());
        } catch (InterruptedException e) {
            throw BenchException.failure("interrupted");
        }
    }

    /**
     * Makes memory host-warm, until {@link #close}.
     *
     * @param bytes how much; 0 for none
     * @param progress where it says that it does
     * @param who says it, such as "upa bench"
     * @return a line for the report
     * @throws BenchException if it fails
     */
    public String warm(long bytes, PrintStream progress, String who) throws BenchException {
        if (bytes == 0) {
            return "not prepared: first touches may cost what the hypervisor takes to find memory";
        }
        progress.println(who + ": making " + Units.bytes(bytes) + " of memory host-warm");
        long before = hold(bytes);
        double after = touch();
        return Units.bytes(bytes) + " made host-warm and kept so: the first touch of a page took "
                + Units.time(before) + " before and " + Units.time(after)
                + " after; huge pages are warmed just before each use";
    }

    /**
     * Makes memory host-warm, until {@link #close}.
     *
     * @return nanoseconds the first touch of a page took
     */
    long hold(long bytes) throws BenchException {
        try {
            holder = new ProcessBuilder(program.toString(), "--hold", Long.toString(bytes))
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
            String line = new BufferedReader(new InputStreamReader(holder.getInputStream(), StandardCharsets.US_ASCII))
                    .readLine();
            String[] fields = line == null ? new String[0] : line.split(" ");
            if (fields.length != 4) {
                throw BenchException.failure(
                        "cannot make memory host-warm: bytes=" + bytes + ", upa-driver --hold said '" + line + "'");
            }
            return Long.parseLong(fields[3]);
        } catch (IOException e) {
            throw BenchException.failure("cannot run " + program + ": " + e.getMessage());
        }
    }

    /** What the kernel's pages cost now: nanoseconds for the first touch of a page. */
    double touch() throws BenchException {
        long bytes = 64 * Plan.MIB;
        List<String> command = List.of(
                program.toString(),
                "--contestant",
                "kernel",
                "--workload",
                "touch",
                "--phase",
                "cold",
                "--sizes",
                Long.toString(bytes),
                "--min-samples",
                "3");
        DriverOutput.Point point =
                run(command, Map.of(), Optional.empty()).points().getFirst();
        return point.latencies().median() / (bytes / PAGE_BYTES);
    }

    @Override
    public void close() {
        Process process = running;
        if (process != null) {
            process.destroyForcibly();
        }
        if (holder != null) {
            try {
                holder.getOutputStream().close();
                if (!holder.waitFor(10, TimeUnit.SECONDS)) {
                    holder.destroyForcibly();
                }
            } catch (IOException | InterruptedException e) {
                holder.destroyForcibly();
            }
            holder = null;
        }
    }
}
