package upa.bench.driver;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import upa.measure.MeasureException;
import upa.measure.allocator.Allocator;

/** The runner and the real driver understand each other. Skipped where the C half has not been built. */
class DriverTest {

    private final Path program = Path.of(System.getProperty("upa.library.path", "build/release/lib"))
            .resolveSibling("bin")
            .resolve("upa-driver");

    @BeforeEach
    void isBuilt() {
        assumeTrue(Files.isExecutable(program), "no driver: file=" + program);
    }

    @Test
    void everyContestantIsKnownToTheDriver() throws IOException {
        List<String> known = lines("--list").stream()
                .filter(l -> l.startsWith("contestant "))
                .map(l -> l.split(" ")[1])
                .toList();
        List<String> ours =
                Contestant.all().stream().map(Contestant::driverName).distinct().toList();
        assertTrue(known.containsAll(ours), "known=" + known + " ours=" + ours);
        assertTrue(ours.containsAll(known), "known=" + known + " ours=" + ours);
    }

    @Test
    void theSameSeedAsksForTheSameSizes() throws IOException {
        String[] request = {"--print-requests", "500", "--sampler", "douglas", "--seed"};
        List<String> sizes = lines(with(request, "3"));
        assertEquals(500, sizes.size());
        assertEquals(sizes, lines(with(request, "3")));
        assertNotEquals(sizes, lines(with(request, "4")));
    }

    @Test
    void aMeasurementArrives() throws MeasureException {
        try (Driver driver = new Driver(program)) {
            Job job = new Job(
                    Experiment.SIZES,
                    contestant("kernel"),
                    "",
                    1,
                    1,
                    List.of("--workload", "touch", "--sizes", "4096,65536", "--budget-ms", "2"));
            DriverOutput output = driver.run(job, 1);
            assertEquals(4, output.points().size());
            DriverOutput.Point warm = output.points().get(2);
            assertEquals("warm", warm.phase());
            assertTrue(warm.operations() > 0 && warm.faults() >= warm.operations(), warm.toString());
            assertTrue(
                    warm.latencies().median() > 0, "median=" + warm.latencies().median());
            assertTrue(
                    output.facts().get("malloc_library").contains("libc"),
                    output.facts().toString());
        }
    }

    @Test
    void aPreloadThatDoesNotWorkIsNoticed() throws MeasureException {
        Contestant impostor = Contestant.of(Allocator.ofLibrary("impostor", Path.of("/etc/hostname")));
        try (Driver driver = new Driver(program)) {
            Job job = new Job(Experiment.MALLOC, impostor, "", 1, 1, List.of("--workload", "touch", "--sizes", "64"));
            MeasureException e =
                    org.junit.jupiter.api.Assertions.assertThrows(MeasureException.class, () -> driver.run(job, 1));
            assertTrue(
                    e.getMessage().contains("not from a library named like 'hostname': is LD_PRELOAD right?"),
                    e.getMessage());
        }
    }

    private static Contestant contestant(String name) {
        return Contestant.all().stream()
                .filter(c -> c.name().equals(name))
                .findFirst()
                .orElseThrow();
    }

    private static String[] with(String[] some, String more) {
        String[] all = Arrays.copyOf(some, some.length + 1);
        all[some.length] = more;
        return all;
    }

    private List<String> lines(String... arguments) throws IOException {
        Process process = new ProcessBuilder(Stream.concat(Stream.of(program.toString()), Stream.of(arguments))
                        .toList())
                .start();
        try (var reader = process.inputReader(StandardCharsets.US_ASCII)) {
            return reader.lines().toList();
        }
    }
}
