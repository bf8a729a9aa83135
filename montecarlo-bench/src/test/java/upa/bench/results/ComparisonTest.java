package upa.bench.results;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import upa.bench.driver.Experiment;
import upa.bench.results.Comparison.Change;
import upa.bench.results.Comparison.Verdict;
import upa.bench.results.Measurements.Key;
import upa.bench.results.Measurements.Line;

class ComparisonTest {

    private static final long SIZE = 4096;

    private final Map<Key, double[]> before = new LinkedHashMap<>();
    private final Map<Key, double[]> now = new LinkedHashMap<>();

    private static Key key(Experiment experiment, String contestant) {
        return new Key(new Line(experiment, contestant, "", 1, "warm"), SIZE);
    }

    private static Key key(String contestant) {
        return key(Experiment.SIZES, contestant);
    }

    private void times(Key key, double[] was, double... is) {
        before.put(key, was);
        now.put(key, is);
    }

    private static double[] of(double... values) {
        return values;
    }

    private Comparison comparison() {
        return new Comparison(run(before), run(now));
    }

    private static PastRun run(Map<Key, double[]> medians) {
        return new PastRun(Map.of(), Map.of(), Map.of(), medians, 0);
    }

    private Change change(Key key) {
        return comparison().changes().stream()
                .filter(c -> c.key().equals(key))
                .findFirst()
                .orElseThrow();
    }

    @Test
    void halfTheTimeIsTwiceAsFast() {
        times(key("kernel"), of(100, 100, 100), 100, 100, 100);
        times(key("upa"), of(40, 80, 160), 20, 40, 80);
        Change change = change(key("upa"));
        assertEquals(80, change.before(), 1e-9);
        assertEquals(40, change.now(), 1e-9);
        assertEquals(2, change.speed().estimate(), 1e-9);
        assertEquals(1, change.base().orElseThrow().estimate(), 1e-9);
        assertEquals(Verdict.NOISE, change.verdict(), "its interval includes 1");
        times(key("upa"), of(80, 80, 80), 40, 40, 41);
        assertEquals(Verdict.FASTER, change(key("upa")).verdict());
        times(key("upa"), of(80, 80, 80), 160, 150, 160);
        assertEquals(Verdict.SLOWER, change(key("upa")).verdict());
    }

    /** In whichever direction the base line has moved. */
    @Test
    void whatHasChangedNoMoreThanTheBaseLineIsNoise() {
        for (double moved : new double[] {1.25, 1 / 1.25}) {
            times(key("kernel"), of(100, 100), 100 * moved, 100 * moved);
            for (double factor : new double[] {1.2, 1 / 1.2}) {
                times(key("upa"), of(80, 80), 80 * factor, 80 * factor);
                assertEquals(Verdict.NOISE, change(key("upa")).verdict(), moved + " and " + factor);
            }
            times(key("upa"), of(80, 80), 80 * 1.3, 80 * 1.3);
            assertEquals(Verdict.SLOWER, change(key("upa")).verdict(), "" + moved);
            times(key("upa"), of(80, 80), 80 / 1.3, 80 / 1.3);
            assertEquals(Verdict.FASTER, change(key("upa")).verdict(), "" + moved);
        }
    }

    @Test
    void withoutABaseLineTheIntervalDecides() {
        times(key("upa"), of(80, 80), 79, 79);
        Change change = change(key("upa"));
        assertEquals(Optional.empty(), change.base());
        assertEquals(Verdict.FASTER, change.verdict());
    }

    @Test
    void theBaseLineOfMallocsIsDlmallocOnTheKernel() {
        for (Experiment experiment : List.of(Experiment.MALLOC, Experiment.REALLOC)) {
            times(key(experiment, "dlmalloc-kernel"), of(100, 100), 150, 150);
            times(key(experiment, "kernel"), of(100, 100), 100, 100);
            times(key(experiment, "dlmalloc-upa"), of(100, 100), 140, 140);
            assertEquals(
                    Verdict.BASE, change(key(experiment, "dlmalloc-kernel")).verdict());
            assertEquals(Verdict.NOISE, change(key(experiment, "dlmalloc-upa")).verdict());
        }
        times(key("kernel"), of(100, 100), 150, 150);
        assertEquals(Verdict.BASE, change(key("kernel")).verdict());
    }

    @Test
    void whatOneRunHasAloneIsCountedAndControlsAreNot() {
        times(key("kernel"), of(100), 100);
        times(key("kernel-again"), of(100), 100);
        before.put(key("gone"), of(1));
        now.put(key("new"), of(1));
        now.put(key("newer"), of(1));
        now.put(key("newer-again"), of(1));
        assertEquals(
                List.of(key("kernel")),
                comparison().changes().stream().map(Change::key).toList());
        assertEquals(3, comparison().alone());
    }
}
