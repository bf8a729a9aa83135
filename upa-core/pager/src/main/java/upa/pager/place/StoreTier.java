package upa.pager.place;

import java.util.concurrent.CompletableFuture;
import upa.pager.store.PageIo;
import upa.pager.store.Store;

/** A store as a place. What it holds never changes, so nothing has to be made to stand still. */
public final class StoreTier implements Tier {
    /** What becomes of a slot that a page does not need any more. */
    public interface Release {
        /**
         * Frees a slot, unless somebody else needs it.
         *
         * @param page whose it was
         * @param word which names it
         */
        void release(int page, long word);
    }

    private final Store store;
    private final Release release;

    /**
     * Makes a place whose slots are its pages' alone.
     *
     * @param store what it is
     */
    public StoreTier(Store store) {
        this(store, (page, word) -> store.free(new int[] {PlaceWord.slot(word)}, 1));
    }

    /**
     * Makes a place.
     *
     * @param store   what it is
     * @param release frees slots, or knows who needs them
     */
    public StoreTier(Store store, Release release) {
        this.store = store;
        this.release = release;
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
    public void release(int page, long word) {
        release.release(page, word);
    }

    @Override
    public void restore(int page, long word) {
        // It never left.
    }
}
