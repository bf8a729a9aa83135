package upa.pager.host;

import java.lang.management.GarbageCollectorMXBean;
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
 * <p>A callback may take {@link #MOST_CPU} of processor time, at first {@link #MOST_CPU_AT_FIRST}, or {@link
 * #MOST_WALL} of looks at it: time in which the machine runs other programs, or nothing of this process, is not the
 * policy's fault.
 *
 * <p>When the heap is full, of the policies from jars those have to go that have allocated most. If it is full after
 * the next collection still, what fills it does not go with them, and only another process helps.
 */
public final class PolicyWatch implements AutoCloseable {
    /** Processor time that one callback may take. */
    public static final Duration MOST_CPU = Duration.ofMillis(50);
    /** The same of those with which a policy begins: its classes are loaded then, and none is compiled. */
    public static final Duration MOST_CPU_AT_FIRST = Duration.ofMillis(500);
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

    /** The heap of this process. */
    interface Heap {
        /** {@return the part that was in use after the last collection} */
        double used();

        /** {@return how many collections there have been} */
        long collections();
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
    private final Heap heap;
    private final Runnable full;
    private final Thread thread;
    /** When somebody has had to go: not to be judged by the same collection again. -1: nobody has, of late. */
    private long judged = -1;

    private volatile boolean closed;

    /** Starts a watch. */
    public PolicyWatch() {
        this(() -> {});
    }

    /**
     * Starts a watch.
     *
     * @param full is called when the heap is full, and it does not help to replace policies
     */
    public PolicyWatch(Runnable full) {
        this(true, new OldObjects(), full);
    }

    /** For tests: one that looks when it is told to. */
    PolicyWatch(boolean byItself, Heap heap, Runnable full) {
        this.heap = heap;
        this.full = full;
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
                failed(e);
            }
        }
    }

    /**
     * Something has failed that is not a callback of a policy. Safe for any thread.
     *
     * @param why if it is that the heap was exhausted, it is full
     */
    public void failed(Throwable why) {
        if (Thrown.isOutOfMemory(why)) {
            full.run();
        }
    }

    /** {@return the text of those policies from jars that have allocated most since the heap had room; empty: none} */
    public String fullestFromJars() {
        synchronized (hosts) {
            Watched most = fullest();
            return most == null ? "" : most.host.spec().text();
        }
    }

    void look() {
        List<Runnable> tell = new ArrayList<>();
        boolean helpless = false;
        synchronized (hosts) {
            double used = heap.used();
            Watched fullest = null;
            if (used <= MOST_HEAP) {
                judged = -1;
            } else {
                long collections = heap.collections();
                if (collections != judged) {
                    helpless = judged >= 0;
                    fullest = helpless ? null : fullest();
                    judged = helpless || fullest != null ? collections : -1;
                }
            }
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
        if (helpless) {
            full.run();
        }
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
        Duration most = guard.isAtFirst() ? MOST_CPU_AT_FIRST : MOST_CPU;
        if (cpu >= 0 && cpu - w.cpuAtFirst >= most.toNanos()) {
            what = " has not returned after " + most.toMillis() + " ms of processor time";
        } else if (w.looks >= MOST_LOOKS) {
            what = " has not returned after " + MOST_WALL.toMillis() + " ms";
        } else if (allocated > PolicyHost.MOST_ALLOCATED_BYTES) {
            what = " has allocated bytes=" + allocated + " in one call";
        }
        String who = guard.describe();
        // Only if it is still the same call are its figures about it.
        return what != null && guard.call() == call ? who + what : null;
    }

    /** Those that no collection of new objects frees. */
    private static final class OldObjects implements Heap {
        private final MemoryPoolMXBean pool = ManagementFactory.getMemoryPoolMXBeans().stream()
                .filter(p -> p.getType() == MemoryType.HEAP
                        && p.getCollectionUsage() != null
                        && p.isUsageThresholdSupported())
                .findFirst()
                .orElse(null);
        private final List<GarbageCollectorMXBean> collectors = ManagementFactory.getGarbageCollectorMXBeans().stream()
                .filter(c -> pool != null && List.of(c.getMemoryPoolNames()).contains(pool.getName()))
                .toList();

        @Override
        public double used() {
            MemoryUsage usage = pool == null ? null : pool.getCollectionUsage();
            return usage == null || usage.getMax() <= 0 ? 0 : (double) usage.getUsed() / usage.getMax();
        }

        @Override
        public long collections() {
            long sum = 0;
            for (GarbageCollectorMXBean c : collectors) {
                sum += c.getCollectionCount();
            }
            return sum;
        }
    }

    /**
     * Who has been there for long has allocated much, and kept little: what counts is since the heap had room. Those
     * that come with UPA keep no more than a few bytes a page.
     */
    private Watched fullest() {
        Watched most = null;
        long bytes = Long.MIN_VALUE;
        for (Watched w : hosts) {
            if (w.host.spec().elements().stream().noneMatch(PolicySpec.Element::isInJar)) {
                continue;
            }
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
