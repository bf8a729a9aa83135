package upa.llfree;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static upa.llfree.LlFreeDescriptor.BITMAP_OFFSET;
import static upa.llfree.LlFreeDescriptor.CHILD_OFFSET;
import static upa.llfree.LlFreeDescriptor.CHILD_PAGES;
import static upa.llfree.LlFreeDescriptor.SLOT_OFFSET;
import static upa.llfree.LlFreeDescriptor.TREE_PAGES;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What the parts of the allocator answer when the words they go by are out of date: another thread was quicker. */
class OutdatedTest {
    private static final int SLOTS = 3;

    private MemorySegment state;
    private LlFree allocator;

    @BeforeEach
    void create() {
        state = Arena.ofAuto().allocate(LlFree.stateSize(3 * TREE_PAGES, SLOTS), LlFreeDescriptor.LINE_BYTES);
        allocator = LlFree.create(state, 3 * TREE_PAGES, SLOTS);
    }

    @AfterEach
    void validate() {
        allocator.validate();
    }

    private long reservation(int slot) {
        return allocator.slotLoad(allocator.slotAt(slot));
    }

    private boolean fetch(int slot, long word, int n) {
        return Tickets.fetch(allocator, allocator.slotAt(slot), word, n);
    }

    private void assertNothingFetched(long word, int n) {
        byte[] before = state.toArray(ValueLayout.JAVA_BYTE);
        assertFalse(fetch(0, word, n));
        assertEquals(-1, MemorySegment.ofArray(before).mismatch(state), "offset of a byte that has changed");
    }

    // ---- tickets fetched from the tree of a slot -------------------------------------------------------------

    @Test
    void nothingIsFetchedFromATreeThatIsNotReservedAnyMore() {
        allocator.get(0, 0, 0);
        long word = reservation(0);
        allocator.drain();
        assertNothingFetched(word, 1);
    }

    @Test
    void nothingIsFetchedWhereThereIsNothing() {
        allocator.get(0, 0, 0);
        allocator.put(0, 0, 0);
        assertEquals(TREE_PAGES, Words.slotFree(reservation(0)));
        assertNothingFetched(reservation(0), 1);
        assertNothingFetched(reservation(0), TREE_PAGES + 1);
    }

    @Test
    void whatOthersHaveFreedIsFetchedIfItIsEnough() {
        assertEquals(0, allocator.getRun(0, 100, 0));
        allocator.putRun(1, 0, 30, 0);
        int left = TREE_PAGES - 100;
        assertEquals(left, Words.slotFree(reservation(0)));
        assertNothingFetched(reservation(0), left + 31);
        assertTrue(fetch(0, reservation(0), left + 30));
        assertEquals(left + 30, Words.slotFree(reservation(0)));
        assertNothingFetched(reservation(0), left + 31);
    }

    /** More than a tree has would go to and fro between its word and the slot's for ever. */
    @Test
    void noMoreIsFetchedThanASlotHasRoomFor() {
        assertEquals(0, allocator.getRun(0, 100, 0));
        allocator.putRun(1, 0, 30, 0);
        long full = reservation(0) + 90;
        assertTrue(fetch(0, full, 1));
        assertEquals(TREE_PAGES - 100 + 10, Words.slotFree(reservation(0)));
    }

    // ---- tickets and bits of a child -------------------------------------------------------------------------

    private int childWord(long c) {
        return state.get(ValueLayout.JAVA_INT, state.get(ValueLayout.JAVA_LONG, CHILD_OFFSET) + c * Integer.BYTES);
    }

    private void setChildWord(long c, int word) {
        state.set(ValueLayout.JAVA_INT, state.get(ValueLayout.JAVA_LONG, CHILD_OFFSET) + c * Integer.BYTES, word);
    }

    private void setRow(long c, int i, long row) {
        state.set(
                ValueLayout.JAVA_LONG,
                state.get(ValueLayout.JAVA_LONG, BITMAP_OFFSET) + c * 128 + (long) i * Long.BYTES,
                row);
    }

    @Test
    void ticketsThatFindNoPageAreGivenBack() {
        // As many free pages as can be, and no two side by side.
        assertEquals(0, allocator.getRun(0, CHILD_PAGES, 0));
        for (int page = 0; page < CHILD_PAGES; page += 2) {
            allocator.putRun(0, page, 1, 0);
        }
        int before = childWord(0);
        long flip = Words.slotFlip(reservation(0));
        assertEquals(Words.NONE, Child.get(allocator, 0, flip, 2, 1, false));
        assertFalse(Child.getPart(allocator, 0, flip, 0, 2));
        assertEquals(before, childWord(0));
        assertFalse(Child.getWhole(allocator, 0, flip));
        assertEquals(before, childWord(0));
    }

    @Test
    void pagesWithoutTicketsAreNotTaken() {
        assertEquals(0, allocator.getRun(0, 500, 0));
        long flip = Words.slotFlip(reservation(0));
        int before = childWord(0);
        // 12 pages are free, and another thread has the tickets of 9.
        setChildWord(0, before + 9);
        assertEquals(Words.NONE, Child.get(allocator, 0, flip, 4, 1, false));
        assertFalse(Child.getPart(allocator, 0, flip, 500, 504));
        assertEquals(before + 9, childWord(0));
        assertEquals(500, Child.get(allocator, 0, flip, 3, 1, false));
        assertEquals(before + 12, childWord(0));
        assertEquals(3, Child.putPart(allocator, 0, flip, 500, 503, Child.UNCHANGED));
        setChildWord(0, before);
    }

    @Test
    void aRunOfWhichAPartIsTakenAwayIsGivenBackAsAWhole() {
        assertEquals(0, allocator.getRun(0, 60, 0));
        long flip = Words.slotFlip(reservation(0));
        int before = childWord(0);
        // Page 70 is another thread's, whose tickets are taken as well.
        setChildWord(0, before + 1);
        setRow(0, 1, 1L << 6);
        assertFalse(Child.getPart(allocator, 0, flip, 60, 80));
        assertEquals(before + 1, childWord(0));
        assertTrue(Child.getPart(allocator, 0, flip, 60, 70));
        assertFalse(Child.getPart(allocator, 0, flip, 69, 70));
        assertEquals(71, Child.get(allocator, 0, flip, 12, 1, false));
        assertEquals(before + 1 + 10 + 12, childWord(0));
        assertEquals(10, Child.putPart(allocator, 0, flip, 60, 70, Child.UNCHANGED));
        assertEquals(12, Child.putPart(allocator, 0, flip, 71, 83, Child.UNCHANGED));
        setRow(0, 1, 0);
        setChildWord(0, before);
    }

    // ---- slots -----------------------------------------------------------------------------------------------

    @Test
    void anyNumberIsASlot() {
        long first = allocator.slotAt(0);
        assertEquals(first + 64, allocator.slotAt(1));
        assertEquals(first + 128, allocator.slotAt(2));
        assertEquals(first, allocator.slotAt(SLOTS));
        assertEquals(first + 64, allocator.slotAt(SLOTS + 1));
        // 2^32 - 1 is a multiple of three.
        assertEquals(first, allocator.slotAt(-1));
        assertEquals(first + 128, allocator.slotAt(Integer.MIN_VALUE));
    }

    @Test
    void aReservationOutsideTheStateIsNone() {
        allocator.get(0, 0, 0);
        long at = state.get(ValueLayout.JAVA_LONG, SLOT_OFFSET);
        long word = state.get(ValueLayout.JAVA_LONG, at);
        state.set(ValueLayout.JAVA_LONG, at, Words.withChild(word, 47));
        assertEquals(Words.withChild(word, 47), reservation(0));
        state.set(ValueLayout.JAVA_LONG, at, Words.withChild(word, 48));
        assertEquals(0, reservation(0));
        state.set(ValueLayout.JAVA_LONG, at, word);
    }
}
