package upa.bench.paging;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import upa.measure.Figure.Reading;
import upa.measure.Targets;
import upa.measure.report.Report.Block;
import upa.measure.report.Report.Cell;
import upa.measure.report.Report.Section;
import upa.measure.report.Report.Table;
import upa.measure.report.Report.Text;
import upa.measure.report.Units;
import upa.measure.stats.Interval;
import upa.measure.stats.Statistics;

/** PageRank over a graph larger than its bound: its own policy beside the default one and beside the kernel. */
final class PageRankSection {
    private static final double OVER_SWAP = 1.5;
    private static final double OVER_DEFAULT = 1.3;
    private static final String DEFAULT = "upa-file";

    private final List<PagingRow> rows;
    private final List<Way> ways;

    /**
     * Of these.
     *
     * @param rows of all patterns
     * @param ways that took part
     */
    PageRankSection(List<PagingRow> rows, List<Way> ways) {
        this.rows = rows.stream().filter(r -> r.pattern().equals(PageRank.NAME)).toList();
        this.ways = ways;
    }

    boolean isEmpty() {
        return rows.isEmpty();
    }

    private List<Integer> threads() {
        return rows.stream().map(PagingRow::threads).distinct().sorted().toList();
    }

    private Map<Integer, Double> rounds(String way, int threads) {
        Map<Integer, Double> times = new TreeMap<>();
        rows.stream()
                .filter(r -> r.way().equals(way) && r.threads() == threads)
                .forEach(r -> times.put(r.round(), r.nsPerTouch()));
        return times;
    }

    /** How many times as fast the policy of graphs is as another way, by round. */
    private Optional<Interval> speed(String rival, int threads) {
        Map<Integer, Double> mine = rounds(Way.CSR_WINDOW, threads);
        Map<Integer, Double> other = rounds(rival, threads);
        double[] ratios = mine.keySet().stream()
                .filter(other::containsKey)
                .mapToDouble(round -> other.get(round) / mine.get(round))
                .toArray();
        return ratios.length == 0 ? Optional.empty() : Optional.of(Statistics.ratio(ratios));
    }

    private static String name(int threads) {
        return Units.count(threads, "thread");
    }

    private List<Reading> readings(String rival) {
        List<Reading> readings = new ArrayList<>();
        for (int threads : threads()) {
            speed(rival, threads).ifPresent(i -> readings.add(new Reading(i, name(threads))));
        }
        return readings;
    }

    /** {@return the figures to reach} */
    Targets targets() {
        Targets targets = new Targets();
        targets.atLeast("PageRank, policy csr-window", OVER_SWAP, "kernel, swap to a file", readings(Way.SWAP));
        targets.atLeast("PageRank, policy csr-window", OVER_DEFAULT, "policy clock, file", readings(DEFAULT));
        return targets;
    }

    Section section() {
        List<String> header = new ArrayList<>(List.of("way"));
        List<Integer> threads = threads();
        threads.forEach(t -> header.add(name(t)));
        List<List<Cell>> times = new ArrayList<>();
        List<List<Cell>> speeds = new ArrayList<>();
        for (Way way : ways) {
            if (rows.stream().noneMatch(r -> r.way().equals(way.id()))) {
                continue;
            }
            List<Cell> time = new ArrayList<>(List.of(Cell.of(way.id())));
            List<Cell> speed = new ArrayList<>(List.of(Cell.of("upa-csr / " + way.id())));
            for (int t : threads) {
                Map<Integer, Double> rounds = rounds(way.id(), t);
                double[] values = rounds.values().stream()
                        .mapToDouble(Double::doubleValue)
                        .toArray();
                time.add(Cell.of(
                        values.length == 0
                                ? "-"
                                : Units.time(Statistics.median(values)) + " ("
                                        + Units.time(Arrays.stream(values).min().orElseThrow()) + " - "
                                        + Units.time(Arrays.stream(values).max().orElseThrow()) + ")"));
                speed.add(Cell.of(speed(way.id(), t).map(Units::ratio).orElse("-")));
            }
            times.add(time);
            if (!way.id().equals(Way.CSR_WINDOW)) {
                speeds.add(speed);
            }
        }
        PagingRow any = rows.getFirst();
        List<Block> blocks = new ArrayList<>();
        blocks.add(new Text(
                "",
                "A Kronecker graph as compressed sparse rows; the program has " + Units.bytes(any.memoryBytes())
                        + ", of which 60 % may be in memory. Time of one iteration, the median of the rounds, and the"
                        + " least and the longest; making the graph does not count. Ranks have the same bits in all"
                        + " runs."));
        blocks.add(new Table("time of an iteration", false, header, times));
        blocks.add(
                new Text("", "How many times as fast the policy csr-window is, round by round, with 95 % intervals."));
        blocks.add(new Table("speed of csr-window over others", false, header, speeds));
        return new Section("pagerank", "PageRank", blocks);
    }
}
