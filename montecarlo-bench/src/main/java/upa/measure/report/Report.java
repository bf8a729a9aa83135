package upa.measure.report;

import java.util.List;

/**
 * What a run has found, ready to be shown.
 *
 * @param title the heading
 * @param introduction paragraphs for a reader who knows nothing of it yet
 * @param highlights the few figures to see first
 * @param sections in reading order
 */
public record Report(String title, List<String> introduction, List<Highlight> highlights, List<Section> sections) {

    /**
     * One figure to see first.
     *
     * @param figure the number with its unit
     * @param meaning what it is, in a few words
     */
    public record Highlight(String figure, String meaning) {}

    /**
     * One subject.
     *
     * @param id a short name, unique in the report
     * @param title the heading
     * @param blocks what it holds, in reading order
     */
    public record Section(String id, String title, List<Block> blocks) {}

    /** A part of a section. */
    public sealed interface Block permits Text, Table, Chart, HeatMap, FlameGraph {}

    /**
     * A paragraph.
     *
     * @param label what kind of statement it is, such as "Claimed"; may be empty
     * @param text plain text
     */
    public record Text(String label, String text) implements Block {}

    /**
     * A table.
     *
     * @param caption says what the numbers are
     * @param detail whether it is too long for the terminal; on the page it is then folded
     * @param header the titles of the columns, of which the first is text and the others are figures; empty for a list
     *     of facts, where all is text
     * @param rows as many cells each as the header; of facts two
     */
    public record Table(String caption, boolean detail, List<String> header, List<List<Cell>> rows) implements Block {

        /** Rejects rows of another length than the header. */
        public Table {
            int columns = header.isEmpty() ? 2 : header.size();
            for (List<Cell> row : rows) {
                if (row.size() != columns) {
                    throw new IllegalArgumentException(
                            "row of " + row.size() + " cells in a table of " + columns + ": row=" + row);
                }
            }
        }

        boolean isFacts() {
            return header.isEmpty();
        }
    }

    /** How a cell is marked. */
    public enum Mark {
        /** Not at all. */
        NONE,
        /** Better than what it is compared with, or a target reached. */
        GOOD,
        /** Worse, or a target missed. */
        BAD,
        /** Not decided. */
        OPEN
    }

    /**
     * A cell.
     *
     * @param text what it shows
     * @param mark its mark
     */
    public record Cell(String text, Mark mark) {

        /**
         * A cell without a mark.
         *
         * @param text what it shows
         * @return the cell
         */
        public static Cell of(String text) {
            return new Cell(text, Mark.NONE);
        }
    }

    /** What an axis measures; decides scale and labels. */
    public enum Unit {
        /** Sizes in bytes, on a logarithmic scale of base 2. */
        BYTES,
        /** Times in nanoseconds, on a logarithmic scale. */
        NANOSECONDS,
        /** Numbers of instructions, on a logarithmic scale. */
        INSTRUCTIONS,
        /** Ratios, on a logarithmic scale. */
        RATIO,
        /** Amounts of memory in bytes, on a linear scale from 0. */
        MEMORY,
        /** Parts of a whole, from 0 to 1, on a linear scale. */
        SHARE
    }

    /**
     * A chart: lines over sizes, of amounts of memory over time, or bars over categories; ratios and shares by
     * category are dots with their intervals.
     *
     * @param title says what is shown
     * @param note what to look at; may be empty
     * @param categories of bars; empty for lines
     * @param unit of the values
     * @param series one line or one colour of bars each
     * @param references horizontal lines, such as targets
     */
    public record Chart(
            String title,
            String note,
            List<String> categories,
            Unit unit,
            List<Series> series,
            List<Reference> references)
            implements Block {}

    /**
     * A plane of cells, the darker the more: their shade grows with the logarithm.
     *
     * @param title   says what is shown
     * @param note    what to look at; may be empty
     * @param columns what the x axis is, from where to where
     * @param rows    a name for each row, the first uppermost
     * @param values  of each row as many, 0 for nothing
     */
    public record HeatMap(String title, String note, String columns, List<String> rows, List<List<Long>> values)
            implements Block {

        /** Rejects rows of different length. */
        public HeatMap {
            if (rows.size() != values.size()
                    || values.stream().mapToInt(List::size).distinct().count() > 1) {
                throw new IllegalArgumentException("a plane of rows=" + rows.size() + " with values of rows="
                        + values.stream().map(List::size).toList());
            }
        }
    }

    /**
     * A line, or the bars of one colour.
     *
     * @param name for the legend
     * @param colour as #rrggbb, legible on white and on black
     * @param points in the order of x
     */
    public record Series(String name, String colour, List<Point> points) {}

    /**
     * One value.
     *
     * @param x the size in bytes, of amounts of memory the time in nanoseconds, or the index of the category
     * @param y the value
     * @param low the lower end of its interval
     * @param high the upper end of its interval
     */
    public record Point(double x, double y, double low, double high) {}

    /**
     * A horizontal line.
     *
     * @param y where
     * @param label what it means
     */
    public record Reference(double y, String label) {}

    /**
     * Stacks, as wide as they count: what is called lies above its caller.
     *
     * @param title  says what is shown
     * @param note   what to look at; may be empty
     * @param unit   of the counts, such as "faults"
     * @param stacks how much each counts; frames with semicolons between them, the outermost first
     */
    public record FlameGraph(String title, String note, String unit, java.util.Map<String, Long> stacks)
            implements Block {}
}
