package upa.apps.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;
import upa.apps.results.Results;
import upa.apps.results.Run;
import upa.apps.workload.Workload;
import upa.measure.allocator.Allocator;
import upa.measure.allocator.Allocators;
import upa.measure.report.Report.Cell;
import upa.measure.report.Report.Chart;
import upa.measure.report.Report.Mark;
import upa.measure.report.Report.Point;
import upa.measure.report.Report.Reference;
import upa.measure.report.Report.Series;
import upa.measure.report.Report.Unit;
import upa.measure.report.Units;
import upa.measure.stats.Interval;

/** What the sections share: contestants that took part, ratios as cells, and a chart of ratios by program. */
final class Ratios {

    static final String FAILED = "failed";

    private static final List<Reference> PAR = List.of(new Reference(1, "as under glibc"));
    /** Closer to 1 than this is shown as 1, and so not marked as a difference. */
    private static final double SAME = 0.005;
    /** As many contestants fit a table; of more it shows the main ones, and a table of all is folded. */
    private static final int TABLE = 7;

    private final Results results;
    private final List<Allocator> contestants;

    Ratios(Results results, List<Allocator> contestants) {
        this.results = results;
        this.contestants =
                contestants.stream().filter(c -> results.has(c.name())).toList();
    }

    Results results() {
        return results;
    }

    /** All that took part. */
    List<Allocator> contestants() {
        return contestants;
    }

    /** All but the base line. */
    List<Allocator> others() {
        return others(contestants);
    }

    static List<Allocator> others(List<Allocator> among) {
        return among.stream().filter(c -> !c.name().equals(Allocators.BASE)).toList();
    }

    /** Those that a table has room for. */
    List<Allocator> shown() {
        return contestants.size() <= TABLE
                ? contestants
                : contestants.stream()
                        .filter(c ->
                                Allocators.MAIN.contains(c.name()) || c.name().equals(Allocators.CONTROL))
                        .toList();
    }

    Cell speedUp(Workload workload, String base, String contestant) {
        if (results.problem(workload, contestant).isPresent()) {
            return new Cell(FAILED, Mark.BAD);
        }
        Optional<Interval> ratio = results.speedUp(workload, base, contestant);
        return base.equals(Allocators.BASE) && results.isNoise(workload, contestant)
                ? noise(ratio.orElseThrow())
                : cell(ratio, true);
    }

    private static Cell noise(Interval ratio) {
        return Cell.of("~" + Units.ratio(ratio));
    }

    /** A ratio, marked: better, worse, or ~ within the noise; of a single round nothing is known of the noise. */
    static Cell cell(Optional<Interval> ratio, boolean moreIsBetter) {
        if (ratio.isEmpty()) {
            return Cell.of("");
        }
        Interval r = ratio.get();
        if (r.low() == r.high()) {
            return Cell.of(Units.ratio(r));
        }
        if (r.low() <= 1 && r.high() >= 1 || Math.abs(r.estimate() - 1) < SAME) {
            return noise(r);
        }
        return new Cell(Units.ratio(r), r.low() > 1 == moreIsBetter ? Mark.GOOD : Mark.BAD);
    }

    Cell text(Workload workload, String contestant, ToDoubleFunction<Run> what, Function<Double, String> show) {
        return Cell.of(results.median(workload, contestant, what).map(show).orElse(""));
    }

    /** What a chart shows of a program under a contestant. */
    interface Ratio {
        Optional<Interval> of(Workload workload, Allocator contestant);
    }

    Chart chart(String title, String note, Ratio ratio) {
        List<Workload> workloads = results.workloads();
        List<Series> series = new ArrayList<>();
        for (Allocator contestant : contestants) {
            if (contestant.name().equals(Allocators.BASE)) {
                continue;
            }
            List<Point> points = new ArrayList<>();
            for (int i = 0; i < workloads.size(); i++) {
                int x = i;
                ratio.of(workloads.get(i), contestant).ifPresent(r -> points.add(point(x, r)));
            }
            series.add(new Series(contestant.name(), contestant.colour(), points));
        }
        return new Chart(title, note, workloads.stream().map(Workload::name).toList(), Unit.RATIO, series, PAR);
    }

    static Point point(int x, Interval i) {
        return new Point(x, i.estimate(), i.low(), i.high());
    }

    static String colour(String contestant) {
        return Allocators.named(contestant).colour();
    }
}
