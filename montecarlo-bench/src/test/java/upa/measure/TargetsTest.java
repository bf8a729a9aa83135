package upa.measure;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import upa.measure.Figure.Reading;
import upa.measure.Figure.Verdict;
import upa.measure.report.Report.Cell;
import upa.measure.report.Report.Mark;
import upa.measure.report.Report.Section;
import upa.measure.report.Report.Table;
import upa.measure.report.Report.Text;
import upa.measure.report.Units;
import upa.measure.stats.Interval;

class TargetsTest {

    private static final Interval SURELY_LESS = new Interval(0.9, 0.8, 0.97);
    private static final Interval PERHAPS_LESS = new Interval(0.8, 0.5, 1.1);
    private static final Interval ENOUGH = new Interval(1.2, 1.1, 1.3);

    private static Figure atLeast(double target, Reading... readings) {
        Targets targets = new Targets();
        targets.atLeast("speed", target, "glibc", List.of(readings));
        return targets.figures().getFirst();
    }

    private static Figure atMost(double target, Reading... readings) {
        Targets targets = new Targets();
        targets.atMost("memory", target, "so much", Units::ratio, List.of(readings));
        return targets.figures().getFirst();
    }

    private static Reading at(String where, Interval value) {
        return new Reading(value, where);
    }

    private static Reading at(String where, Interval value, double control) {
        return new Reading(value, where, Optional.of(Interval.exact(control)));
    }

    @Test
    void aLeastIsHeldAgainstBothEndsOfTheInterval() {
        assertEquals(
                Verdict.REACHED, atLeast(2, at("", new Interval(2.5, 2, 3))).verdict());
        assertEquals(
                Verdict.UNDECIDED,
                atLeast(2, at("", new Interval(2.5, 1.99, 3))).verdict());
        assertEquals(
                Verdict.UNDECIDED, atLeast(2, at("", new Interval(1.5, 1, 2))).verdict());
        assertEquals(
                Verdict.MISSED, atLeast(2, at("", new Interval(1.5, 1, 1.99))).verdict());
        assertEquals("≥ 2x glibc", atLeast(2).target());
    }

    @Test
    void aMostIsHeldAgainstBothEndsOfTheInterval() {
        assertEquals(Verdict.REACHED, atMost(2, at("", new Interval(1.5, 1, 2))).verdict());
        assertEquals(
                Verdict.UNDECIDED, atMost(2, at("", new Interval(1.5, 1, 2.01))).verdict());
        assertEquals(
                Verdict.UNDECIDED, atMost(2, at("", new Interval(2.5, 2, 3))).verdict());
        assertEquals(
                Verdict.MISSED, atMost(2, at("", new Interval(2.5, 2.01, 3))).verdict());
        assertEquals("≤ so much", atMost(2).target());
    }

    @Test
    void whatNobodyMeasuredHasNoVerdict() {
        Figure figure = atLeast(2);
        assertEquals(Verdict.UNMEASURED, figure.verdict());
        assertEquals("", figure.measured());
        assertEquals("", figure.where());
    }

    /** On either side of 1, whichever side of the target the figure is on: 1.1 and 0.909 are as far. */
    @Test
    void aControlFurtherFromOneThanTheFigureFromItsTargetIsNoise() {
        for (double control : new double[] {1.3, 1 / 1.3}) {
            for (double value : new double[] {2 * 1.2, 2 / 1.2}) {
                assertEquals(
                        Verdict.NOISE,
                        atLeast(2, at("", Interval.exact(value), control)).verdict());
                assertEquals(
                        Verdict.NOISE,
                        atMost(2, at("", Interval.exact(value), control)).verdict());
            }
        }
        for (double control : new double[] {1.1, 1 / 1.1, 1}) {
            assertEquals(
                    Verdict.REACHED,
                    atLeast(2, at("", Interval.exact(2 * 1.2), control)).verdict());
            assertEquals(
                    Verdict.MISSED,
                    atLeast(2, at("", Interval.exact(2 / 1.2), control)).verdict());
            assertEquals(
                    Verdict.MISSED,
                    atMost(2, at("", Interval.exact(2 * 1.2), control)).verdict());
            assertEquals(
                    Verdict.REACHED,
                    atMost(2, at("", Interval.exact(2 / 1.2), control)).verdict());
        }
    }

    @Test
    void ofSeveralTheWorstDecides() {
        Figure most = atMost(2, at("a", Interval.exact(1.5)), at("b", Interval.exact(1.9)), at("c", ENOUGH));
        assertEquals("b", most.where());
        assertEquals("1.9x", most.measured());
        assertEquals(Verdict.REACHED, most.verdict());
        Figure least = atLeast(1, at("a", Interval.exact(1.5)), at("b", ENOUGH), at("c", Interval.exact(1.9)));
        assertEquals("b", least.where());
        assertEquals(Verdict.REACHED, least.verdict());
        Figure missed = atLeast(1, at("a", SURELY_LESS), at("b", Interval.exact(0.85)), at("c", ENOUGH));
        assertEquals("b", missed.where());
        assertEquals(Verdict.MISSED, missed.verdict());
    }

    /** However bad it reads where nothing is sure. */
    @Test
    void whereOneSurelyMissesNoNoiseElsewhereHidesIt() {
        Reading noisy = at("noisy", Interval.exact(0.7), 1.6);
        Reading missed = at("missed", SURELY_LESS, 1.01);
        Reading open = at("open", PERHAPS_LESS, 1.01);
        Reading good = at("good", ENOUGH, 1.01);
        for (List<Reading> order : List.of(
                List.of(noisy, missed, open, good),
                List.of(good, open, missed, noisy),
                List.of(missed, good, noisy, open))) {
            Figure figure = atLeast(1, order.toArray(Reading[]::new));
            assertEquals(Verdict.MISSED, figure.verdict());
            assertEquals("missed", figure.where());
        }
        assertEquals(Verdict.UNDECIDED, atLeast(1, good, open).verdict());
        assertEquals(Verdict.NOISE, atLeast(1, good, noisy).verdict());
        assertEquals("noisy", atLeast(1, good, open, noisy).where(), "of what is uncertain the worst");
        assertEquals(Verdict.REACHED, atLeast(1, good).verdict());
        Figure most = atMost(1, at("x", Interval.exact(1.6), 1.7), at("y", ENOUGH), at("z", Interval.exact(0.5)));
        assertEquals(Verdict.MISSED, most.verdict());
        assertEquals("y", most.where());
    }

    @Test
    void aSectionCountsAndMarksWhatWasMeasured() {
        Targets targets = new Targets();
        targets.atLeast("good", 1, "glibc", List.of(at("", ENOUGH)));
        targets.atLeast("bad", 1, "glibc", List.of(at("p", SURELY_LESS)));
        targets.atLeast("open", 1, "glibc", List.of(at("q", PERHAPS_LESS)));
        targets.atLeast("noisy", 1, "glibc", List.of(at("r", Interval.exact(1.1), 0.5)));
        targets.atLeast("absent", 1, "glibc", List.of());
        Section section = Targets.section(targets.figures());
        String seen = ((Text) section.blocks().get(0)).text();
        assertTrue(seen.startsWith("1 reached of 4 measured, 5 in all."), seen);
        assertTrue(seen.contains("1 of 1 figures with a control are too noisy to say"), seen);
        Table table = (Table) section.blocks().get(1);
        List<String> rows = new ArrayList<>();
        List<Mark> marks = new ArrayList<>();
        for (List<Cell> row : table.rows()) {
            rows.add(row.getFirst().text() + " " + row.get(3).text() + " "
                    + row.getLast().text());
            marks.add(row.getLast().mark());
        }
        assertEquals(List.of("good  reached", "bad p missed", "open q undecided", "noisy r too noisy to say"), rows);
        assertEquals(List.of(Mark.GOOD, Mark.BAD, Mark.OPEN, Mark.OPEN), marks);
    }

    @Test
    void ofNoFiguresNothingIsNoise() {
        assertEquals(Optional.empty(), Targets.noise(List.of()));
        assertEquals(Optional.empty(), Targets.noise(List.of(atLeast(1))));
        assertEquals(
                "How noisy the machine was is not known: the base line was not measured twice.",
                Targets.noise(List.of(atLeast(1, at("", ENOUGH)), atLeast(1))).orElseThrow());
        assertEquals(
                "None of 1 figures with a control is too noisy to say.",
                Targets.noise(List.of(atLeast(1, at("", ENOUGH, 1)), atLeast(1, at("", ENOUGH))))
                        .orElseThrow());
    }
}
