package upa.core;

import static upa.core.LlFreeDescriptor.CHILD_PAGES;
import static upa.core.LlFreeDescriptor.PAGE_SHIFT;
import static upa.core.RegionDescriptor.CHILD_BYTES;
import static upa.core.RegionDescriptor.CLEARED_PAGES;
import static upa.core.RegionDescriptor.COUNTERS_BYTES;
import static upa.core.RegionDescriptor.COUNTERS_OFFSET;
import static upa.core.RegionDescriptor.MOVED_PAGES;
import static upa.core.RegionDescriptor.PAGE_BYTES;

import java.lang.foreign.MemorySegment;
import java.util.BitSet;
import java.util.concurrent.atomic.AtomicLong;
import upa.core.internal.RawMemory;
import upa.core.internal.SystemCalls;
import upa.core.internal.UpaDevice;

/**
 * The back ends {@code pte} and {@code pte-raw}: the process has a pool of page frames and says itself which frame stands
 * at which page, by writing a table. Addresses and frames are allocated apart, by two {@link LlFree}s in the memory that
 * the kernel module has for that: {@link #pages} and {@link #frames}. A table of one word per page (frame + 1, or 0) joins
 * them.
 *
 * <p><b>Invariants.</b>
 * <ul>
 * <li>The word of a page is written by nobody but who holds the page in {@link #pages}.
 * <li>A frame of the pool is free in {@link #frames}, or in exactly one word, or somebody's who has taken it from
 *     the one and will put it into the other. (While a block moves, a frame stands at two pages, both of its holder.)
 * <li>A page that is free and whose word is not 0 is still mapped: what unmapping it costs is deferred, until somebody else
 *     needs the frame or there are more of them than agreed. In {@link #pages} it counts as stale (or zeroed), one
 *     whose word is 0 as absent. So who looks for pages finds such first that are still mapped where they are wanted.
 * <li>A page whose word is 0 is unmapped on every processor before it is free. So a frame may be put there without
 *     a TLB shoot-down, and a frame that is free stands nowhere.
 * </ul>
 * Hence the order of taking a frame away: hold the page, clear the word, have the kernel empty its tables and shoot down,
 * put the frame, put the page as absent.
 *
 * <p>Frames are zero when they enter the pool, and absent in {@link #frames}; those that have been used are stale there.
 * Frames that the pool does not have at present are allocated in {@link #frames}, for good.
 *
 * <p>Pages get frames in the order of preference of Douglas (arXiv 1105.1811, 2011): those that still stand where they are
 * wanted, then free ones, then such that stand at other free pages, taken away in batches; last, new ones from the kernel.
 */
abstract sealed class PteBackEnd extends RegionBackEnd permits GuardedBackEnd, RawBackEnd {
    /** A scavenge takes at least so many pages, if there are so many: a shoot-down costs as much as some hundred stores. */
    private static final long LEAST_SCAVENGE = CHILD_PAGES;
    /** A batch of a scavenge has at most so many ranges (the module's limit) and pages: they are nobody's meanwhile. */
    private static final int BATCH_RANGES = 4096;
    private static final long BATCH_PAGES = 64L * CHILD_PAGES;

    final UpaDevice device;
    final LlFree frames;
    /** The address of the words. */
    private final long words;
    private final long maxFrames;
    private final long maxDeferred;
    private final boolean reclaim;
    /** Free pages whose word is not 0, give or take those of calls under way. */
    private final AtomicLong deferred = new AtomicLong();
    private final AtomicLong batches = new AtomicLong();
    private final AtomicLong detached = new AtomicLong();
    /** Requests for which there were pages but no frames. */
    private final AtomicLong shortages = new AtomicLong();
    /** Frames in the pool. */
    private volatile long pool;
    /**
     * Held by who changes the pool or takes frames away from pages: calls of the kernel, which serializes them anyway. Who
     * has waited for it finds what the one before has freed.
     */
    private final Object shortage = new Object();

    /** Where everything is in the memory for the allocators' state. */
    record Layout(long pages, int slots, long pagesOffset, long framesOffset, long wordsOffset, long stateBytes) {
        static Layout of(long pages, long maxFrames, boolean raw) {
            int slots = RegionMemory.defaultSlots();
            long pagesOffset = roundUp(COUNTERS_OFFSET + (long) slots * COUNTERS_BYTES, PAGE_BYTES);
            long framesOffset = roundUp(pagesOffset + LlFree.stateSize(pages, slots), PAGE_BYTES);
            long wordsOffset = roundUp(framesOffset + LlFree.stateSize(maxFrames, slots), PAGE_BYTES);
            return new Layout(pages, slots, pagesOffset, framesOffset, wordsOffset,
                    wordsOffset + (raw ? roundUp(pages * Integer.BYTES, PAGE_BYTES) : 0));
        }

        private static long roundUp(long n, long unit) {
            return (n + unit - 1) / unit * unit;
        }
    }

    /** The words are at {@code words}, or, if that is 0, in the state. */
    PteBackEnd(UpaDevice device, Layout layout, long words, PteOptions options) {
        MemorySegment state = device.state();
        super(device.data(), layout.pages * PAGE_BYTES,
                LlFree.create(state.asSlice(layout.pagesOffset, layout.framesOffset - layout.pagesOffset), layout.pages, layout.slots),
                state);
        this.device = device;
        this.words = words != 0 ? words : state.address() + layout.wordsOffset;
        maxFrames = options.maxPoolBytes() / PAGE_BYTES;
        maxDeferred = options.maxDeferredBytes() / PAGE_BYTES;
        reclaim = options.reclaim();
        pool = options.poolBytes() / PAGE_BYTES;
        frames = LlFree.create(state.asSlice(layout.framesOffset, layout.wordsOffset - layout.framesOffset), maxFrames, layout.slots);
        if (pool < maxFrames) {
            frames.getAt(0, pool, maxFrames - pool);
        }
    }

    static RegionBackEnd create(long bytes, PteOptions options) {
        if (bytes <= 0 || bytes > PteOptions.MAX_BYTES) {
            throw new IllegalArgumentException("out of range: bytes=" + bytes + " (1.." + PteOptions.MAX_BYTES + ")");
        }
        boolean raw = options.backEnd() == BackEnd.PTE_RAW;
        long n = Layout.roundUp(bytes, CHILD_BYTES) / PAGE_BYTES;
        Layout layout = Layout.of(n, options.maxPoolBytes() / PAGE_BYTES, raw);
        UpaDevice device = UpaDevice.open(new UpaDevice.Request(options.device(), raw, options.reclaim(), n, options.poolBytes() / PAGE_BYTES,
                options.maxPoolBytes() / PAGE_BYTES, layout.stateBytes));
        return raw ? new RawBackEnd(device, layout, options) : new GuardedBackEnd(device, layout, options);
    }

    // ---- the table -------------------------------------------------------------------------------------------

    final int word(long page) {
        return RawMemory.getIntOpaque(words + page * Integer.BYTES);
    }

    /** For the page's holder: puts a frame there (word - 1), or none (0). */
    void set(long page, int word) {
        RawMemory.putIntOpaque(words + page * Integer.BYTES, word);
    }

    /** Returns after no processor reaches the frames any more that stood at these pages. Returns how many calls that took. */
    abstract int shootDown(PageRanges ranges);

    private void shootDownCounted(PageRanges ranges, long n) {
        batches.getAndAdd(shootDown(ranges));
        detached.getAndAdd(n);
    }

    /**
     * How many of the pages that the caller has just taken have no frame. Only of a mixed child the words need be looked at: the
     * other states say the same of all free pages, and one that is not mixed now was not when they were taken, since
     * only who holds all of a child takes it from mixed to another.
     */
    private long missing(long page, long n) {
        long missing = 0;
        for (long end = page + n; page < end; ) {
            long part = Math.min(end - page, CHILD_PAGES - page % CHILD_PAGES);
            int state = pages.childState(page);
            missing += state == LlFree.ABSENT ? part : state == LlFree.MIXED ? countZeros(page, page + part) : 0;
            page += part;
        }
        return missing;
    }

    /** Words that are 0, looked at by twos. */
    private long countZeros(long page, long end) {
        long zeros = 0;
        if ((page & 1) != 0) {
            zeros += word(page++) == 0 ? 1 : 0;
        }
        for (; page + 1 < end; page += 2) {
            long two = RawMemory.getLongOpaque(words + page * Integer.BYTES);
            zeros += ((int) two == 0 ? 1 : 0) + (two >>> 32 == 0 ? 1 : 0);
        }
        return page < end && word(page) == 0 ? zeros + 1 : zeros;
    }

    /** How many pages from the first on have a frame, or have none, as the first. */
    private long alike(long page, long n) {
        boolean none = word(page) == 0;
        long length = 1;
        while (length < n && (word(page + length) == 0) == none) {
            length++;
        }
        return length;
    }

    // ---- frames for pages ------------------------------------------------------------------------------------

    /** Puts a frame to each of the caller's pages that has none. If there are too few, false, and nothing has changed. */
    private boolean attach(int slot, long page, long n, int flags, boolean scavenges) {
        long missing = missing(page, n);
        if (missing > 0) {
            PageRanges taken = takeFrames(slot, missing, flags, scavenges);
            if (taken == null) {
                return false;
            }
            long at = page;
            for (int i = 0; i < taken.count(); i++) {
                int word = (int) taken.firstOf(i) + 1;
                for (int last = word + (int) taken.lengthOf(i); word < last; at++) {
                    if (missing == n || word(at) == 0) {
                        set(at, word++);
                    }
                }
            }
            // Before the caller touches the pages: also before any access that the compiler might draw forward.
            RawMemory.fullFence();
        }
        deferred.getAndAdd(missing - n);
        return true;
    }

    /** Takes n frames, however scattered they are: null if there are not so many. */
    private PageRanges takeFrames(int slot, long n, int flags, boolean scavenges) {
        if (n > maxFrames) {
            return null;
        }
        PageRanges taken = new PageRanges();
        // A frame with old bytes is as good as any, unless zeros are asked for.
        int preference = (flags & LlFree.GET_ZEROS) != 0 ? LlFree.GET_ABSENT : 0;
        while (taken.pages() < n) {
            long missing = n - taken.pages();
            long run = Math.min(missing, CHILD_PAGES);
            long frame = frames.getRun(slot, run, preference);
            if (frame >= 0) {
                taken.add(frame, run);
            } else if (!takeScattered(slot, missing, taken) && !fillPool(slot, missing, scavenges, taken)) {
                return null;
            }
        }
        return taken;
    }

    /**
     * When no frame is free: sees to it that some are. If that cannot be, frees those taken, before somebody else can find
     * that there are none.
     */
    private boolean fillPool(int slot, long missing, boolean scavenges, PageRanges taken) {
        synchronized (shortage) {
            if (takeScattered(slot, missing, taken) || scavenges && scavenge(slot, Math.max(missing, LEAST_SCAVENGE), -1) > 0
                    || grow(slot, missing)) {
                return true;
            }
            putFrames(slot, taken, LlFree.PUT_UNTOUCHED);
            return false;
        }
    }

    /** Takes up to so many frames where they are. False if it found none. */
    private boolean takeScattered(int slot, long most, PageRanges taken) {
        long before = taken.pages();
        long end = pool;
        long at = 0;
        while (at < end && taken.pages() - before < most && (at = frames.next(at, end - at, true)) >= 0) {
            long length = frames.length(at, Math.min(end - at, most - (taken.pages() - before)), true);
            if (length > 0 && frames.getAt(slot, at, length) == 0) {
                taken.add(at, length);
            }
            at += Math.max(length, 1);
        }
        return taken.pages() > before;
    }

    private void putFrames(int slot, PageRanges ranges, int flags) {
        for (int i = 0; i < ranges.count(); i++) {
            frames.putRun(slot, ranges.firstOf(i), ranges.lengthOf(i), flags);
        }
    }

    // ---- get and put -----------------------------------------------------------------------------------------

    @Override
    final long get(int slot, long n, int flags) {
        long page = pages.getRun(slot, n, flags);
        return page >= 0 && !supply(slot, page, n, flags) ? LlFree.NO_MEMORY : page;
    }

    @Override
    final boolean getAt(int slot, long page, long n) {
        return pages.getAt(slot, page, n) >= 0 && supply(slot, page, n, 0);
    }

    /** Puts frames to pages just taken, or frees them as they were. */
    private boolean supply(int slot, long page, long n, int flags) {
        boolean done = attach(slot, page, n, flags, true);
        if (!done) {
            pages.putRun(slot, page, n, LlFree.PUT_UNTOUCHED);
            shortages.getAndIncrement();
        }
        return done;
    }

    @Override
    final void put(int slot, long page, long n) {
        pages.putRun(slot, page, n, 0);
        if (deferred.addAndGet(n) > maxDeferred) {
            synchronized (shortage) {
                long now = deferred.get();
                if (now > maxDeferred) {
                    scavenge(slot, now - maxDeferred / 2, page / CHILD_PAGES);
                }
            }
        }
    }

    /** Which of their frames still read zero is not tracked: all count as used. */
    @Override
    final void putUnused(int slot, long page, long n) {
        put(slot, page, n);
    }

    // ---- taking frames away ----------------------------------------------------------------------------------

    /** Free pages taken in order to take their frames away: with the shoot-down all of it takes effect at once. */
    private final class Batch {
        final PageRanges ranges = new PageRanges();
        final PageRanges stale = new PageRanges();
        final PageRanges zeroed = new PageRanges();

        boolean isFull() {
            return ranges.count() >= BATCH_RANGES - CHILD_PAGES || ranges.pages() >= BATCH_PAGES;
        }

        long frames() {
            return stale.pages() + zeroed.pages();
        }

        /** Takes these pages, if they are free. */
        void take(int slot, long page, long n) {
            if (pages.getAt(slot, page, n) < 0) {
                return;
            }
            PageRanges frames = n == CHILD_PAGES && pages.childState(page) == LlFree.ZEROED ? zeroed : stale;
            long end = page + n;
            for (long i = page; i < end; ) {
                int word = word(i);
                long first = i;
                do {
                    set(i, 0);
                    i++;
                } while (i < end && word(i) == (word == 0 ? 0 : word + (int) (i - first)));
                if (word != 0) {
                    frames.add(word - 1, i - first);
                }
            }
            ranges.add(page, n);
        }

        /** Returns how many frames are free now. The call fails only in a closed region or a dying process, which need them no more. */
        long finish(int slot) {
            long n = frames();
            if (ranges.count() > 0) {
                shootDownCounted(ranges, n);
                putFrames(slot, stale, 0);
                putFrames(slot, zeroed, LlFree.PUT_ABSENT);
                deferred.getAndAdd(-n);
                for (int i = 0; i < ranges.count(); i++) {
                    pages.putRun(slot, ranges.firstOf(i), ranges.lengthOf(i), LlFree.PUT_ABSENT);
                }
            }
            ranges.clear();
            stale.clear();
            zeroed.clear();
            return n;
        }
    }

    /**
     * Takes up to so many frames, or some more, away from free pages, in batches, from a child downwards (-1: from the
     * last). From the far end: what stays is where searches begin. Returns how many. Needs {@link #shortage}.
     */
    private long scavenge(int slot, long wanted, long start) {
        long children = pages.touchedChildren();
        long total = 0;
        Batch batch = new Batch();
        for (long i = 0; i < children && total + batch.frames() < wanted; i++) {
            long c = Math.floorMod(start - i, children);
            if (isWhole(c, POPULATED)) {
                batch.take(slot, c * CHILD_PAGES, CHILD_PAGES);
            } else if ((POPULATED >> pages.childState(c * CHILD_PAGES) & 1) != 0) {
                takeParts(slot, c * CHILD_PAGES, batch, wanted - total);
            }
            if (batch.isFull()) {
                total += batch.finish(slot);
            }
        }
        return total + batch.finish(slot);
    }

    /** The free pages with frames of one child. */
    private void takeParts(int slot, long first, Batch batch, long wanted) {
        long end = first + CHILD_PAGES;
        while (first < end && batch.frames() < wanted && (first = pages.next(first, end - first, true)) >= 0) {
            long length = Math.max(pages.length(first, end - first, true), 1);
            long stale = pages.childState(first) == LlFree.ZEROED ? first : pages.nextStale(first, length);
            if (stale >= 0) {
                length -= stale - first;
                first = stale;
                if (pages.childState(first) == LlFree.MIXED) {
                    length = Math.clamp(pages.staleLength(first, length), 1, length);
                }
                batch.take(slot, first, length);
            }
            first += length;
        }
    }

    // ---- the size of the pool --------------------------------------------------------------------------------

    /** Gets at least n frames from the kernel. False if it has or gives none, or not so many may be had. */
    private boolean grow(int slot, long n) {
        long now = pool;
        long wanted = Math.min(Layout.roundUp(now + n, CHILD_PAGES), maxFrames);
        if (wanted < now + n || device.resize(wanted) < 0) {
            return false;
        }
        pool = wanted;
        frames.putRun(slot, now, wanted - now, LlFree.PUT_ABSENT);
        return true;
    }

    /** Frames of the pool without memory. */
    private long gone() {
        return reclaim ? device.reclaim(0).gone() : 0;
    }

    /**
     * Gives so many frames back to the kernel, some more or less, as far as they can be free: from the end of the pool, then, if that is
     * allowed, from anywhere. Returns how many.
     */
    final long returnFrames(int slot, long wanted) {
        long before = gone();
        long given = shrink(slot, wanted);
        // Of those some had no memory any more.
        given -= Math.max(0, before - gone());
        return reclaim && wanted - given >= CHILD_PAGES ? given + device.reclaim(wanted - given).pages() : given;
    }

    /** Gives at least so many frames back to the kernel, as far as those at the end of the pool can be free. Returns how many. */
    private long shrink(int slot, long wanted) {
        synchronized (shortage) {
            long given = shrinkFree(slot, wanted);
            if (given < wanted) {
                scavenge(slot, Long.MAX_VALUE, -1);
                given += shrinkFree(slot, wanted - given);
            }
            return given;
        }
    }

    private long shrinkFree(int slot, long wanted) {
        long end = pool;
        while (end > 0 && pool - end < wanted && frames.getAt(slot, end - CHILD_PAGES, CHILD_PAGES) == 0) {
            end -= CHILD_PAGES;
        }
        long n = pool - end;
        if (n > 0) {
            long result = device.resize(end);
            if (result < 0) {
                frames.putRun(slot, end, n, LlFree.PUT_UNTOUCHED);
                SystemCalls.check(result, "UPADEV_RESIZE", base, end * PAGE_BYTES);
            }
            pool = end;
        }
        return n;
    }

    // ---- clearing --------------------------------------------------------------------------------------------

    /** A page may hold old bytes if its frame was still there, unless zeroed ahead, or if it was stale among the free frames. */
    @Override
    final void clear(int slot, long page, long n) {
        PageRanges old = new PageRanges();
        long end = page + n;
        while (page < end) {
            long part = Math.min(end - page, CHILD_PAGES - page % CHILD_PAGES);
            int state = pages.childState(page);
            long length = part;
            if (state == LlFree.STALE) {
                old.add(page, part);
            } else if (state != LlFree.ZEROED) {
                length = Math.min(part, pages.staleLength(page, part));
                if (length > 0) {
                    old.add(page, length);
                } else {
                    long next = pages.nextStale(page, part);
                    length = clearBrought(page, next < 0 ? part : next - page, old);
                }
            }
            page += length;
        }
        for (int i = 0; i < old.count(); i++) {
            SystemCalls.zero(addressOf(old.firstOf(i)), old.lengthOf(i) << PAGE_SHIFT);
        }
        count(slot, CLEARED_PAGES, old.pages());
    }

    /** Of pages whose frames have just been put there: notes those to clear among the first. Returns how many it looked at. */
    private long clearBrought(long page, long n, PageRanges old) {
        int frame = word(page) - 1;
        long run = 1;
        while (run < n && word(page + run) - 1 == frame + run) {
            run++;
        }
        long stale = frames.nextStale(frame, run);
        if (stale == frame) {
            run = Math.max(frames.staleLength(frame, run), 1);
            old.add(page, run);
        } else if (stale > frame) {
            run = stale - frame;
        }
        return run;
    }

    @Override
    final long clearAhead(int slot, long children) {
        long total = 0;
        for (long c = 0; c < pages.touchedChildren() && total < children; c++) {
            long first = c * CHILD_PAGES;
            if (!isWhole(c, 1 << LlFree.STALE | 1 << LlFree.MIXED) || pages.getAt(slot, first, CHILD_PAGES) < 0) {
                continue;
            }
            boolean populated = missing(first, CHILD_PAGES) == 0;
            if (populated) {
                clear(slot, first, CHILD_PAGES);
                total++;
            }
            pages.putRun(slot, first, CHILD_PAGES, populated ? LlFree.PUT_ZEROED : LlFree.PUT_UNTOUCHED);
        }
        return total;
    }

    @Override
    final long populateAhead(int slot, long children) {
        long total = 0;
        for (long c = 0; c < pages.pages() / CHILD_PAGES && total < children; c++) {
            long first = c * CHILD_PAGES;
            if (!isWhole(c, 1 << LlFree.ABSENT) || pages.getAt(slot, first, CHILD_PAGES) < 0) {
                continue;
            }
            // Used and freed by somebody between the look and the taking: what it holds now is not zero.
            if (pages.childState(first) != LlFree.ABSENT) {
                pages.putRun(slot, first, CHILD_PAGES, LlFree.PUT_UNTOUCHED);
                continue;
            }
            // Frames of other free pages stay where they are: to move them would populate nothing.
            if (deferred.get() + CHILD_PAGES > maxDeferred || !attach(slot, first, CHILD_PAGES, LlFree.GET_ZEROS, false)) {
                pages.putRun(slot, first, CHILD_PAGES, LlFree.PUT_UNTOUCHED);
                break;
            }
            clear(slot, first, CHILD_PAGES);
            populate(first, CHILD_PAGES);
            pages.putRun(slot, first, CHILD_PAGES, LlFree.PUT_ZEROED);
            deferred.getAndAdd(CHILD_PAGES);
            total++;
        }
        return total;
    }

    // ---- moving ----------------------------------------------------------------------------------------------

    /**
     * Moves the frames; those that still stood at the target take their places, so that nothing is freed and nothing taken.
     * One shoot-down, before the source is free.
     */
    @Override
    final long relocate(int slot, long from, long oldPages, long newPages) {
        long to = pages.getRun(slot, newPages, 0);
        if (to < 0) {
            return to;
        }
        if (newPages > oldPages && !attach(slot, to + oldPages, newPages - oldPages, 0, true)) {
            pages.putRun(slot, to, newPages, LlFree.PUT_UNTOUCHED);
            return LlFree.NO_MEMORY;
        }
        boolean exchanged = false;
        for (long i = 0; i < oldPages; i++) {
            int old = word(to + i);
            set(to + i, word(from + i));
            // A frame in use is never at no page: the module may take such.
            RawMemory.releaseFence();
            set(from + i, old);
            exchanged |= old != 0;
        }
        PageRanges changed = new PageRanges();
        changed.add(from, oldPages);
        if (exchanged) {
            changed.add(to, oldPages);
        }
        shootDownCounted(changed, oldPages);
        long length;
        for (long i = from; i < from + oldPages; i += length) {
            length = alike(i, from + oldPages - i);
            pages.putRun(slot, i, length, word(i) == 0 ? LlFree.PUT_ABSENT : 0);
        }
        count(slot, MOVED_PAGES, oldPages);
        return to;
    }

    // ---- the rest --------------------------------------------------------------------------------------------

    @Override
    final String kind() {
        return name().toString();
    }

    @Override
    final boolean isShared() {
        return false;
    }

    @Override
    final long retainedPages() {
        return deferred.get() + frames.stats().freePages() - gone();
    }

    @Override
    final long failures() {
        return pages.stats().failures() + shortages.get();
    }

    @Override
    final long metadataBytes() {
        return device.tableBytes();
    }

    @Override
    final FrameStats frameStats() {
        long poolPages = pool;
        long free = frames.stats().freePages();
        UpaDevice.Counts kernel = device.counts();
        return new FrameStats(poolPages << PAGE_SHIFT, maxFrames << PAGE_SHIFT, free << PAGE_SHIFT, poolPages - free << PAGE_SHIFT,
                deferred.get() << PAGE_SHIFT, batches.get(), detached.get() << PAGE_SHIFT, kernel.faults(),
                kernel.shootdowns(), gone() << PAGE_SHIFT);
    }

    @Override
    final long recover() {
        return pages.recover() + frames.recover();
    }

    /** Every frame of the pool is free, or in exactly one word; words and what is recorded of free pages agree. */
    @Override
    final void validate() {
        pages.validate();
        frames.validate();
        BitSet attached = new BitSet();
        long free = frames.stats().freePages();
        long still = 0;
        for (long page = 0; page < pages.touchedChildren() * CHILD_PAGES; page++) {
            int word = word(page);
            boolean isFree = pages.next(page, 1, true) >= 0;
            boolean isPopulated = pages.nextStale(page, 1) >= 0 || pages.childState(page) == LlFree.ZEROED;
            // What is recorded is an upper bound: of two threads that free parts of a child, one may set marks of the other.
            if (isFree ? word != 0 && !isPopulated : word == 0) {
                throw new IllegalStateException("page=" + page + " word=" + word + " free=" + isFree + " populated=" + isPopulated);
            }
            if (word != 0) {
                if (word < 0 || word > pool || attached.get(word) || frames.next(word - 1, 1, true) >= 0) {
                    throw new IllegalStateException("page=" + page + " word=" + word + " pool=" + pool
                            + ": its frame is free, stands at another page, or is not in the pool");
                }
                attached.set(word);
                still += isFree ? 1 : 0;
            }
        }
        if (free + attached.cardinality() != pool || still != deferred.get()) {
            throw new IllegalStateException("pool=" + pool + " free=" + free + " attached=" + attached.cardinality() + " deferred="
                    + deferred + " found=" + still);
        }
    }

    @Override
    final void unmap() {
        device.close();
    }
}
