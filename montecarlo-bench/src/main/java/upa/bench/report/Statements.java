package upa.bench.report;

import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import upa.bench.results.Measurements;
import upa.bench.results.Measurements.Line;
import upa.measure.report.Report.Text;
import upa.measure.report.Units;

/** What a section says in a sentence. */
final class Statements {

    private Statements() {}

    static Text seen(Stream<Optional<String>> statements) {
        String text = statements.flatMap(Optional::stream).collect(Collectors.joining("; "));
        return new Text("Seen", text.isEmpty() ? "not enough was measured to say." : text + ".");
    }

    static Optional<String> spread(Measurements measurements, String what, Line base, Line fast) {
        return spread(measurements, what, base, fast, 1);
    }

    /** Such as "warm: 21x (4 KiB) to 250x (1 MiB) as fast, slower at 8 KiB", of sizes from the least on. */
    static Optional<String> spread(Measurements measurements, String what, Line base, Line fast, long least) {
        List<Long> sizes = measurements.sizes(fast).stream()
                .filter(s -> s >= least && measurements.ratio(base, fast, s).isPresent())
                .sorted(Comparator.comparingDouble(
                        s -> measurements.ratio(base, fast, s).orElseThrow().estimate()))
                .toList();
        if (sizes.isEmpty()) {
            return Optional.empty();
        }
        String slower = sizes.stream()
                .filter(s -> measurements.ratio(base, fast, s).orElseThrow().high() < 1)
                .sorted()
                .map(Units::bytes)
                .collect(Collectors.joining(", "));
        return Optional.of(what + ": " + ratio(measurements, base, fast, sizes.getFirst()) + " to "
                + ratio(measurements, base, fast, sizes.getLast()) + " as fast"
                + (slower.isEmpty() ? "" : ", slower at " + slower));
    }

    private static String ratio(Measurements measurements, Line base, Line fast, long size) {
        return Units.ratio(measurements.ratio(base, fast, size).orElseThrow().estimate()) + " (" + Units.bytes(size)
                + ")";
    }
}
