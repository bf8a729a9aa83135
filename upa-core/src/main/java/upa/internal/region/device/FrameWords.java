package upa.internal.region.device;

import static upa.llfree.LlFreeDescriptor.CHILD_PAGES;

import java.util.concurrent.atomic.AtomicLong;
import upa.core.BackEnd;
import upa.internal.os.RawMemory;
import upa.llfree.LlFree;

/**
 * The table that says which frame stands at which page: one word per page, frame + 1 or 0. Only who holds a page in the
 * allocator of addresses writes its word.
 */
abstract class FrameWords {
    final LlFree pages;
    /** Free pages whose word is not 0, give or take those of calls under way. */
    final AtomicLong deferred = new AtomicLong();
    /** Calls that took mappings away, and the pages they took them from. */
    final AtomicLong batches = new AtomicLong();

    final AtomicLong detached = new AtomicLong();
    private final long words;

    /** The words are at that address. */
    FrameWords(LlFree pages, long words) {
        this.pages = pages;
        this.words = words;
    }

    // ---- what guarded and raw tables differ in ---------------------------------------------------------------

    abstract BackEnd name();

    /** For the page's holder: puts a frame there (word - 1), or none (0). */
    void set(long page, int word) {
        RawMemory.putIntOpaque(words + page * Integer.BYTES, word);
    }

    /**
     * Returns after no processor reaches the frames any more that stood at these pages. Returns how many calls that
     * took.
     */
    abstract int empty(PageRanges ranges);

    /** Installs what the words of the caller's pages say, rather than when they are touched. False if it cannot be. */
    abstract boolean install(long page, long n);

    /** Can the kernel tell that a frame stands nowhere? Only then can the pool become smaller. */
    abstract boolean canShrink();

    // ---- what they share -------------------------------------------------------------------------------------

    final int word(long page) {
        return RawMemory.getIntOpaque(words + page * Integer.BYTES);
    }

    /** As {@link #empty}, counted: n pages have lost their frame. */
    final void shootDown(PageRanges ranges, long n) {
        batches.getAndAdd(empty(ranges));
        detached.getAndAdd(n);
    }

    /**
     * How many of the pages that the caller has just taken have no frame. Only of a mixed child the words need be
     * looked at: the other states say the same of all free pages, and one that is not mixed now was not when they were
     * taken, since only who holds all of a child takes it from mixed to another.
     */
    final long missing(long page, long n) {
        long missing = 0;
        for (long end = page + n; page < end; ) {
            long part = Math.min(end - page, CHILD_PAGES - page % CHILD_PAGES);
            int state = pages.childState(page);
            missing += state == LlFree.ABSENT ? part : state == LlFree.MIXED ? countZeros(page, page + part) : 0;
            page += part;
        }
        return missing;
    }

    /** Words that are 0, looked at by twos. */
    private long countZeros(long page, long end) {
        long zeros = 0;
        if ((page & 1) != 0) {
            zeros += word(page++) == 0 ? 1 : 0;
        }
        for (; page + 1 < end; page += 2) {
            long two = RawMemory.getLongOpaque(words + page * Integer.BYTES);
            zeros += ((int) two == 0 ? 1 : 0) + (two >>> 32 == 0 ? 1 : 0);
        }
        return page < end && word(page) == 0 ? zeros + 1 : zeros;
    }

    /** How many pages from the first on have a frame, or have none, as the first. */
    final long alike(long page, long n) {
        boolean none = word(page) == 0;
        long length = 1;
        while (length < n && (word(page + length) == 0) == none) {
            length++;
        }
        return length;
    }
}
