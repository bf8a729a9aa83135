package upa.pager.place;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;

/** The words of all pages, in memory that outlives the pager. Safe for use by several threads and processes. */
public final class PlaceTable implements Words {
    private static final VarHandle WORD = ValueLayout.JAVA_LONG.varHandle();

    private final MemorySegment words;
    private final int pages;

    /**
     * Makes a table.
     *
     * @param words 8 bytes a page, aligned; zero for pages without content
     */
    public PlaceTable(MemorySegment words) {
        this.words = words;
        pages = Math.toIntExact(words.byteSize() / Long.BYTES);
    }

    /** {@return pages have numbers below this} */
    public int pages() {
        return pages;
    }

    @Override
    public long get(int page) {
        return (long) WORD.getAcquire(words, (long) page * Long.BYTES);
    }

    @Override
    public boolean change(int page, long from, long to) {
        return WORD.compareAndSet(words, (long) page * Long.BYTES, from, to);
    }
}
