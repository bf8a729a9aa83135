package upa.pager.live;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import upa.pager.posix.Linux;
import upa.pager.posix.Posix;

class NodeMovesTest {
    private static final int FAR = 1;
    private static final long BASE = 1L << 30;

    /** Moves lists of pages as Linux 6.12 does. */
    private static final class FakeKernel implements NodeMoves.Kernel {
        private final Map<Long, Integer> nodeOf = new HashMap<>();
        /** These are refused one by one, and end a list. */
        private final Map<Long, Integer> refused = new HashMap<>();
        /** These are taken into a list, and do not move. */
        private final Set<Long> pinned = new HashSet<>();
        /** Free pages of the far node. */
        private int room = Integer.MAX_VALUE;

        /** First pages of huge ones, and how many each has: moved as wholes, by the first of a list. */
        private final Map<Integer, Integer> huge = new HashMap<>();
        /** Of these no advice is taken. */
        private final Set<Integer> locked = new HashSet<>();

        private int divisionError;

        private int moves;
        private int questions;
        private boolean answers = true;

        @Override
        public long movePages(int count, MemorySegment addresses, MemorySegment nodes, MemorySegment status) {
            if (nodes.equals(MemorySegment.NULL)) {
                questions++;
                for (int i = 0; answers && i < count; i++) {
                    set(status, i, nodeOf.getOrDefault(address(addresses, i), -Linux.ENOENT));
                }
                return answers ? 0 : -Linux.ESRCH;
            }
            moves++;
            for (int i = 0; i < count; ) {
                int end = i;
                Set<Integer> listed = new HashSet<>();
                while (end < count && refusal(address(addresses, end), listed) == 0) {
                    end++;
                }
                if (end < count) {
                    set(status, end, -refusal(address(addresses, end), listed));
                }
                int failed = 0;
                for (int k = i; k < end; k++) {
                    long at = address(addresses, k);
                    int to = nodes.getAtIndex(ValueLayout.JAVA_INT, k);
                    if (pinned.contains(at)) {
                        failed++;
                    } else if (to != nodeOf.get(at) && to == FAR && room-- <= 0) {
                        return -Linux.ENOMEM;
                    } else {
                        Integer first = hugeOf(page(at));
                        for (int p = first == null ? page(at) : first, n = first == null ? 1 : huge.get(first);
                                n > 0;
                                p++, n--) {
                            nodeOf.put(at(p), to);
                        }
                    }
                }
                if (failed > 0) {
                    return failed + Math.max(0, count - end - 1);
                }
                for (int k = i; k < end; k++) {
                    set(status, k, nodeOf.get(address(addresses, k)));
                }
                i = end + 1;
            }
            return 0;
        }

        /** A second page of a huge one finds it in the list already. */
        private int refusal(long address, Set<Integer> listed) {
            Integer first = hugeOf(page(address));
            return first != null && !listed.add(first) ? Linux.EFAULT : refused.getOrDefault(address, 0);
        }

        private Integer hugeOf(int page) {
            for (Map.Entry<Integer, Integer> e : huge.entrySet()) {
                if (page >= e.getKey() && page < e.getKey() + e.getValue()) {
                    return e.getKey();
                }
            }
            return null;
        }

        @Override
        public long divide(MemorySegment ranges) {
            long done = 0;
            for (long at = 0; at < ranges.byteSize(); at += 16) {
                int from = page(ranges.get(ValueLayout.JAVA_LONG, at));
                long bytes = ranges.get(ValueLayout.JAVA_LONG, at + 8);
                int end = from + (int) (bytes / 4096);
                if (divisionError != 0 || locked.stream().anyMatch(p -> p >= from && p < end)) {
                    return done > 0 ? done : divisionError != 0 ? -divisionError : -22;
                }
                huge.entrySet().removeIf(e -> {
                    int last = e.getKey() + e.getValue();
                    return e.getKey() < end && last > from && !(from <= e.getKey() && last <= end);
                });
                done += bytes;
            }
            return done;
        }

        private static int page(long address) {
            return (int) ((address - BASE) / 4096);
        }

        private static long address(MemorySegment addresses, int i) {
            return addresses.getAtIndex(ValueLayout.JAVA_LONG, i);
        }

        private static void set(MemorySegment status, int i, int value) {
            status.setAtIndex(ValueLayout.JAVA_INT, i, value);
        }
    }

    private final FakeKernel kernel = new FakeKernel();
    private final NodeMoves moves = new NodeMoves(Arena.ofAuto(), page -> BASE + page * 4096L, kernel);
    private final int[] pages = IntStream.range(10, 30).toArray();
    private final int[] moved = new int[pages.length];
    private final int[] stay = new int[pages.length];

    NodeMovesTest() {
        for (int page : pages) {
            kernel.nodeOf.put(BASE + page * 4096L, 0);
        }
    }

    private static long at(int page) {
        return BASE + page * 4096L;
    }

    /** Each page is in one of the two lists, and where that says. */
    private NodeMoves.Outcome move() {
        NodeMoves.Outcome outcome = moves.move(pages, pages.length, FAR, moved, stay);
        Set<Integer> all = new HashSet<>();
        for (int i = 0; i < pages.length - outcome.staying(); i++) {
            assertTrue(all.add(moved[i]));
            assertEquals(FAR, kernel.nodeOf.get(at(moved[i])), "page " + moved[i]);
        }
        for (int i = 0; i < outcome.staying(); i++) {
            assertTrue(all.add(stay[i]));
            assertEquals(0, kernel.nodeOf.get(at(stay[i])), "page " + stay[i]);
        }
        assertEquals(pages.length, all.size());
        return outcome;
    }

    private int[] staying(NodeMoves.Outcome outcome) {
        return Arrays.copyOf(stay, outcome.staying());
    }

    @Test
    void allMoveInOneCall() {
        kernel.nodeOf.put(at(12), FAR);
        assertEquals(new NodeMoves.Outcome(0, 0), move());
        assertEquals(1, kernel.moves);
        assertEquals(0, kernel.questions);
        assertEquals("", moves.failures());
    }

    @Test
    void whatIsRefusedStaysAndIsCounted() {
        kernel.refused.put(at(11), Linux.EACCES);
        kernel.refused.put(at(29), Linux.ENOENT);
        kernel.refused.put(at(15), Linux.EACCES);
        kernel.refused.put(at(16), Linux.EFAULT);
        kernel.refused.put(at(17), 77);
        NodeMoves.Outcome outcome = move();
        assertEquals(0, outcome.error());
        assertArrayEquals(new int[] {11, 15, 16, 17, 29}, staying(outcome));
        assertEquals("ENOENT 1, EACCES 2, EFAULT 1, errno=77 1", moves.failures());
    }

    @Test
    void aPinnedPageHoldsUpNoOther() {
        kernel.pinned.add(at(12));
        kernel.refused.put(at(20), Linux.EBUSY);
        kernel.pinned.add(at(25));
        NodeMoves.Outcome outcome = move();
        assertArrayEquals(new int[] {12, 20, 25}, staying(outcome));
        assertEquals("EBUSY 3", moves.failures());
        assertEquals(0, outcome.error());
    }

    @Test
    void itGivesUpAfterSomeCalls() {
        for (int page = 10; page < 30; page += 2) {
            kernel.pinned.add(at(page));
            kernel.refused.put(at(page + 1), Linux.ENOENT);
        }
        NodeMoves.Outcome outcome = move();
        assertEquals(pages.length, outcome.staying());
        assertEquals(NodeMoves.MOST_CALLS, kernel.moves);
        assertEquals("ENOENT 8, EBUSY 12", moves.failures());
    }

    @Test
    void aNodeThatIsFullTakesSome() {
        kernel.room = 7;
        NodeMoves.Outcome outcome = move();
        assertEquals(new NodeMoves.Outcome(13, Linux.ENOMEM), outcome);
        assertEquals(1, kernel.moves);
        assertEquals("ENOMEM 13", moves.failures());
    }

    /** Of a huge page nothing moves that is not asked for, also behind a range that takes no advice. */
    @Test
    void hugePagesAreDividedFirst() {
        for (int page = 0; page < 64; page++) {
            kernel.nodeOf.put(at(page), 0);
        }
        kernel.huge.putAll(Map.of(0, 16, 16, 16, 32, 32));
        kernel.locked.add(12);
        int[] some = {4, 5, 6, 12, 17, 18, 30, 40};
        NodeMoves.Outcome outcome = moves.move(some, some.length, FAR, moved, stay);
        assertEquals(new NodeMoves.Outcome(0, 0), outcome);
        for (int page = 0; page < 64; page++) {
            assertEquals(Arrays.binarySearch(some, page) >= 0 ? FAR : 0, kernel.nodeOf.get(at(page)), "page " + page);
        }
        assertFalse(moves.mayNotDivide());
    }

    /** Those that have moved as parts of larger ones have moved, whatever is said of them. */
    @Test
    void aHugePageThatMovesAsAWholeIsThere() {
        kernel.huge.putAll(Map.of(12, 4, 20, 8));
        assertEquals(new NodeMoves.Outcome(0, 0), move());
        kernel.divisionError = Linux.EPERM;
        pages[0] = 9;
        kernel.huge.put(9, 20);
        kernel.nodeOf.replaceAll((page, node) -> 0);
        kernel.nodeOf.put(at(9), 0);
        assertEquals(new NodeMoves.Outcome(0, 0), move());
        assertTrue(moves.mayNotDivide());
    }

    @Test
    void aProcessThatHasEndedHasNothingMoved() {
        kernel.room = 0;
        kernel.answers = false;
        NodeMoves.Outcome outcome = move();
        assertEquals(pages.length, outcome.staying());
        assertFalse(moves.ask(pages, pages.length));
    }

    @Test
    void saysWherePagesAre() {
        kernel.nodeOf.put(at(11), FAR);
        kernel.nodeOf.remove(at(12));
        assertTrue(moves.ask(pages, 3));
        assertEquals(0, moves.node(0));
        assertEquals(FAR, moves.node(1));
        assertEquals(-Linux.ENOENT, moves.node(2));
    }

    /** The kernel itself, on the memory of this process: on any machine its pages are on some node. */
    @Test
    void theKernelSaysWhereOurPagesAre() {
        MemorySegment memory = Linux.map(4 * 4096L);
        memory.asSlice(0, 2 * 4096L).fill((byte) 1);
        int ours = Linux.pidfd((int) ProcessHandle.current().pid());
        NodeMoves real =
                new NodeMoves(Arena.ofAuto(), page -> memory.address() + page * 4096L, NodeMoves.Kernel.of(0, ours));
        int[] three = {0, 1, 3};
        if (real.ask(three, 3)) {
            int node = real.node(0);
            assertTrue(node >= 0, "node " + node);
            assertTrue(real.node(2) == -Linux.ENOENT || real.node(2) == -Linux.EFAULT, "status " + real.node(2));
            int[] there = new int[3];
            NodeMoves.Outcome outcome = real.move(three, 3, node, there, new int[3]);
            assertEquals(new NodeMoves.Outcome(1, 0), outcome);
            assertArrayEquals(new int[] {0, 1, 0}, there);
            assertTrue(real.move(three, 3, 1023, there, new int[3]).error() > 0, "there is no such node");
        }
        assertEquals(1, memory.get(ValueLayout.JAVA_BYTE, 4096));
        Linux.unmap(memory);
        Posix.close(ours);
    }
}
