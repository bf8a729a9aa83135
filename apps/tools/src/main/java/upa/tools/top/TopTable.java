package upa.tools.top;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import upa.measure.report.Units;

/** Rows as lines of text, the busiest first. */
final class TopTable {

    private static final String HEADER = String.format(
            Locale.ROOT,
            "%8s %-16s %10s %7s %10s %10s %11s %10s %10s %10s %10s %10s %10s %10s %10s  %s",
            "PID",
            "COMMAND",
            "REQUESTS/s",
            "SERVED",
            "LIVE",
            "KEPT",
            "RECLAIMABLE",
            "RESIDENT",
            "KERNEL",
            "ORDERS",
            "AGENT",
            "CLEARED/s",
            "PURGED/s",
            "FAULTS/s",
            "GIVEN/s",
            "NOTE");

    private TopTable() {}

    static List<String> lines(List<Row> rows) {
        List<String> lines = new ArrayList<>(List.of(HEADER));
        rows.stream()
                .sorted(Comparator.comparingDouble((Row r) -> -r.requests())
                        .thenComparingLong(r -> r.sample().pid()))
                .map(TopTable::line)
                .forEach(lines::add);
        return lines;
    }

    private static String line(Row r) {
        Sample s = r.sample();
        String command = s.command().length() > 16 ? s.command().substring(0, 16) : s.command();
        return String.format(
                        Locale.ROOT,
                        "%8d %-16s %10s %7s %10s %10s %11s %10s %10s %10s %10s %10s %10s %10s %10s  %s",
                        s.pid(),
                        command,
                        rate(r.requests()),
                        r.served() < 0 ? "-" : Math.round(100 * r.served()) + " %",
                        Units.bytes(s.liveBytes()),
                        Units.bytes(s.retainedBytes()),
                        Units.bytes(s.lazyBytes()),
                        Units.bytes(s.residentBytes()),
                        Units.bytes(s.takenBytes()),
                        Units.bytes(s.orderedBytes()),
                        Units.bytes(Math.max(0, s.agentBytes() - s.orderedBytes())),
                        rate(r.cleared()),
                        rate(r.purged()),
                        rate(r.faults()),
                        rate(r.givenBack()),
                        s.note())
                .stripTrailing();
    }

    /** Counters that another process is just writing, or begins anew in a new program, may go back. */
    private static String rate(double perSecond) {
        return Units.digits(Math.max(0, perSecond));
    }
}
