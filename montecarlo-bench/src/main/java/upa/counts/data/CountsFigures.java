package upa.counts.data;

import static upa.counts.data.PageCosts.BATCH;
import static upa.counts.data.PageCosts.FAULT;
import static upa.counts.data.PageCosts.HUGE_PAGES;
import static upa.counts.data.PageCosts.KERNEL;
import static upa.counts.data.PageCosts.RAW_PMD;
import static upa.counts.data.PageCosts.RAW_PTE;
import static upa.counts.data.PageCosts.THP;

import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Stream;
import upa.measure.Figure;
import upa.measure.Figure.Reading;
import upa.measure.Targets;
import upa.measure.report.Units;
import upa.measure.stats.Interval;
import upa.measure.stats.Statistics;

/** The figures to reach in instructions, held against what was counted: of several sizes the worst one counts. */
public final class CountsFigures {

    private static final long BATCHED = 64;
    private static final long BATCHED_HUGE = 8 * HUGE_PAGES;
    private static final long GIB_PAGES = Units.GIB / 4096;

    private final PageCosts costs;
    private final Targets targets = new Targets();

    private CountsFigures(PageCosts costs) {
        this.costs = costs;
    }

    /**
     * All figures.
     *
     * @param costs what was counted
     * @return ratios first, then amounts
     */
    public static List<Figure> of(PageCosts costs) {
        CountsFigures figures = new CountsFigures(costs);
        figures.ratios();
        figures.amounts();
        return figures.targets.figures();
    }

    private void ratios() {
        String pte = "raw 4 KiB entries, allocate + touch + unmap, ";
        Function<Long, Optional<Double>> raw = pages -> costs.ratio(KERNEL, RAW_PTE, pages);
        atLeast(pte + "64 pages or more to a flush", 40, "kernel mmap", BATCHED, raw);
        atLeast(
                pte + "the same without the kernel's clearing",
                40,
                "kernel mmap",
                BATCHED,
                pages -> costs.ratioWithoutClearing(KERNEL, RAW_PTE, pages));
        atLeast(pte + "a flush for each request, any size", 40, "kernel mmap", 1, raw);
        atLeast(
                "raw 4 KiB entries, reuse in place",
                250,
                "kernel mmap",
                1,
                pages -> costs.cost(KERNEL, pages)
                        .flatMap(k -> costs.reuse(RAW_PTE, pages).map(r -> k / r)));
        String pmd = "raw 2 MiB entries, allocate + touch + unmap, ";
        Function<Long, Optional<Double>> huge = pages -> costs.hugeRatio(THP, RAW_PMD, pages);
        atLeast(pmd + "16 MiB or more to a flush", 1000, "kernel mmap with huge pages", BATCHED_HUGE, huge);
        atLeast(
                pmd + "the same without the kernel's clearing",
                1000,
                "kernel mmap with huge pages",
                BATCHED_HUGE,
                pages -> costs.hugeRatioWithoutClearing(THP, RAW_PMD, pages));
        atLeast(pmd + "a flush for each request, any size", 1000, "kernel mmap with huge pages", HUGE_PAGES, huge);
    }

    private void amounts() {
        atMost(
                "1 GiB allocated and freed with 2 MiB entries, unmap deferred",
                20_000,
                Units::digits,
                " instructions",
                deferred(GIB_PAGES),
                "");
        List<Long> sizes =
                costs.sizes(RAW_PTE).stream().filter(p -> p >= BATCHED).toList();
        Optional<Long> worst = sizes.stream().max(Comparator.comparingDouble(this::safety));
        atMost(
                "guarded over raw, 64 pages and more, batch and fault",
                3,
                Units::ratio,
                "",
                worst.map(this::safety).filter(s -> s > 0),
                worst.map(p -> Units.bytes(p * 4096.0)).orElse(""));
        double[] upTo2M = costs.sizes(RAW_PMD).stream()
                .filter(p -> p <= HUGE_PAGES)
                .mapToDouble(Long::doubleValue)
                .toArray();
        Optional<Double> slope = upTo2M.length < 2
                ? Optional.empty()
                : Optional.of(Statistics.logLogSlope(
                        upTo2M,
                        java.util.Arrays.stream(upTo2M)
                                .map(p -> deferred((long) p).orElseThrow())
                                .toArray()));
        atMost("log-log slope of cost against size, 2 MiB entries, up to 2 MiB", 0.1, Units::digits, "", slope, "");
        Optional<Double> first = deferred(HUGE_PAGES);
        first.ifPresent(f -> atMost(
                "each further 2 MiB: at most the cost of the first",
                f,
                Units::digits,
                " instructions",
                deferred(GIB_PAGES).map(g -> (g - f) / (GIB_PAGES / (double) HUGE_PAGES - 1)),
                ""));
    }

    /** Guarded over raw, of its two ways the dearer one; 0 if unmeasured. */
    private double safety(long pages) {
        return Stream.of(BATCH, FAULT)
                .flatMap(b -> costs.ratio(b, RAW_PTE, pages).stream())
                .max(Double::compare)
                .orElse(0.0);
    }

    /** Storing and emptying 2 MiB entries, without any flush. */
    private Optional<Double> deferred(long pages) {
        return costs.counts().sum(RAW_PMD, pages, "allocate", "clear");
    }

    private void atLeast(
            String name, double target, String whom, long fromPages, Function<Long, Optional<Double>> ratio) {
        List<Long> sizes = costs.sizes(RAW_PTE).stream()
                .filter(p -> p >= fromPages && ratio.apply(p).isPresent())
                .toList();
        targets.atLeast(
                name,
                target,
                "cheaper than " + whom,
                sizes.stream()
                        .map(p -> new Reading(Interval.exact(ratio.apply(p).orElseThrow()), Units.bytes(p * 4096.0)))
                        .toList());
    }

    private void atMost(
            String name,
            double target,
            Function<Double, String> show,
            String unit,
            Optional<Double> measured,
            String where) {
        targets.atMost(
                name,
                target,
                show.apply(target) + unit,
                i -> show.apply(i.estimate()) + unit,
                measured.stream()
                        .map(m -> new Reading(Interval.exact(m), where))
                        .toList());
    }
}
