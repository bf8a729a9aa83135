package upa.pager.live;

import java.lang.foreign.MemorySegment;
import java.util.concurrent.CompletableFuture;
import java.util.function.IntFunction;
import upa.pager.place.Tier;
import upa.pager.store.PageIo;

/**
 * Where pages stand still on their way out of memory: the client has moved them there. Whose slot is free again is the
 * evictor's to say, when nothing that was written from it is under way.
 */
final class StagingArea implements Tier {
    private final IntFunction<MemorySegment> slots;

    /** Makes a place whose content is found by its slots. */
    StagingArea(IntFunction<MemorySegment> slots) {
        this.slots = slots;
    }

    @Override
    public CompletableFuture<PageIo> detach(int[] pages, PageIo io) {
        for (int i = 0; i < io.count(); i++) {
            io.page(i).copyFrom(slots.apply(io.slot(i)));
            io.result(i, PageIo.Result.OK);
        }
        return CompletableFuture.completedFuture(io);
    }

    @Override
    public CompletableFuture<PageIo> accept(int[] pages, PageIo io) {
        throw new UnsupportedOperationException("only the client stages pages");
    }

    @Override
    public void release(int page, long word) {
        // The evictor's.
    }

    @Override
    public void restore(int page, long word) {
        // The evictor's.
    }
}
