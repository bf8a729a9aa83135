package upa.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import upa.policy.Hint;

/** Without a pager; upa-mmap-shim/tests/preload/pager/region_test.sh has one. */
class MemoryHintsTest {
    @ParameterizedTest
    @EnumSource(value = Hint.Kind.class, mode = EnumSource.Mode.EXCLUDE, names = "PRIORITY")
    void whereNobodyPagesAHintDoesNothing(Hint.Kind kind) {
        assertFalse(MemoryHints.areHeard());
        try (Region region = Region.create(4 << 20);
                PageArena arena = PageArena.ofConfined(region)) {
            MemorySegment memory = arena.allocate(100_000);
            memory.fill((byte) 7);
            MemoryHints.give(memory, kind);
            MemoryHints.give(memory.asSlice(5000, 0), kind);
            MemoryHints.prioritize(memory, 0);
            MemoryHints.prioritize(memory, MemoryHints.MOST_PRIORITY);
            assertEquals(-1, memory.mismatch(MemorySegment.ofArray(filled(100_000))));
        }
    }

    private static byte[] filled(int bytes) {
        byte[] all = new byte[bytes];
        java.util.Arrays.fill(all, (byte) 7);
        return all;
    }

    private static String refusal(Class<? extends Exception> type, Runnable call) {
        return assertThrows(type, call::run).getMessage();
    }

    @Test
    void whatMakesNoSenseIsRefused() {
        MemorySegment heap = MemorySegment.ofArray(new byte[10]);
        assertEquals(
                "not native: memory=" + heap,
                refusal(IllegalArgumentException.class, () -> MemoryHints.give(heap, Hint.Kind.RANDOM)));
        assertEquals(
                "not native: memory=" + heap,
                refusal(IllegalArgumentException.class, () -> MemoryHints.prioritize(heap, 1)));
        Arena arena = Arena.ofConfined();
        MemorySegment memory = arena.allocate(4096);
        assertEquals(
                "needs a priority, see prioritize: kind=PRIORITY",
                refusal(IllegalArgumentException.class, () -> MemoryHints.give(memory, Hint.Kind.PRIORITY)));
        for (int priority : new int[] {-1, 8, Integer.MIN_VALUE}) {
            assertEquals(
                    "out of range: priority=" + priority + " (0 to 7)",
                    refusal(IllegalArgumentException.class, () -> MemoryHints.prioritize(memory, priority)));
        }
        assertEquals("kind=null", refusal(NullPointerException.class, () -> MemoryHints.give(memory, null)));
        assertEquals(
                "memory=null", refusal(NullPointerException.class, () -> MemoryHints.give(null, Hint.Kind.RANDOM)));
        arena.close();
        assertEquals(
                "freed: memory=" + memory,
                refusal(IllegalStateException.class, () -> MemoryHints.give(memory, Hint.Kind.RANDOM)));
    }
}
