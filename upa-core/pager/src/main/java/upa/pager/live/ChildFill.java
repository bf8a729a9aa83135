package upa.pager.live;

import java.lang.foreign.MemorySegment;
import java.util.BitSet;
import java.util.HashMap;
import java.util.Map;
import upa.pager.posix.Linux;

/**
 * Gives a forked child what was outside of memory when it was forked. It runs already; what it drops or moves meanwhile
 * is seen by its events. Afterwards its userfaultfd is closed, and its memory is the kernel's alone.
 */
final class ChildFill {
    private static final int PAGE_SHIFT = 12;

    /** Finds the content of a page outside of memory. */
    interface Loader {
        /** {@return the content, or null if it is lost} */
        MemorySegment load(long word);
    }

    private final Uffd child;
    private final long base;
    private final int pages;
    private final PageStates states;
    private final Loader loader;
    private final BitSet dropped = new BitSet();
    /** Pages that the child has moved, by number. */
    private final Map<Integer, Long> moved = new HashMap<>();

    ChildFill(Uffd child, long base, int pages, PageStates states, Loader loader) {
        this.child = child;
        this.base = base;
        this.pages = pages;
        this.states = states;
        this.loader = loader;
    }

    void fill() {
        for (int page = states.nextOutside(0); page >= 0; page = states.nextOutside(page + 1)) {
            MemorySegment content = loader.load(states.get(page));
            int result;
            do {
                if (dropped.get(page)) {
                    break;
                }
                long address = moved.getOrDefault(page, base + ((long) page << PAGE_SHIFT));
                result = content == null ? child.poison(address) : child.copy(address, content);
                if (result == -Linux.EAGAIN) {
                    readEvents();
                }
            } while (result == -Linux.EAGAIN);
        }
    }

    private void readEvents() {
        int n;
        while ((n = child.read()) > 0) {
            for (int i = 0; i < n; i++) {
                switch (child.event(i)) {
                    case Uffd.EVENT_REMOVE, Uffd.EVENT_UNMAP -> drop(child.argument(i, 0), child.argument(i, 1));
                    case Uffd.EVENT_REMAP -> move(child.argument(i, 0), child.argument(i, 1), child.argument(i, 2));
                    // A child of the child has what is there by now; the rest it gets when it is forked again. Closing
                    // would let it read zeros, so it is filled first, as of now.
                    case Uffd.EVENT_FORK -> {
                        try (Uffd grandchild = new Uffd(child.number(i))) {
                            ChildFill next = new ChildFill(grandchild, base, pages, states, loader);
                            next.dropped.or(dropped);
                            next.moved.putAll(moved);
                            next.fill();
                        }
                    }
                    default -> {
                        // A fault: it ends when the page comes, or with the descriptor.
                    }
                }
            }
        }
    }

    private void drop(long start, long end) {
        for (int page = 0; page < pages; page++) {
            long address = moved.getOrDefault(page, base + ((long) page << PAGE_SHIFT));
            if (address >= start && address < end) {
                dropped.set(page);
            }
        }
    }

    private void move(long from, long to, long bytes) {
        for (int page = 0; page < pages; page++) {
            long address = moved.getOrDefault(page, base + ((long) page << PAGE_SHIFT));
            if (address >= from && address < from + bytes) {
                moved.put(page, to + address - from);
            }
        }
    }
}
