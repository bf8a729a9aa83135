package upa.pager.store;

import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicLong;
import upa.policy.Place;

/**
 * A store with compressed memory in front of it. A page is written to both, and has its slot in the far one, which
 * alone must not be lost: the near one is empty after a restart. A page that is near does not wait for the far store,
 * be it slow or gone. Where the near one is full, what came there first makes room, which costs nothing.
 *
 * <p>A page comes near before its slot is known to anybody, and leaves before the slot can be another's: so a near copy
 * under a slot is of the page that the slot is of. Its checksum is looked at all the same.
 */
public final class WriteThroughStore implements Store {
    private static final int LEAST_ORDER = 64;
    /** Pages of those that came first which go at a time. */
    private static final int ROOM = 16;

    private final Store near;
    private final Store far;
    private final ThreadLocal<PageIo> scratch = ThreadLocal.withInitial(() -> new PageIo(Arena.ofAuto(), 1));
    private final AtomicLong hits = new AtomicLong();
    private final SlotMap map = new SlotMap();
    /** Slots in the order in which they came; some have left since. */
    private int[] order = new int[LEAST_ORDER];

    private int first;
    private int ordered;

    /**
     * Makes a store, which has both from now on.
     *
     * @param near compressed memory, empty
     * @param far  where pages are kept
     */
    public WriteThroughStore(CompressedStore near, Store far) {
        this.near = near;
        this.far = far;
    }

    @Override
    public String name() {
        return far.name();
    }

    @Override
    public Place.Kind kind() {
        return far.kind();
    }

    @Override
    public CompletableFuture<PageIo> write(PageIo io) {
        CompletableFuture<PageIo> written = far.write(io);
        return written.isDone()
                ? CompletableFuture.completedFuture(bringNear(written.join()))
                : written.thenApply(this::bringNear);
    }

    private PageIo bringNear(PageIo io) {
        PageIo copy = scratch.get();
        for (int i = 0; i < io.count(); i++) {
            if (io.result(i) == PageIo.Result.OK) {
                copy.begin(1);
                copy.page(0).copyFrom(io.page(i));
                copy.check(0, io.check(i));
                near.write(copy);
                if (copy.result(0) == PageIo.Result.FULL && makeRoom()) {
                    copy.begin(1);
                    near.write(copy);
                }
                if (copy.result(0) == PageIo.Result.OK) {
                    enter(io.slot(i), copy.slot(0));
                }
            }
        }
        return io;
    }

    private synchronized void enter(int slot, int nearSlot) {
        map.put(slot, nearSlot);
        if (ordered == order.length) {
            int[] longer = new int[2 * ordered];
            int kept = 0;
            for (int k = 0; k < ordered; k++) {
                int one = order[(first + k) % ordered];
                if (map.get(one) != SlotMap.NONE) {
                    longer[kept++] = one;
                }
            }
            order = 2 * kept > ordered ? longer : Arrays.copyOf(longer, ordered);
            first = 0;
            ordered = kept;
        }
        order[(first + ordered++) % order.length] = slot;
    }

    private synchronized boolean makeRoom() {
        int gone = 0;
        while (gone < ROOM && ordered > 0) {
            int slot = order[first];
            first = (first + 1) % order.length;
            ordered--;
            gone += leave(slot) ? 1 : 0;
        }
        return gone > 0;
    }

    /** False if it is not near. */
    private synchronized boolean leave(int slot) {
        int nearSlot = map.remove(slot);
        if (nearSlot != SlotMap.NONE) {
            near.free(new int[] {nearSlot}, 1);
        }
        return nearSlot != SlotMap.NONE;
    }

    /** How many pages are near. */
    synchronized int nearPages() {
        return map.size();
    }

    /** For tests: a page is only far from now on. */
    void forget(int slot) {
        leave(slot);
    }

    @Override
    public CompletableFuture<PageIo> read(PageIo io) {
        int[] missing = new int[io.count()];
        int count = 0;
        for (int i = 0; i < io.count(); i++) {
            if (!readNear(io, i)) {
                missing[count++] = i;
            }
        }
        if (count == 0) {
            return CompletableFuture.completedFuture(io);
        }
        if (count == io.count()) {
            return far.read(io);
        }
        return readFar(io, missing, count);
    }

    /** One page; false if it is not near as it should be. */
    private boolean readNear(PageIo io, int i) {
        PageIo copy = scratch.get();
        // With the lock: else its piece might be another's before it has been read. It takes 2 µs.
        synchronized (this) {
            int nearSlot = map.get(io.slot(i));
            if (nearSlot == SlotMap.NONE) {
                return false;
            }
            copy.begin(1);
            copy.slot(0, nearSlot);
            copy.check(0, io.check(i));
            near.read(copy);
        }
        if (copy.result(0) != PageIo.Result.OK) {
            return false;
        }
        io.page(i).copyFrom(copy.page(0));
        io.result(i, PageIo.Result.OK);
        hits.incrementAndGet();
        return true;
    }

    private CompletableFuture<PageIo> readFar(PageIo io, int[] missing, int count) {
        PageIo rest = new PageIo(Arena.ofAuto(), count);
        rest.begin(count);
        for (int k = 0; k < count; k++) {
            rest.slot(k, io.slot(missing[k]));
            rest.check(k, io.check(missing[k]));
        }
        return far.read(rest).thenApply(done -> {
            for (int k = 0; k < count; k++) {
                io.page(missing[k]).copyFrom(rest.page(k));
                io.result(missing[k], rest.result(k));
            }
            return io;
        });
    }

    @Override
    public void free(int[] slots, int count) {
        for (int i = 0; i < count; i++) {
            leave(slots[i]);
        }
        far.free(slots, count);
    }

    @Override
    public void adopt(int[] slots, int count) {
        far.adopt(slots, count);
    }

    @Override
    public int sparse(int[] slots) {
        return far.sparse(slots);
    }

    @Override
    public StoreStatistics statistics() {
        StoreStatistics s = far.statistics();
        return new StoreStatistics(
                s.pages(), s.bytesUsed(), s.bytesLimit(), s.written(), s.read() + hits.get(), s.refused(), s.failed());
    }

    @Override
    public void discard() {
        synchronized (this) {
            while (makeRoom()) {
                // Until it is empty.
                continue;
            }
        }
        far.discard();
    }

    @Override
    public void close() {
        far.close();
        near.close();
    }
}
