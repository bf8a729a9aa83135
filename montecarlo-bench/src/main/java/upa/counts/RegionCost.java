package upa.counts;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Locale;
import upa.core.HugePages;
import upa.core.PteOptions;
import upa.core.Region;
import upa.core.Retention;

/**
 * What a page costs a Java program through {@link Region}, on each back end, allocator included: map, touch (one store
 * for each 4 KiB) and unmap of blocks of 4 KiB to 64 MiB. {@code counts/run-java} runs it where an instruction takes a
 * nanosecond of virtual time, so that the clock counts instructions.
 *
 * <p>Two cases. <em>reuse</em>: the block gets the pages that were freed just before. <em>elsewhere</em>: it lies where
 * no page has memory: with {@code linear} since all was given back to the kernel before (not timed), with the module
 * since the frames stand at the free pages of another block, from which the map takes them with one TLB shoot-down.
 *
 * <p>Prints CSV: backend,case,operation,pages,rounds,unit,total,per_page; totals are medians.
 */
public final class RegionCost {
    private static final long PAGE = 4096;
    private static final long BYTES = 256L << 20;
    private static final int[] SIZES = {1, 8, 64, 512, 4096, 16384};
    private static final int ROUNDS = 9;
    /** Until the compiler has done all it does. */
    private static final int WARM_UP_PAGES = 512;

    private static final int WARM_UP_ROUNDS = 1000;
    /** What is compiled of the linear back end is so before pages are given back: that costs thousands each. */
    private static final int WARM_UP_ROUNDS_GIVEN_BACK = 50;

    private static final String[] OPERATIONS = {"map", "touch", "unmap"};

    private final Region region;
    private final MemorySegment memory;
    private final long[] times = new long[4];

    private RegionCost(Region region) {
        this.region = region;
        memory = region.segment(region.base(), region.bytes());
    }

    /**
     * The entry point.
     *
     * @param args the unit of the clock, "instructions" or "ns"
     */
    public static void main(String[] args) {
        if (args.length != 1) {
            System.err.println("usage: RegionCost instructions|ns");
            System.exit(2);
        }
        measure(WARM_UP_PAGES, WARM_UP_ROUNDS, null);
        System.out.println("backend,case,operation,pages,rounds,unit,total,per_page");
        for (int pages : SIZES) {
            measure(pages, Math.clamp((1 << 17) / pages, 16, 4000), args[0]);
        }
    }

    /** On every back end; prints nothing if unit is null. */
    private static void measure(int pages, int before, String unit) {
        long pool = Math.max(pages, 512) * PAGE;
        measure("linear", Region.create(BYTES, HugePages.AVOID), pages, before, unit);
        measure("pte", Region.create(BYTES, PteOptions.guarded(pool)), pages, before, unit);
        measure("pte-raw", Region.create(BYTES, PteOptions.raw(pool)), pages, before, unit);
    }

    private static void measure(String backEnd, Region region, int pages, int before, String unit) {
        try (region) {
            // The thread that gives back what idles would be counted as well.
            region.retain(Retention.EVERYTHING);
            RegionCost cost = new RegionCost(region);
            cost.rounds(backEnd, "reuse", pages, before, unit, () -> cost.reuse(pages));
            if (pages < 512) {
                // What a pool has more than the block needs is in use, at the end.
                region.mapAt(region.base() + region.bytes() - 512 * PAGE, (512 - pages) * PAGE, 0);
            }
            long half = region.base() + region.bytes() / 2;
            boolean[] upper = {false};
            boolean givenBack = backEnd.equals("linear");
            cost.rounds(
                    backEnd,
                    "elsewhere",
                    pages,
                    givenBack ? Math.min(before, WARM_UP_ROUNDS_GIVEN_BACK) : before,
                    unit,
                    () -> {
                        upper[0] = !upper[0];
                        if (givenBack) {
                            region.giveBack(0);
                        }
                        cost.at(upper[0] ? half : region.base(), pages);
                    });
        }
    }

    private void rounds(String backEnd, String what, int pages, int before, String unit, Runnable round) {
        for (int i = 0; i < before; i++) {
            round.run();
        }
        long clock = Long.MAX_VALUE;
        for (int i = 0; i < 100; i++) {
            long start = System.nanoTime();
            clock = Math.min(clock, System.nanoTime() - start);
        }
        long[][] results = new long[OPERATIONS.length][ROUNDS];
        for (int i = 0; i < ROUNDS; i++) {
            round.run();
            for (int o = 0; o < OPERATIONS.length; o++) {
                results[o][i] = Math.max(times[o + 1] - times[o] - clock, 0);
            }
        }
        for (int o = 0; o < OPERATIONS.length && unit != null; o++) {
            Arrays.sort(results[o]);
            long median = results[o][ROUNDS / 2];
            System.out.printf(
                    Locale.ROOT,
                    "%s,%s,%s,%d,%d,%s,%d,%.2f%n",
                    backEnd,
                    what,
                    OPERATIONS[o],
                    pages,
                    ROUNDS,
                    unit,
                    median,
                    (double) median / pages);
        }
    }

    private void reuse(int pages) {
        times[0] = System.nanoTime();
        long address = region.map(pages * PAGE);
        times[1] = System.nanoTime();
        touch(address, pages);
        times[2] = System.nanoTime();
        region.unmap(address, pages * PAGE);
        times[3] = System.nanoTime();
    }

    private void at(long address, int pages) {
        times[0] = System.nanoTime();
        boolean mapped = region.mapAt(address, pages * PAGE, 0);
        times[1] = System.nanoTime();
        if (!mapped) {
            throw new IllegalStateException("no memory: pages=" + pages + " of " + region);
        }
        touch(address, pages);
        times[2] = System.nanoTime();
        region.unmap(address, pages * PAGE);
        times[3] = System.nanoTime();
    }

    private void touch(long address, int pages) {
        long offset = address - region.base();
        for (long end = offset + pages * PAGE; offset < end; offset += PAGE) {
            memory.set(ValueLayout.JAVA_BYTE, offset, (byte) 1);
        }
    }
}
