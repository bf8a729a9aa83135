package upa.pager.live;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import upa.pager.device.AwayWord;
import upa.pager.device.PagedRegion;
import upa.pager.device.Transfers;
import upa.pager.place.PlaceWord;
import upa.pager.place.Tier;
import upa.pager.store.PageIo;

/**
 * Memory of a region of the device, as a place. A page that is detached is out of everybody's reach and still in its
 * frame: whoever wants it back has it without a copy, and a pager that is killed loses nothing. Belongs to the pager's
 * thread.
 */
final class DeviceMemory implements Tier {
    /** Most pages of a batch. */
    static final int MOST = 64;

    private static final int EAGAIN = -11;

    private final PagedRegion region;
    private final PageStates states;
    private final Transfers transfers;
    /** Frames of pages that are detached; -1: none. */
    private final int[] leaving;

    private final int[] index = new int[MOST];
    private final MemorySegment zeros;

    DeviceMemory(PagedRegion region, PageStates states, Arena arena) {
        this.region = region;
        this.states = states;
        transfers = new Transfers(arena, MOST);
        zeros = arena.allocate(PageIo.PAGE_BYTES, PageIo.PAGE_BYTES);
        leaving = new int[region.pages()];
        Arrays.fill(leaving, -1);
    }

    /** The entry of a page while it is in a store, by its place word. A pattern is its own checksum. */
    static int away(long word) {
        return AwayWord.stored(
                PlaceWord.place(word) == PlaceWord.PATTERN ? PlaceWord.pattern(word) : PlaceWord.check(word));
    }

    // ---- out ------------------------------------------------------------------------------------------

    @Override
    public CompletableFuture<PageIo> detach(int[] pages, PageIo io) {
        transfers.clear();
        for (int i = 0; i < io.count(); i++) {
            index[i] = addLeaving(pages[i], io.page(i));
        }
        region.pageOut(transfers);
        for (int i = 0; i < io.count(); i++) {
            io.result(i, isDetached(pages[i], index[i]) ? PageIo.Result.OK : PageIo.Result.MISSING);
        }
        return CompletableFuture.completedFuture(io);
    }

    /** Its transfer, or -1 if it is not in memory. */
    private int addLeaving(int page, MemorySegment buffer) {
        int entry = region.word(page);
        if (!AwayWord.isPresent(entry)) {
            return -1;
        }
        int frame = AwayWord.frame(entry);
        return transfers.add(page, buffer, AwayWord.leaving(frame), frame);
    }

    private boolean isDetached(int page, int transfer) {
        if (transfer < 0 || transfers.result(transfer) != 0) {
            return false;
        }
        leaving[page] = transfers.frameOf(transfer);
        return true;
    }

    /** Detaches pages whose content is not needed. Says of each whether it has gone, and was not written to. */
    void detachClean(int[] pages, int count, boolean[] gone, boolean[] clean) {
        transfers.clear();
        int[] frames = new int[count];
        for (int i = 0; i < count; i++) {
            index[i] = addLeaving(pages[i], MemorySegment.NULL);
        }
        region.pageOut(transfers);
        for (int i = 0; i < count; i++) {
            gone[i] = index[i] >= 0 && transfers.result(index[i]) == 0;
            clean[i] = gone[i] && transfers.isClean(index[i]);
            frames[i] = gone[i] ? transfers.frameOf(index[i]) : -1;
        }
        for (int i = 0; i < count; i++) {
            leaving[pages[i]] = frames[i];
        }
    }

    @Override
    public void release(int page, long word) {
        int frame = leaving[page];
        if (frame < 0) {
            return;
        }
        leaving[page] = -1;
        // If the owner has taken the page away, the frame is ours all the same.
        region.change(page, AwayWord.leaving(frame), away(states.get(page)));
        region.pool().free(frame);
    }

    @Override
    public void restore(int page, long word) {
        int frame = leaving[page];
        if (frame < 0) {
            return;
        }
        leaving[page] = -1;
        putBack(page, frame);
    }

    /** A page that is out of reach is back, in the frame where it is. False if the owner has taken it away. */
    boolean putBack(int page, int frame) {
        do {
            transfers.clear();
            transfers.add(page, MemorySegment.NULL, AwayWord.leaving(frame), frame);
            if (region.pageIn(transfers) == 0 && transfers.result(0) == 0) {
                return true;
            }
        } while (region.word(page) == AwayWord.leaving(frame) && transfers.result(0) == EAGAIN && !region.hasEnded());
        if (region.word(page) != AwayWord.leaving(frame)) {
            region.pool().free(frame);
        }
        return false;
    }

    /** Whether a page is detached by this pager. */
    boolean isLeaving(int page) {
        return leaving[page] >= 0;
    }

    // ---- in -------------------------------------------------------------------------------------------

    @Override
    public CompletableFuture<PageIo> accept(int[] pages, PageIo io) {
        transfers.clear();
        for (int i = 0; i < io.count(); i++) {
            int frame = region.pool().take();
            index[i] = frame < 0 ? -1 : transfers.add(pages[i], io.page(i), away(states.get(pages[i])), frame);
        }
        region.pageIn(transfers);
        for (int i = 0; i < io.count(); i++) {
            io.result(i, index[i] < 0 ? PageIo.Result.UNREACHABLE : arrival(index[i]));
            // Its word is that of any page in memory.
            io.slot(i, 0);
        }
        return CompletableFuture.completedFuture(io);
    }

    /** The module tells who has written to it: nothing is to be prevented. */
    @Override
    public CompletableFuture<PageIo> acceptClean(int[] pages, PageIo io) {
        return accept(pages, io);
    }

    private PageIo.Result arrival(int transfer) {
        int result = transfers.result(transfer);
        if (result == 0) {
            return PageIo.Result.OK;
        }
        region.pool().free(transfers.frameOf(transfer));
        return result == EAGAIN ? PageIo.Result.MISSING : PageIo.Result.UNREACHABLE;
    }

    /** Brings a page of zeros to where the owner has mapped one. */
    PageIo.Result bringZeros(int page) {
        int frame = region.pool().take();
        if (frame < 0) {
            return PageIo.Result.UNREACHABLE;
        }
        transfers.clear();
        transfers.add(page, zeros, AwayWord.FRESH, frame);
        region.pageIn(transfers);
        return arrival(0);
    }
}
