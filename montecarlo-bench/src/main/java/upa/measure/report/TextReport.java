package upa.measure.report;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import upa.measure.report.Report.Cell;
import upa.measure.report.Report.Mark;
import upa.measure.report.Report.Section;
import upa.measure.report.Report.Table;
import upa.measure.report.Report.Text;

/** A report for the terminal: paragraphs and short tables, no charts. */
public final class TextReport {

    private static final int WIDTH = 118;
    private static final String RESET = "\u001b[0m";

    private final boolean colours;

    /**
     * A writer of reports.
     *
     * @param colours whether marks are shown in colour (else by a sign)
     */
    public TextReport(boolean colours) {
        this.colours = colours;
    }

    /**
     * The report as text.
     *
     * @param report to show
     * @return lines, the last one ended too
     */
    public String format(Report report) {
        StringBuilder out = new StringBuilder();
        for (Section section : report.sections()) {
            out.append('\n').append(bold(section.title())).append('\n');
            for (Report.Block block : section.blocks()) {
                switch (block) {
                    case Text text -> paragraph(out, text);
                    case Table table when !table.detail() -> table(out, table);
                    default -> {}
                }
            }
        }
        return out.toString();
    }

    private void paragraph(StringBuilder out, Text text) {
        String line = "  " + (text.label().isEmpty() ? "" : text.label() + ": ");
        for (String word : text.text().split(" ")) {
            if (line.length() + word.length() > WIDTH && !line.isBlank()) {
                out.append(line.stripTrailing()).append('\n');
                line = "    ";
            }
            line += word + " ";
        }
        out.append(line.stripTrailing()).append('\n');
    }

    private void table(StringBuilder out, Table table) {
        List<List<Cell>> rows = new ArrayList<>(table.rows());
        if (!table.isFacts()) {
            rows.addFirst(table.header().stream().map(Cell::of).toList());
        }
        int[] widths = new int[table.isFacts() ? 2 : table.header().size()];
        for (List<Cell> row : rows) {
            for (int i = 0; i < widths.length; i++) {
                widths[i] = Math.max(widths[i], signed(row.get(i)).length());
            }
        }
        out.append("\n  ").append(table.caption()).append('\n');
        for (List<Cell> row : rows) {
            StringBuilder line = new StringBuilder();
            for (int i = 0; i < widths.length; i++) {
                Cell cell = row.get(i);
                String padding = " ".repeat(widths[i] - signed(cell).length());
                line.append("  ")
                        .append(i == 0 || table.isFacts() ? coloured(cell) + padding : padding + coloured(cell));
            }
            out.append(line.toString().stripTrailing()).append('\n');
            if (row == rows.getFirst() && !table.isFacts()) {
                out.append("  ")
                        .append("-".repeat(Arrays.stream(widths).map(w -> w + 2).sum() - 2))
                        .append('\n');
            }
        }
        out.append('\n');
    }

    private String bold(String text) {
        return colours ? "\u001b[1m" + text + RESET : text + "\n" + "=".repeat(text.length());
    }

    private String signed(Cell cell) {
        if (colours) {
            return cell.text();
        }
        return switch (cell.mark()) {
            case BAD -> cell.text() + " !";
            case OPEN -> cell.text() + " ?";
            case GOOD, NONE -> cell.text();
        };
    }

    private String coloured(Cell cell) {
        if (!colours || cell.mark() == Mark.NONE) {
            return signed(cell);
        }
        String code = switch (cell.mark()) {
            case GOOD -> "32";
            case BAD -> "31";
            default -> "33";
        };
        return "\u001b[" + code + "m" + cell.text() + RESET;
    }
}
