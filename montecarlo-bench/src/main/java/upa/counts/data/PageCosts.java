package upa.counts.data;

import java.util.List;
import java.util.Optional;

/**
 * What page_cost's operations add up to. A page is allocated, touched and freed; the kernel's rows hold its clearing of
 * pages, which is taken out by the stores it needs, since an emulator may count a clearing otherwise than a processor
 * works.
 */
public record PageCosts(Counts counts) {

    public static final String KERNEL = "kernel";
    public static final String POPULATE = "kernel-populate";
    public static final String THP = "kernel-thp";
    public static final String BATCH = "guarded-batch";
    public static final String FAULT = "guarded-fault";
    public static final String RAW_PTE = "raw-pte";
    public static final String RAW_PMD = "raw-pmd";
    public static final long HUGE_PAGES = 512;
    /** Whole-word stores that clear a page of 4 KiB. */
    public static final double CLEARING = 512;

    private static final String PROGRAM = "page_cost";

    /** Allocate, touch each 4 KiB, free; for the whole request. */
    public Optional<Double> cost(String backend, long pages) {
        return counts.sum(backend, pages, "allocate", "touch", "free");
    }

    /** The same without the kernel's clearing of each page. */
    public Optional<Double> withoutClearing(String backend, long pages) {
        return cost(backend, pages).map(c -> isKernel(backend) ? c - clearings(backend, pages) * CLEARING * pages : c);
    }

    /** Allocate, touch once in each 2 MiB, free; for the whole request. */
    public Optional<Double> hugeCost(String backend, long pages) {
        return counts.sum(backend, pages, "allocate", "touch-huge", "free");
    }

    /** The same without the kernel's clearing. */
    public Optional<Double> hugeWithoutClearing(String backend, long pages) {
        return hugeCost(backend, pages)
                .map(c -> isKernel(backend) ? c - clearings(backend, pages) * CLEARING * pages : c);
    }

    /** How often this kernel clears a page before it maps it: huge pages twice, if it also clears all it allocates. */
    public double clearings(String backend, long pages) {
        return backend.equals(THP)
                ? counts.total(PROGRAM, backend, "touch-huge", pages)
                        .map(t -> Math.max(1, Math.floor(t / pages / CLEARING)))
                        .orElse(1.0)
                : 1;
    }

    /** Touch of pages that are mapped already. */
    public Optional<Double> reuse(String backend, long pages) {
        return counts.total(PROGRAM, backend, "reuse", pages);
    }

    public Optional<Double> operation(String backend, String operation, long pages) {
        return counts.total(PROGRAM, backend, operation, pages);
    }

    /** How many times cheaper fast is than base. */
    public Optional<Double> ratio(String base, String fast, long pages) {
        return cost(base, pages).flatMap(b -> cost(fast, pages).map(f -> b / f));
    }

    public Optional<Double> ratioWithoutClearing(String base, String fast, long pages) {
        return withoutClearing(base, pages).flatMap(b -> cost(fast, pages).map(f -> b / f));
    }

    public Optional<Double> hugeRatio(String base, String fast, long pages) {
        return hugeCost(base, pages).flatMap(b -> hugeCost(fast, pages).map(f -> b / f));
    }

    public Optional<Double> hugeRatioWithoutClearing(String base, String fast, long pages) {
        return hugeWithoutClearing(base, pages)
                .flatMap(b -> hugeCost(fast, pages).map(f -> b / f));
    }

    /** Sizes in pages. */
    public List<Long> sizes(String backend) {
        return counts.pages(PROGRAM, backend, "touch");
    }

    public static boolean isKernel(String backend) {
        return backend.startsWith("kernel");
    }
}
