package upa.measure;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Function;
import upa.measure.Figure.Reading;
import upa.measure.Figure.Verdict;
import upa.measure.report.Report.Cell;
import upa.measure.report.Report.Mark;
import upa.measure.report.Report.Section;
import upa.measure.report.Report.Table;
import upa.measure.report.Report.Text;
import upa.measure.report.Units;
import upa.measure.stats.Interval;

/**
 * Collects figures to reach. Of several readings, at sizes or programs, one decides: the worst of those that surely
 * miss, else of those that are undecided or too noisy, else of all. So noise at one program hides no loss at another.
 */
public final class Targets {

    private final List<Figure> figures = new ArrayList<>();

    /** None yet. */
    public Targets() {}

    /**
     * All figures, in the order in which they were added.
     *
     * @return a copy
     */
    public List<Figure> figures() {
        return List.copyOf(figures);
    }

    /**
     * Adds a ratio that shall be at least so much.
     *
     * @param name what it is
     * @param target the least
     * @param whom the base line, with what goes before it, such as "kernel mmap"
     * @param readings what was measured; empty if nothing was
     */
    public void atLeast(String name, double target, String whom, Collection<Reading> readings) {
        add(
                name,
                target,
                "≥ " + Units.ratio(target) + " " + whom,
                Units::ratio,
                readings,
                Comparator.comparingDouble(reading -> reading.value().estimate()),
                i -> i.low() >= target ? Verdict.REACHED : i.high() < target ? Verdict.MISSED : Verdict.UNDECIDED);
    }

    /**
     * Adds an amount that shall be at most so much.
     *
     * @param name what it is
     * @param target the most
     * @param what the target and its base line as text, behind the sign
     * @param show how to show what was measured
     * @param readings what was measured; empty if nothing was
     */
    public void atMost(
            String name, double target, String what, Function<Interval, String> show, Collection<Reading> readings) {
        Comparator<Reading> least =
                Comparator.comparingDouble(reading -> reading.value().estimate());
        add(
                name,
                target,
                "≤ " + what,
                show,
                readings,
                least.reversed(),
                i -> i.high() <= target ? Verdict.REACHED : i.low() > target ? Verdict.MISSED : Verdict.UNDECIDED);
    }

    /**
     * Adds a figure of another kind.
     *
     * @param figure with its verdict
     */
    public void add(Figure figure) {
        figures.add(figure);
    }

    private void add(
            String name,
            double target,
            String what,
            Function<Interval, String> show,
            Collection<Reading> readings,
            Comparator<Reading> worstFirst,
            Function<Interval, Verdict> verdict) {
        Function<Reading, Verdict> judge =
                reading -> isNoise(reading, target) ? Verdict.NOISE : verdict.apply(reading.value());
        Comparator<Reading> gravestFirst = Comparator.comparingInt(reading -> gravity(judge.apply(reading)));
        Optional<Reading> decides = readings.stream().min(gravestFirst.thenComparing(worstFirst));
        figures.add(new Figure(
                name,
                what,
                decides.map(Reading::value).map(show).orElse(""),
                decides.map(Reading::where).orElse(""),
                decides.map(judge).orElse(Verdict.UNMEASURED),
                decides.flatMap(Reading::control).isPresent()));
    }

    /** Which verdict of several places is that of all: the least. */
    private static int gravity(Verdict verdict) {
        return switch (verdict) {
            case MISSED -> 0;
            case UNDECIDED, NOISE -> 1;
            case REACHED, UNMEASURED -> 2;
        };
    }

    /**
     * Whether the control leaves 1 by more than the figure is away from its target: then what the figure is away may be
     * nothing but what the machine does to two runs of the same code.
     */
    private static boolean isNoise(Reading reading, double target) {
        return reading.control()
                .filter(control -> Math.abs(Math.log(control.estimate()))
                        > Math.abs(Math.log(reading.value().estimate() / target)))
                .isPresent();
    }

    /**
     * The section of a report that shows figures.
     *
     * @param figures in order
     * @return the section
     */
    public static Section section(List<Figure> figures) {
        List<List<Cell>> rows = figures.stream()
                .filter(f -> f.verdict() != Verdict.UNMEASURED)
                .map(f -> List.of(
                        Cell.of(f.name()),
                        Cell.of(f.target()),
                        Cell.of(f.measured()),
                        Cell.of(f.where()),
                        new Cell(word(f.verdict()), mark(f.verdict()))))
                .toList();
        long reached =
                figures.stream().filter(f -> f.verdict() == Verdict.REACHED).count();
        return new Section(
                "figures",
                "Figures to reach",
                List.of(
                        new Text(
                                "Seen",
                                reached + " reached of " + rows.size() + " measured, " + figures.size()
                                        + " in all. Of several sizes or programs the worst one counts, and one that"
                                        + " surely misses before one that is uncertain. A figure is reached when its"
                                        + " whole interval is, and undecided when the target lies within the"
                                        + " interval."
                                        + noise(figures).map(text -> " " + text).orElse("")),
                        new Table(
                                "Targets of the project, held against this run",
                                false,
                                List.of("figure", "target", "measured", "worst at", "verdict"),
                                rows)));
    }

    private static String word(Verdict verdict) {
        return verdict == Verdict.NOISE ? "too noisy to say" : verdict.name().toLowerCase(Locale.ROOT);
    }

    /**
     * How much of a run was noise.
     *
     * @param figures in any order
     * @return a sentence; empty if no figure was measured
     */
    public static Optional<String> noise(List<Figure> figures) {
        List<Figure> measured =
                figures.stream().filter(f -> f.verdict() != Verdict.UNMEASURED).toList();
        long controlled = measured.stream().filter(Figure::controlled).count();
        long noisy = measured.stream().filter(f -> f.verdict() == Verdict.NOISE).count();
        if (measured.isEmpty()) {
            return Optional.empty();
        }
        if (controlled == 0) {
            return Optional.of("How noisy the machine was is not known: the base line was not measured twice.");
        }
        return Optional.of(
                noisy == 0
                        ? "None of " + controlled + " figures with a control is too noisy to say."
                        : noisy + " of " + controlled + " figures with a control are too noisy to say: there the base"
                                + " line, measured twice, differs from itself by more than the figure from its"
                                + " target. A quieter machine, or more rounds, would tell.");
    }

    private static Mark mark(Verdict verdict) {
        return switch (verdict) {
            case REACHED -> Mark.GOOD;
            case MISSED -> Mark.BAD;
            case UNDECIDED, NOISE -> Mark.OPEN;
            case UNMEASURED -> Mark.NONE;
        };
    }
}
