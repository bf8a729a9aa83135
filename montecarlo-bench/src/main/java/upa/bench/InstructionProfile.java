package upa.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import upa.bench.report.Report.Block;
import upa.bench.report.Report.Cell;
import upa.bench.report.Report.Section;
import upa.bench.report.Report.Table;
import upa.bench.report.Report.Text;
import upa.bench.report.Units;

/**
 * Where the instructions of single operations go, by function: exact, from a trace of every instruction.
 *
 * @param operations the counts by function, of each operation
 */
record InstructionProfile(Map<String, Map<String, Double>> operations) {

    private static final String HEADER = "operation,function,instructions";
    private static final int SHOWN = 14;

    /** Reads such a file; empty if there is none. */
    static Optional<InstructionProfile> read(Path file) throws BenchException {
        if (!Files.isReadable(file)) {
            return Optional.empty();
        }
        try {
            return Optional.of(parse(file.getFileName().toString(), Files.readAllLines(file)));
        } catch (IOException e) {
            throw BenchException.failure("cannot read profile: file=" + file + ": " + e.getMessage());
        }
    }

    static InstructionProfile parse(String name, List<String> lines) throws BenchException {
        Map<String, Map<String, Double>> operations = new LinkedHashMap<>();
        if (lines.isEmpty() || !lines.getFirst().equals(HEADER)) {
            throw BenchException.failure("malformed profile: file=" + name + ": expected '" + HEADER + "'");
        }
        for (String line : lines.subList(1, lines.size())) {
            String[] fields = line.split(",");
            try {
                operations
                        .computeIfAbsent(fields[0], o -> new LinkedHashMap<>())
                        .merge(fields[1], Double.parseDouble(fields[2]), Double::sum);
            } catch (ArrayIndexOutOfBoundsException | NumberFormatException e) {
                throw BenchException.failure("malformed profile: file=" + name + " line=" + line);
            }
        }
        return new InstructionProfile(operations);
    }

    Section section() {
        List<Block> blocks = new ArrayList<>();
        blocks.add(new Text(
                "Measured",
                "One operation each, every instruction of which was traced and put down to its function (what the"
                    + " compiler has inlined, to the function around it). Exact, not sampled."));
        operations.forEach((operation, functions) -> blocks.add(table(operation, functions)));
        return new Section("profile", "Where the instructions go", blocks);
    }

    private static Table table(String operation, Map<String, Double> functions) {
        double all =
                functions.values().stream().mapToDouble(Double::doubleValue).sum();
        List<Map.Entry<String, Double>> sorted = functions.entrySet().stream()
                .sorted(Map.Entry.<String, Double>comparingByValue().reversed())
                .toList();
        List<List<Cell>> rows = new ArrayList<>();
        sorted.stream().limit(SHOWN).forEach(e -> rows.add(row(e.getKey(), e.getValue(), all)));
        if (sorted.size() > SHOWN) {
            rows.add(row(
                    (sorted.size() - SHOWN) + " others",
                    sorted.stream()
                            .skip(SHOWN)
                            .mapToDouble(Map.Entry::getValue)
                            .sum(),
                    all));
        }
        return new Table(
                operation + ": " + Units.digits(all) + " instructions",
                true,
                List.of("function", "instructions", "share"),
                rows);
    }

    private static List<Cell> row(String function, double instructions, double all) {
        return List.of(
                Cell.of(function),
                Cell.of(Units.digits(instructions)),
                Cell.of(Units.digits(100 * instructions / all) + " %"));
    }
}
