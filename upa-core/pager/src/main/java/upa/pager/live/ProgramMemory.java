package upa.pager.live;

import java.util.concurrent.CompletableFuture;
import upa.pager.place.Tier;
import upa.pager.store.PageIo;

/**
 * The memory of a program, as a place where pages come. From there they go by way of {@link StagingArea}, where the
 * client moves them. Belongs to the session's thread.
 */
final class ProgramMemory implements Tier {
    private final PagedProcess process;
    private int error;

    ProgramMemory(PagedProcess process) {
        this.process = process;
    }

    /** Why the latest page that did not come did not: -errno. */
    int error() {
        return error;
    }

    @Override
    public CompletableFuture<PageIo> accept(int[] pages, PageIo io) {
        for (int i = 0; i < io.count(); i++) {
            int result = process.uffd.copy(process.address(pages[i]), io.page(i));
            io.slot(i, 0);
            io.result(i, result < 0 ? PageIo.Result.UNREACHABLE : PageIo.Result.OK);
            error = result < 0 ? result : error;
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
