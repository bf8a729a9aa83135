package upa.internal.events;

import java.util.function.LongSupplier;

/**
 * Tells JDK Flight Recorder what happens to regions. While nothing is recorded it costs a comparison; a run-time image
 * without the recorder does without.
 */
public final class Events {
    /** Blocks of fewer bytes are not worth an event: 2 MiB, or what this system property says. */
    public static final long LEAST_BYTES = Long.getLong("upa.events.leastBytes", 2L << 20);

    private static final boolean AVAILABLE =
            ModuleLayer.boot().findModule("jdk.jfr").isPresent();

    private Events() {}

    /** A block has been taken. */
    public static void map(long region, long address, long bytes) {
        if (bytes >= LEAST_BYTES && AVAILABLE) {
            RegionEvent.Map event = new RegionEvent.Map();
            event.address = address;
            commit(event, region, bytes);
        }
    }

    /** A block has been freed. */
    public static void unmap(long region, long address, long bytes) {
        if (bytes >= LEAST_BYTES && AVAILABLE) {
            RegionEvent.Unmap event = new RegionEvent.Unmap();
            event.address = address;
            commit(event, region, bytes);
        }
    }

    /** Does the work, which returns how many bytes it has given back. */
    public static long giveBack(long region, LongSupplier work) {
        return AVAILABLE ? during(new RegionEvent.GiveBack(), region, work) : work.getAsLong();
    }

    /** Does the work, which returns how many bytes it has taken. */
    public static long scavenge(long region, LongSupplier work) {
        return AVAILABLE ? during(new RegionEvent.Scavenge(), region, work) : work.getAsLong();
    }

    /** Does the work, which returns how many bytes it has populated. */
    public static long populate(long region, LongSupplier work) {
        return AVAILABLE ? during(new RegionEvent.Populate(), region, work) : work.getAsLong();
    }

    private static long during(RegionEvent event, long region, LongSupplier work) {
        event.begin();
        long bytes = work.getAsLong();
        if (bytes != 0) {
            commit(event, region, bytes);
        }
        return bytes;
    }

    private static void commit(RegionEvent event, long region, long bytes) {
        if (event.shouldCommit()) {
            event.region = region;
            event.bytes = bytes;
            event.commit();
        }
    }
}
