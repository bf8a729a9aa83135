package upa.bench;

import java.util.List;
import upa.bench.driver.DriverOutput;
import upa.bench.results.Measurements;

/** A line of results.csv, and an object of results.json. */
record Row(
        String experiment,
        String contestant,
        String variant,
        int threads,
        String phase,
        long sizeBytes,
        int round,
        long batch,
        long operations,
        double medianNs,
        double meanNs,
        double p99Ns,
        double maxNs,
        long pageFaults,
        long failures,
        long moved) {

    /** A row for each point and round. */
    static List<Row> of(Measurements measurements) {
        return measurements.keys().stream()
                .flatMap(key -> measurements.rounds(key.line(), key.size()).entrySet().stream()
                        .map(e -> of(key, e.getKey(), e.getValue())))
                .toList();
    }

    private static Row of(Measurements.Key key, int round, DriverOutput.Point point) {
        Measurements.Line line = key.line();
        return new Row(
                line.experiment().id(),
                line.contestant(),
                line.variant(),
                line.threads(),
                line.phase(),
                key.size(),
                round,
                point.batch(),
                point.operations(),
                point.latencies().median(),
                point.mean(),
                point.latencies().percentile(99),
                point.latencies().max(),
                point.faults(),
                point.failures(),
                point.moved());
    }
}
