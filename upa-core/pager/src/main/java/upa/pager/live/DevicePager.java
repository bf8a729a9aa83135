package upa.pager.live;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Consumer;
import upa.pager.device.DeviceException;
import upa.pager.device.PagedRegion;
import upa.pager.host.PolicySpec;
import upa.pager.host.PolicyThread;
import upa.pager.host.PolicyWatch;
import upa.pager.posix.Linux;
import upa.pager.posix.Posix;
import upa.pager.store.RedisStore;
import upa.pager.store.StoreException;
import upa.pager.store.StoreSpec;
import upa.policy.PolicyException;
import upa.policy.PolicyStatistics;

/**
 * The pager of one region of the kernel module: the same policies and stores as of running programs, by another
 * mechanism. Pages go by {@code UPADEV_PAGE_OUT} and come by {@code UPADEV_PAGE_IN}; accessed bits, which the module
 * reads, take the place of second chances.
 *
 * <p>It is stateless, as its brother is: place words, and descriptors of stores in memory and files, are kept by the
 * owner. Killed at any instant it loses nothing, and the next pager of the region goes on, with the same stores.
 *
 * <p>Safe for use by several threads.
 */
public final class DevicePager implements AutoCloseable {
    /** Least memory that pages may be held to. */
    public static final long LEAST_BOUND = 1 << 20;

    private static final long PAGE_BYTES = 4096;
    private static final int STORES_OFFSET = PagedRegion.MOST_STORES * RedisStore.ID_BYTES;

    private final PagedRegion region;
    private final StoreChain stores;
    private final DevicePages all;
    private final PolicyWatch watch = new PolicyWatch();
    private final int wake = Linux.eventfd();
    private final MemorySegment one = Arena.global().allocateFrom(ValueLayout.JAVA_LONG, 1);
    private final Thread thread;
    private final CompletableFuture<Void> started = new CompletableFuture<>();
    private final CompletableFuture<Void> over = new CompletableFuture<>();
    private boolean wakeIsClosed;
    private volatile boolean closed;

    private DevicePager(PagedRegion region, StoreChain stores, PolicySpec policy, int bound, Consumer<String> log) {
        this.region = region;
        this.stores = stores;
        all = new DevicePages(region, stores, bound, wake, this::wake, log);
        thread = Thread.ofPlatform().daemon().name("device pager").unstarted(() -> run(policy, log));
    }

    /**
     * Pages a region of the device.
     *
     * @param region     of an owner that has admitted this process; closed with the pager, or if this fails
     * @param policy     which pages leave
     * @param boundBytes memory that pages may have, at least 1 MiB; no more than the pool has counts
     * @param stores     where pages go, as on the command line of {@code upa run --policy}
     * @param log        takes lines for the user
     * @return a pager at work
     * @throws DeviceException if the bound is out of range, or another pager has left pages in other stores
     * @throws StoreException  if a store cannot be had
     * @throws PolicyException if the policy cannot
     */
    public static DevicePager start(
            PagedRegion region, PolicySpec policy, long boundBytes, String stores, Consumer<String> log)
            throws DeviceException, StoreException {
        StoreChain chain = null;
        try {
            chain = StoreChain.open(storesOf(stores), keeper(region, stores));
            int bound = Math.min(pagesOf(boundBytes), region.frames());
            DevicePager pager = new DevicePager(region, chain, policy, bound, log);
            pager.thread.start();
            pager.started.join();
            return pager;
        } catch (CompletionException e) {
            if (e.getCause() instanceof PolicyException p) {
                throw p;
            }
            throw e;
        } catch (RuntimeException | DeviceException | StoreException e) {
            if (chain != null) {
                chain.close();
            }
            region.close();
            throw e;
        }
    }

    static StoreSpec storesOf(String stores) throws StoreException {
        StoreSpec spec = StoreSpec.parse(stores);
        StoreSpec.Element first = spec.stores().getFirst();
        if (first.kind() == StoreSpec.Kind.ZRAM || first.kind() == StoreSpec.Kind.NUMA) {
            throw new StoreException("store=" + first.name() + ": the kernel does not move pages of the device");
        }
        return spec;
    }

    static int pagesOf(long bytes) throws DeviceException {
        if (bytes < LEAST_BOUND || bytes / PAGE_BYTES > Integer.MAX_VALUE) {
            throw new DeviceException(
                    "memory=" + bytes + " is out of range: the least is " + (LEAST_BOUND >> 20) + "M");
        }
        return (int) (bytes / PAGE_BYTES);
    }

    /** What stores need lies with the owner: names and descriptors, and which stores they are of. */
    private static StoreChain.Keeper keeper(PagedRegion region, String stores) throws DeviceException {
        MemorySegment text = region.shared().kept().asSlice(STORES_OFFSET);
        byte[] bytes = (stores + '\0').getBytes(StandardCharsets.UTF_8);
        if (bytes.length > text.byteSize()) {
            throw new DeviceException("too long for the owner to keep: stores of bytes=" + bytes.length);
        }
        String before = text.getString(0);
        if (before.isEmpty()) {
            text.asSlice(0, bytes.length).copyFrom(MemorySegment.ofArray(bytes));
        } else if (!before.equals(stores)) {
            throw new DeviceException("a pager before has left pages in other stores: choose --store " + before);
        }
        return new StoreChain.Keeper() {
            @Override
            public int descriptor(int store) {
                return region.descriptor(store);
            }

            @Override
            public void keep(int store, int fd) {
                region.keep(store, fd);
            }

            @Override
            public byte[] id(int store) {
                MemorySegment id =
                        region.shared().kept().asSlice((long) store * RedisStore.ID_BYTES, RedisStore.ID_BYTES);
                if (id.mismatch(MemorySegment.ofArray(new byte[RedisStore.ID_BYTES])) < 0) {
                    id.copyFrom(MemorySegment.ofArray(RedisStore.newId()));
                }
                return id.toArray(ValueLayout.JAVA_BYTE);
            }
        };
    }

    private synchronized void wake() {
        if (!wakeIsClosed) {
            Linux.write(wake, one);
        }
    }

    private void run(PolicySpec policy, Consumer<String> log) {
        try {
            new DeviceTakeover(all).run();
            all.policies(new PolicyThread(all.mechanism, policy, watch, log));
            region.ready();
            started.complete(null);
            DeviceSession session = new DeviceSession(all);
            while (!closed && session.step()) {
                continue;
            }
            session.finish();
        } catch (Throwable t) {
            started.completeExceptionally(t);
            over.completeExceptionally(t);
            log.accept("the pager of the device has failed: " + t);
        } finally {
            end();
        }
    }

    private void end() {
        if (all.policies() != null) {
            all.policies().close();
        }
        watch.close();
        all.mover.end();
        // The policies' thread may still be at work.
        all.states.end();
        // Their threads wake this one until they have ended.
        if (region.isOwnerGone()) {
            stores.close();
        } else {
            stores.leave();
        }
        region.close();
        synchronized (this) {
            wakeIsClosed = true;
            Posix.close(wake);
        }
        over.complete(null);
    }

    /**
     * Chooses other policies.
     *
     * @param policy which
     * @return done when they have taken over; fails with a {@link PolicyException} if the old ones stay
     */
    public CompletableFuture<Void> policy(PolicySpec policy) {
        return all.policies().replace(policy);
    }

    /**
     * Changes the bound.
     *
     * @param bytes as when it started
     * @throws DeviceException if that is out of range
     */
    public void limit(long bytes) throws DeviceException {
        all.mechanism.limit(Math.min(pagesOf(bytes), region.frames()));
    }

    /** {@return what the pages did} */
    public PolicyStatistics statistics() {
        return all.policies().statistics();
    }

    /** {@return the policies in use} */
    public String policyText() {
        return all.policies().text();
    }

    /** {@return pages that have left without a copy, since a store had them as they were} */
    public long dropped() {
        return all.counters.dropped;
    }

    /** {@return copies of pages that have been written to since} */
    public long overwritten() {
        return all.counters.overwritten;
    }

    /** {@return nanoseconds that its thread has spent on evictions} */
    public long evictionNanos() {
        return all.counters.stagingNanos;
    }

    /** {@return pages that may be in memory} */
    public int bound() {
        return all.mechanism.boundPages();
    }

    /** {@return pages in memory} */
    public int resident() {
        return all.states.resident();
    }

    /** {@return pages with content in stores alone} */
    public int outside() {
        return all.states.outside();
    }

    /** {@return what went wrong last, in one line, or empty} */
    public String problem() {
        return all.problem();
    }

    /**
     * {@return is done when this process is the pager no more: the owner has ended, or revoked it; fails if the pager
     * did}
     */
    public CompletableFuture<Void> over() {
        return over;
    }

    /** Ends: what is in stores stays there for the next pager. */
    @Override
    public void close() {
        closed = true;
        wake();
        try {
            thread.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
