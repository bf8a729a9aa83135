package upa.pager.live;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.TreeMap;
import java.util.function.IntToLongFunction;
import upa.pager.posix.Linux;
import upa.pager.store.PageIo;

/**
 * Batches for move_pages(2), which says less than one wants: it gives up at the first list of pages of which one does
 * not move, and then leaves the status of some as it was, moved or not. And it moves huge pages as wholes, also what of
 * them is not in the batch. So they are divided before. Belongs to one thread, but for {@link #failures}.
 */
final class NodeMoves {
    /** Calls of a batch: each ends at a list of pages of which one does not move. */
    static final int MOST_CALLS = 8;

    private static final int BATCH = Wire.ORDER_PAGES;
    /** Status of a page of which the kernel says nothing. */
    private static final int UNKNOWN = Integer.MIN_VALUE;

    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;

    /** Calls for one process. */
    interface Kernel {
        /** As {@link Linux#movePages}. */
        long movePages(int count, MemorySegment addresses, MemorySegment nodes, MemorySegment status);

        /**
         * Divides huge pages that reach beyond one of the ranges. Any advice does that which the kernel follows page by
         * page; {@link Linux#MADV_COLD} does nothing else to pages that are about to move.
         *
         * @param ranges as for {@link Linux#madvise(int, MemorySegment, int)}
         * @return as that
         */
        long divide(MemorySegment ranges);

        /** That of a process, by its number, or 0 for this one, and a descriptor of it. */
        static Kernel of(int pid, int pidfd) {
            return new Kernel() {
                @Override
                public long movePages(int count, MemorySegment addresses, MemorySegment nodes, MemorySegment status) {
                    return Linux.movePages(pid, count, addresses, nodes, status);
                }

                @Override
                public long divide(MemorySegment ranges) {
                    return Linux.madvise(pidfd, ranges, Linux.MADV_COLD);
                }
            };
        }
    }

    /**
     * What has come of a batch.
     *
     * @param staying how many have not moved
     * @param error   for which the kernel has given up as a whole, or 0
     */
    record Outcome(int staying, int error) {}

    private final IntToLongFunction address;
    private final Kernel kernel;
    private final MemorySegment addresses;
    private final MemorySegment nodes;
    private final MemorySegment status;
    private final MemorySegment ranges;
    private boolean mayNotDivide;
    private final TreeMap<Integer, Long> failures = new TreeMap<>();

    NodeMoves(Arena arena, IntToLongFunction address, Kernel kernel) {
        this.address = address;
        this.kernel = kernel;
        addresses = arena.allocate(LONG, BATCH);
        nodes = arena.allocate(INT, BATCH);
        status = arena.allocate(INT, BATCH);
        ranges = arena.allocate(LONG, 2L * BATCH);
    }

    /** Whether the kernel divides no huge pages: then more may move than is known. */
    boolean mayNotDivide() {
        return mayNotDivide;
    }

    /** Why pages have not moved: how many of each error, as {@code EBUSY 3, EACCES 1}; empty if all have. */
    synchronized String failures() {
        StringBuilder text = new StringBuilder();
        failures.forEach((error, count) -> text.append(text.isEmpty() ? "" : ", ")
                .append(name(error))
                .append(' ')
                .append(count));
        return text.toString();
    }

    private static String name(int error) {
        return switch (error) {
            case Linux.ENOENT -> "ENOENT";
            case Linux.ENOMEM -> "ENOMEM";
            case Linux.EACCES -> "EACCES";
            case Linux.EFAULT -> "EFAULT";
            case Linux.EBUSY -> "EBUSY";
            default -> "errno=" + error;
        };
    }

    /**
     * Moves pages to a node.
     *
     * @param pages numbers, sorted
     * @param count at most {@link Wire#ORDER_PAGES}
     * @param node  where they go
     * @param moved gets those that are there
     * @param stay  gets the others, sorted
     */
    Outcome move(int[] pages, int count, int node, int[] moved, int[] stay) {
        divide(pages, count);
        int[] left = Arrays.copyOf(pages, count);
        int waiting = count;
        int done = 0;
        int staying = 0;
        int failure = 0;
        for (int calls = 1; waiting > 0; calls++) {
            for (int i = 0; i < waiting; i++) {
                addresses.setAtIndex(LONG, i, address.applyAsLong(left[i]));
                nodes.setAtIndex(INT, i, node);
                status.setAtIndex(INT, i, UNKNOWN);
            }
            long result = kernel.movePages(waiting, addresses, nodes, status);
            failure = result < 0 ? (int) -result : 0;
            // It ended with the list before the last page of which it says something; of those behind it none was
            // tried.
            int tried = result > 0 && calls < MOST_CALLS ? endOfTried(waiting) : waiting;
            if (result != 0 || isAnyRefused(tried)) {
                askOfOthers(tried, node);
            }
            int again = 0;
            for (int i = 0; i < waiting; i++) {
                int at = node(i);
                if (at == node) {
                    moved[done++] = left[i];
                } else if (at == UNKNOWN && i >= tried) {
                    left[again++] = left[i];
                } else {
                    stay[staying++] = left[i];
                    failed(at < 0 && at != UNKNOWN ? -at : failure != 0 ? failure : Linux.EBUSY);
                }
            }
            waiting = again;
        }
        Arrays.sort(stay, 0, staying);
        return new Outcome(staying, failure);
    }

    private void divide(int[] pages, int count) {
        int runs = 0;
        for (int i = 0; i < count; i++) {
            if (i > 0 && pages[i] == pages[i - 1] + 1) {
                long at = 2L * runs - 1;
                ranges.setAtIndex(LONG, at, ranges.getAtIndex(LONG, at) + PageIo.PAGE_BYTES);
            } else {
                ranges.setAtIndex(LONG, 2L * runs, address.applyAsLong(pages[i]));
                ranges.setAtIndex(LONG, 2L * runs++ + 1, PageIo.PAGE_BYTES);
            }
        }
        for (int at = 0; at < runs; ) {
            long done = kernel.divide(ranges.asSlice(16L * at, 16L * (runs - at)));
            mayNotDivide = done == -Linux.EPERM;
            if (mayNotDivide || done == -Linux.ESRCH) {
                return;
            }
            // It ends at a range that it refuses, since it is locked or gone: none of that moves.
            while (at < runs && done >= ranges.getAtIndex(LONG, 2L * at + 1)) {
                done -= ranges.getAtIndex(LONG, 2L * at++ + 1);
            }
            at++;
        }
    }

    private int endOfTried(int count) {
        for (int i = count - 1; i >= 0; i--) {
            if (node(i) != UNKNOWN) {
                return i;
            }
        }
        return count;
    }

    private boolean isAnyRefused(int count) {
        for (int i = 0; i < count; i++) {
            if (node(i) < 0) {
                return true;
            }
        }
        return false;
    }

    /** Where those are of which nothing was said; what was refused may be there as a part of a larger page. */
    private void askOfOthers(int count, int node) {
        int[] said = new int[count];
        MemorySegment.copy(status, INT, 0, said, 0, count);
        boolean known = kernel.movePages(count, addresses, MemorySegment.NULL, status) == 0;
        for (int i = 0; i < count; i++) {
            if (!known || said[i] != UNKNOWN && node(i) != node) {
                status.setAtIndex(INT, i, said[i]);
            }
        }
    }

    private synchronized void failed(int error) {
        failures.merge(error, 1L, Long::sum);
    }

    /** Asks where pages are; afterwards {@link #node} says it. False if the kernel does not say it. */
    boolean ask(int[] pages, int count) {
        for (int i = 0; i < count; i++) {
            addresses.setAtIndex(LONG, i, address.applyAsLong(pages[i]));
        }
        return kernel.movePages(count, addresses, MemorySegment.NULL, status) == 0;
    }

    /** The node of a page of the last question, or -errno. */
    int node(int i) {
        return status.getAtIndex(INT, i);
    }
}
