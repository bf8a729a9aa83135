package upa.bench.driver;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import upa.measure.MeasureException;
import upa.measure.stats.Latencies;

/**
 * What one run of {@code upa-driver} has printed; the format is described in driver.c.
 *
 * @param facts by name
 * @param points in the order measured
 */
public record DriverOutput(Map<String, String> facts, List<Point> points) {

    private static final String HEADER = "upa-driver 1";
    private static final int POINT_FIELDS = 10;

    /**
     * One point.
     *
     * @param phase such as cold or warm
     * @param size in bytes; 0: all sizes together
     * @param batch operations per sample
     * @param operations measured
     * @param busyPicoseconds all measured time
     * @param faults page faults
     * @param failures operations that found no memory
     * @param moved resizes that changed the address
     * @param latencies the samples
     */
    public record Point(
            String phase,
            long size,
            long batch,
            long operations,
            long busyPicoseconds,
            long faults,
            long failures,
            long moved,
            Latencies latencies) {

        /**
         * The mean time of an operation.
         *
         * @return nanoseconds
         */
        public double mean() {
            return busyPicoseconds / 1000.0 / operations;
        }
    }

    /**
     * Reads the output of a run.
     *
     * @param lines of the output
     * @return the output
     * @throws MeasureException if it is malformed or truncated; the message names the line
     */
    public static DriverOutput parse(List<String> lines) throws MeasureException {
        if (lines.isEmpty() || !lines.getFirst().equals(HEADER)) {
            throw malformed(0, lines.isEmpty() ? "" : lines.getFirst(), "expected '" + HEADER + "'");
        }
        Map<String, String> facts = new HashMap<>();
        List<Point> points = new ArrayList<>();
        long due = 0;
        for (int i = 1; i < lines.size(); i++) {
            String line = lines.get(i);
            String[] fields = line.split(" ");
            if (due != 0 && !fields[0].equals("s")) {
                throw malformed(i, line, "samples still due: " + due);
            }
            try {
                switch (fields[0]) {
                    case "fact" -> {
                        String[] parts = line.split(" ", 3);
                        facts.put(parts[1], parts[2]);
                    }
                    case "point" -> {
                        points.add(point(fields));
                        due = Long.parseLong(fields[POINT_FIELDS - 1]);
                    }
                    case "s" -> {
                        if (fields.length - 1 > due) {
                            throw malformed(i, line, "samples due: " + due);
                        }
                        for (int j = 1; j < fields.length; j++) {
                            points.getLast().latencies().record(Long.parseLong(fields[j]));
                        }
                        due -= fields.length - 1;
                    }
                    case "end" -> {
                        if (Integer.parseInt(fields[1]) != points.size()) {
                            throw malformed(i, line, "points seen: " + points.size());
                        }
                        if (i != lines.size() - 1) {
                            throw malformed(i + 1, lines.get(i + 1), "after the end");
                        }
                        return new DriverOutput(facts, points);
                    }
                    default -> throw malformed(i, line, "unknown kind of line");
                }
            } catch (RuntimeException e) {
                throw malformed(i, line, "not as described");
            }
        }
        throw MeasureException.failure("output of upa-driver is truncated: lines=" + lines.size() + ", and no 'end'");
    }

    private static Point point(String[] fields) {
        if (fields.length != POINT_FIELDS) {
            throw new IllegalArgumentException("fields=" + fields.length);
        }
        return new Point(
                fields[1],
                Long.parseLong(fields[2]),
                Long.parseLong(fields[3]),
                Long.parseLong(fields[4]),
                Long.parseLong(fields[5]),
                Long.parseLong(fields[6]),
                Long.parseLong(fields[7]),
                Long.parseLong(fields[8]),
                new Latencies());
    }

    private static MeasureException malformed(int index, String line, String why) {
        String shown = line.length() > 80 ? line.substring(0, 80) + "..." : line;
        return MeasureException.failure(
                "output of upa-driver is malformed: line=" + (index + 1) + " '" + shown + "': " + why);
    }
}
