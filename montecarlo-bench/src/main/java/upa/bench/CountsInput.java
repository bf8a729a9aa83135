package upa.bench;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What {@code upa vm bench} has collected, in one folder.
 *
 * @param counts counts.csv: instructions, from the virtual machine
 * @param host host.csv: times of the stock kernel's rows on this machine; empty if they were not taken
 * @param profile profile.csv; empty if none was made
 * @param driver driver/: the Monte-Carlo driver's output in the virtual machine
 * @param machine facts of this machine
 */
record CountsInput(
        Counts counts,
        Optional<Counts> host,
        Optional<InstructionProfile> profile,
        List<MonteCarloCounts.Run> driver,
        Map<String, String> machine) {

    static CountsInput read(Path folder, Map<String, String> machine) throws BenchException {
        Path host = folder.resolve("host.csv");
        return new CountsInput(
                Counts.read(folder.resolve("counts.csv")),
                Files.isReadable(host) ? Optional.of(Counts.read(host)) : Optional.empty(),
                InstructionProfile.read(folder.resolve("profile.csv")),
                MonteCarloCounts.read(folder.resolve("driver")),
                machine);
    }
}
