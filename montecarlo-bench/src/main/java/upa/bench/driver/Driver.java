package upa.bench.driver;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import upa.measure.HostMemory;
import upa.measure.MeasureException;

/** Runs {@code upa-driver} processes. One at a time; {@link #close} from any thread ends what runs. */
public final class Driver implements AutoCloseable {

    private static final int KILLED = 128;

    private final Path program;
    private volatile Process running;

    /**
     * The driver.
     *
     * @param program its executable
     * @throws MeasureException if the program is missing
     */
    public Driver(Path program) throws MeasureException {
        if (!Files.isExecutable(program)) {
            throw HostMemory.missing(program);
        }
        this.program = program;
    }

    /**
     * Runs a job.
     *
     * @param job what to run
     * @param seed of the sampler
     * @return what it printed
     * @throws MeasureException if it fails, with what it said
     */
    public DriverOutput run(Job job, long seed) throws MeasureException {
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
        if (job.contestant().isMalloc()) {
            // ld.so only warns when it cannot preload, and glibc would be measured instead.
            command.add("--expect-malloc");
            command.add(library(job.contestant()).getFileName().toString());
        }
        command.addAll(job.arguments());
        return run(command, job.contestant().variables());
    }

    private static Path library(Contestant contestant) throws MeasureException {
        return contestant
                .library()
                .orElseThrow(() -> MeasureException.failure("no library of contestant=" + contestant.name()));
    }

    private DriverOutput run(List<String> command, Map<String, String> environment) throws MeasureException {
        try {
            ProcessBuilder builder = new ProcessBuilder(command);
            builder.environment().putAll(environment);
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
                    throw MeasureException.failure(
                            why(command, status, Files.readString(errors).strip()));
                }
                return DriverOutput.parse(lines);
            } finally {
                running = null;
                Files.deleteIfExists(errors);
            }
        } catch (IOException e) {
            throw MeasureException.failure("cannot run " + program + ": " + e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw MeasureException.failure("interrupted");
        }
    }

    private static String why(List<String> command, int status, String errors) {
        String what = status > KILLED
                ? "was killed by signal " + (status - KILLED) + (status == KILLED + 9 ? " (out of memory?)" : "")
                : "failed with status " + status;
        return "upa-driver " + what + (errors.isEmpty() ? "" : ": " + errors) + ": " + String.join(" ", command);
    }

    /**
     * Fails unless sizes can be drawn so, or the trace be replayed.
     *
     * @param sampler as the driver takes it
     * @throws MeasureException with what is wrong in one line
     */
    public void checkSampler(String sampler) throws MeasureException {
        check(Map.of(), "--print-requests", "1", "--sampler", sampler);
    }

    /**
     * Fails unless the library can be preloaded and brings a malloc.
     *
     * @param contestant one with an allocator
     * @throws MeasureException with what is wrong in one line
     */
    public void checkMalloc(Contestant contestant) throws MeasureException {
        check(
                contestant.variables(),
                "--contestant",
                contestant.driverName(),
                "--expect-malloc",
                library(contestant).getFileName().toString(),
                "--workload",
                "touch",
                "--sizes",
                "64",
                "--min-samples",
                "1",
                "--budget-ms",
                "1");
    }

    private void check(Map<String, String> environment, String... arguments) throws MeasureException {
        try {
            List<String> command = new ArrayList<>(List.of(program.toString()));
            command.addAll(List.of(arguments));
            ProcessBuilder builder = new ProcessBuilder(command).redirectOutput(ProcessBuilder.Redirect.DISCARD);
            builder.environment().putAll(environment);
            Process process = builder.start();
            String said = new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8).strip();
            if (process.waitFor() != 0) {
                // The last line: before it may be the dynamic linker's warnings.
                throw MeasureException.failure(
                        said.substring(said.lastIndexOf('\n') + 1).replaceFirst("^upa-driver: ", ""));
            }
        } catch (IOException e) {
            throw MeasureException.failure("cannot run " + program + ": " + e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw MeasureException.failure("interrupted");
        }
    }

    @Override
    public void close() {
        Process process = running;
        if (process != null) {
            process.destroyForcibly();
        }
    }
}
