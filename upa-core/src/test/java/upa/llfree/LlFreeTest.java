package upa.llfree;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static upa.llfree.LlFreeDescriptor.ABI_OFFSET;
import static upa.llfree.LlFreeDescriptor.BITMAP_OFFSET;
import static upa.llfree.LlFreeDescriptor.CHILD_OFFSET;
import static upa.llfree.LlFreeDescriptor.GROUP_OFFSET;
import static upa.llfree.LlFreeDescriptor.MAGIC_OFFSET;
import static upa.llfree.LlFreeDescriptor.PAGES_OFFSET;
import static upa.llfree.LlFreeDescriptor.SLOTS_OFFSET;
import static upa.llfree.LlFreeDescriptor.SLOT_OFFSET;
import static upa.llfree.LlFreeDescriptor.STATE_BYTES_OFFSET;
import static upa.llfree.LlFreeDescriptor.TREE_OFFSET;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** What is the Java allocator's own: its messages, what it refuses to attach to, its pairs of questions. */
class LlFreeTest {
    private static final long PAGES = 20_000;
    private static final int SLOTS = 2;

    private final MemorySegment state = Arena.ofAuto().allocate(LlFree.stateSize(PAGES, SLOTS), 64);
    private final LlFree allocator = LlFree.create(state, PAGES, SLOTS);

    private static void refused(String message, Executable misuse) {
        assertEquals(
                message, assertThrows(IllegalArgumentException.class, misuse).getMessage());
    }

    private void refusedUnchanged(String message, Executable misuse) {
        byte[] before = state.toArray(ValueLayout.JAVA_BYTE);
        refused(message, misuse);
        assertEquals(-1, state.mismatch(MemorySegment.ofArray(before)), message);
    }

    @Test
    void sizesOutOfRange() {
        refused("out of range: pages=0 (1..34359738368) slots=1 (1..4096)", () -> LlFree.stateSize(0, 1));
        refused("out of range: pages=-1 (1..34359738368) slots=1 (1..4096)", () -> LlFree.stateSize(-1, 1));
        refused(
                "out of range: pages=34359738369 (1..34359738368) slots=1 (1..4096)",
                () -> LlFree.stateSize(LlFreeDescriptor.MAX_PAGES + 1, 1));
        refused("out of range: pages=1 (1..34359738368) slots=0 (1..4096)", () -> LlFree.stateSize(1, 0));
        refused("out of range: pages=1 (1..34359738368) slots=4097 (1..4096)", () -> LlFree.create(state, 1, 4097));
    }

    @Test
    void segmentsUnfit() {
        refused(
                "segment must be native and writable: native=false readOnly=false",
                () -> LlFree.create(MemorySegment.ofArray(new long[1 << 16]), PAGES, SLOTS));
        refused(
                "segment must be native and writable: native=true readOnly=true",
                () -> LlFree.attach(state.asReadOnly()));
        refused(
                String.format("segment misaligned: address=%#x must be a multiple of 64", state.address() + 8),
                () -> LlFree.attach(state.asSlice(8)));
        refused(
                "segment too small: expected state_bytes=" + state.byteSize() + " found byteSize="
                        + (state.byteSize() - 1) + " for pages=20000 slots=2",
                () -> LlFree.create(state.asSlice(0, state.byteSize() - 1), PAGES, SLOTS));
        MemorySegment closed;
        try (Arena arena = Arena.ofConfined()) {
            closed = arena.allocate(state.byteSize(), 64);
        }
        assertThrows(IllegalStateException.class, () -> LlFree.create(closed, PAGES, SLOTS));
    }

    @Test
    void attachSaysWhatItExpected() {
        allocator.get(0, 0, 0);
        LlFree other = LlFree.attach(state);
        assertEquals(PAGES, other.pages());
        assertEquals(SLOTS, other.slots());
        assertSame(state, other.segment());
        assertEquals(1, other.get(0, 0, 0));

        refused(
                "truncated: expected header_bytes=4096 found byteSize=4032",
                () -> LlFree.attach(state.asSlice(0, 4032)));
        refused(
                "truncated: expected state_bytes=" + state.byteSize() + " found byteSize=" + (state.byteSize() - 64),
                () -> LlFree.attach(state.asSlice(0, state.byteSize() - 64)));
        refusedWith(CHILD_OFFSET, 4096L, "another layout: expected child_offset=4352 found child_offset=4096");
        refusedWith(PAGES_OFFSET, 0L, "out of range: pages=0 (1..34359738368) slots=2 (1..4096)");
        refusedWith(PAGES_OFFSET, -1L, "out of range: pages=-1 (1..34359738368) slots=2 (1..4096)");
        refusedWith(PAGES_OFFSET, 40_000L, "another layout: expected bitmap_offset=4672 found bitmap_offset=4544");
        refusedWith(SLOT_OFFSET, 4160L, "another layout: expected slot_offset=4096 found slot_offset=4160");
        refusedWith(GROUP_OFFSET, 0L, "another layout: expected group_offset=4224 found group_offset=0");
        refusedWith(TREE_OFFSET, 1L, "another layout: expected tree_offset=4288 found tree_offset=1");
        refusedWith(BITMAP_OFFSET, 4543L, "another layout: expected bitmap_offset=4544 found bitmap_offset=4543");
        refusedWith(
                STATE_BYTES_OFFSET,
                1L,
                "another layout: expected state_bytes=" + state.byteSize() + " found state_bytes=1");
        refusedWith(SLOTS_OFFSET, 7, "another layout: expected group_offset=4544 found group_offset=4224");
        refusedWith(SLOTS_OFFSET, -7, "out of range: pages=20000 (1..34359738368) slots=-7 (1..4096)");
        refusedWith(ABI_OFFSET, 1, "another layout: expected abi=3 found abi=1");
        refusedWith(
                MAGIC_OFFSET, 0x1234L, "not an allocation state: expected magic=0x31454552465055 found magic=0x1234");
        assertEquals(2, LlFree.attach(state).get(0, 0, 0));
    }

    private void refusedWith(int offset, long value, String message) {
        long before = state.get(ValueLayout.JAVA_LONG, offset);
        state.set(ValueLayout.JAVA_LONG, offset, value);
        refused(message, () -> LlFree.attach(state));
        state.set(ValueLayout.JAVA_LONG, offset, before);
    }

    private void refusedWith(int offset, int value, String message) {
        int before = state.get(ValueLayout.JAVA_INT, offset);
        state.set(ValueLayout.JAVA_INT, offset, value);
        refused(message, () -> LlFree.attach(state));
        state.set(ValueLayout.JAVA_INT, offset, before);
    }

    @Test
    void misuseSaysWhatAndChangesNothing() {
        assertEquals(0, allocator.getRun(0, 100, 0));
        refusedUnchanged("out of range: order=-1 (0..9)", () -> allocator.get(0, -1, 0));
        refusedUnchanged("out of range: order=10 (0..9)", () -> allocator.get(0, 10, 0));
        refusedUnchanged(
                "unknown flags: flags=16 (of GET_ZEROS=1, GET_ABSENT=2, GET_CONTENTS=4 and GET_ALIGNED=8)",
                () -> allocator.get(0, 0, 16));
        refusedUnchanged(
                "unknown flags: flags=-1 (of GET_ZEROS=1, GET_ABSENT=2, GET_CONTENTS=4 and GET_ALIGNED=8)",
                () -> allocator.getRun(0, 1, -1));
        refusedUnchanged("out of range: pages=0 (1 or more)", () -> allocator.getRun(0, 0, 0));
        refusedUnchanged("out of range: pages=-5 (1 or more)", () -> allocator.getRun(0, -5, 0));
        refusedUnchanged("out of range: first=-1 pages=1 of 20000 managed", () -> allocator.getAt(0, -1, 1));
        refusedUnchanged("out of range: first=19999 pages=2 of 20000 managed", () -> allocator.getAt(0, 19_999, 2));
        refusedUnchanged(
                "out of range: first=1 pages=9223372036854775807 of 20000 managed",
                () -> allocator.putRun(0, 1, Long.MAX_VALUE, 0));
        refusedUnchanged(
                "unknown flags: flags=4 (0, PUT_ABSENT=1, PUT_ZEROED=2 or PUT_UNTOUCHED=3)",
                () -> allocator.putRun(0, 0, 100, 4));
        refusedUnchanged("not allocated: page=100 of first=0 pages=101", () -> allocator.putRun(0, 0, 101, 0));
        refusedUnchanged("not allocated: page=19000 of first=19000 pages=1", () -> allocator.putRun(0, 19_000, 1, 0));
        refusedUnchanged("out of range or misaligned: page=1 order=1", () -> allocator.put(0, 1, 1));
        refusedUnchanged("out of range or misaligned: page=0 order=10", () -> allocator.put(0, 0, 10));
        refusedUnchanged("out of range: first=20000 pages=1 of 20000 managed", () -> allocator.childState(20_000));
        refusedUnchanged("out of range: first=20000 pages=1 of 20000 managed", () -> allocator.resident(20_000));
        allocator.putRun(0, 50, 1, 0);
        refusedUnchanged("not allocated: page=50 of first=0 pages=100", () -> allocator.putRun(0, 0, 100, 0));
        allocator.validate();
    }

    @Test
    void shortageIsAValue() {
        assertEquals(LlFree.NO_MEMORY, allocator.getRun(0, PAGES + 1, 0));
        assertEquals(0, allocator.getRun(0, PAGES, 0));
        assertEquals(LlFree.NO_MEMORY, allocator.get(0, 0, 0));
        assertEquals(LlFree.BUSY, allocator.getAt(0, 5, 1));
        assertEquals(LlFree.NONE, allocator.next(0, PAGES, true));
        assertEquals(2, allocator.stats().failures());
    }

    @Test
    void pagesAndTheirLengths() {
        assertEquals(0, allocator.getRun(0, 300, 0));
        allocator.putRun(0, 10, 20, 0);
        assertEquals(10, allocator.next(0, PAGES, true));
        assertEquals(20, allocator.length(10, PAGES - 10, true));
        assertEquals(5, allocator.length(10, 5, true));
        assertEquals(0, allocator.length(10, 5, false));
        assertEquals(LlFree.NONE, allocator.next(300, 700, false));
        assertEquals(LlFree.HOLDS_STALE, allocator.getAt(0, 10, 20));
        assertEquals(10, allocator.nextStale(0, 300));
        assertEquals(20, allocator.staleLength(10, 290));
        assertEquals(0, allocator.staleLength(30, 270));
        assertEquals(LlFree.NONE, allocator.nextStale(30, 270));
    }

    @Test
    void statesAndTheirLengths() {
        int absent = 1 << LlFree.ABSENT;
        int stale = 1 << LlFree.STALE;
        assertEquals(0, allocator.getRun(0, 1024, 0));
        allocator.putRun(0, 512, 512, 0);
        assertEquals(0, allocator.nextState(0, PAGES, absent));
        assertEquals(512, allocator.stateLength(0, PAGES, absent));
        assertEquals(512, allocator.nextState(0, PAGES, stale));
        assertEquals(512, allocator.stateLength(512, PAGES - 512, stale));
        assertEquals(100, allocator.stateLength(512, 100, stale));
        assertEquals(0, allocator.stateLength(512, 100, absent));
        assertEquals(PAGES, allocator.stateLength(0, PAGES, absent | stale));
        assertEquals(LlFree.NONE, allocator.nextState(0, PAGES, 1 << LlFree.ZEROED | 1 << LlFree.MIXED));
        refusedUnchanged("unknown states: states=16 (0..15)", () -> allocator.nextState(0, 1, 16));
        refusedUnchanged("unknown states: states=-1 (0..15)", () -> allocator.stateLength(0, 1, -1));
        refusedUnchanged("out of range: first=0 pages=0 of 20000 managed", () -> allocator.nextState(0, 0, absent));
    }

    @Test
    void validateFindsFaults() {
        allocator.get(0, 0, 0);
        allocator.drain();
        allocator.validate();
        long child = state.get(ValueLayout.JAVA_LONG, CHILD_OFFSET);
        int word = state.get(ValueLayout.JAVA_INT, child);
        state.set(ValueLayout.JAVA_INT, child, word + 1);
        assertEquals(
                "child=0 word=0x2 bits_that_are_1=1",
                assertThrows(IllegalStateException.class, allocator::validate).getMessage());
        assertEquals(1, allocator.recover());
        allocator.validate();
    }

    @Test
    void anySlotNumberWillDo() {
        for (int slot : new int[] {0, 1, 2, 1000, -1, Integer.MIN_VALUE, Integer.MAX_VALUE}) {
            long page = allocator.get(slot, 0, 0);
            assertTrue(page >= 0, "slot=" + slot);
            allocator.put(slot, page, 0);
        }
        allocator.validate();
        assertFalse(allocator.tainted(0, PAGES));
    }
}
