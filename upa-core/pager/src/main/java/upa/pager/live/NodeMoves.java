package upa.pager.live;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.TreeMap;
import java.util.function.IntToLongFunction;
import upa.pager.posix.Linux;

/**
 * Batches for move_pages(2), which says less than one wants: it gives up at the first list of pages of which one does
 * not move, and then leaves the status of some as it was, moved or not. Belongs to one thread, but for
 * {@link #failures}.
 */
final class NodeMoves {
    /** Calls of a batch: each ends at a list of pages of which one does not move. */
    static final int MOST_CALLS = 8;

    private static final int BATCH = Wire.ORDER_PAGES;
    /** Status of a page of which the kernel says nothing. */
    private static final int UNKNOWN = Integer.MIN_VALUE;

    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;

    /** As {@link Linux#movePages} for one process. */
    interface Kernel {
        long movePages(int count, MemorySegment addresses, MemorySegment nodes, MemorySegment status);
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
    private final TreeMap<Integer, Long> failures = new TreeMap<>();

    NodeMoves(Arena arena, IntToLongFunction address, Kernel kernel) {
        this.address = address;
        this.kernel = kernel;
        addresses = arena.allocate(LONG, BATCH);
        nodes = arena.allocate(INT, BATCH);
        status = arena.allocate(INT, BATCH);
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
     * @param pages numbers
     * @param count at most {@link Wire#ORDER_PAGES}
     * @param node  where they go
     * @param moved gets those that are there
     * @param stay  gets the others, sorted
     */
    Outcome move(int[] pages, int count, int node, int[] moved, int[] stay) {
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
            if (result != 0) {
                askOfUnknown(tried);
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

    private int endOfTried(int count) {
        for (int i = count - 1; i >= 0; i--) {
            if (node(i) != UNKNOWN) {
                return i;
            }
        }
        return count;
    }

    private void askOfUnknown(int count) {
        int[] said = new int[count];
        MemorySegment.copy(status, INT, 0, said, 0, count);
        boolean known = kernel.movePages(count, addresses, MemorySegment.NULL, status) == 0;
        for (int i = 0; i < count; i++) {
            if (!known || said[i] != UNKNOWN) {
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
