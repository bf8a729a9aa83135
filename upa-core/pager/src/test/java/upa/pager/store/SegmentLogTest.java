package upa.pager.store;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import org.junit.jupiter.api.Test;

/** The bookkeeping of a file, by hand: the store's contract shows it only from outside. */
class SegmentLogTest {
    private static final int NONE = SegmentLog.NONE;

    /** A log whose first segments hold so many pages each, the first of them; the last of these segments is open. */
    private static SegmentLog of(int segments, int... pages) {
        SegmentLog log = new SegmentLog(segments);
        for (int s = 0; s < pages.length; s++) {
            assertEquals(64 * s, log.allocate(64));
        }
        for (int s = 0; s < pages.length; s++) {
            for (int slot = 64 * s + pages[s]; slot < 64 * (s + 1); slot++) {
                assertEquals(NONE, log.free(slot));
            }
        }
        return log;
    }

    @Test
    void aSegmentIsFilledBeforeAnotherIsOpened() {
        SegmentLog log = new SegmentLog(2);
        assertEquals(0, log.allocate(60));
        assertEquals(60, log.taken(0));
        assertEquals(1, log.segmentsInUse());
        assertEquals(60, log.allocate(10));
        assertEquals(4, log.taken(60));
        assertEquals(64, log.allocate(64));
        assertEquals(64, log.taken(64));
        assertEquals(NONE, log.allocate(1));
        assertEquals(128, log.pages());
        assertEquals(2, log.segmentsInUse());
        assertTrue(log.isUsed(0) && log.isUsed(127));
        assertFalse(log.isUsed(-1) || log.isUsed(128));
    }

    @Test
    void aSegmentIsGivenBackWithItsLastPageAndUsedAgainAfterThat() {
        SegmentLog log = new SegmentLog(3);
        assertEquals(0, log.allocate(64));
        assertEquals(64, log.allocate(3));
        for (int slot = 0; slot < 63; slot++) {
            assertEquals(NONE, log.free(slot));
        }
        assertEquals(2, log.segmentsInUse());
        assertEquals(0, log.free(63));
        assertEquals(1, log.segmentsInUse());
        assertEquals(3, log.pages());
        assertFalse(log.isUsed(63));
        assertEquals(67, log.allocate(64));
        assertEquals(128, log.allocate(64));
        assertEquals(NONE, log.allocate(1), "its space is being given back");
        log.recycled(0);
        assertEquals(0, log.allocate(1));
    }

    @Test
    void theOpenSegmentStaysUntilItIsFull() {
        SegmentLog log = new SegmentLog(2);
        assertEquals(0, log.allocate(2));
        assertEquals(NONE, log.free(0));
        assertEquals(NONE, log.free(1));
        assertEquals(1, log.segmentsInUse());
        assertEquals(2, log.allocate(62));
        for (int slot = 2; slot < 63; slot++) {
            assertEquals(NONE, log.free(slot));
        }
        assertEquals(0, log.free(63));
        assertEquals(64, log.allocate(1), "the other one, since this one is being given back");
        assertEquals(1, log.segmentsInUse());
    }

    @Test
    void freeingTwiceIsAnErrorAndChangesNothing() {
        SegmentLog log = new SegmentLog(2);
        log.allocate(64);
        log.free(7);
        for (int slot : new int[] {7, 64, 128, -1}) {
            assertEquals(
                    "freed twice or never in use: slot=" + slot,
                    assertThrows(IllegalArgumentException.class, () -> log.free(slot))
                            .getMessage());
        }
        assertEquals(63, log.pages());
    }

    @Test
    void whatIsAdoptedIsInUseAndNobodyElses() {
        SegmentLog log = new SegmentLog(4);
        assertTrue(log.adopt(130));
        assertTrue(log.adopt(131));
        for (int slot : new int[] {130, -1, 256}) {
            assertFalse(log.adopt(slot), "slot=" + slot);
        }
        assertEquals(2, log.pages());
        assertEquals(1, log.segmentsInUse());
        assertEquals(0, log.allocate(64));
        assertEquals(64, log.allocate(64));
        assertEquals(192, log.allocate(64));
        assertEquals(NONE, log.allocate(1));
        assertEquals(NONE, log.free(130));
        assertEquals(2, log.free(131));
    }

    @Test
    void theSegmentWithFewestPagesIsWrittenAnew() {
        SegmentLog log = of(8, 40, 32, 10, 12, 64);
        int[] slots = new int[64];
        assertEquals(10, log.sparse(slots));
        for (int i = 0; i < 10; i++) {
            assertEquals(128 + i, slots[i]);
        }
        assertEquals(0, log.sparse(new int[9]), "those there is room for hold more than half");
        for (int i = 0; i < 10; i++) {
            log.free(slots[i]);
        }
        assertEquals(12, log.sparse(slots), "what is being given back holds nothing");
        assertEquals(192, slots[0]);
    }

    /** Else it would cost more than it brings. */
    @Test
    void nothingIsWrittenAnewWhereLittleIsFree() {
        int[] slots = new int[64];
        assertEquals(32, of(4, 64, 32, 32, 64).sparse(slots), "three quarters");
        assertArrayEquals(new int[] {64, 95}, new int[] {slots[0], slots[31]});
        assertEquals(0, of(4, 64, 33, 32, 64).sparse(slots), "more than three quarters");
        assertEquals(0, of(4, 33, 33, 33, 64).sparse(slots), "each holds more than half");
        assertEquals(0, of(3, 1, 1, 64).sparse(slots), "there are few");
        assertEquals(0, of(5, 40, 40, 40, 40, 1).sparse(slots), "one that is open is not sealed");
    }

    @Test
    void slotsOfAnOpenSegmentCountToo() {
        SegmentLog log = of(5, 64, 64, 64, 64);
        int slot = log.allocate(5);
        assertEquals(256, slot);
        assertEquals(5, log.taken(slot));
        assertEquals(261, log.pages());
        int[] all = new int[64];
        Arrays.fill(all, -1);
        assertEquals(0, log.sparse(all));
        assertEquals(-1, all[0]);
    }
}
