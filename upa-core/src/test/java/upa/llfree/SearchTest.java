package upa.llfree;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static upa.llfree.LlFreeDescriptor.CHILD_PAGES;
import static upa.llfree.LlFreeDescriptor.GROUP_TREES;
import static upa.llfree.LlFreeDescriptor.TREE_CHILDREN;

import java.lang.foreign.Arena;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Where a run of whole children is found, beside a search child by child of an array. */
class SearchTest {
    private static final int GROUP_CHILDREN = GROUP_TREES * TREE_CHILDREN;
    private static final int CHILDREN = 2 * GROUP_CHILDREN + 3 * TREE_CHILDREN + 5;

    private final boolean[] held = new boolean[CHILDREN];
    private final int[] content = new int[CHILDREN];
    private final LlFree allocator = LlFree.create(
            Arena.ofAuto().allocate(LlFree.stateSize(CHILDREN * CHILD_PAGES, 2), LlFreeDescriptor.LINE_BYTES),
            CHILDREN * CHILD_PAGES,
            2);

    /** In the first run of free children in these states that is long enough: at a group, a tree, or its start. */
    private long expected(int from, int end, int n, int states) {
        int start = from;
        for (int c = from; c <= end; c++) {
            if (c < end && !held[c] && Words.isIn(states, content[c])) {
                continue;
            }
            if (c - start >= n) {
                int group = alignUp(start, GROUP_CHILDREN);
                int tree = alignUp(start, TREE_CHILDREN);
                if (n >= GROUP_CHILDREN && group + n <= c) {
                    return group;
                }
                return n >= TREE_CHILDREN && tree + n <= c ? tree : start;
            }
            start = c + 1;
        }
        return Words.NONE;
    }

    private static int alignUp(int n, int unit) {
        return (n + unit - 1) / unit * unit;
    }

    /** A length that tells: few children, about a tree, about a group. */
    private static int length(SplittableRandom random) {
        int unit = switch (random.nextInt(4)) {
            case 0 -> TREE_CHILDREN;
            case 1 -> GROUP_CHILDREN;
            default -> 1;
        };
        return Math.max(1, unit * (1 + random.nextInt(2)) + random.nextInt(5) - 2);
    }

    private void change(SplittableRandom random) {
        int n = length(random);
        int first = random.nextInt(CHILDREN - n + 1);
        if (random.nextBoolean()) {
            first -= first % (n >= GROUP_CHILDREN ? GROUP_CHILDREN : n >= TREE_CHILDREN ? TREE_CHILDREN : 1);
        }
        for (int c = first; c < first + n; c++) {
            if (held[c]) {
                int flags = random.nextInt(3);
                int end = c;
                int state = flags == 0 ? Words.STALE : flags == LlFree.PUT_ABSENT ? Words.ABSENT : Words.ZEROED;
                while (end < first + n && held[end]) {
                    held[end] = false;
                    content[end++] = state;
                }
                allocator.putRun(0, (long) c * CHILD_PAGES, (long) (end - c) * CHILD_PAGES, flags);
                return;
            }
        }
        assertTrue(allocator.getAt(0, (long) first * CHILD_PAGES, (long) n * CHILD_PAGES) >= 0);
        for (int c = first; c < first + n; c++) {
            held[c] = true;
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6})
    void aRunIsWhereOneByOneFindsIt(long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        for (int step = 0; step < 400; step++) {
            change(random);
            for (int i = 0; i < 20; i++) {
                int n = length(random);
                int from = random.nextBoolean() ? 0 : random.nextInt(CHILDREN);
                int end = random.nextBoolean() ? CHILDREN : Math.min(CHILDREN, from + n + random.nextInt(4) - 1);
                int states = random.nextBoolean() ? Words.ANY_STATE : random.nextInt(16);
                assertEquals(
                        expected(from, end, n, states),
                        Search.children(allocator, 0, from, end, n, states),
                        () -> "seed=" + seed + " from=" + from + " end=" + end + " n=" + n + " states=" + states);
            }
        }
        allocator.validate();
    }

    /** What a walk from the end may not pass by, and what it need not look at. */
    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3})
    void aWalkPassesOnlyChildrenWithoutFreeMemory(long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        for (int step = 0; step < 300; step++) {
            change(random);
            int last = 0;
            for (int end = 0; end <= CHILDREN; end++) {
                last = end > 0 && !held[end - 1] && content[end - 1] != Words.ABSENT ? end : last;
                assertEquals(last, allocator.populatedBefore(end), "seed=" + seed + " step=" + step + " end=" + end);
            }
        }
    }

    @Test
    void aWalkStopsAtAChildOfWhichOnePageIsFree() {
        long all = (long) CHILDREN * CHILD_PAGES;
        assertEquals(0, allocator.getRun(0, all, 0));
        allocator.putRun(0, 20 * CHILD_PAGES + 7, 1, 0);
        assertEquals(21, allocator.populatedBefore(CHILDREN));
        assertEquals(0, allocator.populatedBefore(20));
        assertTrue(allocator.getAt(0, 20 * CHILD_PAGES + 7, 1) >= 0);
        assertEquals(0, allocator.populatedBefore(CHILDREN));
        for (long end : new long[] {-1, CHILDREN + 1}) {
            assertThrows(IllegalArgumentException.class, () -> allocator.populatedBefore(end));
        }
    }

    /** Trees that another slot has reserved are left alone; those of the own slot, and of nobody, are not. */
    @ParameterizedTest
    @ValueSource(ints = {1, 15, 16, 17, 40})
    void anotherSlotsTreeIsLeftAlone(int n) {
        long own = allocator.slotAt(0);
        assertEquals(0, allocator.get(1, 0, 0));
        allocator.put(1, 0, 0);
        assertEquals(TREE_CHILDREN, Search.children(allocator, own, 0, CHILDREN, n, Words.ANY_STATE));
        assertEquals(0, Search.children(allocator, allocator.slotAt(1), 0, CHILDREN, n, Words.ANY_STATE));
        assertEquals(0, Search.children(allocator, 0, 0, CHILDREN, n, Words.ANY_STATE));
    }
}
