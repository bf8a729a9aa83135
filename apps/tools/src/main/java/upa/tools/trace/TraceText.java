package upa.tools.trace;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import upa.measure.OneLine;
import upa.measure.report.Units;

/** A {@link TraceSummary}, and single records, as lines of text. */
final class TraceText {

    private static final double NS_PER_S = 1e9;

    private TraceText() {}

    static List<String> summary(TraceSummary s) {
        List<String> lines = new ArrayList<>();
        double seconds = s.duration().toNanos() / NS_PER_S;
        lines.add(OneLine.of(s.command()));
        lines.add(String.format(
                Locale.ROOT,
                "%s in %s by %d thread%s, %s served by UPA, %d failed%s%s",
                count(s.allRequests(), "request"),
                Units.time(s.duration().toNanos()),
                s.threads(),
                s.threads() == 1 ? "" : "s",
                percent(s.served(), s.allRequests()),
                s.failed(),
                s.ended() ? "" : "; the process did not end by exit()",
                s.lost() == 0 ? "" : "; lost=" + s.lost()));
        lines.add("");
        for (TraceRecord.Kind kind : TraceRecord.Kind.values()) {
            long n = s.requests().getOrDefault(kind, 0L);
            if (n > 0) {
                lines.add(String.format(
                        Locale.ROOT,
                        "  %-8s %12d %12s /s",
                        kind.name().toLowerCase(Locale.ROOT),
                        n,
                        seconds > 0 ? Units.digits(n / seconds) : "-"));
            }
        }
        lines.add("");
        lines.add("Memory (private, anonymous, read and write)");
        lines.add("  mapped " + Units.bytes(s.memoryBytes()) + " in " + count(s.memoryRequests(), "request") + ", "
                + percent(s.servedMemoryRequests(), s.memoryRequests()) + " served; most at once "
                + Units.bytes(s.peakBytes()) + ", at the end "
                + Units.bytes(s.endBytes()));
        if (s.commits() > 0) {
            lines.add("  committed in place (MAP_FIXED) " + Units.bytes(s.committedBytes()) + " in "
                    + count(s.commits(), "request"));
        }
        lines.add("  heap (brk) grown by " + Units.bytes(s.heapGrownBytes()) + ", shrunk by "
                + Units.bytes(s.heapShrunkBytes()));
        lines.add("  purged " + Units.bytes(s.purgedBytes()) + " in " + count(s.purges(), "call") + ", "
                + percent(s.servedPurges(), s.purges()) + " served");
        lines.add("  asked for again after it was freed: " + Units.bytes(s.refaultedBytes()) + ", "
                + percent(s.refaultedBytes(), s.memoryBytes() + s.heapGrownBytes()) + "; with purges at most "
                + count(s.avoidableFaults(), "page fault") + " to spare");
        if (!s.sizes().isEmpty()) {
            lines.add("");
            lines.add(String.format(
                    Locale.ROOT,
                    "  %-10s %10s %8s %10s %12s %12s %10s %12s",
                    "from",
                    "requests",
                    "served",
                    "bytes",
                    "lifetime",
                    "90 % below",
                    "reused",
                    "after"));
            for (SizeClass c : s.sizes()) {
                lines.add(String.format(
                        Locale.ROOT,
                        "  %-10s %10d %8s %10s %12s %12s %10d %12s",
                        Units.bytes(c.leastBytes()),
                        c.requests(),
                        percent(c.servedRequests(), c.requests()),
                        Units.bytes(c.bytes()),
                        time(c.ended(), c.medianLifetimeNs()),
                        time(c.ended(), c.p90LifetimeNs()),
                        c.reuses(),
                        time(c.reuses(), c.medianIdleNs())));
            }
            lines.add("  lifetime: median of the blocks that ended; reused: requests that came after a block of"
                    + " their class had ended, and how"
                    + " long after (median)");
        }
        return lines;
    }

    static String record(TraceRecord r) {
        StringBuilder flags = new StringBuilder();
        String[] names = {"served", "failed", "anonymous", "shared", "fixed", "noreserve", "stack", "shrinks"};
        for (int i = 0; i < names.length; i++) {
            if (r.is(1 << i)) {
                flags.append(' ').append(names[i]);
            }
        }
        return String.format(
                Locale.ROOT,
                "%d %d %d %s %#x %d %d%s",
                r.index(),
                r.ns(),
                r.thread(),
                r.kind().name().toLowerCase(Locale.ROOT),
                r.address(),
                r.bytes(),
                r.detail(),
                flags);
    }

    private static String count(long n, String what) {
        return n + " " + what + (n == 1 ? "" : "s");
    }

    private static String percent(long part, long whole) {
        return whole == 0 ? "-" : Units.digits(100.0 * part / whole) + " %";
    }

    private static String time(long count, long ns) {
        return count == 0 ? "-" : Units.time(ns);
    }
}
