package upa.pager.store;

import java.util.concurrent.CompletableFuture;
import upa.policy.Place;

/**
 * Keeps pages of {@link PageIo#PAGE_BYTES} bytes under slots that it chooses. Safe for use by several threads. A slot
 * that is freed while it is read gives what was written there, or a result that is not OK.
 *
 * <p>Nothing is thrown for a page that cannot be kept or returned: its {@link PageIo.Result} says why, and the other
 * pages of the batch are not affected. A batch belongs to the store until its future is done, which may be at once.
 */
public interface Store extends AutoCloseable {

    /** Slots are below this: 1 TiB of pages that are not compressed. */
    int MAX_SLOTS = 1 << 28;

    /** {@return its name in messages and policies, as {@code lz4}} */
    String name();

    /** {@return what it is} */
    Place.Kind kind();

    /**
     * Writes pages. For each it sets a slot and {@link PageIo.Result#OK}, or a result that says why it has none.
     *
     * @param pages with their content
     * @return done when every page has a result
     */
    CompletableFuture<PageIo> write(PageIo pages);

    /**
     * Reads pages. The content of each is checked: what is not as it was written is {@link PageIo.Result#DAMAGED}.
     *
     * @param pages with slots and checksums; gets the content
     * @return done when every page has a result
     */
    CompletableFuture<PageIo> read(PageIo pages);

    /**
     * Frees slots. Their content is gone.
     *
     * @param slots that are in use
     * @param count how many of the array
     */
    void free(int[] slots, int count);

    /**
     * Tells a new store, before its first write, which slots a former one has handed out.
     *
     * @param slots in use
     * @param count how many of the array
     */
    void adopt(int[] slots, int count);

    /**
     * Names pages that should be written anew, so that space can be given back.
     *
     * @param slots gets slots in use
     * @return how many, none if nothing is gained
     */
    int sparse(int[] slots);

    /** {@return what it holds and has done} */
    StoreStatistics statistics();

    /** Deletes all that it holds, whoever holds the slots. */
    void discard();

    /**
     * Gives up threads, files and connections; batches under way end as {@link PageIo.Result#UNREACHABLE}. What it
     * holds stays for a successor, as far as somebody else keeps it: the memory, or a descriptor of the file.
     */
    @Override
    void close();
}
