package upa.pager.host;

import java.lang.management.ManagementFactory;
import java.lang.management.MemoryPoolMXBean;
import java.lang.management.MemoryType;
import java.lang.management.MemoryUsage;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;

/**
 * Notices policies that do not return, or fill the heap. Looks at every host a hundred times a second, in a thread of
 * its own. Safe for use by any thread.
 *
 * <p>A callback may take {@link #MOST_CPU} of processor time, or {@link #MOST_WALL} of looks at it: time in which the
 * machine runs other programs, or nothing of this process, is not the policy's fault.
 */
public final class PolicyWatch implements AutoCloseable {
    /** Processor time that one callback may take. */
    public static final Duration MOST_CPU = Duration.ofMillis(50);
    /** Time that one callback may take, if the watch is never kept from looking. */
    public static final Duration MOST_WALL = Duration.ofMillis(1000);

    private static final Duration INTERVAL = Duration.ofMillis(10);
    /** Looks at one callback that find it under way. */
    static final long MOST_LOOKS = MOST_WALL.dividedBy(INTERVAL);

    /** Of the heap that is in use after a collection; beyond that, who has allocated most has to go. */
    private static final double MOST_HEAP = 0.8;

    /** Is told, in the watch's thread, that a host has been abandoned. */
    public interface Listener {
        /**
         * The host does nothing any more; its thread may still be in the policy.
         *
         * @param why in one line
         */
        void abandoned(String why);
    }

    private static final class Watched {
        private final PolicyHost host;
        private final Listener listener;
        private long call;
        private long looks;
        private long cpuAtFirst;
        /** What it had allocated when the heap was far from full for the last time. */
        private long allocatedBefore;

        Watched(PolicyHost host, Listener listener) {
            this.host = host;
            this.listener = listener;
        }
    }

    private final List<Watched> hosts = new ArrayList<>();
    private final MemoryPoolMXBean oldObjects;
    private final Thread thread;
    private volatile boolean closed;

    /** Starts a watch. */
    public PolicyWatch() {
        this(true);
    }

    /** For tests: one that looks when it is told to. */
    PolicyWatch(boolean byItself) {
        oldObjects = ManagementFactory.getMemoryPoolMXBeans().stream()
                .filter(p -> p.getType() == MemoryType.HEAP
                        && p.getCollectionUsage() != null
                        && p.isUsageThresholdSupported())
                .findFirst()
                .orElse(null);
        thread = Thread.ofPlatform().daemon().name("policy watch").unstarted(this::run);
        if (byItself) {
            thread.start();
        }
    }

    /**
     * Watches a host until it is abandoned or forgotten.
     *
     * @param host     whose callbacks are watched
     * @param listener is told when it is abandoned
     */
    public void add(PolicyHost host, Listener listener) {
        synchronized (hosts) {
            hosts.add(new Watched(host, listener));
        }
    }

    /**
     * Watches a host no longer.
     *
     * @param host one that was added
     * @return false if it is not watched, since it has been abandoned
     */
    public boolean remove(PolicyHost host) {
        synchronized (hosts) {
            return hosts.removeIf(w -> w.host == host);
        }
    }

    private void run() {
        while (!closed) {
            try {
                Thread.sleep(INTERVAL);
                look();
            } catch (InterruptedException e) {
                return;
            } catch (OutOfMemoryError e) {
                // The next look finds out who it was.
                continue;
            }
        }
    }

    void look() {
        List<Runnable> tell = new ArrayList<>();
        synchronized (hosts) {
            double used = heapUsed();
            Watched fullest = used > MOST_HEAP ? fullest() : null;
            if (used < MOST_HEAP / 2) {
                hosts.forEach(w -> w.allocatedBefore = w.host.allocatedBytes());
            }
            for (Iterator<Watched> i = hosts.iterator(); i.hasNext(); ) {
                Watched w = i.next();
                String why = w == fullest
                        ? "policies=" + w.host.spec().text() + " have allocated most of a heap that is full"
                        : overdue(w);
                if (why != null) {
                    i.remove();
                    if (w.host.abandon()) {
                        tell.add(() -> w.listener.abandoned(why));
                    }
                }
            }
        }
        tell.forEach(Runnable::run);
    }

    private String overdue(Watched w) {
        CallGuard guard = w.host.guard();
        long call = guard.call();
        if (!CallGuard.isUnderWay(call)) {
            w.call = 0;
            return null;
        }
        long cpu = guard.cpuNanos();
        if (call != w.call) {
            w.call = call;
            w.looks = 0;
            w.cpuAtFirst = cpu;
            return null;
        }
        w.looks++;
        long allocated = guard.allocatedBytes();
        String what = null;
        if (cpu >= 0 && cpu - w.cpuAtFirst >= MOST_CPU.toNanos()) {
            what = " has not returned after " + MOST_CPU.toMillis() + " ms of processor time";
        } else if (w.looks >= MOST_LOOKS) {
            what = " has not returned after " + MOST_WALL.toMillis() + " ms";
        } else if (allocated > PolicyHost.MOST_ALLOCATED_BYTES) {
            what = " has allocated bytes=" + allocated + " in one call";
        }
        String who = guard.describe();
        // Only if it is still the same call are its figures about it.
        return what != null && guard.call() == call ? who + what : null;
    }

    /** The part of the heap that is in use after a collection. */
    private double heapUsed() {
        MemoryUsage usage = oldObjects == null ? null : oldObjects.getCollectionUsage();
        return usage == null || usage.getMax() <= 0 ? 0 : (double) usage.getUsed() / usage.getMax();
    }

    /** Who has been there for long has allocated much, and kept little: what counts is since the heap had room. */
    private Watched fullest() {
        Watched most = null;
        long bytes = Long.MIN_VALUE;
        for (Watched w : hosts) {
            long now = w.host.allocatedBytes() - w.allocatedBefore;
            if (now > bytes) {
                most = w;
                bytes = now;
            }
        }
        return most;
    }

    @Override
    public void close() {
        closed = true;
        thread.interrupt();
    }
}
