package upa.core;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.lang.ref.WeakReference;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Has a region looked at from time to time after something of it has been freed, until nothing is left that might have
 * to go back to the kernel. One daemon thread looks at all regions; it exists while there is one to look at, and a
 * second longer.
 *
 * <p>The race of {@link #freed} with the end of the looks: one frees and then asks whether a look is to come; the other
 * says that none is and then asks whether something has been freed. Both in total order, so one of them sees the other.
 */
final class Reclaim {
    /** The first look comes after so long. */
    static final long INTERVAL_MILLIS = 16;

    private static final long ANY = 0;
    private static final long LARGE = 256L << 10;
    private static final long NONE = Long.MAX_VALUE;
    private static final VarHandle INTEREST;
    private static final ScheduledThreadPoolExecutor THREAD = new ScheduledThreadPoolExecutor(1, Reclaim::newThread);

    static {
        try {
            INTEREST = MethodHandles.lookup().findVarHandle(Reclaim.class, "interest", long.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
        THREAD.setKeepAliveTime(1, TimeUnit.SECONDS);
        THREAD.allowCoreThreadTimeOut(true);
    }

    /** What is looked at. */
    interface Target {
        /**
         * Gives back what may not stay.
         *
         * @param isFirst whether nobody has looked for a while
         * @param freed   the largest block freed since the last look, if it was large
         * @return milliseconds until the next look, 0 if nothing is left that might have to go
         */
        long look(boolean isFirst, long freed);

        /** Whether nothing is left that might have to go back. */
        boolean isSettled();
    }

    /** Who calls the looks. */
    interface Clock {
        /** False if that cannot be. */
        boolean later(Runnable look, long millis);
    }

    /** Weakly, so that a region can be dropped. */
    private final WeakReference<Target> target;

    private final Clock clock;
    /**
     * Of interest is a free of more bytes: any, when no look is to come; when one is, a large one, and the largest so
     * far; none while looks are off.
     */
    private volatile long interest;

    private volatile boolean isOff;
    private volatile boolean isFirst;
    private final AtomicBoolean isScheduled = new AtomicBoolean();

    Reclaim(Target target) {
        this(target, Reclaim::later);
    }

    Reclaim(Target target, Clock clock) {
        this.target = new WeakReference<>(target);
        this.clock = clock;
    }

    /** After so much has been freed. */
    void freed(long bytes) {
        if (bytes > interest) {
            note(bytes);
        }
    }

    private void note(long bytes) {
        for (long now = interest; bytes > now; now = interest) {
            if (now == ANY) {
                begin();
                return;
            }
            if (INTEREST.compareAndSet(this, now, bytes)) {
                return;
            }
        }
    }

    /** Has looks made, whether something is freed or not. */
    void start() {
        isOff = false;
        begin();
    }

    private void begin() {
        isFirst = true;
        look(INTERVAL_MILLIS);
    }

    /** No looks until {@link #start}; one may be under way. */
    void stop() {
        isOff = true;
        interest = NONE;
    }

    private void look(long millis) {
        INTEREST.compareAndSet(this, ANY, LARGE);
        if (isScheduled.compareAndSet(false, true) && !clock.later(this::look, millis)) {
            // No thread to be had: whoever frees next tries again.
            isScheduled.set(false);
            interest = ANY;
        }
    }

    private void look() {
        isScheduled.set(false);
        Target looked = target.get();
        if (looked == null || isOff) {
            interest = NONE;
            return;
        }
        boolean first = isFirst;
        isFirst = false;
        long largest = (long) INTEREST.getAndSet(this, LARGE);
        long millis = looked.look(first, largest == LARGE || largest == NONE ? 0 : largest);
        if (millis == 0) {
            interest = isOff ? NONE : ANY;
            millis = looked.isSettled() ? 0 : INTERVAL_MILLIS;
        }
        if (millis > 0) {
            look(millis);
        }
    }

    private static boolean later(Runnable look, long millis) {
        try {
            THREAD.schedule(look, millis, TimeUnit.MILLISECONDS);
            return true;
        } catch (OutOfMemoryError | RejectedExecutionException e) {
            return false;
        }
    }

    /** Inherits nothing from who happens to free first. */
    private static Thread newThread(Runnable work) {
        Thread thread = Thread.ofPlatform()
                .daemon()
                .name("upa-reclaim")
                .inheritInheritableThreadLocals(false)
                .unstarted(work);
        thread.setContextClassLoader(null);
        return thread;
    }
}
