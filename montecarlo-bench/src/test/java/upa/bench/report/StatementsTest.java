package upa.bench.report;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import upa.bench.driver.Contestant;
import upa.bench.driver.DriverOutput;
import upa.bench.driver.Experiment;
import upa.bench.driver.Job;
import upa.bench.results.Measurements;
import upa.bench.results.Measurements.Line;
import upa.measure.MeasureException;
import upa.measure.report.Report.Text;

class StatementsTest {

    private static final Line BASE = new Line(Experiment.SIZES, "kernel", "", 1, "warm");
    private static final Line FAST = new Line(Experiment.SIZES, "upa", "", 1, "warm");

    private final Measurements measurements = new Measurements();

    private void time(Line line, long size, long nanoseconds) throws MeasureException {
        List<String> lines = new ArrayList<>(List.of("upa-driver 1"));
        lines.add("point warm " + size + " 1 1 " + nanoseconds * 1000 + " 0 0 0 1");
        lines.add("s " + nanoseconds * 1000);
        lines.add("end 1");
        Contestant c = new Contestant(line.contestant(), line.contestant(), "", "#000000", Optional.empty());
        measurements.add(new Job(Experiment.SIZES, c, "", 1, 1, List.of()), 0, DriverOutput.parse(lines));
    }

    @Test
    void aSpreadNamesItsEndsAndWhereItIsSlower() throws MeasureException {
        for (long size : new long[] {1, 4096, 8192, 16384}) {
            time(BASE, size, 1000);
        }
        assertEquals(Optional.empty(), Statements.spread(measurements, "warm", BASE, FAST));
        time(FAST, 1, 4000);
        time(FAST, 4096, 1000);
        time(FAST, 8192, 100);
        time(FAST, 16384, 2000);
        time(FAST, 32768, 1);
        assertEquals(
                Optional.of("warm: 0.25x (1 B) to 10x (8 KiB) as fast, slower at 1 B, 16 KiB"),
                Statements.spread(measurements, "warm", BASE, FAST));
        assertEquals(
                Optional.of("warm: 0.5x (16 KiB) to 10x (8 KiB) as fast, slower at 16 KiB"),
                Statements.spread(measurements, "warm", BASE, FAST, 4096));
    }

    @Test
    void statementsAreOneSentence() {
        assertEquals(
                new Text("Seen", "a; b."),
                Statements.seen(Stream.of(Optional.of("a"), Optional.empty(), Optional.of("b"))));
        assertEquals(new Text("Seen", "not enough was measured to say."), Statements.seen(Stream.of(Optional.empty())));
    }
}
