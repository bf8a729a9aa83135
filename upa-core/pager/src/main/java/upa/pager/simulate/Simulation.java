package upa.pager.simulate;

import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import upa.pager.host.Mechanism;
import upa.pager.host.PolicyHost;
import upa.pager.host.PolicySpec;
import upa.pager.host.PolicyWatch;
import upa.policy.FaultBatch;
import upa.policy.PageBatch.Cause;
import upa.policy.Place;
import upa.policy.PolicyException;
import upa.policy.PolicyStatistics;
import upa.policy.Pressure;

/**
 * One run of policies on a trace. An access costs 100 ns of simulated time, a rescue 10 µs, a fault 20 µs; policies
 * are ticked every 100 ms of it.
 */
public final class Simulation implements Mechanism {
    private static final long ACCESS_NANOS = 100;
    private static final long RESCUE_NANOS = 10_000;
    private static final long FAULT_NANOS = 20_000;
    private static final long TICK_NANOS = 100_000_000;
    private static final int MOST_FETCHES = 512;
    private static final int MOST_HITS = 4096;
    private static final List<Place> PLACES = List.of(new Place(0, "store", Place.Kind.COMPRESSED));

    private final PageTrace trace;
    private final Settings settings;
    private final List<String> complaints = Collections.synchronizedList(new ArrayList<>());
    private final PolicyHost host = new PolicyHost(this, complaints::add);

    private final BitSet resident = new BitSet();
    private final BitSet touched = new BitSet();
    private final BitSet staged = new BitSet();
    private final BitSet untouched = new BitSet();
    /**
     * Pages in the order in which they were staged, below the number of the staging: what came back since is skipped.
     */
    private final long[] staging;

    private final int[] stagedAs;
    private int stagings;
    private int stagingHead;
    private int stagingCount;
    /** When each page was evicted last, counted in evictions; 0 never. */
    private final int[] evictedAt;

    private final int[] incoming = new int[MOST_FETCHES];
    private int incomingCount;
    private final int[] hits = new int[MOST_HITS];
    private int hitCount;
    private final int[] one = new int[1];

    private int residentPages;
    private int bound;
    private long now;
    private long nextTick = TICK_NANOS;
    private long stalledSinceTick;
    private Pressure pressure = Pressure.NONE;
    private long faults;
    private long firstTouches;
    private long rescues;
    private long refaults;
    private long evictions;
    private long prefetches;
    private long prefetchesUsed;

    private Simulation(PageTrace trace, Settings settings) {
        this.trace = trace;
        this.settings = settings;
        bound = settings.boundPages() - settings.stagingPages();
        staging = new long[Math.max(settings.stagingPages(), 1)];
        stagedAs = new int[trace.pages()];
        evictedAt = new int[trace.pages()];
    }

    /**
     * Runs policies on a trace, in a thread of its own.
     *
     * @param trace    the accesses
     * @param spec     which policies
     * @param settings bound, evidence and staging
     * @return what came of it
     * @throws PolicyException if a policy cannot be made or does not return
     */
    public static Outcome run(PageTrace trace, PolicySpec spec, Settings settings) {
        CompletableFuture<Outcome> outcome = new CompletableFuture<>();
        Simulation simulation = new Simulation(trace, settings);
        try (PolicyWatch watch = new PolicyWatch()) {
            watch.add(simulation.host, why -> outcome.completeExceptionally(new PolicyException(why)));
            Thread.ofPlatform().daemon().name("simulation").start(() -> {
                // What becomes of one that is abandoned, its thread does not say.
                try {
                    Outcome simulated = simulation.run(spec);
                    if (watch.remove(simulation.host)) {
                        outcome.complete(simulated);
                    }
                } catch (Throwable t) {
                    if (watch.remove(simulation.host)) {
                        outcome.completeExceptionally(t);
                    }
                }
            });
            return outcome.join();
        } catch (CompletionException e) {
            if (e.getCause() instanceof PolicyException p) {
                throw p;
            }
            throw e;
        }
    }

    private Outcome run(PolicySpec spec) {
        long start = ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
        host.replace(spec);
        for (int i = 0; i < trace.size(); i++) {
            access(trace.page(i), trace.isWrite(i));
            if (now >= nextTick) {
                tick();
            }
        }
        flushHits();
        PolicyStatistics statistics = host.statistics();
        host.close();
        long nanos = ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime() - start;
        return new Outcome(spec.text(), trace.size(), statistics, List.copyOf(complaints), nanos);
    }

    private void access(int page, boolean write) {
        now += ACCESS_NANOS;
        if (resident.get(page)) {
            if (untouched.get(page)) {
                untouched.clear(page);
                prefetchesUsed++;
            }
            if (settings.evidence() == Settings.Evidence.ACCESSES) {
                hits[hitCount++] = page;
                if (hitCount == hits.length) {
                    flushHits();
                }
            }
            return;
        }
        flushHits();
        if (staged.get(page)) {
            rescues++;
            stall(RESCUE_NANOS);
            staged.clear(page);
            enter(page, Cause.RESCUED);
            return;
        }
        boolean known = touched.get(page);
        int distance = (int) Math.min(Integer.MAX_VALUE, evictions - evictedAt[page]);
        if (known) {
            faults++;
            stall(FAULT_NANOS);
            if (distance < bound) {
                refaults++;
            }
        } else {
            firstTouches++;
            touched.set(page);
        }
        enter(page, known ? Cause.FETCHED : Cause.FIRST_TOUCH);
        if (known) {
            host.fault(new OneFault(page, write, distance));
            bringIncoming();
        }
    }

    private void stall(long nanos) {
        now += nanos;
        stalledSinceTick += nanos;
    }

    private void flushHits() {
        if (hitCount > 0) {
            host.used(Cause.ACCESSED, hits, hitCount);
            hitCount = 0;
        }
    }

    /** Makes room, and then a page resident. */
    private void enter(int page, Cause cause) {
        if (residentPages >= bound) {
            host.evict(Math.max(residentPages - bound + 1, Math.min(settings.batchPages(), residentPages)), true);
        }
        resident.set(page);
        residentPages++;
        one[0] = page;
        host.added(cause, one, 1);
    }

    private void bringIncoming() {
        for (int i = 0; i < incomingCount; i++) {
            int page = incoming[i];
            if (staged.get(page)) {
                rescues++;
                staged.clear(page);
                enter(page, Cause.RESCUED);
            } else if (!resident.get(page)) {
                prefetches++;
                untouched.set(page);
                enter(page, Cause.PREFETCHED);
            }
        }
        incomingCount = 0;
    }

    private void tick() {
        flushHits();
        long span = now - nextTick + TICK_NANOS;
        Pressure next = new Pressure(Math.min(1, (double) stalledSinceTick / span), 0);
        stalledSinceTick = 0;
        nextTick = now + TICK_NANOS;
        if (!next.equals(pressure)) {
            pressure = next;
            host.pressure(next);
        }
        host.tick();
        bringIncoming();
    }

    private record OneFault(int number, boolean write, int evictions) implements FaultBatch {
        @Override
        public int size() {
            return 1;
        }

        @Override
        public int page(int index) {
            return Objects.checkIndex(index, 1) + number;
        }

        @Override
        public int thread(int index) {
            return Objects.checkIndex(index, 1);
        }

        @Override
        public int distance(int index) {
            return Objects.checkIndex(index, 1) + evictions;
        }

        @Override
        public boolean isWrite(int index) {
            return Objects.checkIndex(index, 1) == 0 && write;
        }
    }

    @Override
    public int pages() {
        return trace.pages();
    }

    @Override
    public int boundPages() {
        return bound;
    }

    @Override
    public int residentPages() {
        return residentPages;
    }

    @Override
    public boolean isResident(int page) {
        return resident.get(page);
    }

    @Override
    public int nextResident(int from) {
        return resident.nextSetBit(from);
    }

    @Override
    public int placeOf(int page) {
        return touched.get(page) && !resident.get(page) && !staged.get(page) ? 0 : -1;
    }

    @Override
    public long nanoTime() {
        return now;
    }

    @Override
    public List<Place> places() {
        return PLACES;
    }

    @Override
    public PolicyStatistics statistics() {
        return new PolicyStatistics(faults, firstTouches, rescues, refaults, evictions, prefetches, prefetchesUsed, 0);
    }

    @Override
    public Pressure pressure() {
        return pressure;
    }

    @Override
    public boolean evict(int page, int place) {
        if (!resident.get(page)) {
            return false;
        }
        resident.clear(page);
        residentPages--;
        untouched.clear(page);
        if (settings.stagingPages() == 0) {
            left(page);
            return true;
        }
        if (stagingCount == staging.length) {
            int oldest = (int) staging[stagingHead];
            if (staged.get(oldest) && stagedAs[oldest] == (int) (staging[stagingHead] >>> 32)) {
                staged.clear(oldest);
                left(oldest);
            }
            stagingHead = (stagingHead + 1) % staging.length;
            stagingCount--;
        }
        stagedAs[page] = ++stagings;
        staging[(stagingHead + stagingCount++) % staging.length] = (long) stagings << 32 | page;
        staged.set(page);
        return true;
    }

    private void left(int page) {
        evictions++;
        evictedAt[page] = (int) evictions;
    }

    @Override
    public int fetchRoom() {
        return Math.max(0, Math.min(MOST_FETCHES, bound / 4) - incomingCount);
    }

    @Override
    public boolean fetch(int page) {
        if (!touched.get(page) || resident.get(page)) {
            return false;
        }
        for (int i = 0; i < incomingCount; i++) {
            if (incoming[i] == page) {
                return false;
            }
        }
        incoming[incomingCount++] = page;
        return true;
    }

    @Override
    public int bound(int pages) {
        bound = Math.min(pages, settings.boundPages() - settings.stagingPages());
        return bound;
    }
}
