package upa.counts.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import upa.counts.data.InstructionProfile;
import upa.measure.report.Report.Block;
import upa.measure.report.Report.Cell;
import upa.measure.report.Report.Section;
import upa.measure.report.Report.Table;
import upa.measure.report.Report.Text;
import upa.measure.report.Units;

/** Where the instructions of single operations go, a folded table of functions each. */
final class ProfileSection {

    private static final int SHOWN = 14;

    private ProfileSection() {}

    static Section of(InstructionProfile profile) {
        List<Block> blocks = new ArrayList<>();
        blocks.add(new Text(
                "Measured",
                "One operation each, every instruction of which was traced and put down to its function (what the"
                        + " compiler has inlined, to the function around it). Exact, not sampled."));
        profile.operations().forEach((operation, functions) -> blocks.add(table(operation, functions)));
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
                    sorted.stream().skip(SHOWN).mapToDouble(Map.Entry::getValue).sum(),
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
