package upa.core;

import static upa.core.LlFreeDescriptor.CHILD_PAGES;
import static upa.core.LlFreeDescriptor.PAGE_SHIFT;
import static upa.core.RegionDescriptor.CHILD_BYTES;
import static upa.core.RegionDescriptor.CLEARED_PAGES;
import static upa.core.RegionDescriptor.GIVEN_BACK_PAGES;
import static upa.core.RegionDescriptor.MOVED_PAGES;

import java.util.concurrent.atomic.AtomicInteger;
import upa.core.internal.SystemCalls;

/**
 * The back end {@code linear}: the region is ordinary memory of the kernel's, page i is always at base + i * 4096, and
 * the kernel puts memory behind a page when it is first touched. Contents move by moving the kernel's page tables
 * (mremap), memory goes back by madvise.
 */
final class LinearBackEnd extends RegionBackEnd {
    /** Each move of page tables may leave one more mapping behind, of which a process has 65 530 by default. */
    private static final int MAX_TABLE_MOVES = 16384;

    /** In a region that has used more children, large runs take no memory from elsewhere. */
    private static final int SCAVENGE_CHILDREN = 16384;

    /** Children looked at for each one wanted, so that a search in vain costs little beside the page faults it was to save. */
    private static final long SCAVENGE_LOOKS = 64;

    private final RegionMemory memory;
    private final AtomicInteger tableMoves = new AtomicInteger();

    LinearBackEnd(RegionMemory memory) {
        super(memory.base, memory.bytes, memory.state, memory.metadata);
        this.memory = memory;
    }

    @Override
    BackEnd name() {
        return BackEnd.LINEAR;
    }

    @Override
    String kind() {
        return memory.shared ? "shared" : "private";
    }

    @Override
    boolean isShared() {
        return memory.shared;
    }

    @Override
    long get(int slot, long n, int flags) {
        long page = pages.getRun(slot, n, flags);
        if (page >= 0 && n >= CHILD_PAGES) {
            scavenge(slot, page, n);
        }
        return page;
    }

    @Override
    boolean getAt(int slot, long page, long n) {
        if (pages.getAt(slot, page, n) < 0) {
            return false;
        }
        scavenge(slot, page, n);
        return true;
    }

    @Override
    void put(int slot, long page, long n) {
        pages.putRun(slot, page, n, 0);
    }

    @Override
    void putUnused(int slot, long page, long n) {
        pages.putRun(slot, page, n, LlFree.PUT_UNTOUCHED);
    }

    @Override
    boolean populate(long page, long n) {
        if (memory.populate(addressOf(page), n << PAGE_SHIFT) < 0) {
            return false;
        }
        pages.setResident(page, n);
        return true;
    }

    // ---- clearing --------------------------------------------------------------------------------------------

    /**
     * Clears what is known to have memory in one go, since beyond the size of a cache libc's memset passes it by, which is
     * twice as fast. About a whole child whose pages are not known to have memory the kernel is asked, so that a large
     * block whose holder touched little of it does not become resident. About less, clearing costs less than asking.
     */
    @Override
    void clear(int slot, long page, long n) {
        long end = page + n;
        long cleared = 0;
        while (page < end && (page = pages.nextStale(page, end - page)) >= 0) {
            long length = pages.staleLength(page, end - page);
            long known = length < CHILD_PAGES || memory.shared ? length : knownResident(page, length);
            if (known > 0) {
                memory.zero(addressOf(page), known << PAGE_SHIFT);
                cleared += known;
                page += known;
            } else {
                cleared += clearChild(page);
                page += CHILD_PAGES;
            }
        }
        count(slot, CLEARED_PAGES, cleared);
    }

    /** How many of these pages, from the first on, are resident or in a child that the range has only a part of. */
    private long knownResident(long page, long n) {
        long known = 0;
        while (known < n) {
            long part = Math.min(n - known, CHILD_PAGES - (page + known) % CHILD_PAGES);
            if (part == CHILD_PAGES && !pages.resident(page + known)) {
                break;
            }
            known += part;
        }
        return known;
    }

    private long clearChild(long page) {
        long cleared = memory.zeroResident(addressOf(page), CHILD_PAGES);
        if (cleared == CHILD_PAGES) {
            pages.setResident(page, CHILD_PAGES);
        }
        return cleared;
    }

    @Override
    long clearAhead(int slot, long children) {
        long total = 0;
        for (long c = 0; c < pages.touchedChildren() && total < children; c++) {
            long first = c * CHILD_PAGES;
            if (!isWhole(c, 1 << LlFree.STALE | 1 << LlFree.MIXED) || pages.getAt(slot, first, CHILD_PAGES) < 0) {
                continue;
            }
            // A child with absent pages among them stays as it is: clearing would populate those.
            boolean populated = pages.staleLength(first, CHILD_PAGES) == CHILD_PAGES;
            if (populated) {
                clear(slot, first, CHILD_PAGES);
                total++;
            }
            pages.putRun(slot, first, CHILD_PAGES, populated ? LlFree.PUT_ZEROED : LlFree.PUT_UNTOUCHED);
        }
        return total;
    }

    // ---- moving ----------------------------------------------------------------------------------------------

    @Override
    long relocate(int slot, long from, long oldPages, long newPages) {
        boolean tables = oldPages >= CHILD_PAGES && !memory.shared && tableMoves.get() < MAX_TABLE_MOVES;
        long to = pages.getRun(slot, newPages, 0);
        if (to < 0) {
            return to;
        }
        boolean emptied = false;
        if (tables) {
            tableMoves.getAndIncrement();
        }
        if (tables && pages.nextStale(to, oldPages) < 0) {
            emptied = moveTables(to, from, oldPages);
        } else if (!tables || !swapTables(slot, to, from, oldPages)) {
            memory.copy(addressOf(to), addressOf(from), oldPages << PAGE_SHIFT);
        }
        scavenge(slot, to + oldPages, newPages - oldPages);
        pages.putRun(slot, from, oldPages, emptied ? LlFree.PUT_ABSENT : 0);
        count(slot, MOVED_PAGES, oldPages);
        return to;
    }

    private boolean moveTables(long to, long from, long n) {
        return memory.moveTables(addressOf(to), addressOf(from), n << PAGE_SHIFT);
    }

    /**
     * Exchanges the page tables of two ranges by way of a third that has no memory: the target's memory goes where the
     * source's was, so nothing is copied, freed or faulted in again. Contents of the target are of no interest.
     */
    private boolean swapTables(int slot, long to, long from, long n) {
        long aside = pages.getRun(slot, n, LlFree.GET_ABSENT);
        if (aside < 0) {
            return false;
        }
        boolean absent = pages.nextStale(aside, n) < 0;
        if (absent) {
            boolean emptied = moveTables(aside, to, n);
            moveTables(to, from, n);
            emptied &= moveTables(from, aside, n);
            pages.putRun(slot, aside, n, emptied ? LlFree.PUT_ABSENT : 0);
        } else {
            putUnused(slot, aside, n);
        }
        return absent;
    }

    /**
     * Douglas's second preference: memory of free children goes to those children of a held run that have none, by page
     * tables, which costs a hundredth of the page faults it saves. From the far end, as giving back does. Whole children
     * only, and not in a region of very many, for moves leave mappings that begin and end at children.
     */
    private void scavenge(int slot, long first, long n) {
        long child = (first + CHILD_PAGES - 1) / CHILD_PAGES;
        long end = (first + n) / CHILD_PAGES;
        if (child >= end || memory.shared || pages.touchedChildren() > SCAVENGE_CHILDREN) {
            return;
        }
        long from = pages.touchedChildren();
        for (long looks = SCAVENGE_LOOKS * (end - child); child < end && from > 0 && looks > 0; looks--) {
            if (pages.childState(child * CHILD_PAGES) != LlFree.ABSENT) {
                child++;
                continue;
            }
            long wanted = 1;
            while (wanted < BATCH_CHILDREN && child + wanted < end && pages.childState((child + wanted) * CHILD_PAGES) == LlFree.ABSENT) {
                wanted++;
            }
            long taken = 0;
            while (taken < from && taken < wanted && isWhole(from - taken - 1, 1 << LlFree.ZEROED | 1 << LlFree.STALE)) {
                taken++;
            }
            from -= Math.max(taken, 1);
            if (taken > 0 && pages.getAt(slot, from * CHILD_PAGES, taken * CHILD_PAGES) >= 0) {
                boolean emptied = moveTables(child * CHILD_PAGES, from * CHILD_PAGES, taken * CHILD_PAGES);
                pages.setStale(child * CHILD_PAGES, taken * CHILD_PAGES);
                pages.putRun(slot, from * CHILD_PAGES, taken * CHILD_PAGES, emptied ? LlFree.PUT_ABSENT : 0);
                count(slot, MOVED_PAGES, taken * CHILD_PAGES);
                child += taken;
            }
        }
    }

    // ---- giving back and populating ahead --------------------------------------------------------------------

    @Override
    long giveBack(int slot, long retainPages) {
        long total = 0;
        try {
            long excess = retainedPages() - retainPages;
            // From the far end: what stays is where the next searches begin.
            for (long c = pages.touchedChildren(); c > 0 && total < excess; ) {
                int n = 0;
                while (n < c && n < BATCH_CHILDREN && (long) n * CHILD_PAGES < excess - total && isWhole(c - n - 1, POPULATED)) {
                    n++;
                }
                c -= Math.max(n, 1);
                total += n > 0 ? drop(slot, c * CHILD_PAGES, (long) n * CHILD_PAGES) : dropParts(slot, c * CHILD_PAGES, CHILD_PAGES);
            }
        } catch (SystemCallException e) {
            if (total == 0) {
                throw e;
            }
        } finally {
            count(slot, GIVEN_BACK_PAGES, total);
        }
        return total;
    }

    /** Takes free pages, drops their memory and frees them again. Returns the pages dropped, 0 if somebody was faster. */
    private long drop(int slot, long page, long n) {
        if (pages.getAt(slot, page, n) < 0) {
            return 0;
        }
        boolean done = false;
        try {
            memory.drop(addressOf(page), n << PAGE_SHIFT);
            done = true;
            return n;
        } finally {
            pages.putRun(slot, page, n, done ? LlFree.PUT_ABSENT : LlFree.PUT_UNTOUCHED);
        }
    }

    /** Populated free runs of one child. */
    private long dropParts(int slot, long first, long n) {
        long end = Math.min(first + n, pages.pages());
        long total = 0;
        while (first < end && (first = pages.next(first, end - first, true)) >= 0) {
            long length = pages.length(first, end - first, true);
            if (length == 0) {
                continue;
            }
            if (pages.childState(first) != LlFree.ZEROED) {
                long stale = pages.nextStale(first, length);
                if (stale < 0) {
                    first += length;
                    continue;
                }
                length = Math.max(pages.staleLength(stale, first + length - stale), 1);
                first = stale;
            }
            total += drop(slot, first, length);
            first += length;
        }
        return total;
    }

    @Override
    long populateAhead(int slot, long children) {
        long total = 0;
        for (long c = 0; c < bytes / CHILD_BYTES && total < children; c++) {
            long first = c * CHILD_PAGES;
            if (!isWhole(c, 1 << LlFree.ABSENT) || pages.getAt(slot, first, CHILD_PAGES) < 0) {
                continue;
            }
            // Used and freed by somebody between the look and the taking: what it holds now is not zero.
            if (pages.childState(first) != LlFree.ABSENT) {
                pages.putRun(slot, first, CHILD_PAGES, LlFree.PUT_UNTOUCHED);
                continue;
            }
            long result = memory.populate(addressOf(first), CHILD_BYTES);
            pages.putRun(slot, first, CHILD_PAGES, result < 0 ? 0 : LlFree.PUT_ZEROED);
            if (result < 0) {
                if (total == 0) {
                    SystemCalls.check(result, "madvise", addressOf(first), CHILD_BYTES);
                }
                break;
            }
            total++;
        }
        return total;
    }

    // ---- the rest --------------------------------------------------------------------------------------------

    @Override
    long retainedPages() {
        return pages.stats().retainedPages();
    }

    @Override
    long failures() {
        return pages.stats().failures();
    }

    @Override
    long metadataBytes() {
        return metadata.byteSize();
    }

    @Override
    FrameStats frameStats() {
        return null;
    }

    @Override
    long recover() {
        return pages.recover();
    }

    @Override
    void validate() {
        pages.validate();
    }

    @Override
    void unmap() {
        memory.unmap();
    }
}
