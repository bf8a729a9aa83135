package upa.pager.device;

import java.lang.foreign.MemorySegment;

/**
 * A region that this process pages: words of its pages ({@link AwayWord}), free frames, and what moves pages. Belongs
 * to one thread, but for {@link #word}.
 */
public interface PagedRegion extends AutoCloseable {
    /** Most stores whose descriptors are kept. */
    int MOST_STORES = 12;

    /** A touch that waits. */
    interface Touch {
        /**
         * A thread waits.
         *
         * @param page  for this page
         * @param write whether it was a store
         */
        void touched(int page, boolean write);
    }

    /**
     * What owner and pager share, beside the words of pages.
     *
     * @param pages  page numbers are below this
     * @param frames of the pool
     * @param pool   which of them are free
     * @param places 8 bytes for each page, the pager's, which outlive it
     * @param kept   some bytes more, the pager's, which outlive it
     */
    record Shared(int pages, int frames, FramePool pool, MemorySegment places, MemorySegment kept) {}

    /** {@return what it shares with its owner} */
    Shared shared();

    /** {@return page numbers are below this} */
    default int pages() {
        return shared().pages();
    }

    /** {@return frames of the pool} */
    default int frames() {
        return shared().frames();
    }

    /** {@return which of them are free} */
    default FramePool pool() {
        return shared().pool();
    }

    /**
     * A descriptor that a pager before has kept here.
     *
     * @param store its index, below {@link #MOST_STORES}
     * @return the descriptor, the caller's, or -1
     */
    int descriptor(int store);

    /**
     * Keeps a descriptor for the next pager.
     *
     * @param store its index, below {@link #MOST_STORES}
     * @param fd    stays the caller's
     */
    void keep(int store, int fd);

    /** Tells the owner that its region is served. */
    void ready();

    /** {@return how often the owner has taken pages away; it changes after their words} */
    long unmaps();

    /**
     * The shadow entry of a page.
     *
     * @param page its number
     * @return as it is now
     */
    int word(int page);

    /**
     * Changes a shadow entry that names no frame that can be reached.
     *
     * @param page its number
     * @param from as it should be
     * @param to   as it will be
     * @return whether it was as expected
     */
    boolean change(int page, int from, int to);

    /**
     * Brings pages in.
     *
     * @param transfers which; get results
     * @return 0, or -errno if the call failed as a whole
     */
    int pageIn(Transfers transfers);

    /**
     * Takes pages out.
     *
     * @param transfers which; get results
     * @return 0, or -errno if the call failed as a whole
     */
    int pageOut(Transfers transfers);

    /**
     * Has threads look again that wait for a page whose entry has become 0.
     *
     * @param page its number
     */
    void dismiss(int page);

    /**
     * Reads accessed and dirty bits of all pages, and clears the accessed ones.
     *
     * @param accessed gets a bit for each page
     * @param dirty    gets a bit for each page
     * @return 0 or -errno
     */
    int harvest(long[] accessed, long[] dirty);

    /**
     * Says how many frames may have memory.
     *
     * @param pages at most so many
     * @return 0 or -errno
     */
    int bound(int pages);

    /**
     * Reads touches, if there are any.
     *
     * @param touch is told of each
     * @return false if this process is the pager no more
     */
    boolean touches(Touch touch);

    /** {@return whether this process is the pager no more} */
    boolean hasEnded();

    /** {@return whether nobody can become its pager any more, since its owner has ended} */
    boolean isOwnerGone();

    /**
     * Waits until there are touches, or the owner has ended, or a descriptor can be read.
     *
     * @param fd     the descriptor
     * @param millis at most how long
     */
    void await(int fd, int millis);

    @Override
    void close();
}
