package upa.pager.live;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntSupplier;
import upa.pager.place.PlaceWord;
import upa.pager.posix.Linux;
import upa.pager.posix.Posix;
import upa.pager.store.PageIo;

/**
 * A forked child that has pages outside of memory: those that its parent had there when it was forked. It gets each
 * when it touches it, from the slot of the parent, which is kept for it; nothing of it ever leaves memory. When it has
 * all, it is left to the kernel. Belongs to the session's thread of the parent.
 *
 * <p>Its words lie in a file in memory that the parent keeps, with its userfaultfd: behind a page into which the kernel
 * writes what it tells of the child.
 */
final class ForkedChild {
    private static final long WORDS_OFFSET = PageIo.PAGE_BYTES;
    private static final long DEATH_NANOS = 5_000_000_000L;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;

    private final PagedProcess process;
    private final FaultServer parent;
    private final Children siblings;
    final int number;
    private final int fd;
    private final int file;
    private final MemorySegment memory;
    private final Uffd uffd;
    private final BitSet outside = new BitSet();
    private final ArrayDeque<Long> faults = new ArrayDeque<>();
    /** Pages that the child has moved, and their addresses now, until their content is there. */
    private final Map<Integer, Long> departing = new HashMap<>();

    /** Messages that a pager before has left are below this. */
    private int kept;

    private boolean gone;

    private ForkedChild(
            PagedProcess process,
            FaultServer parent,
            Children siblings,
            int number,
            int fd,
            int file,
            MemorySegment m) {
        this.process = process;
        this.parent = parent;
        this.siblings = siblings;
        this.number = number;
        this.fd = fd;
        this.file = file;
        memory = m;
        uffd = new Uffd(fd, m.asSlice(0, (long) Uffd.MOST_MESSAGES * Uffd.MESSAGE_BYTES));
    }

    private static long fileBytes(PagedProcess process) {
        return WORDS_OFFSET + (long) process.pages * Long.BYTES;
    }

    /** A child that has just been forked; null if there is no memory for it. */
    static ForkedChild forked(PagedProcess process, FaultServer parent, Children siblings, int number, int fd) {
        int file = Linux.memfd("upa-child", fileBytes(process));
        ForkedChild child = file < 0 ? null : kept(process, parent, siblings, number, fd, file);
        if (child == null && file >= 0) {
            Posix.close(file);
        }
        return child;
    }

    /** One that a pager before has left; null if there is no memory for it. */
    static ForkedChild kept(PagedProcess process, FaultServer parent, Children siblings, int number, int fd, int file) {
        MemorySegment memory = Linux.map(file, fileBytes(process));
        return memory == null ? null : new ForkedChild(process, parent, siblings, number, fd, file, memory);
    }

    int fd() {
        return fd;
    }

    int file() {
        return file;
    }

    /** Whether it needs nobody any more. */
    boolean isOver() {
        return gone || outside.isEmpty();
    }

    private long word(int page) {
        return outside.get(page) ? memory.get(LONG, WORDS_OFFSET + (long) page * Long.BYTES) : 0;
    }

    private void word(int page, long word) {
        memory.set(LONG, WORDS_OFFSET + (long) page * Long.BYTES, word);
        outside.set(page, word != 0);
    }

    /** Whether it still needs what is there. */
    boolean holds(int page, long word) {
        return word(page) == word;
    }

    /**
     * Takes what is outside of memory.
     *
     * @param of the child whose child this is, or null if it is that of the process
     */
    void inherit(ForkedChild of) {
        if (of == null) {
            inheritOfProcess();
            return;
        }
        for (int page = of.outside.nextSetBit(0); page >= 0; page = of.outside.nextSetBit(page + 1)) {
            long word = of.word(page);
            Long address = of.departing.get(page);
            if (address == null) {
                word(page, word);
            } else {
                // Moved, and not there yet. No word says where it is to be: so the child has it before it runs.
                insist(() -> parent.put(uffd, address, word));
            }
        }
    }

    /** What is lost, or on its way to a store, it gets at once. */
    private void inheritOfProcess() {
        PageStates states = process.states;
        for (int page = states.nextKnown(0); page >= 0; page = states.nextKnown(page + 1)) {
            long word = states.get(page);
            boolean moving = StoreChain.isStored(word) && PlaceWord.claim(word) == PlaceWord.MOVING;
            if (word == PageStates.LOST || PlaceWord.place(word) == PlaceWord.STAGING || moving) {
                word(page, word);
                // The mover of the parent frees the slot.
                bring(page, moving);
            } else if (PageStates.isOutside(word)) {
                word(page, PlaceWord.claimed(word, PlaceWord.FREE));
            }
        }
    }

    /**
     * Its userfaultfd is another than that by which its pages were registered as it was forked.
     *
     * @param of whose child it is, or null
     */
    void register(ForkedChild of) {
        register(process.hello.known(), PageIo.PAGE_BYTES);
        register(of, 0, process.pages);
    }

    private void register(ForkedChild of, int first, int count) {
        int next = of == null ? process.states.nextKnown(first) : of.outside.nextSetBit(first);
        // Of several mappings the kernel refuses all if it refuses one.
        if (next >= first
                && next < first + count
                && register(process.address(first), (long) count * PageIo.PAGE_BYTES) < 0
                && count > 1) {
            register(of, first, count / 2);
            register(of, first + count / 2, count - count / 2);
        }
    }

    private int register(long address, long bytes) {
        long since = System.nanoTime();
        int result;
        // That of the pager before is closed as its process ends.
        while ((result = uffd.register(address, bytes)) == -Linux.EBUSY && System.nanoTime() - since < DEATH_NANOS) {
            Thread.yield();
        }
        if (result == -Linux.EBUSY) {
            throw new IllegalStateException("a child that was forked has another pager");
        }
        return result;
    }

    /** Whether its memory is no more. */
    boolean hasEnded() {
        gone |= uffd.copy(process.hello.known(), process.onesPage) == -Linux.ESRCH;
        return gone;
    }

    /** Tells it that it will get what it inherits, now that another pager would know of it too. */
    void assure() {
        insist(() -> uffd.copy(process.hello.known(), process.onesPage));
    }

    private void insist(IntSupplier put) {
        int result;
        while (Uffd.refusesForNow(result = put.getAsInt()) && !gone) {
            read(0);
        }
        gone |= result == -Linux.ESRCH;
    }

    /** Finds its words again, and tells the stores of them. */
    void adopt() {
        long[] one = new long[1];
        long end = fileBytes(process);
        for (long at = Linux.seek(file, WORDS_OFFSET, Linux.SEEK_DATA); at >= 0 && at < end; ) {
            long hole = Math.min(Linux.seek(file, at, Linux.SEEK_HOLE), end);
            for (; at < hole; at += Long.BYTES) {
                one[0] = memory.get(LONG, at);
                if (one[0] != 0) {
                    outside.set((int) ((at - WORDS_OFFSET) / Long.BYTES));
                    process.stores().adopt(one, 1);
                }
            }
            at = at < end ? Linux.seek(file, at, Linux.SEEK_DATA) : -1;
        }
    }

    /** What a pager before has read and not heeded. Its faults are told again to those that wait. */
    void heedKept() throws Client.GoneException {
        boolean forked = false;
        for (int i = 0; i < Uffd.MOST_MESSAGES; i++) {
            kept = uffd.event(i) == 0 ? kept : i + 1;
        }
        for (int i = 0; i < kept; i++) {
            int event = uffd.event(i);
            if (event == Uffd.EVENT_FORK) {
                siblings.bear(this, true);
                forked = true;
            } else if (event != 0 && event != Uffd.EVENT_FAULT) {
                heed(i);
            }
            heeded(i);
        }
        kept = 0;
        if (!forked) {
            siblings.bear(this, false);
        }
        uffd.wakeAll();
    }

    private void heeded(int i) {
        memory.set(ValueLayout.JAVA_BYTE, (long) i * Uffd.MESSAGE_BYTES, (byte) 0);
    }

    /** Does what the kernel tells of it. */
    void serve() {
        read(0);
        for (int n = faults.size(); n > 0 && !gone; n--) {
            long address = faults.poll();
            int page = process.page(address);
            if (page >= 0 && outside.get(page)) {
                bring(page);
            } else {
                // Where the parent kept a copy, it may be there and protected.
                int result = uffd.copy(address, process.zeroPage);
                result = result == -Linux.EEXIST ? uffd.unprotect(address, PageIo.PAGE_BYTES) : result;
                if (result == -Linux.EAGAIN) {
                    faults.add(address);
                } else if (result < 0) {
                    uffd.wake(address);
                }
            }
        }
    }

    /** The kernel refuses a page while there is something to read: so what is heeded may have more heeded before. */
    private void read(int depth) {
        while (uffd.read(depth) > 0) {
            if (uffd.event(depth) == Uffd.EVENT_FORK) {
                siblings.forked(uffd.number(depth), this);
            } else {
                heed(depth);
            }
            heeded(depth);
        }
    }

    private void heed(int i) {
        switch (uffd.event(i)) {
            case Uffd.EVENT_FAULT -> faults.add(uffd.argument(i, 1) & -PageIo.PAGE_BYTES);
            case Uffd.EVENT_REMOVE, Uffd.EVENT_UNMAP -> drop(uffd.argument(i, 0), uffd.argument(i, 1));
            case Uffd.EVENT_REMAP -> move(i, uffd.argument(i, 0), uffd.argument(i, 1), uffd.argument(i, 2));
            default -> process.log("an event of a child that makes no sense: event=" + uffd.event(i));
        }
    }

    private void drop(long start, long end) {
        for (Map.Entry<Integer, Long> moved : List.copyOf(departing.entrySet())) {
            if (moved.getValue() >= start && moved.getValue() < end) {
                departing.remove(moved.getKey());
                release(moved.getKey());
            }
        }
        for (int page = next(start); page >= 0 && process.address(page) < end; page = outside.nextSetBit(page + 1)) {
            if (!departing.containsKey(page)) {
                release(page);
            }
        }
    }

    /** The first page from an address on that is outside of memory. */
    private int next(long address) {
        long first = Math.max(0, address - process.hello.base() + PageIo.PAGE_BYTES - 1) / PageIo.PAGE_BYTES;
        return first >= process.pages ? -1 : outside.nextSetBit((int) first);
    }

    private void move(int depth, long from, long to, long bytes) {
        departing.replaceAll((page, at) -> at >= from && at < from + bytes ? (Long) (at - from + to) : at);
        List<Integer> pages = new ArrayList<>();
        for (int page = next(from);
                page >= 0 && process.address(page) < from + bytes;
                page = outside.nextSetBit(page + 1)) {
            if (!departing.containsKey(page)) {
                departing.put(page, process.address(page) - from + to);
                pages.add(page);
            }
        }
        for (int page : pages) {
            while (departing.containsKey(page) && !gone) {
                int result = parent.put(uffd, departing.get(page), word(page));
                if (Uffd.refusesForNow(result)) {
                    read(Math.min(Math.max(depth + 1, kept), Uffd.MOST_MESSAGES - 1));
                } else {
                    gone |= result == -Linux.ESRCH;
                    departing.remove(page);
                    release(page);
                }
            }
        }
    }

    /** Gives it a page that its parent or it needs elsewhere. */
    void bring(int page) {
        if (outside.get(page)) {
            bring(page, false);
        }
    }

    private void bring(int page, boolean slotIsOthers) {
        long address = process.address(page);
        int result = 0;
        while (outside.get(page) && !gone) {
            result = parent.put(uffd, address, word(page));
            if (!Uffd.refusesForNow(result)) {
                break;
            }
            read(0);
        }
        gone |= result == -Linux.ESRCH;
        if (slotIsOthers) {
            word(page, 0);
        } else if (outside.get(page)) {
            release(page);
        }
        if (result < 0 && (result != -Linux.EEXIST || uffd.unprotect(address, PageIo.PAGE_BYTES) < 0)) {
            uffd.wake(address);
        }
    }

    /** It does not need the page any more: its slot is free if nobody else does. */
    private void release(int page) {
        long word = word(page);
        word(page, 0);
        if (PlaceWord.claimed(process.states.get(page), PlaceWord.FREE) != word) {
            process.release(page, word);
        }
    }

    /** Gives it all that it has outside of memory. */
    void fill() {
        for (int page = outside.nextSetBit(0); page >= 0 && !gone; page = outside.nextSetBit(page + 1)) {
            bring(page);
        }
    }

    /** Leaves it to the kernel. */
    void close() {
        for (int page = outside.nextSetBit(0); page >= 0; page = outside.nextSetBit(page + 1)) {
            release(page);
        }
        uffd.close();
        Posix.close(file);
        Linux.unmap(memory);
    }
}
