package upa.internal.region.device;

import static upa.core.RegionDescriptor.CHILD_BYTES;
import static upa.core.RegionDescriptor.INTERNAL_PUTS;
import static upa.core.RegionDescriptor.MOVED_PAGES;
import static upa.core.RegionDescriptor.PAGE_BYTES;
import static upa.llfree.LlFreeDescriptor.CHILD_PAGES;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.BitSet;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import upa.core.BackEnd;
import upa.core.FrameStats;
import upa.core.PagerTerms;
import upa.core.PteOptions;
import upa.core.SystemCallException;
import upa.internal.os.RawMemory;
import upa.internal.region.RegionBackEnd;
import upa.internal.region.RegionState;
import upa.internal.region.Rounding;
import upa.llfree.LlFree;

/**
 * The back end of regions whose pages a pager moves, as {@code paged.c} of the C library has it. The words of pages:
 *
 * <pre>
 *   0            free: a touch is SIGBUS
 *   frame + 1    in memory
 *   FRESH        held, without content: reads zero when it is touched
 *   others away  the pager's
 * </pre>
 *
 * <p>This process changes a word from 0 to FRESH, and from anything to 0, of pages that it holds. Frames are the
 * pager's; one whose word frame + 1 is taken out here is free after the shoot-down. So every free page has the word 0,
 * and counts as absent.
 */
public final class PagedBackEnd implements RegionBackEnd {
    private static final int AWAY = 1 << 30;
    private static final int FRESH = AWAY;
    private static final int LEAVING = AWAY | 2 << 28;
    private static final int KIND = 0xf << 28;
    /** Pages for one shoot-down. */
    private static final int AT_ONCE = 1 << 15;

    private final UpaDevice device;
    private final PagedLayout layout;
    private final RegionState state;
    private final LlFree pages;
    private final MemorySegment shared;
    private final Admission admission;
    /** For reading by who has frames in hand: those stand in no word, as the frames that a killed pager had do. */
    private final ReentrantReadWriteLock hands = new ReentrantReadWriteLock();

    private PagedBackEnd(UpaDevice device, PagedLayout layout) {
        this.device = device;
        this.layout = layout;
        shared = device.state();
        pages = LlFree.create(
                shared.asSlice(layout.pagesOffset(), layout.header() - layout.pagesOffset()),
                layout.pages(),
                layout.slots());
        state = new RegionState(device.data(), layout.pages() * PAGE_BYTES, pages, shared);
        admission = new Admission(device, layout, this::mend);
        device.declare(pages, layout);
    }

    /** Makes a region of so many bytes, of which poolBytes can be in memory. Throws as {@code Region.createPaged}. */
    public static PagedBackEnd create(long bytes, PteOptions options) {
        if (bytes <= 0 || bytes > PteOptions.MAX_BYTES) {
            throw new IllegalArgumentException("out of range: bytes=" + bytes + " (1.." + PteOptions.MAX_BYTES + ")");
        }
        long n = Rounding.up(bytes, CHILD_BYTES) / PAGE_BYTES;
        long frames = options.maxPoolBytes() / PAGE_BYTES;
        PagedLayout layout = PagedLayout.of(n, frames);
        UpaDevice device = UpaDevice.open(
                new UpaDevice.Request(options.device(), false, true, n, frames, frames, layout.stateBytes()));
        try {
            return new PagedBackEnd(device, layout);
        } catch (RuntimeException e) {
            device.close();
            throw e;
        }
    }

    /** Hands the region to a pager. Throws as {@code Region.admit}. */
    public void admit(PagerTerms terms) throws IOException {
        admission.admit(terms);
    }

    /** Takes the pager's right away. False if none was ever admitted. */
    public boolean revoke() {
        return admission.revoke();
    }

    // ---- words -----------------------------------------------------------------------------------------------

    private long wordAt(long page) {
        return device.shadow() + page * Integer.BYTES;
    }

    private int word(long page) {
        return RawMemory.getIntAcquire(wordAt(page));
    }

    private static boolean isInMemory(int word) {
        return word != 0 && (word & AWAY) == 0;
    }

    private int exchange(long page, int next) {
        int was;
        do {
            was = word(page);
        } while (!RawMemory.compareAndSetIntVolatile(wordAt(page), was, next));
        return was;
    }

    private void freshen(long page, long n) {
        for (long at = page; at < page + n; at++) {
            RawMemory.putIntOpaque(wordAt(at), FRESH);
        }
        // Before the caller touches the pages.
        RawMemory.fullFence();
    }

    // ---- frames ----------------------------------------------------------------------------------------------

    private long row(long frame) {
        return shared.address() + layout.row(frame);
    }

    private boolean isTaken(long frame) {
        return (RawMemory.getLongAcquire(row(frame)) >>> frame & 1) != 0;
    }

    /** What the pager says of its frames is its own affair: nothing is freed twice. */
    private void free(long frame) {
        long bit = 1L << frame;
        long was;
        do {
            was = RawMemory.getLongAcquire(row(frame));
        } while ((was & bit) != 0 && !RawMemory.compareAndSetLongVolatile(row(frame), was, was & ~bit));
        if ((was & bit) != 0) {
            RawMemory.getAndAddLongVolatile(shared.address() + layout.header(), -1);
        }
    }

    /** Frames that a pager had in hand when it was killed are free again. There is no pager. */
    private void mend() {
        hands.writeLock().lock();
        try {
            BitSet named = new BitSet();
            for (long page = 0; page < layout.pages(); page++) {
                int word = word(page);
                long frame = isInMemory(word) ? word - 1 : (word & KIND) == LEAVING ? word & ~KIND : layout.frames();
                if (frame < layout.frames()) {
                    named.set((int) frame);
                }
            }
            for (long f = 0; f < layout.frames(); f++) {
                if (named.get((int) f)) {
                    RawMemory.getAndBitwiseOrLongVolatile(row(f), 1L << f);
                } else {
                    RawMemory.getAndBitwiseAndLongVolatile(row(f), ~(1L << f));
                }
            }
            RawMemory.putLongRelease(shared.address() + layout.header(), named.cardinality());
        } finally {
            hands.writeLock().unlock();
        }
    }

    /** Held pages lose their contents, wherever they are. */
    private void empty(long page, long n) {
        for (long at = page; at < page + n; at += AT_ONCE) {
            emptySome(at, (int) Math.min(AT_ONCE, page + n - at));
        }
        // After the words: the pager looks for what it need not know any more.
        RawMemory.getAndAddLongVolatile(shared.address() + layout.header() + Long.BYTES, 1);
    }

    private void emptySome(long page, int n) {
        int[] were = new int[n];
        boolean isReachable = false;
        hands.readLock().lock();
        try {
            for (int i = 0; i < n; i++) {
                were[i] = exchange(page + i, 0);
                // The call by which it leaves may be in the middle.
                isReachable |= isInMemory(were[i]) || (were[i] & KIND) == LEAVING;
            }
            if (isReachable) {
                device.empty(new long[] {page, n}, 1);
            }
            for (int was : were) {
                if (isInMemory(was) && was <= layout.frames()) {
                    free(was - 1);
                }
            }
        } catch (SystemCallException | IllegalStateException e) {
            for (int i = 0; i < n; i++) {
                RawMemory.putIntOpaque(wordAt(page + i), isInMemory(were[i]) ? were[i] : FRESH);
            }
            throw e;
        } finally {
            hands.readLock().unlock();
        }
    }

    // ---- get and put -----------------------------------------------------------------------------------------

    @Override
    public long get(int slot, long n, int flags) {
        long result = pages.getRun(slot, n, flags | LlFree.GET_ABSENT);
        if (result < 0) {
            return result;
        }
        long page = LlFree.pageOf(result);
        freshen(page, n);
        return LlFree.result(page, LlFree.HOLDS_ABSENT);
    }

    @Override
    public int getAt(int slot, long page, long n) {
        int result = pages.getAt(slot, page, n);
        if (result < 0) {
            return result;
        }
        freshen(page, n);
        return LlFree.HOLDS_ABSENT;
    }

    @Override
    public void put(int slot, long page, long n) {
        long free = pages.next(page, n, true);
        if (free >= 0) {
            throw new IllegalArgumentException("not allocated: page=" + free);
        }
        empty(page, n);
        pages.putRun(slot, page, n, LlFree.PUT_ABSENT);
    }

    @Override
    public void putUnused(int slot, long page, long n) {
        put(slot, page, n);
    }

    @Override
    public void putBack(int slot, long page, long n) {
        put(slot, page, n);
        state.count(slot, INTERNAL_PUTS, 1);
    }

    /** The pager brings memory, when they are touched. */
    @Override
    public boolean populate(long page, long n) {
        return true;
    }

    /** No page just taken has old bytes. */
    @Override
    public void clear(int slot, long page, long n, int holds) {}

    /** Where a page is stands in tables of the pager's, by its number: contents are copied, but for zeros. */
    @Override
    public long relocate(int slot, long from, long oldPages, long newPages) {
        long result = get(slot, newPages, 0);
        if (result < 0) {
            return result;
        }
        long to = LlFree.pageOf(result);
        MemorySegment all = MemorySegment.ofAddress(device.data()).reinterpret(state.bytes);
        for (long i = 0; i < oldPages; i++) {
            if (word(from + i) != FRESH) {
                MemorySegment.copy(all, (from + i) * PAGE_BYTES, all, (to + i) * PAGE_BYTES, PAGE_BYTES);
            }
        }
        put(slot, from, oldPages);
        state.count(slot, MOVED_PAGES, oldPages);
        return to;
    }

    // ---- in the background -----------------------------------------------------------------------------------

    @Override
    public long giveBack(int slot, long retainPages) {
        return 0;
    }

    @Override
    public boolean populateChild(int slot, long first) {
        state.putBack(slot, first, CHILD_PAGES, LlFree.PUT_UNTOUCHED);
        return false;
    }

    @Override
    public boolean clearChild(int slot, long first) {
        return false;
    }

    // ---- the rest --------------------------------------------------------------------------------------------

    @Override
    public RegionState state() {
        return state;
    }

    @Override
    public BackEnd name() {
        return BackEnd.PTE;
    }

    @Override
    public String kind() {
        return "pte, paged";
    }

    @Override
    public boolean isShared() {
        return false;
    }

    @Override
    public long retainedPages(long recorded) {
        return 0;
    }

    @Override
    public long metadataBytes() {
        return device.tableBytes();
    }

    @Override
    public FrameStats frameStats() {
        return null;
    }

    @Override
    public long frameAt(long page) {
        int word = word(page);
        return isInMemory(word) ? word - 1 : -1;
    }

    @Override
    public long recover() {
        return pages.recover();
    }

    @Override
    public void validate() {
        pages.validate();
        BitSet seen = new BitSet();
        for (long page = 0; page < layout.pages(); page++) {
            int word = word(page);
            boolean isFree = pages.next(page, 1, true) >= 0;
            if (isFree != (word == 0)) {
                throw new IllegalStateException("page=" + page + " word=" + word + " free=" + isFree);
            }
            if (isInMemory(word) && (word > layout.frames() || seen.get(word) || !isTaken(word - 1))) {
                throw new IllegalStateException("page=" + page + " word=" + word
                        + ": its frame is free, stands at another page, or is not in the pool");
            }
            seen.set(isInMemory(word) ? word : 0);
        }
    }

    @Override
    public void unmap() {
        device.close();
        admission.end();
    }
}
