package upa.pager.place;

import java.util.concurrent.CompletableFuture;
import upa.pager.store.PageIo;

/** A place for pages: memory, or a store. Each of the methods takes a whole batch. */
public interface Tier {

    /**
     * Second step: makes pages stand still, and their content readable. Afterwards exactly one of
     * {@link #release} and {@link #restore} follows for each page, whatever its result.
     *
     * @param pages numbers of the pages
     * @param io    with slots and checksums; gets content and results
     * @return done when every page has a result
     */
    CompletableFuture<PageIo> detach(int[] pages, PageIo io);

    /**
     * Third step: takes the content of pages, which nobody sees yet.
     *
     * @param pages numbers of the pages
     * @param io    with content and checksums; gets slots and results
     * @return done when every page has a result
     */
    CompletableFuture<PageIo> accept(int[] pages, PageIo io);

    /**
     * The same, where nobody can write to the pages before the word of each has been changed. Only of memory.
     *
     * @param pages numbers of the pages
     * @param io    with content; gets results
     * @return done when every page has a result
     */
    default CompletableFuture<PageIo> acceptClean(int[] pages, PageIo io) {
        throw new UnsupportedOperationException("only memory can be written to");
    }

    /**
     * Fifth step: forgets a page that is published elsewhere, or was accepted and not published.
     *
     * @param page its number
     * @param word which says where it was
     */
    void release(int page, long word);

    /**
     * Undoes {@link #detach}: the page stays here.
     *
     * @param page its number
     * @param word which says where it is
     */
    void restore(int page, long word);
}
