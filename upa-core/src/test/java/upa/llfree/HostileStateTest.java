package upa.llfree;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static upa.llfree.LlFreeDescriptor.CHILD_PAGES;
import static upa.llfree.LlFreeDescriptor.CHILD_STATE_SHIFT;
import static upa.llfree.LlFreeDescriptor.HEADER_BYTES;
import static upa.llfree.LlFreeDescriptor.LINE_BYTES;
import static upa.llfree.LlFreeDescriptor.ROWS;
import static upa.llfree.LlFreeDescriptor.ROW_BITS;
import static upa.llfree.LlFreeDescriptor.SLOT_RUN_HINT;
import static upa.llfree.LlFreeDescriptor.TREE_CHILDREN;
import static upa.llfree.LlFreeDescriptor.TREE_OPEN;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.SplittableRandom;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Somebody else overwrites words of the state between the calls. Whatever they hold, no method may write outside the
 * state, return pages that do not exist, throw what it does not promise, or fail to return.
 * upa-mmap-shim/tests/llfree/llfree_fuzz.c does the same to the C twin.
 */
class HostileStateTest {
    private static final int STATES = 1000 * LlFreeContract.EFFORT;
    private static final int CALLS = 250;
    private static final int GUARD_BYTES = 4096;

    private final SplittableRandom random = new SplittableRandom(1);
    private MemorySegment state;
    private LlFree allocator;

    @ParameterizedTest
    @ValueSource(longs = {1, 700, 8_192, 9_000, 20_000, 150_000})
    void whatIsReturnedExists(long most) {
        assertTimeoutPreemptively(Duration.ofMinutes(5), () -> {
            for (int i = 0; i < STATES; i++) {
                useDamaged(1 + random.nextLong(most), 1 + random.nextInt(5));
            }
        });
    }

    private void useDamaged(long pages, int slots) {
        long bytes = LlFree.stateSize(pages, slots);
        try (Arena arena = Arena.ofShared()) {
            MemorySegment around = arena.allocate(bytes + 2 * GUARD_BYTES, LINE_BYTES);
            around.fill((byte) 0x5a);
            state = around.asSlice(GUARD_BYTES, bytes).fill((byte) 0);
            allocator = LlFree.create(state, pages, slots);
            for (int i = 0; i < CALLS; i++) {
                try {
                    call();
                } catch (IllegalArgumentException | IllegalStateException e) {
                    assertTrue(e.getMessage().contains("="), e.getMessage());
                }
            }
            assertGuard(around.asSlice(0, GUARD_BYTES));
            assertGuard(around.asSlice(GUARD_BYTES + bytes));
        }
    }

    private static void assertGuard(MemorySegment guard) {
        for (byte b : guard.toArray(ValueLayout.JAVA_BYTE)) {
            assertEquals(0x5a, b);
        }
    }

    /** Of what a get has returned, with {@link LlFree#GET_CONTENTS} or without it. */
    private void assertExists(long result, long n) {
        long page = result < 0 ? result : LlFree.pageOf(result);
        String what = "page=" + page + " n=" + n + " pages=" + allocator.pages();
        assertTrue(page == LlFree.NO_MEMORY || page >= 0 && n <= allocator.pages() - page, what);
    }

    private static void assertWithin(long first, long n, long page, long length) {
        String what = "first=" + first + " n=" + n + " page=" + page + " length=" + length;
        assertTrue(page == LlFree.NONE || page >= first && length >= 0 && length <= first + n - page, what);
    }

    private void call() {
        int slot = random.nextInt();
        long first = random.nextLong(allocator.pages());
        long n = 1 + (random.nextLong(allocator.pages() - first) >> random.nextInt(16));
        int order = random.nextInt(LlFreeDescriptor.MAX_ORDER + 1);
        switch (random.nextInt(16)) {
            case 0 -> assertExists(allocator.get(slot, order, random.nextInt(16)), 1L << order);
            case 1, 2 -> assertExists(allocator.getRun(slot, n, random.nextInt(16)), n);
            case 3 -> allocator.getAt(slot, first, n);
            case 4, 5, 6 -> allocator.putRun(slot, first, n, random.nextInt(4));
            case 7 -> {
                long page = allocator.next(first, n, true);
                assertWithin(first, n, page, page < 0 ? 0 : allocator.length(page, first + n - page, true));
                page = allocator.nextStale(first, n);
                assertWithin(first, n, page, page < 0 ? 0 : allocator.staleLength(page, first + n - page));
                page = allocator.nextState(first, n, 5);
                assertWithin(first, n, page, page < 0 ? 0 : allocator.stateLength(page, first + n - page, 5));
            }
            case 8 -> {
                allocator.taint(first, n);
                allocator.tainted(first, n);
                allocator.setStale(first, n);
                allocator.setResident(first, n);
                allocator.setLazy(first, n);
                allocator.contents(first, n);
            }
            case 9 -> allocator.drain();
            case 10 -> {
                allocator.stats();
                allocator.validate();
            }
            case 11 -> allocator.recover();
            case 12 -> {
                freeTheEnd(slot);
                int some = 1 + random.nextInt(3 * CHILD_PAGES);
                assertExists(allocator.getRun(slot, some, random.nextInt(16)), some);
            }
            default -> overwrite();
        }
    }

    /** A word anywhere behind the header; free or full are the counts that lead furthest. */
    private void overwrite() {
        long value = random.nextLong();
        if (random.nextBoolean()) {
            value = value & ~0x3ffL | (random.nextBoolean() ? CHILD_PAGES : 0);
        }
        switch (random.nextInt(3)) {
            case 0 -> setInt(allocator.childAt(random.nextLong(allocator.trees * TREE_CHILDREN)), (int) value);
            case 1 -> setInt(allocator.treeAt(random.nextLong(allocator.trees)), (int) value);
            default -> {
                long words = (state.byteSize() - HEADER_BYTES) / Long.BYTES;
                setLong(allocator.header + HEADER_BYTES + random.nextLong(words) * Long.BYTES, value);
            }
        }
    }

    private void setInt(long address, int value) {
        state.set(ValueLayout.JAVA_INT, address - allocator.header, value);
    }

    private void setLong(long address, long value) {
        state.set(ValueLayout.JAVA_LONG, address - allocator.header, value);
    }

    /**
     * Lets the pages that the last child lacks look free in its bits, its word and the tree's: only the number of pages
     * says otherwise. One row of the child may be in use, and a slot has taken its last run about there.
     */
    private void freeTheEnd(int slot) {
        long last = allocator.children - 1;
        long free = random.nextBoolean() ? ~0L : 0; // by the polarity of the tree
        int usedRow = random.nextInt(16);
        int ones = free != 0 ? CHILD_PAGES : 0;
        for (int i = 0; i < ROWS; i++) {
            setLong(allocator.bitmapAt(last) + (long) i * Long.BYTES, i == usedRow ? ~free : free);
            ones += i == usedRow ? ROW_BITS * (free != 0 ? -1 : 1) : 0;
        }
        setInt(allocator.childAt(last), ones | random.nextInt(4) << CHILD_STATE_SHIFT);
        setInt(allocator.treeAt(last / TREE_CHILDREN), TREE_OPEN | random.nextInt(256));
        long child = random.nextInt(8) == 0 ? random.nextLong() : last + random.nextInt(4) - 2;
        setLong(allocator.slotAt(slot) + SLOT_RUN_HINT, child * CHILD_PAGES);
    }
}
