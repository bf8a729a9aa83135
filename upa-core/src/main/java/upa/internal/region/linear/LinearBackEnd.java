package upa.internal.region.linear;

import static upa.core.RegionDescriptor.CHILD_BYTES;
import static upa.llfree.LlFreeDescriptor.CHILD_PAGES;
import static upa.llfree.LlFreeDescriptor.PAGE_SHIFT;

import java.io.IOException;
import java.nio.file.Path;
import upa.core.BackEnd;
import upa.core.FrameStats;
import upa.core.HugePages;
import upa.internal.region.Refusal;
import upa.internal.region.RegionBackEnd;
import upa.internal.region.RegionState;
import upa.llfree.LlFree;

/**
 * The back end {@code linear}: the region is ordinary memory of the kernel's, page i is always at base + i * 4096, and
 * the kernel puts memory behind a page when it is first touched. Contents move by moving the kernel's page tables
 * (mremap), memory goes back by madvise.
 */
public final class LinearBackEnd implements RegionBackEnd {
    private final LinearMemory memory;
    private final RegionState state;
    private final LlFree pages;
    private final Scavenge scavenge;
    private final Move move;
    private final Clear clear;
    private final GiveBack giveBack;
    private final MakeLazy makeLazy;

    private LinearBackEnd(LinearMemory memory) {
        this.memory = memory;
        state = memory.state;
        pages = state.pages;
        Tables tables = new Tables(memory);
        clear = new Clear(memory);
        scavenge = new Scavenge(memory, tables, clear);
        move = new Move(memory, tables, scavenge, clear);
        giveBack = new GiveBack(memory);
        makeLazy = new MakeLazy(memory, giveBack);
    }

    /** A private region: anonymous memory. */
    public static LinearBackEnd create(long bytes, HugePages hugePages) {
        return new LinearBackEnd(LinearMemory.create(bytes, hugePages));
    }

    /** A shared region, in a file that must not exist. */
    public static LinearBackEnd createShared(Path path, long bytes) throws IOException {
        return new LinearBackEnd(LinearMemory.createShared(path, bytes, HugePages.SYSTEM_DEFAULT));
    }

    /** A shared region that is there. */
    public static LinearBackEnd attach(Path path) throws IOException {
        return new LinearBackEnd(LinearMemory.attach(path));
    }

    @Override
    public RegionState state() {
        return state;
    }

    @Override
    public BackEnd name() {
        return BackEnd.LINEAR;
    }

    @Override
    public String kind() {
        return memory.shared ? "shared" : "private";
    }

    @Override
    public boolean isShared() {
        return memory.shared;
    }

    // ---- get and put -----------------------------------------------------------------------------------------

    @Override
    public long get(int slot, long n, int flags) {
        long result = pages.getRun(slot, n, flags | LlFree.GET_CONTENTS);
        if (result < 0) {
            return result;
        }
        int holds = LlFree.holds(result);
        if ((holds & LlFree.HOLDS_LAZY) != 0) {
            clear.settle(slot, LlFree.pageOf(result), n);
        }
        if (n >= CHILD_PAGES && (holds & LlFree.HOLDS_ABSENT) != 0 && scavenge.into(slot, LlFree.pageOf(result), n)) {
            return LlFree.result(LlFree.pageOf(result), ANYTHING);
        }
        return result;
    }

    @Override
    public int getAt(int slot, long page, long n) {
        int holds = pages.getAt(slot, page, n);
        if (holds < 0) {
            return holds;
        }
        if ((holds & LlFree.HOLDS_LAZY) != 0) {
            clear.settle(slot, page, n);
        }
        return (holds & LlFree.HOLDS_ABSENT) != 0 && scavenge.into(slot, page, n) ? ANYTHING : holds;
    }

    @Override
    public void put(int slot, long page, long n) {
        pages.putRun(slot, page, n, 0);
    }

    @Override
    public void putUnused(int slot, long page, long n) {
        pages.putRun(slot, page, n, LlFree.PUT_UNTOUCHED);
    }

    @Override
    public void putBack(int slot, long page, long n) {
        state.putBack(slot, page, n, LlFree.PUT_UNTOUCHED);
    }

    @Override
    public boolean populate(long page, long n) {
        if (memory.populate(state.addressOf(page), n << PAGE_SHIFT) < 0) {
            return false;
        }
        pages.setResident(page, n);
        return true;
    }

    @Override
    public void clear(int slot, long page, long n, int holds) {
        clear.pages(slot, page, n, holds);
    }

    @Override
    public long relocate(int slot, long from, long oldPages, long newPages) {
        return move.relocate(slot, from, oldPages, newPages);
    }

    // ---- in the background -----------------------------------------------------------------------------------

    @Override
    public long giveBack(int slot, long retainPages) {
        return giveBack.downTo(slot, retainPages);
    }

    @Override
    public long makeLazy(int slot, long unmarkedPages, long mostPages) {
        return makeLazy.downTo(slot, unmarkedPages, mostPages, false);
    }

    @Override
    public long leaveUnmarked(int slot, long unmarkedPages) {
        return memory.shared
                ? giveBack.downTo(slot, unmarkedPages)
                : makeLazy.downTo(slot, unmarkedPages, Long.MAX_VALUE, true);
    }

    @Override
    public long findTaken(int slot) {
        return makeLazy.findTaken(slot);
    }

    @Override
    public boolean clearChild(int slot, long first) {
        if (pages.staleLength(first, CHILD_PAGES) != CHILD_PAGES) {
            return false;
        }
        clear(slot, first, CHILD_PAGES, ANYTHING);
        return true;
    }

    @Override
    public boolean populateChild(int slot, long first) {
        long result = memory.populate(state.addressOf(first), CHILD_BYTES);
        // Refused, it may have put memory behind some of the pages.
        state.putBack(slot, first, CHILD_PAGES, result < 0 ? 0 : LlFree.PUT_ZEROED);
        Refusal.check(result, "madvise", state.addressOf(first), CHILD_BYTES);
        return true;
    }

    // ---- the rest --------------------------------------------------------------------------------------------

    @Override
    public long retainedPages(long recorded) {
        return recorded;
    }

    @Override
    public long metadataBytes() {
        return state.metadata.byteSize();
    }

    @Override
    public FrameStats frameStats() {
        return null;
    }

    @Override
    public long frameAt(long page) {
        return -1;
    }

    @Override
    public long recover() {
        return pages.recover();
    }

    @Override
    public void validate() {
        pages.validate();
    }

    @Override
    public void unmap() {
        memory.unmap();
    }
}
