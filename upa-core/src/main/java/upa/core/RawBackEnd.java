package upa.core;

import upa.core.internal.RawMemory;
import upa.core.internal.UpaDevice;

/**
 * The back end {@code pte-raw}: beside each word, the hardware's own page table entry, stored by the process. To put a
 * frame where there was none takes no call of the kernel; taking one away takes a TLB shoot-down.
 */
final class RawBackEnd extends PteBackEnd {
    /** The addresses of the entries, one for each frame, and of the page tables. */
    private final long entries;
    private final long tables;

    RawBackEnd(UpaDevice device, Layout layout, PteOptions options) {
        super(device, layout, 0, options);
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
        RawMemory.putLongOpaque(tables + page * Long.BYTES, word == 0 ? 0 : RawMemory.getLongOpaque(entries + (word - 1L) * Long.BYTES));
    }

    @Override
    int shootDown(PageRanges ranges) {
        device.flush();
        return 1;
    }

    @Override
    boolean populate(long page, long n) {
        return true;
    }

    /** The pool of a process that writes page tables can never shrink: no call could tell that a frame stands nowhere. */
    @Override
    long giveBack(int slot, long retainPages) {
        return 0;
    }
}
