package upa.pager.place;

import java.util.concurrent.CompletableFuture;
import upa.pager.store.PageIo;
import upa.pager.store.Store;

/** A store as a place. What it holds never changes, so nothing has to be made to stand still. */
final class StoreTier implements Tier {
    private final Store store;

    StoreTier(Store store) {
        this.store = store;
    }

    @Override
    public CompletableFuture<PageIo> detach(int[] pages, PageIo io) {
        return store.read(io);
    }

    @Override
    public CompletableFuture<PageIo> accept(int[] pages, PageIo io) {
        return store.write(io);
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
