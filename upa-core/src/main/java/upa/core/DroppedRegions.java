package upa.core;

import java.lang.ref.Cleaner;
import java.util.concurrent.atomic.AtomicInteger;
import upa.internal.os.Errno;
import upa.internal.region.RegionBackEnd;

/**
 * Unmaps regions that nobody has closed, once nothing reaches them: neither the region, nor an arena over it, nor a
 * segment of the region. That takes the garbage collector, which knows nothing of addresses; so when the kernel has
 * none left, it is asked to run, and the creation of a region is tried again.
 *
 * <p>A region stays mapped for good if an arena over it was dropped without being closed. To know when its segments are
 * no longer reached would cost each small arena half of what it costs now.
 */
final class DroppedRegions {
    private static final Cleaner CLEANER = Cleaner.create();
    /**
     * Waits of 1, 2, 4 .. ms for the collector and the cleaner: half a second in all, as the JDK's direct buffers do.
     */
    private static final int WAITS = 9;
    /** Regions of this process that are mapped. */
    private static final AtomicInteger MAPPED = new AtomicInteger();

    private DroppedRegions() {}

    /** Makes a back end. */
    interface Maker<E extends Exception> {
        RegionBackEnd make() throws E;
    }

    /** Makes a back end, if need be after those of dropped regions have gone. */
    static <E extends Exception> RegionBackEnd make(Maker<E> maker) throws E {
        for (; ; ) {
            int before = MAPPED.get();
            try {
                return maker.make();
            } catch (SystemCallException e) {
                if (before == 0 || e.errno() != Errno.NO_MEMORY) {
                    throw e;
                }
                if (!awaitFewer(before)) {
                    throw new SystemCallException(
                            e.getMessage() + " (this process has regions=" + before + " mapped)", e.errno());
                }
            }
        }
    }

    /** Returns whether fewer regions are mapped than that. */
    private static boolean awaitFewer(int before) {
        System.gc();
        boolean interrupted = false;
        for (int i = 0; i < WAITS && MAPPED.get() >= before; i++) {
            try {
                Thread.sleep(1L << i);
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        return MAPPED.get() < before;
    }

    /** Unmaps a region's memory once: when that is asked for, or when nothing reaches the region any more. */
    static Cleaner.Cleanable register(Object region, RegionBackEnd backEnd, long[] uses) {
        MAPPED.getAndIncrement();
        return CLEANER.register(region, () -> {
            // An arena that has been dropped, too, and never closed: segments of it may still be reached.
            if (Lifetime.sum(uses) == 0) {
                backEnd.unmap();
                MAPPED.getAndDecrement();
            }
        });
    }
}
