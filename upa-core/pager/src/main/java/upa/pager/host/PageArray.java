package upa.pager.host;

import java.util.Arrays;
import java.util.Objects;
import upa.policy.PageBatch;

/** A growing array of page numbers that is also the batch a policy sees. */
final class PageArray implements PageBatch {
    private Cause cause;
    private int[] pages = new int[64];
    private int size;

    void clear() {
        size = 0;
    }

    void add(int page) {
        if (size == pages.length) {
            pages = Arrays.copyOf(pages, 2 * size);
        }
        pages[size++] = page;
    }

    /** As a batch of somebody else's pages, which stay as they are until the next call. */
    PageArray as(Cause of) {
        cause = of;
        return this;
    }

    void set(int[] from, int count) {
        if (pages.length < count) {
            pages = new int[Math.max(count, 2 * pages.length)];
        }
        System.arraycopy(from, 0, pages, 0, count);
        size = count;
    }

    @Override
    public Cause cause() {
        return cause;
    }

    @Override
    public int size() {
        return size;
    }

    @Override
    public int page(int index) {
        return pages[Objects.checkIndex(index, size)];
    }
}
