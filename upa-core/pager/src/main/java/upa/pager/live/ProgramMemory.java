package upa.pager.live;

import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import upa.pager.place.Tier;
import upa.pager.store.PageIo;

/**
 * The memory of a program, as a place where pages come. From there they go by way of {@link StagingArea}, where the
 * client moves them. Belongs to the session's thread.
 */
final class ProgramMemory implements Tier {
    private final PagedProcess process;
    /** Of the latest batch. */
    private final Map<Integer, Integer> errors = new HashMap<>();

    ProgramMemory(PagedProcess process) {
        this.process = process;
    }

    /** Why a page of the latest batch has not come: -errno. */
    int error(int page) {
        return errors.getOrDefault(page, 0);
    }

    @Override
    public CompletableFuture<PageIo> accept(int[] pages, PageIo io) {
        return accept(pages, io, false);
    }

    @Override
    public CompletableFuture<PageIo> acceptClean(int[] pages, PageIo io) {
        return accept(pages, io, true);
    }

    /** Neighbours come in one call. */
    private CompletableFuture<PageIo> accept(int[] pages, PageIo io, boolean isProtected) {
        errors.clear();
        for (int i = 0; i < io.count(); ) {
            int run = 1;
            while (i + run < io.count() && pages[i + run] == pages[i] + run) {
                run++;
            }
            long bytes = (long) run * PageIo.PAGE_BYTES;
            long address = process.address(pages[i]);
            var content = io.data().asSlice((long) i * PageIo.PAGE_BYTES, bytes);
            int result = isProtected
                    ? process.uffd.copyProtected(address, content, bytes)
                    : process.uffd.copy(address, content, bytes);
            int come = Math.max(result, 0) / PageIo.PAGE_BYTES;
            for (int k = 0; k < come; k++, i++) {
                io.slot(i, 0);
                io.result(i, PageIo.Result.OK);
            }
            if (come == 0) {
                errors.put(pages[i], result);
                io.result(i++, PageIo.Result.UNREACHABLE);
            }
        }
        return CompletableFuture.completedFuture(io);
    }

    @Override
    public CompletableFuture<PageIo> detach(int[] pages, PageIo io) {
        throw new UnsupportedOperationException("pages leave by way of the staging area");
    }

    @Override
    public void release(int page, long word) {
        // Whoever has taken the page has taken its memory.
    }

    @Override
    public void restore(int page, long word) {
        // It never left.
    }
}
