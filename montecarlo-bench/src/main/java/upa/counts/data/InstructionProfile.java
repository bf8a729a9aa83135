package upa.counts.data;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import upa.measure.MeasureException;

/**
 * Where the instructions of single operations go, by function: exact, from a trace of every instruction.
 *
 * @param operations the counts by function, of each operation
 */
public record InstructionProfile(Map<String, Map<String, Double>> operations) {

    private static final String HEADER = "operation,function,instructions";

    /** Reads such a file; empty if there is none. */
    public static Optional<InstructionProfile> read(Path file) throws MeasureException {
        if (!Files.isReadable(file)) {
            return Optional.empty();
        }
        try {
            return Optional.of(parse(file.getFileName().toString(), Files.readAllLines(file)));
        } catch (IOException e) {
            throw MeasureException.failure("cannot read profile: file=" + file + ": " + e.getMessage());
        }
    }

    /** Reads its lines. */
    public static InstructionProfile parse(String name, List<String> lines) throws MeasureException {
        Map<String, Map<String, Double>> operations = new LinkedHashMap<>();
        if (lines.isEmpty() || !lines.getFirst().equals(HEADER)) {
            throw MeasureException.failure("malformed profile: file=" + name + ": expected '" + HEADER + "'");
        }
        for (String line : lines.subList(1, lines.size())) {
            String[] fields = line.split(",");
            try {
                operations
                        .computeIfAbsent(fields[0], o -> new LinkedHashMap<>())
                        .merge(fields[1], Double.parseDouble(fields[2]), Double::sum);
            } catch (ArrayIndexOutOfBoundsException | NumberFormatException e) {
                throw MeasureException.failure("malformed profile: file=" + name + " line=" + line);
            }
        }
        return new InstructionProfile(operations);
    }
}
