package upa.tools.pager;

import io.prometheus.metrics.model.registry.MultiCollector;
import io.prometheus.metrics.model.snapshots.CounterSnapshot;
import io.prometheus.metrics.model.snapshots.GaugeSnapshot;
import io.prometheus.metrics.model.snapshots.Labels;
import io.prometheus.metrics.model.snapshots.MetricSnapshot;
import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import upa.pager.live.PagerCommand;
import upa.pager.live.PagerException;
import upa.pager.live.ProcessFigure;

/** The figures of {@code upa policy status} and {@code stats} as metrics, asked for at each look. */
final class PagerMetrics implements MultiCollector {

    /** Who knows of the paged processes. */
    interface Source {
        /** {@return the processes} */
        List<PagerCommand.Program> programs();

        /**
         * Asks for the figures of a process.
         *
         * @param pid its number
         * @return all there are
         * @throws PagerException if it has ended
         */
        ProcessFigure.All figures(int pid) throws PagerException;
    }

    private static final int PAGE_BYTES = 4096;

    /** A metric: what it is called there. */
    private record Figure(String name, String help, int factor, boolean counter) {}

    private static final Map<ProcessFigure, Figure> FIGURES = figures();
    private static final List<Figure> STORE_FIGURES = List.of(
            new Figure("store_pages", "Pages in a store", 1, false),
            new Figure("store_used_bytes", "Space that a store takes", 1, false),
            new Figure("store_limit_bytes", "Space that a store may take", 1, false),
            new Figure("store_written", "Pages written to a store", 1, true),
            new Figure("store_read", "Pages read from a store", 1, true),
            new Figure("store_refused", "Pages that a store did not take", 1, true),
            new Figure("store_failed", "Pages that a store did not return", 1, true));

    private static Map<ProcessFigure, Figure> figures() {
        Map<ProcessFigure, Figure> all = new EnumMap<>(ProcessFigure.class);
        for (ProcessFigure f : ProcessFigure.values()) {
            all.put(
                    f,
                    switch (f) {
                        case BOUND -> bytes("bound_bytes", "Memory that may be resident");
                        case RESIDENT -> bytes("resident_bytes", "Memory that is resident");
                        case OUTSIDE -> bytes("outside_bytes", "Memory that is in stores");
                        case FAULTS -> count("faults", "Faults on pages that had left");
                        case REFAULTS -> count("refaults", "Faults soon after eviction");
                        case FIRST_TOUCHES -> count("first_touches", "Pages touched first");
                        case RESCUES -> count("rescues", "Pages wanted back on their way out");
                        case EVICTIONS -> count("evictions", "Pages evicted");
                        case PREFETCHES -> count("prefetches", "Pages brought in before they were wanted");
                        case REFUSED_PROPOSALS -> count("refused_proposals", "Proposals of policies without effect");
                        case UNMOVABLE -> count("unmovable", "Pages that could not leave");
                        case DIRECT_EVICTIONS -> count("direct_evictions", "Evictions waited for");
                        case LOST -> count("lost", "Pages that a store has lost");
                    });
        }
        return all;
    }

    private static Figure bytes(String name, String help) {
        return new Figure(name, help, PAGE_BYTES, false);
    }

    private static Figure count(String name, String help) {
        return new Figure(name, help, 1, true);
    }

    private record Value(Labels labels, double value) {}

    private final Source source;

    PagerMetrics(Source source) {
        this.source = source;
    }

    @Override
    public MetricSnapshots collect() {
        Map<Figure, List<Value>> values = new LinkedHashMap<>();
        for (PagerCommand.Program program : source.programs()) {
            Labels labels = Labels.of("pid", Integer.toString(program.pid()), "program", program.name());
            try {
                ProcessFigure.All all = source.figures(program.pid());
                all.numbers().forEach((figure, n) -> add(values, FIGURES.get(figure), labels, n));
                for (ProcessFigure.OfStore store : all.stores()) {
                    List<Long> numbers = store.counts().numbers();
                    for (int i = 0; i < numbers.size(); i++) {
                        add(values, STORE_FIGURES.get(i), labels.add("store", store.name()), numbers.get(i));
                    }
                }
            } catch (PagerException e) {
                // It has ended between the two questions.
                continue;
            }
        }
        return new MetricSnapshots(values.entrySet().stream()
                .map(e -> snapshot(e.getKey(), e.getValue()))
                .toList());
    }

    private static void add(Map<Figure, List<Value>> values, Figure figure, Labels labels, long number) {
        values.computeIfAbsent(figure, f -> new ArrayList<>()).add(new Value(labels, (double) number * figure.factor));
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
