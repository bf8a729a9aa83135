package upa.tools.policy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.HdrHistogram.Histogram;
import upa.measure.report.Report;
import upa.measure.report.Report.Block;
import upa.measure.report.Report.Cell;
import upa.measure.report.Report.Chart;
import upa.measure.report.Report.HeatMap;
import upa.measure.report.Report.Point;
import upa.measure.report.Report.Section;
import upa.measure.report.Report.Series;
import upa.measure.report.Report.Table;
import upa.measure.report.Report.Text;
import upa.measure.report.Report.Unit;
import upa.pager.simulate.Belady;
import upa.pager.simulate.PageTrace;
import upa.pager.simulate.Recording;
import upa.pager.simulate.Recording.Event;
import upa.policy.PolicyContext;

/** What a recording shows: memory over time, where and when pages are used, the working set, how long faults take. */
final class RecordingReport {
    private static final int SLOTS = 96;
    private static final int MOST_ROWS = 64;
    private static final long PAGE_BYTES = 4096;
    private static final int PARTS = 8;
    private static final int MOST_THREADS = 10;
    private static final long MOST_NANOS = 60_000_000_000L;
    private static final String[] COLOURS = {"#1f77b4", "#d62728", "#7f7f7f", "#2ca02c"};

    private final Recording recording;
    private final PageTrace trace;
    private final Stacks stacks;
    private final long end;

    /** Without stacks if these are null. */
    RecordingReport(Recording recording, PageTrace trace, Stacks stacks) {
        this.recording = recording;
        this.trace = trace;
        this.stacks = stacks;
        end = Math.max(1, recording.events().getLast().micros());
    }

    Report report() {
        List<Section> sections = new ArrayList<>(List.of(overview(), memory(), heat(), workingSet(), latency()));
        if (stacks != null) {
            sections.add(stacks.section());
        }
        return new Report(
                "Pages of " + recording.title(),
                List.of("Of a program's accesses a pager sees the first touch of a page, faults on pages that have left"
                        + " memory, and pages wanted back on their way out: these are what is shown here."),
                List.of(),
                sections);
    }

    private long count(char kind) {
        return recording.events().stream()
                .filter(e -> e.kind() == kind)
                .mapToLong(e -> kind == 't' || kind == 'd' ? e.count() : 1)
                .sum();
    }

    private static List<Cell> row(String... texts) {
        return Arrays.stream(texts).map(Cell::of).toList();
    }

    private static String number(long n) {
        return String.format(Locale.ROOT, "%,d", n);
    }

    private static String memory(double pages) {
        double kib = pages * PAGE_BYTES / (1 << 10);
        return kib < 1 << 10
                ? String.format(Locale.ROOT, "%.1f KiB", kib)
                : String.format(Locale.ROOT, "%.1f MiB", kib / (1 << 10));
    }

    private Section overview() {
        long writes = recording.events().stream()
                .filter(e -> e.kind() == 'f' && e.write())
                .count();
        Table table = new Table(
                "events",
                false,
                List.of("event", "pages"),
                List.of(
                        row("first touches", number(count('t'))),
                        row("faults on pages that had left", number(count('f'))),
                        row("  of these writes", number(writes)),
                        row("wanted back on their way out", number(count('r'))),
                        row("brought in early", number(count('p'))),
                        row("freed or unmapped", number(count('d')))));
        return new Section(
                "events", String.format(Locale.ROOT, "Events of %.1f s", end / 1e6), List.of(table, threads()));
    }

    private Table threads() {
        Map<Long, Long> faults = new HashMap<>();
        recording.events().stream().filter(e -> e.kind() == 'f').forEach(e -> faults.merge(e.count(), 1L, Long::sum));
        List<List<Cell>> rows = faults.entrySet().stream()
                .sorted(Map.Entry.<Long, Long>comparingByValue().reversed())
                .limit(MOST_THREADS)
                .map(e -> row(Long.toString(e.getKey()), number(e.getValue())))
                .toList();
        return new Table("threads that waited most", false, List.of("thread", "faults"), rows);
    }

    private Section memory() {
        List<Event> samples =
                recording.events().stream().filter(e -> e.kind() == 's').toList();
        List<Series> series = new ArrayList<>();
        series.add(new Series("in memory", COLOURS[0], points(samples, e -> e.page())));
        series.add(new Series(
                "in stores", COLOURS[1], points(samples, e -> e.more().getFirst())));
        series.add(new Series("bound", COLOURS[2], points(samples, e -> e.more().get(1))));
        series.add(new Series("used, of what is seen", COLOURS[3], used()));
        return new Section(
                "memory",
                "Memory over time",
                List.of(new Chart("memory over time", "", List.of(), Unit.MEMORY, series, List.of())));
    }

    private static List<Point> points(List<Event> samples, java.util.function.ToLongFunction<Event> pages) {
        return samples.stream()
                .map(e -> point(e.micros() * 1000.0, pages.applyAsLong(e) * (double) PAGE_BYTES))
                .toList();
    }

    private static Point point(double x, double y) {
        return new Point(x, y, y, y);
    }

    private int slot(long micros) {
        return (int) Math.min(SLOTS - 1, micros * SLOTS / end);
    }

    private List<Point> used() {
        List<Set<Long>> pages = new ArrayList<>();
        for (int i = 0; i < SLOTS; i++) {
            pages.add(new HashSet<>());
        }
        forEachAccess((micros, page) -> pages.get(slot(micros)).add(page));
        List<Point> points = new ArrayList<>();
        for (int i = 0; i < SLOTS; i++) {
            points.add(point(1000.0 * end * i / SLOTS, pages.get(i).size() * (double) PAGE_BYTES));
        }
        return points;
    }

    private interface Access {
        void at(long micros, long page);
    }

    private void forEachAccess(Access access) {
        for (Event e : recording.events()) {
            if (e.isAccess()) {
                long count = e.kind() == 't' ? e.count() : 1;
                for (long i = 0; i < count; i++) {
                    access.at(e.micros(), e.page() + i);
                }
            }
        }
    }

    /** A row for each 2 MiB, or for more if there are too many. */
    private Section heat() {
        TreeMap<Long, long[]> blocks = new TreeMap<>();
        forEachAccess((micros, page) ->
                blocks.computeIfAbsent(page / PolicyContext.BLOCK_PAGES, b -> new long[SLOTS])[slot(micros)]++);
        int blocksPerRow = 1;
        while (rows(blocks, blocksPerRow).size() > MOST_ROWS) {
            blocksPerRow *= 2;
        }
        List<String> names = new ArrayList<>();
        List<List<Long>> values = new ArrayList<>();
        for (Map.Entry<Long, long[]> row : rows(blocks, blocksPerRow).entrySet()) {
            names.add("page " + row.getKey() * blocksPerRow * PolicyContext.BLOCK_PAGES);
            values.add(Arrays.stream(row.getValue()).boxed().toList());
        }
        String title = "pages used by address and time, a row for each " + 2 * blocksPerRow + " MiB";
        return new Section(
                "heat",
                "Where and when",
                List.of(new HeatMap(
                        title,
                        "Rows without any use are left out.",
                        String.format(Locale.ROOT, "time: 0 to %.1f s", end / 1e6),
                        names,
                        values)));
    }

    private static TreeMap<Long, long[]> rows(TreeMap<Long, long[]> blocks, int blocksPerRow) {
        TreeMap<Long, long[]> rows = new TreeMap<>();
        blocks.forEach((block, counts) -> {
            long[] row = rows.computeIfAbsent(block / blocksPerRow, r -> new long[SLOTS]);
            for (int i = 0; i < SLOTS; i++) {
                row[i] += counts[i];
            }
        });
        return rows;
    }

    private Section workingSet() {
        return new Section(
                "working-set",
                "Working set",
                List.of(
                        new Text(
                                "",
                                "How much memory is used within a time, on average over all times; and what would"
                                        + " have to be brought in again with less memory than all."),
                        windows(),
                        misses()));
    }

    /** Denning's working set: each access keeps its page in the set until its next one, or for the time at most. */
    private Table windows() {
        Map<Long, Long> last = new HashMap<>();
        List<Long> gaps = new ArrayList<>();
        forEachAccess((micros, page) -> {
            Long before = last.put(page, micros);
            if (before != null) {
                gaps.add(micros - before);
            }
        });
        last.values().forEach(micros -> gaps.add(end - micros));
        List<List<Cell>> rows = new ArrayList<>();
        for (long window = end; window > end / (1 << PARTS) && window > 0; window /= 2) {
            long most = window;
            double pages = gaps.stream().mapToDouble(g -> Math.min(g, most)).sum() / end;
            rows.addFirst(row(String.format(Locale.ROOT, "%.3f s", window / 1e6), memory(pages)));
        }
        return new Table("working set by time", false, List.of("within", "memory used"), rows);
    }

    private Chart misses() {
        List<String> sizes = new ArrayList<>();
        List<Point> lru = new ArrayList<>();
        List<Point> best = new ArrayList<>();
        for (int part = 1; part <= PARTS; part++) {
            int pages = Math.max(1, trace.distinct() * part / PARTS);
            lru.add(point(sizes.size(), leastRecentlyUsed(pages) / (double) trace.size()));
            best.add(point(sizes.size(), Belady.faults(trace, pages) / (double) trace.size()));
            sizes.add(memory(pages));
        }
        return new Chart(
                "part of the accesses seen that miss, by memory",
                "LRU, and the least possible (Belady).",
                sizes,
                Unit.SHARE,
                List.of(new Series("LRU", COLOURS[0], lru), new Series("Belady", COLOURS[3], best)),
                List.of());
    }

    private long leastRecentlyUsed(int pages) {
        LinkedHashMap<Integer, Boolean> memory = new LinkedHashMap<>(2 * pages, 0.75f, true);
        long misses = 0;
        for (int i = 0; i < trace.size(); i++) {
            if (memory.put(trace.page(i), true) == null) {
                misses++;
                if (memory.size() > pages) {
                    memory.pollFirstEntry();
                }
            }
        }
        return misses;
    }

    private Section latency() {
        Histogram times = new Histogram(MOST_NANOS, 2);
        recording.events().stream()
                .filter(e -> e.kind() == 'i')
                .forEach(e -> times.recordValue(Math.min(e.count(), MOST_NANOS)));
        if (times.getTotalCount() == 0) {
            return new Section("latency", "How long faults take", List.of(new Text("", "There were none.")));
        }
        List<String> bands = new ArrayList<>();
        List<Point> shares = new ArrayList<>();
        TreeMap<Integer, Long> counts = new TreeMap<>();
        recording.events().stream()
                .filter(e -> e.kind() == 'i')
                .forEach(e -> counts.merge(Long.SIZE - Long.numberOfLeadingZeros(e.count()), 1L, Long::sum));
        counts.forEach((bits, n) -> {
            shares.add(point(bands.size(), n / (double) times.getTotalCount()));
            bands.add(String.format(Locale.ROOT, "%,.1f to %,.1f µs", (1L << bits) / 2e3, (1L << bits) / 1e3));
        });
        List<List<Cell>> rows = new ArrayList<>();
        for (double p : new double[] {50, 90, 99, 99.9, 100}) {
            rows.add(row(
                    p == 100 ? "longest" : p + " %",
                    String.format(Locale.ROOT, "%,.1f µs", times.getValueAtPercentile(p) / 1e3)));
        }
        List<Block> blocks = List.of(
                new Text("", "From when the pager reads that a thread waits to when its page is in memory."),
                new Table("time of a fault", false, List.of("of the faults", "at most"), rows),
                new Chart(
                        "part of the faults by time",
                        "",
                        bands,
                        Unit.SHARE,
                        List.of(new Series("faults", COLOURS[0], shares)),
                        List.of()));
        return new Section("latency", "How long faults take", blocks);
    }
}
