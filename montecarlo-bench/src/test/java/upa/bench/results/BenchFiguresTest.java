package upa.bench.results;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Param;
import upa.bench.driver.Contestant;
import upa.bench.driver.DriverOutput;
import upa.bench.driver.Experiment;
import upa.bench.driver.Job;
import upa.measure.Figure;
import upa.measure.Figure.Verdict;
import upa.measure.MeasureException;
import upa.measure.Targets;

class BenchFiguresTest {

    private static final String SMALL = "warm allocate + touch + free, uncleared, 4 KiB";
    private static final String LARGE = "warm allocate + touch + free, uncleared, 64 KiB-256 MiB";

    private final Measurements measurements = new Measurements();

    @Test
    void withoutMeasurementsNothingIsDecided() {
        List<Figure> figures = BenchFigures.of(measurements, JmhResults.none());
        assertEquals(21, figures.size());
        assertEquals(
                21,
                figures.stream().filter(f -> f.verdict() == Verdict.UNMEASURED).count());
    }

    @Test
    void aFigureIsReachedWhenTheWholeIntervalIs() throws MeasureException {
        measure("kernel", "4096", 6000, 6300, 5900);
        measure("upa-uncleared", "4096", 200, 210, 190);
        assertEquals(Verdict.REACHED, figure(SMALL).verdict());
        assertEquals("≥ 20x kernel mmap", figure(SMALL).target());
        assertEquals("30.3x", figure(SMALL).measured().split(" ")[0]);
    }

    @Test
    void itIsUndecidedWhenTheTargetLiesWithin() throws MeasureException {
        measure("kernel", "4096", 3000, 4000, 5000);
        measure("upa-uncleared", "4096", 200, 200, 200);
        assertEquals(Verdict.UNDECIDED, figure(SMALL).verdict());
    }

    @Test
    void itIsMissedWhenTheWholeIntervalIs() throws MeasureException {
        measure("kernel", "4096", 3000, 3100, 3000);
        measure("upa-uncleared", "4096", 200, 200, 200);
        assertEquals(Verdict.MISSED, figure(SMALL).verdict());
    }

    @Test
    void itIsTooNoisyIfTheBaseLineDiffersFromItselfByMore() throws MeasureException {
        measure("kernel", "4096", 3800, 3800, 3800);
        measure("upa-uncleared", "4096", 200, 200, 200);
        assertEquals(Verdict.MISSED, figure(SMALL).verdict(), "19x");
        measure("kernel-again", "4096", 3700, 3700, 3700);
        assertEquals(Verdict.MISSED, figure(SMALL).verdict(), "1.027x of itself, and 1.053x to the target");
        measure("kernel-again", "4096", 4200, 4200, 4200);
        assertEquals(Verdict.NOISE, figure(SMALL).verdict(), "0.905x of itself");
        measure("upa-uncleared", "4096", 100, 100, 100);
        assertEquals(Verdict.REACHED, figure(SMALL).verdict(), "38x is far from 20x");
    }

    @Test
    void howMuchWasNoiseIsSaid() throws MeasureException {
        measure("kernel", "4096", 4100, 4100, 4100);
        measure("upa-uncleared", "4096", 200, 200, 200);
        assertTrue(Targets.noise(BenchFigures.of(measurements, JmhResults.none()))
                .orElseThrow()
                .startsWith("How noisy the machine was is not known"));
        measure("kernel-again", "4096", 4100, 4100, 4100);
        assertTrue(Targets.noise(BenchFigures.of(measurements, JmhResults.none()))
                .orElseThrow()
                .startsWith("None of 1 figures with a control "));
        measure("kernel-again", "4096", 3000, 3000, 3000);
        assertEquals(Verdict.NOISE, figure(SMALL).verdict(), "20.5x may be luck as well");
        assertTrue(Targets.noise(BenchFigures.of(measurements, JmhResults.none()))
                .orElseThrow()
                .startsWith("1 of 1 figures with a control are too noisy to say"));
    }

    @Test
    void ofSeveralSizesTheWorstCounts() throws MeasureException {
        measure("kernel", "65536 1048576 268435456 1073741824", 30_000, 30_000);
        measure("upa-uncleared", "65536", 100, 100);
        measure("upa-uncleared", "1048576", 200, 200);
        measure("upa-uncleared", "268435456", 150, 150);
        // Beyond the range of the target:
        measure("upa-uncleared", "1073741824", 30_000, 30_000);
        assertEquals("1 MiB", figure(LARGE).where());
        assertEquals("150x", figure(LARGE).measured());
        assertEquals(Verdict.REACHED, figure(LARGE).verdict());
    }

    @Test
    void javaFiguresComeFromJmh() {
        JmhResults jmh = new JmhResults(Map.of(
                JmhResults.CONFINED_1M,
                List.of(80_000.0, 82_000.0),
                JmhResults.PAGE_ARENA_1M,
                List.of(4_000.0, 4_100.0),
                JmhResults.REGION_4K,
                List.of(200.0)));
        List<Figure> figures = BenchFigures.of(measurements, jmh);
        assertEquals(
                Verdict.REACHED,
                of(figures, "PageArena, 1 MiB written once per page").verdict());
        assertEquals(
                Verdict.MISSED,
                of(figures, "allocate + free alone, 4 KiB, Java Region").verdict());
    }

    @Test
    void theBenchmarksOfTheFiguresExist() throws ReflectiveOperationException {
        for (String name : List.of(
                JmhResults.CONFINED_1M,
                JmhResults.LLFREE_JAVA,
                JmhResults.PAGE_ARENA_1M,
                JmhResults.PAGE_ARENA_AHEAD_1M,
                JmhResults.PAGE_ARENA_UNCLEARED_1M,
                JmhResults.REGION_4K)) {
            String[] parts = name.split("[.:=]");
            Class<?> benchmark = Class.forName("upa.bench.jmh." + parts[0]);
            assertTrue(
                    Stream.of(benchmark.getMethods())
                            .anyMatch(m -> m.getName().equals(parts[1]) && m.isAnnotationPresent(Benchmark.class)),
                    name);
            Param values = benchmark.getField(parts[2]).getAnnotation(Param.class);
            assertTrue(List.of(values.value()).contains(parts[3]), name);
        }
    }

    /** One round per time, in ns; several sizes take the same. */
    private void measure(String contestant, String sizes, long... times) throws MeasureException {
        Contestant c = new Contestant(contestant, contestant, "", "#000000", Optional.empty());
        for (int round = 0; round < times.length; round++) {
            for (String size : sizes.split(" ")) {
                measurements.add(
                        new Job(Experiment.SIZES, c, "", 1, times.length, List.of()),
                        round,
                        DriverOutput.parse(List.of(
                                "upa-driver 1",
                                "point warm " + size + " 1 1 " + times[round] * 1000 + " 0 0 0 1",
                                "s " + times[round] * 1000,
                                "end 1")));
            }
        }
    }

    private Figure figure(String name) {
        return of(BenchFigures.of(measurements, JmhResults.none()), name);
    }

    private static Figure of(List<Figure> figures, String name) {
        return figures.stream().filter(f -> f.name().equals(name)).findFirst().orElseThrow();
    }
}
