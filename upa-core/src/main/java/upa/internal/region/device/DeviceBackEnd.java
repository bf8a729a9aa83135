package upa.internal.region.device;

import static upa.core.RegionDescriptor.CHILD_BYTES;
import static upa.core.RegionDescriptor.GIVEN_BACK_PAGES;
import static upa.core.RegionDescriptor.INTERNAL_PUTS;
import static upa.core.RegionDescriptor.PAGE_BYTES;
import static upa.llfree.LlFreeDescriptor.CHILD_PAGES;
import static upa.llfree.LlFreeDescriptor.PAGE_SHIFT;

import upa.core.BackEnd;
import upa.core.FrameStats;
import upa.core.PteOptions;
import upa.internal.region.RegionBackEnd;
import upa.internal.region.RegionState;
import upa.internal.region.Rounding;
import upa.llfree.LlFree;

/**
 * The back ends {@code pte} and {@code pte-raw}: the process has a pool of page frames and says itself which frame
 * stands at which page, by writing a table. Addresses and frames are allocated apart, by two {@link LlFree}s in the
 * memory that the kernel module has for that. {@link FrameWords} join them.
 *
 * <p><b>Invariants.</b>
 * <ul>
 * <li>The word of a page is written by nobody but who holds the page in the allocator of addresses.
 * <li>A frame of the pool is free in {@link Frames}, or in exactly one word, or somebody's who has taken it from the
 *     one and will put it into the other. (While a block moves, a frame stands at two pages, both of its holder.)
 * <li>A page that is free and whose word is not 0 is still mapped: what unmapping it costs is deferred, until somebody
 *     else needs the frame or there are more of them than agreed. Among the addresses it counts as stale (or zeroed),
 *     one whose word is 0 as absent. So who looks for pages finds such first that are still mapped where they are
 *     wanted.
 * <li>With {@link PteOptions#reclaim} the module takes the memory of free frames, and of frames at free pages, by
 *     itself. Such a frame reads zero when it is touched. {@link Settle} records it.
 * <li>A page whose word is 0 is unmapped on every processor before it is free. So a frame may be put there without
 *     a TLB shoot-down, and a frame that is free stands nowhere.
 * </ul>
 */
public final class DeviceBackEnd implements RegionBackEnd {
    private final UpaDevice device;
    private final RegionState state;
    private final LlFree pages;
    private final FrameWords words;
    private final Frames frames;
    private final Supply supply;
    private final Relocate relocate;
    private final Clear clear;
    /** Null if the module may take nothing. */
    private final Settle settle;

    private DeviceBackEnd(UpaDevice device, Layout layout, PteOptions options) {
        this.device = device;
        pages = layout.createPages(device.state());
        state = new RegionState(device.data(), layout.pages() * PAGE_BYTES, pages, device.state());
        words = options.backEnd() == BackEnd.PTE
                ? new GuardedWords(pages, device)
                : new RawWords(pages, device, device.state().address() + layout.wordsOffset());
        long marksAt = device.state().address() + layout.marksOffset();
        Marks marks = options.reclaim() ? new Marks(marksAt, layout.pages(), layout.maxFrames()) : null;
        frames = new Frames(device, layout, options, marks);
        supply = new Supply(state, words, frames, new Scavenge(state, words, frames), options);
        relocate = new Relocate(state, words, frames, supply);
        clear = new Clear(state, words, frames);
        settle = marks != null ? new Settle(state, words, frames, marks) : null;
        if (marks != null) {
            device.declare(pages, frames.all, layout.marksOffset());
        }
    }

    /** Makes a region of so many bytes. Throws as {@code Region.create}. */
    public static DeviceBackEnd create(long bytes, PteOptions options) {
        if (bytes <= 0 || bytes > PteOptions.MAX_BYTES) {
            throw new IllegalArgumentException("out of range: bytes=" + bytes + " (1.." + PteOptions.MAX_BYTES + ")");
        }
        boolean raw = options.backEnd() == BackEnd.PTE_RAW;
        long n = Rounding.up(bytes, CHILD_BYTES) / PAGE_BYTES;
        Layout layout = Layout.of(n, options.maxPoolBytes() / PAGE_BYTES, raw, options.reclaim());
        UpaDevice device = UpaDevice.open(new UpaDevice.Request(
                options.device(),
                raw,
                false,
                n,
                options.poolBytes() / PAGE_BYTES,
                layout.maxFrames(),
                layout.stateBytes()));
        try {
            return new DeviceBackEnd(device, layout, options);
        } catch (RuntimeException e) {
            device.close();
            throw e;
        }
    }

    @Override
    public RegionState state() {
        return state;
    }

    @Override
    public BackEnd name() {
        return words.name();
    }

    @Override
    public String kind() {
        return name().toString();
    }

    @Override
    public boolean isShared() {
        return false;
    }

    // ---- get and put -----------------------------------------------------------------------------------------

    @Override
    public long get(int slot, long n, int flags) {
        if (settle != null) {
            settle.run(slot);
        }
        long page = pages.getRun(slot, n, flags);
        if (page < 0) {
            return page;
        }
        // What the frames hold that are behind them now, the words say.
        return supply.toPages(slot, page, n, flags) ? LlFree.result(page, ANYTHING) : LlFree.NO_MEMORY;
    }

    @Override
    public int getAt(int slot, long page, long n) {
        int result = pages.getAt(slot, page, n);
        if (result < 0) {
            return result;
        }
        return supply.toPages(slot, page, n, 0) ? ANYTHING : LlFree.NO_MEMORY;
    }

    @Override
    public void put(int slot, long page, long n) {
        supply.free(slot, page, n);
    }

    /** Which of their frames still read zero is not tracked: all count as used. */
    @Override
    public void putUnused(int slot, long page, long n) {
        supply.free(slot, page, n);
    }

    @Override
    public void putBack(int slot, long page, long n) {
        supply.free(slot, page, n);
        state.count(slot, INTERNAL_PUTS, 1);
    }

    @Override
    public boolean populate(long page, long n) {
        return words.install(page, n);
    }

    @Override
    public void clear(int slot, long page, long n, int holds) {
        clear.pages(slot, page, n);
    }

    @Override
    public long relocate(int slot, long from, long oldPages, long newPages) {
        return relocate.block(slot, from, oldPages, newPages);
    }

    // ---- in the background -----------------------------------------------------------------------------------

    @Override
    public long giveBack(int slot, long retainPages) {
        long excess = words.canShrink() ? retainedPages(0) - retainPages : 0;
        long given = excess > 0 ? supply.giveBack(slot, excess) : 0;
        state.count(slot, GIVEN_BACK_PAGES, given);
        return given;
    }

    @Override
    public boolean clearChild(int slot, long first) {
        // Near a bound there may be no memory for what is only to be cleared.
        if (frames.isBounded() || words.missing(first, CHILD_PAGES) != 0) {
            return false;
        }
        clear(slot, first, CHILD_PAGES, ANYTHING);
        return true;
    }

    @Override
    public boolean populateChild(int slot, long first) {
        boolean done = supply.ahead(slot, first);
        if (done) {
            clear(slot, first, CHILD_PAGES, ANYTHING);
            populate(first, CHILD_PAGES);
        }
        state.putBack(slot, first, CHILD_PAGES, done ? LlFree.PUT_ZEROED : LlFree.PUT_UNTOUCHED);
        words.deferred.getAndAdd(done ? CHILD_PAGES : 0);
        return done;
    }

    // ---- the rest --------------------------------------------------------------------------------------------

    @Override
    public long retainedPages(long recorded) {
        return words.deferred.get() + frames.free() - frames.gone();
    }

    @Override
    public long metadataBytes() {
        return device.tableBytes();
    }

    @Override
    public FrameStats frameStats() {
        long pool = frames.pool();
        long free = frames.free();
        UpaDevice.Counts kernel = device.counts();
        return new FrameStats(
                pool << PAGE_SHIFT,
                frames.max << PAGE_SHIFT,
                free << PAGE_SHIFT,
                pool - free << PAGE_SHIFT,
                words.deferred.get() << PAGE_SHIFT,
                words.batches.get(),
                words.detached.get() << PAGE_SHIFT,
                kernel.faults(),
                kernel.shootdowns(),
                frames.gone() << PAGE_SHIFT);
    }

    @Override
    public long frameAt(long page) {
        return words.word(page) - 1;
    }

    @Override
    public long recover() {
        return pages.recover() + frames.all.recover();
    }

    @Override
    public void validate() {
        Check.validate(words, frames);
    }

    @Override
    public void unmap() {
        device.close();
    }
}
