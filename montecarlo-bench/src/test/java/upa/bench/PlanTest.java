package upa.bench;

import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import upa.bench.driver.Contestant;
import upa.bench.driver.Experiment;
import upa.bench.driver.Job;
import upa.measure.report.Units;

/** The plan and the real driver understand each other. Skipped where the C half has not been built. */
class PlanTest {

    private final Path program = Path.of(System.getProperty("upa.library.path", "build/release/lib"))
            .resolveSibling("bin")
            .resolve("upa-driver");

    @Test
    void theDriverTakesTheArgumentsOfEveryJob() throws IOException {
        assumeTrue(Files.isExecutable(program), "no driver: file=" + program);
        for (boolean full : new boolean[] {false, true}) {
            Settings settings = new Settings(
                    full,
                    EnumSet.allOf(Experiment.class),
                    List.of("douglas", "log-uniform"),
                    Contestant.all(),
                    1,
                    1,
                    Units.MIB,
                    0,
                    false,
                    program,
                    Path.of("unused"));
            for (Job job : Plan.jobs(settings)) {
                // The driver reads its options in order: --list after them all answers at once if they are understood.
                String[] arguments = Stream.concat(job.arguments().stream(), Stream.of("--list"))
                        .toArray(String[]::new);
                assertTrue(lines(arguments) > 10, job.toString());
            }
        }
    }

    private int lines(String... arguments) throws IOException {
        Process process = new ProcessBuilder(Stream.concat(Stream.of(program.toString()), Stream.of(arguments))
                        .toList())
                .start();
        try (var reader = process.inputReader(StandardCharsets.US_ASCII)) {
            return reader.lines().toList().size();
        }
    }
}
