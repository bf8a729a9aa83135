package upa.pager.host;

import java.util.Arrays;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import upa.policy.FaultBatch;
import upa.policy.Hint;
import upa.policy.PageBatch.Cause;
import upa.policy.PolicyException;
import upa.policy.PolicyStatistics;
import upa.policy.Pressure;

/**
 * The thread in which the policies of one region run, and their inbox. Any thread may tell it what happens; nobody
 * waits for it. When its policies do not return, a new thread with the default policy takes its place, and the old one
 * is left to itself.
 *
 * <p>The log is called with a lock held: it must not call back.
 *
 * <p>Events of pages are kept in the order in which they were told. If more than {@link #MOST_EVENTS} wait, evidence of
 * use is dropped; beyond twice as many all policies are seeded anew.
 */
public final class PolicyThread implements AutoCloseable {
    /** Events that may wait before evidence of use is dropped. */
    public static final int MOST_EVENTS = 1 << 20;

    /** Is told what the policies are told, by the threads that tell it: must be fast, and safe for several. */
    public interface Observer {
        /**
         * Something has happened to pages.
         *
         * @param cause what
         * @param pages their numbers
         * @param count how many of the array
         */
        void told(Cause cause, int[] pages, int count);

        /**
         * A thread waits for a page.
         *
         * @param page   its number
         * @param thread of the program
         * @param write  whether it is a write
         */
        void fault(int page, int thread, boolean write);
    }

    private static final String GROUP = "policies";
    private static final int MOST_HINTS = 1024;
    private static final Cause[] CAUSES = Cause.values();
    private static final int FAULT = CAUSES.length;
    private static final int CAUSE_SHIFT = 32;
    private static final long TICK_NANOS = 100_000_000;

    /** Whatever threads a policy starts are in the same one, below that of whoever has made this. */
    private final ThreadGroup group = new ThreadGroup(GROUP);

    private final Mechanism mechanism;
    private final Consumer<Boolean> presence;
    private final PolicyWatch watch;
    private final Consumer<String> log;
    private final Object lock = new Object();
    private final Priorities priorities = new Priorities();
    /** Cause in the upper half, page in the lower; of faults also the write bit. */
    private long[] inbox = new long[1024];

    private int[] threads = new int[1024];
    private int[] distances = new int[1024];
    private int waiting;
    private boolean reseed;
    private Hint[] hints = new Hint[0];
    private Pressure pressure;
    private PolicySpec wantedSpec;
    private CompletableFuture<Void> wantedDone;
    private int wantedVictims;
    private boolean urgent;
    private boolean closed;
    private volatile Worker worker;
    private final AtomicReference<Observer> observer = new AtomicReference<>();
    private final AtomicLong dropped = new AtomicLong();
    private volatile String replacedBecause = "";

    /**
     * Starts policies.
     *
     * @param mechanism what is done to pages
     * @param spec      which policies
     * @param watch     notices when they do not return
     * @param log       takes lines that the user should see
     * @throws PolicyException if a policy cannot be made or attached
     */
    public PolicyThread(Mechanism mechanism, PolicySpec spec, PolicyWatch watch, Consumer<String> log) {
        this(mechanism, spec, watch, log, running -> {});
    }

    /**
     * The same, and it is known whether code of the policies may be running.
     *
     * @param mechanism what is done to pages
     * @param spec      which policies
     * @param watch     notices when they do not return
     * @param log       takes lines that the user should see
     * @param presence  is told, often, in their thread
     * @throws PolicyException if a policy cannot be made or attached
     */
    public PolicyThread(
            Mechanism mechanism, PolicySpec spec, PolicyWatch watch, Consumer<String> log, Consumer<Boolean> presence) {
        this.mechanism = mechanism;
        this.presence = presence;
        this.watch = watch;
        this.log = line -> {
            replacedBecause = line;
            log.accept(line);
        };
        CompletableFuture<Void> started = new CompletableFuture<>();
        start(spec, started);
        try {
            started.join();
        } catch (CompletionException e) {
            if (e.getCause() instanceof PolicyException p) {
                throw p;
            }
            throw e;
        }
    }

    private void start(PolicySpec spec, CompletableFuture<Void> started) {
        Worker next = new Worker(spec, started);
        worker = next;
        next.thread = Thread.ofPlatform().group(group).daemon().name("policy").unstarted(next);
        next.thread.start();
    }

    /** {@return the policies in use} */
    public String text() {
        return worker.host.spec().text();
    }

    /** {@return why the policies in use are not those chosen, in one line; empty if they are} */
    public String replacedBecause() {
        return replacedBecause;
    }

    /**
     * Whether threads of policies are there, or threads that these have started.
     *
     * @param group in which the policies were started
     * @return false if all have ended
     */
    public static boolean hasThreads(ThreadGroup group) {
        // Some may start meanwhile: then the next look finds them.
        Thread[] all = new Thread[2 * group.activeCount() + 1];
        int count = group.enumerate(all, true);
        return Arrays.stream(all, 0, count).anyMatch(t -> isOfPolicies(t.getThreadGroup(), group));
    }

    private static boolean isOfPolicies(ThreadGroup group, ThreadGroup within) {
        for (ThreadGroup g = group; g != null && within.parentOf(g); g = g.getParent()) {
            if (g.getName().equals(GROUP)) {
                return true;
            }
        }
        return false;
    }

    /** {@return counters, with refused proposals} */
    public PolicyStatistics statistics() {
        return worker.host.statistics();
    }

    /**
     * Whether the program wants a page to stay while others can leave.
     *
     * @param page its number
     * @return whether its priority is above the usual one
     */
    public boolean protects(int page) {
        return priorities.protects(page);
    }

    /** {@return evidence of use that was dropped because the policies were slow} */
    public long dropped() {
        return dropped.get();
    }

    private void tell(int kind, int[] pages, int count, int thread, boolean write, int distance) {
        synchronized (lock) {
            boolean isEvidence = kind >= Cause.FAULT.ordinal() && kind <= Cause.ACCESSED.ordinal() || kind == FAULT;
            if (waiting + count > MOST_EVENTS && isEvidence) {
                dropped.addAndGet(count);
                return;
            }
            if (waiting + count > 2 * MOST_EVENTS) {
                reseed = true;
                waiting = 0;
                return;
            }
            if (waiting + count > inbox.length) {
                int length = Math.max(2 * inbox.length, waiting + count);
                inbox = Arrays.copyOf(inbox, length);
                threads = Arrays.copyOf(threads, length);
                distances = Arrays.copyOf(distances, length);
            }
            for (int i = 0; i < count; i++) {
                inbox[waiting] = (long) (kind << 1 | (write ? 1 : 0)) << CAUSE_SHIFT | pages[i];
                distances[waiting] = distance;
                threads[waiting++] = thread;
            }
        }
        wake();
    }

    private void wake() {
        LockSupport.unpark(worker.thread);
    }

    /**
     * Tells that something has happened to pages.
     *
     * @param cause what
     * @param pages their numbers
     * @param count how many of the array
     */
    public void tell(Cause cause, int[] pages, int count) {
        Observer also = observer.get();
        if (also != null) {
            also.told(cause, pages, count);
        }
        tell(cause.ordinal(), pages, count, 0, false, -1);
    }

    /**
     * Tells of a fault.
     *
     * @param page   its number
     * @param thread of the program
     * @param write  whether it is a write
     * @param distance evictions since its own; -1: not known
     */
    public void fault(int page, int thread, boolean write, int distance) {
        Observer also = observer.get();
        if (also != null) {
            also.fault(page, thread, write);
        }
        tell(FAULT, new int[] {page}, 1, thread, write, distance);
    }

    /**
     * Lets somebody listen.
     *
     * @param by who
     * @return false if somebody listens already
     */
    public boolean observe(Observer by) {
        return observer.compareAndSet(null, by);
    }

    /** Ends that. */
    public void stopObserving() {
        observer.set(null);
    }

    /**
     * Passes on a hint. One of very many at once is forgotten.
     *
     * @param hint what the program says
     */
    public void hint(Hint hint) {
        synchronized (lock) {
            if (hints.length == MOST_HINTS) {
                return;
            }
            hints = Arrays.copyOf(hints, hints.length + 1);
            hints[hints.length - 1] = hint;
        }
        wake();
    }

    /**
     * Tells of a change of pressure.
     *
     * @param now as it is
     */
    public void pressure(Pressure now) {
        synchronized (lock) {
            pressure = now;
        }
        wake();
    }

    /**
     * Asks for victims; they are claimed later, by {@link Mechanism#evict}.
     *
     * @param count    how many are wanted in all: replaces an earlier wish that is not yet fulfilled
     * @param isUrgent whether threads wait
     */
    public void want(int count, boolean isUrgent) {
        synchronized (lock) {
            wantedVictims = count;
            urgent = isUrgent;
        }
        wake();
    }

    /**
     * Replaces the policies.
     *
     * @param spec by which
     * @return is done when they have been replaced; fails with a {@link PolicyException} if the old ones stay
     */
    public CompletableFuture<Void> replace(PolicySpec spec) {
        CompletableFuture<Void> done = new CompletableFuture<>();
        synchronized (lock) {
            if (wantedDone != null) {
                wantedDone.completeExceptionally(
                        new PolicyException("overtaken by another choice: policy=" + spec.text()));
            }
            wantedSpec = spec;
            wantedDone = done;
        }
        wake();
        return done;
    }

    @Override
    public void close() {
        synchronized (lock) {
            closed = true;
        }
        wake();
    }

    /** Called by the watch: the policies of a generation are stuck. */
    private void takeOver(Worker from, String why) {
        boolean wasRunning = from.started.isDone();
        synchronized (lock) {
            if (worker == from && !closed && wasRunning) {
                log.accept(why + ": replaced by " + Policies.DEFAULT);
                reseed = false;
                waiting = 0;
                start(PolicySpec.DEFAULT, new CompletableFuture<>());
            }
        }
        PolicyException failure = new PolicyException(why);
        from.started.completeExceptionally(failure);
        CompletableFuture<Void> replacing = from.replacing;
        if (replacing != null) {
            replacing.completeExceptionally(failure);
        }
        from.thread.interrupt();
    }

    /** One generation of the thread. */
    private final class Worker implements Runnable {
        private final PolicySpec spec;
        private final CompletableFuture<Void> started;
        private final Presence present = new Presence(group, presence);
        private final PolicyHost host = new PolicyHost(mechanism, log, priorities, present);
        private volatile CompletableFuture<Void> replacing;
        private Thread thread;
        private long[] events = new long[1024];
        private int[] eventThreads = new int[1024];
        private int[] eventDistances = new int[1024];
        private int[] pages = new int[1024];
        private long lastTick;

        Worker(PolicySpec spec, CompletableFuture<Void> started) {
            this.spec = spec;
            this.started = started;
        }

        @Override
        public void run() {
            watch.add(host, why -> takeOver(this, why));
            try {
                replaceBy(spec);
                started.complete(null);
                lastTick = mechanism.nanoTime();
                while (worker == this && work(host)) {
                    LockSupport.parkNanos(this, TICK_NANOS);
                }
                host.close();
            } catch (PolicyException e) {
                started.completeExceptionally(e);
            } catch (RevokedException e) {
                // Its place has been taken: nothing is left to do.
                started.completeExceptionally(e);
            } catch (Throwable t) {
                failed(t);
            } finally {
                watch.remove(host);
            }
        }

        /** Not in a callback: as when others have filled the heap. Without this thread nothing would leave memory. */
        private void failed(Throwable t) {
            if (host.abandon()) {
                takeOver(this, "policies=" + host.spec().text() + " have failed: " + Thrown.text(t));
            }
            watch.failed(t);
        }

        /** Does what waits. Returns false to end. */
        private boolean work(PolicyHost h) {
            int count;
            int victims;
            boolean isUrgent;
            boolean anew;
            Hint[] newHints;
            Pressure newPressure;
            PolicySpec newSpec;
            CompletableFuture<Void> done;
            synchronized (lock) {
                if (closed || worker != this) {
                    return false;
                }
                long[] e = events;
                events = inbox;
                inbox = e;
                int[] t = eventThreads;
                eventThreads = threads;
                threads = t;
                int[] d = eventDistances;
                eventDistances = distances;
                distances = d;
                count = waiting;
                waiting = 0;
                anew = reseed;
                reseed = false;
                victims = wantedVictims;
                isUrgent = urgent;
                wantedVictims = 0;
                newHints = hints;
                hints = hints.length == 0 ? hints : new Hint[0];
                newPressure = pressure;
                pressure = null;
                newSpec = wantedSpec;
                done = wantedDone;
                wantedSpec = null;
                wantedDone = null;
            }
            if (newSpec != null) {
                replace(newSpec, done);
            } else if (anew) {
                replaceBy(h.spec());
            }
            deliver(h, count);
            for (Hint hint : newHints) {
                h.hint(hint);
            }
            h.bringWanted();
            if (newPressure != null) {
                h.pressure(newPressure);
            }
            if (victims > 0) {
                h.evict(victims, isUrgent);
            }
            if (mechanism.nanoTime() - lastTick >= TICK_NANOS) {
                lastTick = mechanism.nanoTime();
                h.tick();
            }
            return true;
        }

        /** They are made before their first callback. */
        private void replaceBy(PolicySpec next) {
            present.begin();
            try {
                host.replace(next);
            } finally {
                present.end();
            }
        }

        private void replace(PolicySpec next, CompletableFuture<Void> done) {
            replacing = done;
            try {
                replaceBy(next);
                replacedBecause = "";
                done.complete(null);
            } catch (PolicyException e) {
                done.completeExceptionally(e);
            }
        }

        /** Tells the host of events, those of a kind in a row as one batch. */
        private void deliver(PolicyHost h, int count) {
            int i = 0;
            while (i < count) {
                int kind = (int) (events[i] >>> CAUSE_SHIFT) >> 1;
                int end = i + 1;
                while (end < count && (int) (events[end] >>> CAUSE_SHIFT) >> 1 == kind) {
                    end++;
                }
                if (kind == FAULT) {
                    h.fault(new Faults(events, eventThreads, eventDistances, i, end));
                } else {
                    int n = end - i;
                    if (pages.length < n) {
                        pages = new int[Math.max(n, 2 * pages.length)];
                    }
                    for (int k = 0; k < n; k++) {
                        pages[k] = (int) events[i + k];
                    }
                    pass(h, CAUSES[kind], n);
                }
                i = end;
            }
        }

        private void pass(PolicyHost h, Cause cause, int n) {
            switch (cause) {
                case FIRST_TOUCH, FETCHED, PREFETCHED, RESCUED, SEEDED -> h.added(cause, pages, n);
                case FAULT, WRITTEN, SAMPLED, ACCESSED -> h.used(cause, pages, n);
                case FREED, UNMAPPED, EVICTED -> h.gone(cause, pages, n);
                default -> throw new AssertionError("cause=" + cause);
            }
        }
    }

    /** Faults in a row of the inbox. */
    private record Faults(long[] events, int[] threads, int[] distances, int from, int to) implements FaultBatch {
        private int at(int index) {
            return from + Objects.checkIndex(index, to - from);
        }

        @Override
        public int size() {
            return to - from;
        }

        @Override
        public int page(int index) {
            return (int) events[at(index)];
        }

        @Override
        public int thread(int index) {
            return threads[at(index)];
        }

        @Override
        public int distance(int index) {
            return distances[at(index)];
        }

        @Override
        public boolean isWrite(int index) {
            return (events[at(index)] >>> CAUSE_SHIFT & 1) != 0;
        }
    }
}
