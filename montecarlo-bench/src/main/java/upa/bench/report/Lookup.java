package upa.bench.report;

import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import upa.bench.driver.Contestant;
import upa.bench.driver.Experiment;
import upa.bench.results.Measurements;
import upa.bench.results.Measurements.Key;
import upa.bench.results.Measurements.Line;
import upa.measure.report.Units;

/** Finds what was measured, in the order of the contestants. */
final class Lookup {

    static final String KERNEL = "kernel";
    static final String UPA = "upa";
    static final String UNCLEARED = "upa-uncleared";

    private final Measurements measurements;
    private final List<Contestant> contestants;

    Lookup(Measurements measurements, List<Contestant> contestants) {
        this.measurements = measurements;
        this.contestants = contestants;
    }

    Measurements measurements() {
        return measurements;
    }

    static Line line(Experiment experiment, String contestant, String variant, String phase) {
        return new Line(experiment, contestant, variant, 1, phase);
    }

    /** The lines there are, in the order of the contestants. */
    List<Line> lines(Experiment experiment, String variant, String phase) {
        Set<Line> there = measurements.keys().stream()
                .map(Key::line)
                .filter(l -> l.experiment() == experiment
                        && l.variant().equals(variant)
                        && l.phase().equals(phase)
                        && !Contestant.isControl(l.contestant()))
                .collect(Collectors.toSet());
        return contestants.stream()
                .flatMap(c -> there.stream()
                        .filter(l -> l.contestant().equals(c.name()))
                        .sorted(Comparator.comparingInt(Line::threads)))
                .toList();
    }

    List<String> variants(Experiment experiment) {
        return measurements.keys().stream()
                .map(Key::line)
                .filter(l -> l.experiment() == experiment)
                .map(Line::variant)
                .filter(v -> !v.isEmpty())
                .distinct()
                .sorted()
                .toList();
    }

    boolean has(Experiment experiment) {
        return measurements.keys().stream().anyMatch(k -> k.line().experiment() == experiment);
    }

    /** Those of whom anything was measured. */
    List<Contestant> contestants() {
        Set<String> seen =
                measurements.keys().stream().map(k -> k.line().contestant()).collect(Collectors.toSet());
        return contestants.stream().filter(c -> seen.contains(c.name())).toList();
    }

    List<Long> sizes(List<Line> lines) {
        TreeSet<Long> sizes = new TreeSet<>();
        lines.forEach(l -> sizes.addAll(measurements.sizes(l)));
        return List.copyOf(sizes);
    }

    String colour(Line line) {
        return contestants.stream()
                .filter(c -> c.name().equals(line.contestant()))
                .findFirst()
                .orElseThrow()
                .colour();
    }

    /** The median time as text; empty if unmeasured. */
    String time(Line line, long size) {
        return measurements.median(line, size).map(Units::time).orElse("");
    }

    /** The peak memory as text. */
    String memory(Line line) {
        return measurements.fact(line, "peak_rss_bytes").map(Units::bytes).orElse("?");
    }

    /** A fact that is a whole number, as text. */
    String number(Line line, String fact) {
        return measurements
                .fact(line, fact)
                .map(v -> Long.toString(v.longValue()))
                .orElse("?");
    }

    Optional<Double> mean(Line line) {
        return measurements.mean(line, 0);
    }
}
