package upa.pager.live;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import upa.pager.posix.Linux;
import upa.pager.posix.Posix;
import upa.pager.store.PageIo;
import upa.pager.store.SwapStore;
import upa.policy.PageBatch.Cause;

/**
 * Has the kernel swap out pages of a process. They stay the program's own: the kernel brings them in when they are
 * touched, knows of forks, pins and locks, and tells nobody. So a page in swap has the word of one in memory, and only
 * this knows that it takes none: what has come back is found by looking at the process's page tables, a part at a time,
 * the more often the more is found. Until then memory may be over the bound by what has come back. Belongs to the
 * session's thread.
 */
final class KernelSwap implements AutoCloseable {
    private static final int WINDOW = 512;
    /** Windows looked at in a turn, 10 µs each. */
    private static final int MOST_WINDOWS = 16;

    private static final int LEAST_PAUSE_MILLIS = 1;
    private static final int MOST_PAUSE_MILLIS = 64;
    private static final long PRESENT = 1L << 63;
    private static final long SWAPPED = 1L << 62;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;

    private final PagedProcess process;
    private final SwapStore store;
    private final int pidfd;
    private final int pagemap;
    private final MemorySegment ranges;
    private final MemorySegment entries;
    private int known;
    private int cursor;
    private int foundInRound;
    private int pauseMillis = LEAST_PAUSE_MILLIS;
    private long nextLook = System.nanoTime();

    KernelSwap(PagedProcess process, SwapStore store) {
        this.process = process;
        this.store = store;
        pidfd = Linux.pidfd(process.hello.pid());
        pagemap = Posix.open("/proc/" + process.hello.pid() + "/pagemap", 0, 0);
        ranges = process.arena.allocate(LONG, 2L * Wire.ORDER_PAGES);
        entries = process.arena.allocate(LONG, WINDOW);
    }

    /** How long may be waited before the next look. */
    int pauseMillis() {
        return pauseMillis;
    }

    /**
     * Has pages swapped out.
     *
     * @param pages sorted
     * @param count at most {@link Wire#ORDER_PAGES}
     * @param stay  gets those that are still in memory
     * @return how many stay
     */
    int pageOut(int[] pages, int count, int[] stay) {
        int runs = 0;
        for (int i = 0, n; i < count; i += n) {
            n = run(pages, i, count);
            ranges.setAtIndex(LONG, 2L * runs, process.address(pages[i]));
            ranges.setAtIndex(LONG, 2L * runs++ + 1, (long) n * PageIo.PAGE_BYTES);
        }
        long done = Linux.madvise(pidfd, ranges.asSlice(0, 16L * runs), Linux.MADV_PAGEOUT);
        if (done < 0 && done != -Linux.ESRCH) {
            process.complain("the kernel swaps nothing out (it needs CAP_SYS_NICE): errno=" + -done);
        }
        int staying = 0;
        for (int i = 0, n; i < count; i += n) {
            n = Math.min(run(pages, i, count), WINDOW);
            long got = Posix.pread(
                    pagemap, entries.asSlice(0, (long) n * Long.BYTES), (process.address(pages[i]) >> 12) * Long.BYTES);
            for (int k = 0; k < n; k++) {
                boolean isOut =
                        got >= (k + 1L) * Long.BYTES && (entries.getAtIndex(LONG, k) & (PRESENT | SWAPPED)) == SWAPPED;
                if (isOut) {
                    process.states.setAside(pages[i + k]);
                } else {
                    stay[staying++] = pages[i + k];
                }
            }
        }
        known += count - staying;
        store.wentOut(count - staying);
        store.stayed(staying);
        return staying;
    }

    private static int run(int[] pages, int i, int count) {
        int n = 1;
        while (i + n < count && pages[i + n] == pages[i] + n) {
            n++;
        }
        return n;
    }

    /** Finds pages that have come back, if it is time to. */
    void look() {
        long now = System.nanoTime();
        if (known == 0 || now - nextLook < 0) {
            return;
        }
        int[] back = new int[WINDOW];
        for (int windows = 0; windows < MOST_WINDOWS; windows++) {
            int page = process.states.nextAside(cursor);
            if (page < 0) {
                endOfRound(now);
                return;
            }
            int first = page - page % WINDOW;
            int n = Math.min(WINDOW, process.pages - first);
            long got = Posix.pread(
                    pagemap, entries.asSlice(0, (long) n * Long.BYTES), (process.address(first) >> 12) * Long.BYTES);
            int count = 0;
            for (; page >= 0 && page < first + n; page = process.states.nextAside(page + 1)) {
                boolean isKnown = got >= (page - first + 1L) * Long.BYTES;
                if (isKnown && (entries.getAtIndex(LONG, page - first) & PRESENT) != 0) {
                    process.states.set(page, PageStates.memory());
                    process.counters.fault(page, process.mechanism.boundPages());
                    back[count++] = page;
                }
            }
            foundInRound += count;
            process.tell(Cause.FETCHED, back, count);
            cursor = first + n;
        }
    }

    private void endOfRound(long now) {
        // Those that were freed meanwhile have no word any more, and have come back too.
        int left = process.states.aside();
        store.cameBack(known - left);
        known = left;
        pauseMillis = foundInRound * 64 > left ? LEAST_PAUSE_MILLIS : Math.min(2 * pauseMillis, MOST_PAUSE_MILLIS);
        nextLook = now + pauseMillis * 1_000_000L;
        foundInRound = 0;
        cursor = 0;
    }

    @Override
    public void close() {
        Posix.close(pidfd);
        Posix.close(pagemap);
    }
}
