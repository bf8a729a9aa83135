package upa.core;

import static upa.core.RegionDescriptor.CHILD_BYTES;

import java.lang.ref.WeakReference;
import upa.internal.region.Ahead;
import upa.internal.region.RegionBackEnd;

/**
 * A thread of the region's own that keeps free memory zeroed ahead of need, up to a bound.
 *
 * <p>It clears 2 MiB at a time and holds the monitor of {@link Idle} meanwhile, as every look at free memory
 * does. So a call that finds no room, counts pages or closes the region waits for it, and no free page is refused.
 */
final class ClearAhead {
    /** The thread looks again after 1, 2, 4 .. this many milliseconds if there was nothing to do. */
    private static final long LONGEST_SLEEP_MILLIS = 256;

    private final RegionBackEnd backEnd;
    private final Lifetime lifetime;
    private final Idle idle;
    /** How many free children are to read zero; 0: no thread. */
    private volatile long bound;
    /** Guarded by the monitor of idle. */
    private Thread worker;

    ClearAhead(RegionBackEnd backEnd, Lifetime lifetime, Idle idle) {
        this.backEnd = backEnd;
        this.lifetime = lifetime;
        this.idle = idle;
    }

    /** Whether a thread may have pages in its hands. */
    boolean isOn() {
        return bound != 0;
    }

    /** From now on a thread has so many free children read zero; 0 ends it. */
    void keep(long children) {
        synchronized (idle) {
            if (children == 0) {
                bound = 0;
                end();
            } else if (worker != null) {
                bound = children;
                worker.interrupt();
            } else {
                // It waits for the monitor. If it cannot be had, nothing has changed.
                Thread thread = newThread(new WeakReference<>(this));
                thread.start();
                keep(children, thread);
            }
        }
    }

    /** The same, by a thread that calls {@link #step}. */
    void keep(long children, Thread thread) {
        synchronized (idle) {
            worker = thread;
            bound = children;
        }
    }

    /** With the monitor of idle held: the thread has no more pages in its hands, and ends. */
    void end() {
        if (worker != null) {
            worker.interrupt();
            worker = null;
        }
    }

    /** Inherits nothing from who happens to start it, and does not keep the region from being dropped. */
    private static Thread newThread(WeakReference<ClearAhead> of) {
        Thread thread = Thread.ofPlatform()
                .daemon()
                .name("upa-clear-ahead")
                .inheritInheritableThreadLocals(false)
                .unstarted(() -> work(of));
        thread.setContextClassLoader(null);
        return thread;
    }

    private static void work(WeakReference<ClearAhead> of) {
        long millis = 1;
        for (long cleared; (cleared = step(of.get())) >= 0; ) {
            if (cleared > 0) {
                millis = 1;
                Thread.yield();
                continue;
            }
            try {
                Thread.sleep(millis);
                millis = Math.min(2 * millis, LONGEST_SLEEP_MILLIS);
            } catch (InterruptedException e) {
                millis = 1;
            }
        }
    }

    private static long step(ClearAhead ahead) {
        return ahead == null ? -1 : ahead.step();
    }

    /** One child; the bytes cleared, 0 if there is nothing to do, or -1 if the calling thread has to end. */
    long step() {
        synchronized (idle) {
            if (worker != Thread.currentThread() || !lifetime.isOpen()) {
                return -1;
            }
            int slot = (int) Thread.currentThread().threadId()
                    & backEnd.state().pages.slots() - 1;
            return Ahead.clearUpTo(backEnd, slot, bound, 1) * CHILD_BYTES;
        }
    }
}
