package upa.pager.store;

import java.util.concurrent.CompletableFuture;
import upa.policy.Place;

/** A store that can be shut: it then answers nothing until it is opened, or that it cannot be reached. */
public final class ValvedStore implements Store {
    public volatile CompletableFuture<Void> open = CompletableFuture.completedFuture(null);
    public volatile boolean refuses;
    private final Store store;
    private final Place.Kind kind;

    public ValvedStore(Store store, Place.Kind kind) {
        this.store = store;
        this.kind = kind;
    }

    @Override
    public CompletableFuture<PageIo> write(PageIo io) {
        return open.thenCompose(done -> refuses ? CompletableFuture.completedFuture(refused(io)) : store.write(io));
    }

    private static PageIo refused(PageIo io) {
        for (int i = 0; i < io.count(); i++) {
            io.result(i, PageIo.Result.UNREACHABLE);
        }
        return io;
    }

    @Override
    public CompletableFuture<PageIo> read(PageIo io) {
        return open.thenCompose(done -> store.read(io));
    }

    @Override
    public String name() {
        return store.name();
    }

    @Override
    public Place.Kind kind() {
        return kind;
    }

    @Override
    public void free(int[] slots, int count) {
        store.free(slots, count);
    }

    @Override
    public void adopt(int[] slots, int count) {
        store.adopt(slots, count);
    }

    @Override
    public int sparse(int[] slots) {
        return store.sparse(slots);
    }

    @Override
    public StoreStatistics statistics() {
        return store.statistics();
    }

    @Override
    public void discard() {
        store.discard();
    }

    @Override
    public void close() {
        store.close();
    }
}
