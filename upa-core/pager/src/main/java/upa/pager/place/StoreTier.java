package upa.pager.place;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Function;
import java.util.function.Supplier;
import upa.pager.store.PageIo;
import upa.pager.store.Store;

/** A store as a place. What it holds never changes, so nothing has to be made to stand still. */
public final class StoreTier implements Tier {
    private final Store store;
    private final Executor workers;

    /**
     * Makes a place.
     *
     * @param store   what it is
     * @param workers run what the store does in the thread of its caller, as compression
     */
    public StoreTier(Store store, Executor workers) {
        this.store = store;
        this.workers = workers;
    }

    /** A store that fails as a whole has dealt with none of what has no result. */
    private CompletableFuture<PageIo> run(PageIo io, Supplier<CompletableFuture<PageIo>> work) {
        try {
            return CompletableFuture.supplyAsync(work, workers)
                    .thenCompose(Function.identity())
                    .exceptionally(failure -> unreachable(io));
        } catch (RejectedExecutionException e) {
            return CompletableFuture.completedFuture(unreachable(io));
        }
    }

    private static PageIo unreachable(PageIo io) {
        for (int i = 0; i < io.count(); i++) {
            if (io.result(i) == PageIo.Result.PENDING) {
                io.result(i, PageIo.Result.UNREACHABLE);
            }
        }
        return io;
    }

    @Override
    public CompletableFuture<PageIo> detach(int[] pages, PageIo io) {
        return run(io, () -> store.read(io));
    }

    @Override
    public CompletableFuture<PageIo> accept(int[] pages, PageIo io) {
        return run(io, () -> store.write(io));
    }

    @Override
    public void release(int page, int slot) {
        store.free(new int[] {slot}, 1);
    }

    @Override
    public void restore(int page, int slot) {
        // It never left.
    }
}
