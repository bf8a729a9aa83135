package upa.core;

import upa.core.internal.UpaDevice;

/**
 * The back end {@code pte}: the words are the module's shadow table. The kernel checks them and installs them, when a
 * page is touched or by a call.
 */
final class GuardedBackEnd extends PteBackEnd {
    GuardedBackEnd(UpaDevice device, Layout layout, PteOptions options) {
        super(device, layout, device.shadow(), options);
    }

    @Override
    BackEnd name() {
        return BackEnd.PTE;
    }

    @Override
    int shootDown(PageRanges ranges) {
        return device.empty(ranges.words(), ranges.count());
    }

    @Override
    boolean populate(long page, long n) {
        return device.install(page, n) >= 0;
    }

    @Override
    long giveBack(int slot, long retainPages) {
        long given = returnFrames(slot, retainedPages() - retainPages);
        count(slot, RegionDescriptor.GIVEN_BACK_PAGES, given);
        return given;
    }
}
