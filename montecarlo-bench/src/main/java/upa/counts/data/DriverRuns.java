package upa.counts.data;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import upa.bench.driver.Contestant;
import upa.bench.driver.DriverOutput;
import upa.measure.MeasureException;

/**
 * What the Monte-Carlo driver has printed in the virtual machine: unchanged, with a clock that advances by one
 * nanosecond for each instruction, so that its times are counts.
 */
public final class DriverRuns {

    private static final String FAILED = ".failed";

    private DriverRuns() {}

    /**
     * One run.
     *
     * @param contestant who was measured
     * @param workload touch or ring
     * @param points as the driver prints them; none if it failed
     * @param failure why it failed; empty if it did not
     */
    public record Run(String contestant, String workload, List<DriverOutput.Point> points, String failure) {

        /** Instructions of an operation; empty if that was not measured. */
        public Optional<Double> mean(String phase, long size) {
            return points.stream()
                    .filter(p -> p.phase().equals(phase) && p.size() == size)
                    .map(DriverOutput.Point::mean)
                    .findFirst();
        }
    }

    /** All runs below a folder, in files CONTESTANT-WORKLOAD; none if there is no such folder. */
    public static List<Run> read(Path folder) throws MeasureException {
        if (!Files.isDirectory(folder)) {
            return List.of();
        }
        List<Run> runs = new ArrayList<>();
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file :
                    files.sorted(Comparator.comparing(DriverRuns::place)).toList()) {
                String name = file.getFileName().toString().replace(FAILED, "");
                int dash = name.lastIndexOf('-');
                List<String> lines = Files.readAllLines(file);
                boolean failed = file.toString().endsWith(FAILED);
                runs.add(new Run(
                        name.substring(0, dash),
                        name.substring(dash + 1),
                        failed ? List.of() : DriverOutput.parse(lines).points(),
                        failed ? String.join(" ", lines) : ""));
            }
        } catch (IOException e) {
            throw MeasureException.failure("cannot read the driver's output: folder=" + folder + ": " + e.getMessage());
        }
        return runs;
    }

    /** In the order of the contestants, those nobody knows last. */
    private static int place(Path file) {
        List<Contestant> all = Contestant.all();
        String name = file.getFileName().toString();
        for (int i = 0; i < all.size(); i++) {
            if (name.startsWith(all.get(i).name() + "-")
                    && !name.substring(all.get(i).name().length() + 1).contains("-")) {
                return i;
            }
        }
        return all.size();
    }
}
