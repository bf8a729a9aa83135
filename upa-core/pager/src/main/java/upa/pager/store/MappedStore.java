package upa.pager.store;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicLong;

/**
 * A place to which the kernel moves pages that stay the program's own: its swap, or another node. No content passes
 * through such a store: it takes none, and counts what it is told. Safe for use by several threads.
 */
public abstract sealed class MappedStore implements Store permits NodeStore, SwapStore {
    private final String name;
    private final long bytes;
    private final AtomicLong pages = new AtomicLong();
    private final AtomicLong out = new AtomicLong();
    private final AtomicLong in = new AtomicLong();
    private final AtomicLong refused = new AtomicLong();

    MappedStore(String name, long bytes) {
        this.name = name;
        this.bytes = bytes;
    }

    /**
     * Pages have gone there.
     *
     * @param count how many
     */
    public void wentOut(int count) {
        pages.addAndGet(count);
        out.addAndGet(count);
    }

    /**
     * Pages are back in memory, or have been freed.
     *
     * @param count how many
     */
    public void cameBack(int count) {
        pages.addAndGet(-count);
        in.addAndGet(count);
    }

    /**
     * So many pages are there, whatever else was said.
     *
     * @param count how many
     */
    public void holds(int count) {
        pages.set(count);
    }

    /**
     * Pages could not go there.
     *
     * @param count how many
     */
    public void stayed(int count) {
        refused.addAndGet(count);
    }

    @Override
    public final String name() {
        return name;
    }

    @Override
    public final CompletableFuture<PageIo> write(PageIo io) {
        return all(io, PageIo.Result.UNSUITABLE);
    }

    @Override
    public final CompletableFuture<PageIo> read(PageIo io) {
        return all(io, PageIo.Result.MISSING);
    }

    private static CompletableFuture<PageIo> all(PageIo io, PageIo.Result result) {
        for (int i = 0; i < io.count(); i++) {
            io.result(i, result);
        }
        return CompletableFuture.completedFuture(io);
    }

    @Override
    public final void free(int[] slots, int count) {
        if (count > 0) {
            throw new IllegalArgumentException("freed twice or never in use: slot=" + slots[0]);
        }
    }

    @Override
    public final void adopt(int[] slots, int count) {
        // What is there is the process's.
    }

    @Override
    public final int sparse(int[] slots) {
        return 0;
    }

    @Override
    public final StoreStatistics statistics() {
        return new StoreStatistics(
                pages.get(), pages.get() * PageIo.PAGE_BYTES, bytes, out.get(), in.get(), refused.get(), 0);
    }

    @Override
    public final void discard() {
        // It goes with the process.
    }

    @Override
    public final void close() {
        // Nothing is open.
    }
}
