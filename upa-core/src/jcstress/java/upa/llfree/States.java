package upa.llfree;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;

/**
 * Small allocator states for races, used over and over: jcstress needs a new one for every try, millions of times.
 */
final class States {
    /** Two children, of one tree. */
    static final int PAGES = 1024;

    private static final int SLOTS = 3;
    private static final long BYTES = LlFree.stateSize(PAGES, SLOTS);
    private static final long TREE_BYTES = LlFree.stateSize(LlFreeDescriptor.TREE_PAGES, SLOTS);
    private static final Queue<MemorySegment> UNUSED = new ConcurrentLinkedQueue<>();
    private static final Queue<MemorySegment> UNUSED_TREES = new ConcurrentLinkedQueue<>();

    private States() {}

    /** An allocator of whose pages only the first so many are free. */
    static LlFree take(int free) {
        MemorySegment state = UNUSED.poll();
        if (state == null) {
            state = Arena.global().allocate(BYTES, LlFreeDescriptor.LINE_BYTES);
        }
        LlFree allocator = LlFree.create(state.fill((byte) 0), PAGES, SLOTS);
        if (free < PAGES && allocator.getAt(2, free, PAGES - free) < 0) {
            throw new AssertionError("free=" + free);
        }
        return allocator;
    }

    /** An allocator of one tree, all of it free. */
    static LlFree takeTree() {
        MemorySegment state = UNUSED_TREES.poll();
        if (state == null) {
            state = Arena.global().allocate(TREE_BYTES, LlFreeDescriptor.LINE_BYTES);
        }
        return LlFree.create(state.fill((byte) 0), LlFreeDescriptor.TREE_PAGES, SLOTS);
    }

    /**
     * Ends a race: 1 if the state is valid and so many pages are free, both before and after the reservations are
     * drained, else 0. The allocator must not be used any more.
     */
    static int end(LlFree allocator, long free) {
        int fine = 1;
        for (int i = 0; i < 2; i++) {
            try {
                allocator.validate();
            } catch (IllegalStateException fault) {
                fine = 0;
            }
            if (allocator.stats().freePages() != free) {
                fine = 0;
            }
            allocator.drain();
        }
        (allocator.pages() == PAGES ? UNUSED : UNUSED_TREES).add(allocator.segment());
        return fine;
    }
}
