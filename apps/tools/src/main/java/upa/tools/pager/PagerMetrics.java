package upa.tools.pager;

import io.prometheus.metrics.model.registry.MultiCollector;
import io.prometheus.metrics.model.snapshots.CounterSnapshot;
import io.prometheus.metrics.model.snapshots.GaugeSnapshot;
import io.prometheus.metrics.model.snapshots.Labels;
import io.prometheus.metrics.model.snapshots.MetricSnapshot;
import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import upa.pager.live.PagerException;

/** The figures of {@code upa policy status} and {@code stats} as metrics, asked for at each look. */
final class PagerMetrics implements MultiCollector {

    /** Who knows of the paged processes. */
    interface Source {
        /** {@return a line for each process} */
        String status();

        /**
         * Asks for the figures of a process.
         *
         * @param pid its number
         * @return lines
         * @throws PagerException if it has ended
         */
        String statistics(int pid) throws PagerException;
    }

    private static final int PAGE_BYTES = 4096;
    private static final Pattern PROCESS = Pattern.compile(" *(\\d+)  (.*?) {2,}(.*?) {2,}bound .*");
    private static final Pattern FIGURE = Pattern.compile("(.*?) {2,}(\\d+)");
    private static final Pattern STORE = Pattern.compile("store ([^ :]+)(?: [(].*?[)])?: (.*)");
    private static final Pattern PART =
            Pattern.compile("(pages|bytes|written|read|refused|failed) (\\d+)(?: of (\\d+))?");

    /** A metric: what it is called there, and by whom it is read. */
    private record Figure(String line, String name, String help, int factor, boolean counter) {}

    private static final List<Figure> FIGURES = List.of(
            new Figure("bound, pages", "bound_bytes", "Memory that may be resident", PAGE_BYTES, false),
            new Figure("resident, pages", "resident_bytes", "Memory that is resident", PAGE_BYTES, false),
            new Figure("outside of memory, pages", "outside_bytes", "Memory that is in stores", PAGE_BYTES, false),
            new Figure("faults on evicted pages", "faults", "Faults on pages that had left", 1, true),
            new Figure("  of these soon after eviction", "refaults", "Faults soon after eviction", 1, true),
            new Figure("first touches, pages", "first_touches", "Pages touched first", 1, true),
            new Figure("rescued from the staging area", "rescues", "Pages wanted back on their way out", 1, true),
            new Figure("evicted to stores", "evictions", "Pages evicted", 1, true),
            new Figure("brought in early", "prefetches", "Pages brought in before they were wanted", 1, true),
            new Figure(
                    "proposals without effect", "refused_proposals", "Proposals of policies without effect", 1, true),
            new Figure("pages that could not leave", "unmovable", "Pages that could not leave", 1, true),
            new Figure("evictions that a thread waited for", "direct_evictions", "Evictions waited for", 1, true),
            new Figure("pages lost by a store", "lost", "Pages that a store has lost", 1, true));
    private static final Map<String, Figure> STORE_FIGURES = Map.of(
            "pages", new Figure("pages", "store_pages", "Pages in a store", 1, false),
            "bytes", new Figure("bytes", "store_used_bytes", "Space that a store takes", 1, false),
            "limit", new Figure("limit", "store_limit_bytes", "Space that a store may take", 1, false),
            "written", new Figure("written", "store_written", "Pages written to a store", 1, true),
            "read", new Figure("read", "store_read", "Pages read from a store", 1, true),
            "refused", new Figure("refused", "store_refused", "Pages that a store did not take", 1, true),
            "failed", new Figure("failed", "store_failed", "Pages that a store did not return", 1, true));

    private record Value(Labels labels, double value) {}

    private final Source source;

    PagerMetrics(Source source) {
        this.source = source;
    }

    @Override
    public MetricSnapshots collect() {
        Map<Figure, List<Value>> values = new LinkedHashMap<>();
        for (String line : source.status().lines().toList()) {
            Matcher process = PROCESS.matcher(line);
            if (process.matches()) {
                Labels labels = Labels.of("pid", process.group(1), "program", process.group(2));
                try {
                    read(source.statistics(Integer.parseInt(process.group(1))), labels, values);
                } catch (PagerException e) {
                    // It has ended between the two questions.
                    continue;
                }
            }
        }
        return new MetricSnapshots(values.entrySet().stream()
                .map(e -> snapshot(e.getKey(), e.getValue()))
                .toList());
    }

    private static void read(String statistics, Labels labels, Map<Figure, List<Value>> values) {
        Map<String, String> lines = new HashMap<>();
        for (String line : statistics.lines().toList()) {
            Matcher store = STORE.matcher(line);
            Matcher figure = FIGURE.matcher(line);
            if (store.matches()) {
                stores(store.group(2), labels.add("store", store.group(1)), values);
            } else if (figure.matches()) {
                lines.put(figure.group(1), figure.group(2));
            }
        }
        for (Figure figure : FIGURES) {
            if (lines.containsKey(figure.line)) {
                add(values, figure, labels, lines.get(figure.line));
            }
        }
    }

    private static void stores(String text, Labels labels, Map<Figure, List<Value>> values) {
        Matcher part = PART.matcher(text);
        while (part.find()) {
            add(values, STORE_FIGURES.get(part.group(1)), labels, part.group(2));
            if (part.group(3) != null) {
                add(values, STORE_FIGURES.get("limit"), labels, part.group(3));
            }
        }
    }

    private static void add(Map<Figure, List<Value>> values, Figure figure, Labels labels, String number) {
        values.computeIfAbsent(figure, f -> new ArrayList<>())
                .add(new Value(labels, (double) Long.parseLong(number) * figure.factor));
    }

    private static MetricSnapshot snapshot(Figure figure, List<Value> values) {
        String name = "upa_pager_" + figure.name;
        if (figure.counter) {
            CounterSnapshot.Builder builder =
                    CounterSnapshot.builder().name(name).help(figure.help);
            values.forEach(v -> builder.dataPoint(CounterSnapshot.CounterDataPointSnapshot.builder()
                    .labels(v.labels)
                    .value(v.value)
                    .build()));
            return builder.build();
        }
        GaugeSnapshot.Builder builder = GaugeSnapshot.builder().name(name).help(figure.help);
        values.forEach(v -> builder.dataPoint(GaugeSnapshot.GaugeDataPointSnapshot.builder()
                .labels(v.labels)
                .value(v.value)
                .build()));
        return builder.build();
    }
}
