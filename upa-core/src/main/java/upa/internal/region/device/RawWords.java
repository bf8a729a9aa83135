package upa.internal.region.device;

import upa.core.BackEnd;
import upa.internal.os.RawMemory;
import upa.llfree.LlFree;

/**
 * Words of the process's own and, beside each, the hardware's page table entry, stored by the process. To put a frame
 * where there was none takes no call of the kernel; taking one away takes a TLB shoot-down.
 */
final class RawWords extends FrameWords {
    private final UpaDevice device;
    /** The addresses of the entries, one for each frame, and of the page tables. */
    private final long entries;

    private final long tables;

    RawWords(LlFree pages, UpaDevice device, long words) {
        super(pages, words);
        this.device = device;
        entries = device.entries();
        tables = device.tables();
    }

    @Override
    BackEnd name() {
        return BackEnd.PTE_RAW;
    }

    @Override
    void set(long page, int word) {
        super.set(page, word);
        long entry = word == 0 ? 0 : RawMemory.getLongOpaque(entries + (word - 1L) * Long.BYTES);
        RawMemory.putLongOpaque(tables + page * Long.BYTES, entry);
    }

    @Override
    int empty(PageRanges ranges) {
        device.flush();
        return 1;
    }

    @Override
    boolean install(long page, long n) {
        return true;
    }

    @Override
    boolean canShrink() {
        return false;
    }
}
