package upa.pager.live;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.Set;
import upa.pager.device.AwayWord;
import upa.pager.device.FramePool;
import upa.pager.device.PagedRegion;
import upa.pager.device.Transfers;
import upa.pager.posix.Linux;
import upa.pager.posix.Posix;
import upa.pager.store.PageIo;

/**
 * A region as the module and its owner have it, in this process: entries, frames, accessed and dirty bits, and threads
 * that wait. A pager can be killed in it: at a call of its choice nothing it does has an effect any more.
 */
final class FakeRegion {
    /** The pager dies here. */
    static final class KilledError extends Error {
        private static final long serialVersionUID = 1;

        KilledError() {
            super("killed");
        }
    }

    private static final int EAGAIN = -11;
    private static final int EDQUOT = -122;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;

    final int pages;
    final int frames;
    private final MemorySegment memory;
    private final FramePool pool;
    private final PagedRegion.Shared shared;
    private final int[] words;
    private final boolean[] installed;
    private final boolean[] accessed;
    private final boolean[] dirty;
    private final int[] descriptors = new int[PagedRegion.MOST_STORES];
    private final int event = Linux.eventfd();
    private final MemorySegment eight = Arena.ofAuto().allocate(Long.BYTES, Long.BYTES);
    private final Set<Integer> waiting = new LinkedHashSet<>();
    private final ArrayDeque<Integer> untold = new ArrayDeque<>();
    private long unmaps;
    private Admitted admitted;
    private boolean over;
    private int bound;
    private int faults;
    private int awaits;

    FakeRegion(int pages, int frames) {
        this.pages = pages;
        this.frames = frames;
        memory = Arena.ofAuto().allocate((long) frames * PageIo.PAGE_BYTES, PageIo.PAGE_BYTES);
        Arena arena = Arena.ofAuto();
        pool = new FramePool(
                arena.allocate(FramePool.bytes(frames), Long.BYTES), arena.allocate(Long.BYTES, Long.BYTES), frames);
        shared = new PagedRegion.Shared(
                pages, frames, pool, arena.allocate(LONG, pages), arena.allocate(4096, Long.BYTES));
        words = new int[pages];
        installed = new boolean[pages];
        accessed = new boolean[pages];
        dirty = new boolean[pages];
        Arrays.fill(descriptors, -1);
        bound = frames;
    }

    // ---- the owner ------------------------------------------------------------------------------------

    synchronized void map(int page) {
        if (words[page] != 0) {
            throw new AssertionError("mapped twice: page=" + page);
        }
        words[page] = AwayWord.FRESH;
    }

    synchronized void unmap(int page) {
        int was = words[page];
        words[page] = 0;
        waiting.remove(page);
        if (AwayWord.isPresent(was)) {
            pool.free(AwayWord.frame(was));
        }
        unmaps++;
        notifyAll();
    }

    synchronized int word(int page) {
        return words[page];
    }

    /** Waits until a page is there. Null if it is nobody's, and a touch is SIGBUS. */
    private MemorySegment touch(int page, boolean write) throws InterruptedException {
        boolean counted = false;
        while (!AwayWord.isPresent(words[page])) {
            if (words[page] == 0 || over) {
                waiting.remove(page);
                return null;
            }
            if (!counted) {
                faults++;
                counted = true;
            }
            if (waiting.add(page)) {
                untold.add(page);
                Linux.write(event, eight.fill((byte) 1));
            }
            wait(1000);
        }
        installed[page] = true;
        accessed[page] = true;
        dirty[page] |= write;
        return frame(AwayWord.frame(words[page]));
    }

    private MemorySegment frame(int frame) {
        return memory.asSlice((long) frame * PageIo.PAGE_BYTES, PageIo.PAGE_BYTES);
    }

    /** The number at an index of 0 to 511 of a page; -1 for SIGBUS. */
    synchronized long read(int page, int index) throws InterruptedException {
        MemorySegment at = touch(page, false);
        return at == null ? -1 : at.getAtIndex(LONG, index);
    }

    synchronized void write(int page, long number) throws InterruptedException {
        MemorySegment at = touch(page, true);
        for (int i = 0; at != null && i < PageIo.PAGE_BYTES / Long.BYTES; i++) {
            at.setAtIndex(LONG, i, i % 7 == 0 ? number : number * i);
        }
    }

    synchronized void end() {
        over = true;
        notifyAll();
    }

    synchronized int faults() {
        return faults;
    }

    synchronized boolean isOver() {
        return over;
    }

    /** How often a pager has waited. */
    synchronized int awaits() {
        return awaits;
    }

    /** Frames that the entries name. */
    synchronized int named() {
        int count = 0;
        for (int word : words) {
            count += AwayWord.isPresent(word) || AwayWord.isLeaving(word) ? 1 : 0;
        }
        return count;
    }

    int taken() {
        return pool.taken();
    }

    /** Admits a pager, which dies at its call of this number; 0: never. What one before had in hand is free again. */
    synchronized PagedRegion admit(int diesAt) {
        boolean[] named = new boolean[frames];
        for (int word : words) {
            if (AwayWord.isPresent(word) || AwayWord.isLeaving(word)) {
                named[AwayWord.frame(word)] = true;
            }
        }
        for (int f = 0; f < frames; f++) {
            if (!named[f] && !pool.isFree(f)) {
                pool.free(f);
            } else if (named[f] && pool.isFree(f)) {
                throw new AssertionError("free and in use: frame=" + f);
            }
        }
        untold.clear();
        untold.addAll(waiting);
        admitted = new Admitted(diesAt);
        return admitted;
    }

    // ---- the module, for a pager ----------------------------------------------------------------------

    private final class Admitted implements PagedRegion {
        private int callsLeft;
        private boolean isDead;

        Admitted(int diesAt) {
            callsLeft = diesAt == 0 ? Integer.MAX_VALUE : diesAt;
        }

        private void call() {
            if (isDead || --callsLeft <= 0) {
                isDead = true;
                throw new KilledError();
            }
        }

        @Override
        public Shared shared() {
            return shared;
        }

        @Override
        public int descriptor(int store) {
            return descriptors[store] < 0 ? -1 : Posix.open("/proc/self/fd/" + descriptors[store], 2, 0);
        }

        @Override
        public void keep(int store, int fd) {
            descriptors[store] = Posix.open("/proc/self/fd/" + fd, 2, 0);
        }

        @Override
        public void ready() {}

        @Override
        public long unmaps() {
            synchronized (FakeRegion.this) {
                return unmaps;
            }
        }

        @Override
        public int word(int page) {
            return FakeRegion.this.word(page);
        }

        @Override
        public boolean change(int page, int from, int to) {
            synchronized (FakeRegion.this) {
                call();
                if (AwayWord.isPresent(from) || words[page] != from) {
                    return false;
                }
                words[page] = to;
                return true;
            }
        }

        @Override
        public int pageIn(Transfers t) {
            synchronized (FakeRegion.this) {
                call();
                for (int i = 0; i < t.count(); i++) {
                    int page = DeviceTransfers.page(t, i);
                    boolean fits = words[page] == DeviceTransfers.away(t, i);
                    if (fits && pool.taken() > bound && DeviceTransfers.buffer(t, i) != 0) {
                        DeviceTransfers.finish(t, i, EDQUOT, false);
                        continue;
                    }
                    if (fits) {
                        if (DeviceTransfers.buffer(t, i) != 0) {
                            frame(t.frameOf(i)).copyFrom(DeviceTransfers.content(t, i));
                        }
                        words[page] = AwayWord.present(t.frameOf(i));
                        waiting.remove(page);
                        installed[page] = false;
                        accessed[page] = false;
                        dirty[page] = false;
                    }
                    DeviceTransfers.finish(t, i, fits ? 0 : EAGAIN, false);
                }
                FakeRegion.this.notifyAll();
                return 0;
            }
        }

        @Override
        public int pageOut(Transfers t) {
            synchronized (FakeRegion.this) {
                call();
                for (int i = 0; i < t.count(); i++) {
                    int page = DeviceTransfers.page(t, i);
                    boolean fits = words[page] == AwayWord.present(t.frameOf(i));
                    if (fits) {
                        words[page] = DeviceTransfers.away(t, i);
                        if (DeviceTransfers.buffer(t, i) != 0) {
                            DeviceTransfers.content(t, i).copyFrom(frame(t.frameOf(i)));
                        }
                    }
                    // Of a page that nobody has touched the module does not know it.
                    DeviceTransfers.finish(t, i, fits ? 0 : EAGAIN, fits && installed[page] && !dirty[page]);
                }
                return 0;
            }
        }

        @Override
        public void dismiss(int page) {
            synchronized (FakeRegion.this) {
                FakeRegion.this.notifyAll();
            }
        }

        @Override
        public int harvest(long[] accessedBits, long[] dirtyBits) {
            synchronized (FakeRegion.this) {
                call();
                Arrays.fill(accessedBits, 0);
                Arrays.fill(dirtyBits, 0);
                for (int page = 0; page < pages; page++) {
                    boolean present = AwayWord.isPresent(words[page]);
                    accessedBits[page / 64] |= present && accessed[page] ? 1L << page % 64 : 0;
                    dirtyBits[page / 64] |= present && dirty[page] ? 1L << page % 64 : 0;
                    accessed[page] = false;
                }
                return 0;
            }
        }

        @Override
        public int bound(int most) {
            synchronized (FakeRegion.this) {
                bound = most;
                return 0;
            }
        }

        @Override
        public boolean touches(Touch touch) {
            while (true) {
                int page;
                synchronized (FakeRegion.this) {
                    if (isDead) {
                        // Who moves pages may have taken its death for a failure of that move.
                        throw new KilledError();
                    }
                    if (over || admitted != this) {
                        return false;
                    }
                    if (untold.isEmpty()) {
                        return true;
                    }
                    page = untold.poll();
                    call();
                }
                touch.touched(page, true);
            }
        }

        @Override
        public boolean hasEnded() {
            synchronized (FakeRegion.this) {
                return over || admitted != this;
            }
        }

        @Override
        public boolean isOwnerGone() {
            return over;
        }

        @Override
        public void await(int fd, int millis) {
            synchronized (FakeRegion.this) {
                awaits++;
            }
            try (Arena arena = Arena.ofConfined()) {
                Linux.poll(Linux.pollSet(arena, event, fd), millis);
                Linux.read(event, arena.allocate(Long.BYTES, Long.BYTES));
            }
        }

        @Override
        public void close() {
            synchronized (FakeRegion.this) {
                if (admitted == this) {
                    admitted = null;
                }
            }
        }
    }
}
