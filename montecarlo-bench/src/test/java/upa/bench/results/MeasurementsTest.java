package upa.bench.results;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import upa.bench.driver.Contestant;
import upa.bench.driver.DriverOutput;
import upa.bench.driver.Experiment;
import upa.bench.driver.Job;
import upa.bench.results.Measurements.Line;
import upa.measure.MeasureException;
import upa.measure.stats.Interval;

class MeasurementsTest {

    private final Measurements measurements = new Measurements();

    private static Line line(String contestant, int threads) {
        return new Line(Experiment.SIZES, contestant, "", threads, "warm");
    }

    private static Line line(String contestant) {
        return line(contestant, 1);
    }

    /** A round in which each of the operations took so long, in ns. */
    private void round(String contestant, int threads, long size, int round, long... times) throws MeasureException {
        List<String> lines = new ArrayList<>(List.of("upa-driver 1", "fact rank " + (round + 1) * (round + 1)));
        long total = 0;
        for (long time : times) {
            total += time * 1000;
        }
        lines.add("point warm " + size + " 1 " + times.length + " " + total + " 0 0 0 " + times.length);
        for (long time : times) {
            lines.add("s " + time * 1000);
        }
        lines.add("end 1");
        Contestant c = new Contestant(contestant, contestant, "", "#000000", Optional.empty());
        measurements.add(new Job(Experiment.SIZES, c, "", threads, 1, List.of()), round, DriverOutput.parse(lines));
    }

    @Test
    void ratiosAreOfTheSameRound() throws MeasureException {
        round("slow", 1, 64, 0, 200);
        round("slow", 1, 64, 1, 800);
        round("slow", 1, 64, 2, 999);
        round("fast", 1, 64, 1, 400);
        round("fast", 1, 64, 0, 100);
        round("fast", 1, 64, 3, 1);
        Interval ratio = measurements.ratio(line("slow"), line("fast"), 64).orElseThrow();
        assertEquals(2, ratio.estimate(), 0.01);
        assertEquals(2, ratio.low(), 0.01);
        assertEquals(2, ratio.high(), 0.01);
        assertEquals(Optional.empty(), measurements.ratio(line("slow"), line("fast"), 4096));
        assertEquals(Optional.empty(), measurements.ratio(line("slow"), line("nobody"), 64));
    }

    @Test
    void mediansAreNotMeans() throws MeasureException {
        round("slow", 1, 64, 0, 10, 20, 90);
        round("fast", 1, 64, 0, 10, 10, 10);
        assertEquals(20, measurements.median(line("slow"), 64).orElseThrow(), 0.1);
        assertEquals(40, measurements.mean(line("slow"), 64).orElseThrow(), 0.1);
        assertEquals(
                2,
                measurements.ratio(line("slow"), line("fast"), 64).orElseThrow().estimate(),
                0.01);
        assertEquals(
                4,
                measurements
                        .meanRatio(line("slow"), line("fast"), 64)
                        .orElseThrow()
                        .estimate(),
                0.01);
        assertEquals(20, measurements.time(line("slow"), 64).orElseThrow().estimate(), 0.1);
        round("slow", 1, 64, 1, 1000);
        assertEquals(4, measurements.pooled(line("slow"), 64).count());
        assertEquals(1000, measurements.pooled(line("slow"), 64).max(), 1);
        assertEquals(510, measurements.median(line("slow"), 64).orElseThrow(), 1, "of two rounds, 20 and 1000");
    }

    /** Two threads that take as long for each operation do twice as many. */
    @Test
    void speedUpCountsThreads() throws MeasureException {
        round("upa", 1, 64, 0, 100);
        round("upa", 2, 64, 0, 100);
        round("upa", 4, 64, 0, 200);
        assertEquals(
                2,
                measurements
                        .speedUp(line("upa"), line("upa", 2), 64)
                        .orElseThrow()
                        .estimate(),
                0.01);
        Interval four = measurements.speedUp(line("upa"), line("upa", 4), 64).orElseThrow();
        assertEquals(2, four.estimate(), 0.01);
        assertEquals(2, four.low(), 0.01);
        assertEquals(2, four.high(), 0.01);
        assertEquals(
                1,
                measurements
                        .speedUp(line("upa", 2), line("upa", 4), 64)
                        .orElseThrow()
                        .estimate(),
                0.01);
    }

    @Test
    void slopesNeedThreeSizesOfTheSameRound() throws MeasureException {
        for (int round = 0; round < 2; round++) {
            round("even", 1, 64, round, 500);
            round("even", 1, 128, round, 1000);
        }
        assertEquals(Optional.empty(), measurements.slope(line("even")));
        round("even", 1, 256, 0, 2000);
        assertEquals(1, measurements.slope(line("even")).orElseThrow().estimate(), 0.01);
        round("even", 1, 256, 1, 500); // 0 over the ends
        Interval slope = measurements.slope(line("even")).orElseThrow();
        assertEquals(0.5, slope.estimate(), 0.01);
        assertEquals(0, slope.low(), 0.01);
        assertEquals(1, slope.high(), 0.01);
        assertEquals(List.of(64L, 128L, 256L), measurements.sizes(line("even")));
    }

    @Test
    void aFactIsTheMedianOverRounds() throws MeasureException {
        assertTrue(measurements.isEmpty());
        assertEquals(Optional.empty(), measurements.fact(line("upa"), "rank"));
        for (int round = 0; round < 3; round++) {
            round("upa", 1, 64, round, 1);
        }
        assertEquals(4, measurements.fact(line("upa"), "rank").orElseThrow());
        assertEquals(Optional.empty(), measurements.fact(line("upa"), "other"));
        assertEquals("1", measurements.text("rank").orElseThrow());
    }
}
