package upa.counts.data;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import upa.measure.MeasureException;

/**
 * What {@code upa vm bench} has collected, in one folder.
 *
 * @param counts counts.csv: instructions, from the virtual machine
 * @param host host.csv: times of the stock kernel's rows on this machine; empty if they were not taken
 * @param profile profile.csv; empty if none was made
 * @param driver driver/: the Monte-Carlo driver's output in the virtual machine
 * @param machine facts of this machine
 */
public record CountsInput(
        Counts counts,
        Optional<Counts> host,
        Optional<InstructionProfile> profile,
        List<DriverRuns.Run> driver,
        Map<String, String> machine) {

    /**
     * Reads the folder.
     *
     * @param folder that {@code upa vm bench} has filled
     * @param machine facts of this machine
     * @return what is in it
     * @throws MeasureException if a file is missing or malformed
     */
    public static CountsInput read(Path folder, Map<String, String> machine) throws MeasureException {
        Path host = folder.resolve("host.csv");
        return new CountsInput(
                Counts.read(folder.resolve("counts.csv")),
                Files.isReadable(host) ? Optional.of(Counts.read(host)) : Optional.empty(),
                InstructionProfile.read(folder.resolve("profile.csv")),
                DriverRuns.read(folder.resolve("driver")),
                machine);
    }
}
