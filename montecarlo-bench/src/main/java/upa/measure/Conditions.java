package upa.measure;

import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import upa.measure.report.Report.Block;
import upa.measure.report.Report.Cell;
import upa.measure.report.Report.Section;
import upa.measure.report.Report.Table;
import upa.measure.report.Report.Text;
import upa.measure.report.Units;

/** Under what conditions a run took place: the machine, the method, and notes on what went other than planned. */
public final class Conditions {

    /** From here on the range of ratios holds their median with more than 95 %: 1 - 2^(1 - n). */
    private static final int ENOUGH_ROUNDS = 6;

    private static final double BUSY = 0.7;

    private final Machine machine;
    private final Map<String, String> facts;
    private final Map<String, String> method = new LinkedHashMap<>();
    private final List<String> notes = new ArrayList<>();
    private final long start = System.nanoTime();

    /**
     * Looks at the machine; the run begins now.
     *
     * @param machine it runs on
     * @param rounds the least that each figure is measured in
     */
    public Conditions(Machine machine, int rounds) {
        this.machine = machine;
        facts = machine.facts();
        if (machine.load() > BUSY) {
            note("Others were using this machine when the run began (load " + Units.digits(machine.load())
                    + "): intervals are wide, p99 and max are theirs.");
        }
        fewRounds(rounds).ifPresent(this::note);
        method(
                "Date",
                ZonedDateTime.now(ZoneOffset.UTC).format(DateTimeFormatter.ofPattern("uuuu-MM-dd HH:mm")) + " UTC");
    }

    /**
     * How far intervals are to be trusted.
     *
     * @param rounds the least that each was measured in
     * @return a note for the report; empty if there are enough
     */
    static Optional<String> fewRounds(int rounds) {
        return rounds >= ENOUGH_ROUNDS
                ? Optional.empty()
                : Optional.of("With " + Units.count(rounds, "round")
                        + " an interval is at most the range of the ratios seen, which holds their median with "
                        + Units.digits(100 - 200 * Math.pow(2, -rounds))
                        + " % and not 95 %: what it decides is to be taken with care.");
    }

    /**
     * Adds a sentence for the reader.
     *
     * @param text what went other than planned, or what to keep in mind
     */
    public void note(String text) {
        notes.add(text);
    }

    /**
     * Says one thing about how the run was made.
     *
     * @param name of that thing
     * @param text what was done
     */
    public void method(String name, String text) {
        method.put(name, text);
    }

    /**
     * Adds to what is known of the machine.
     *
     * @param name of the fact
     * @param text put in parentheses behind what is known of it already
     */
    public void fact(String name, String text) {
        facts.merge(name, text, (seen, more) -> seen + " (" + more + ")");
    }

    /** The run ends now: says how long it took, and how busy the machine is after it. */
    public void end() {
        method("Duration", Units.time((double) System.nanoTime() - start));
        method("Load after", Units.digits(machine.load()));
    }

    /**
     * What is known of the machine.
     *
     * @return facts by name
     */
    public Map<String, String> machine() {
        return facts;
    }

    /**
     * How the run was made.
     *
     * @return statements by name
     */
    public Map<String, String> method() {
        return method;
    }

    /**
     * The section of the report that tells all this.
     *
     * @param contestants who was measured, shown before the notes
     * @return the section
     */
    public Section section(Table contestants) {
        List<Block> blocks = new ArrayList<>();
        blocks.add(table("The machine", facts));
        blocks.add(table("The run", method));
        blocks.add(contestants);
        notes.forEach(note -> blocks.add(new Text("Note", note)));
        return new Section("conditions", "Machine and method", blocks);
    }

    /**
     * A table of facts.
     *
     * @param caption says what they are of
     * @param facts by name
     * @return the table
     */
    public static Table table(String caption, Map<String, String> facts) {
        return new Table(
                caption,
                false,
                List.of(),
                facts.entrySet().stream()
                        .map(e -> List.of(Cell.of(e.getKey()), Cell.of(e.getValue())))
                        .toList());
    }
}
