package upa.pager.live;

import java.util.function.IntConsumer;
import upa.pager.posix.Linux;
import upa.pager.posix.Posix;
import upa.pager.store.NodeStore;
import upa.policy.PageBatch.Cause;

/**
 * Has the kernel move pages of a process between near nodes and a far one. They stay the program's own and mapped: no
 * access faults. So a page there has the word of one in memory, and only this knows that it is not near. The kernel
 * moves pages too: a forked process that writes to a shared page gets a new one, and NUMA balancing brings home what
 * is used. So the kernel is asked where pages are, a part at a time. Belongs to the session's thread.
 */
final class FarNode implements AutoCloseable {
    private static final int BATCH = Wire.ORDER_PAGES;
    private static final long FULL_NANOS = 200_000_000;
    /** Between two looks where pages are, of a batch each: 0.15 µs a page. */
    private static final long FAR_LOOK_NANOS = 20_000_000;

    private static final long NEAR_LOOK_NANOS = 100_000_000;
    private final PagedProcess process;
    private final PageStates states;
    private final NodeStore store;
    private final int mostPages;
    private final int pidfd;
    private final NodeMoves moves;
    private IntConsumer arrivals = page -> {};
    private int reserved;
    private long fullUntil;
    private boolean full;
    private int farCursor;
    private int nearCursor;
    private long nextFarLook = System.nanoTime();
    private long nextNearLook = nextFarLook;

    FarNode(PagedProcess process, NodeStore store) {
        this.process = process;
        this.store = store;
        states = process.states;
        mostPages = (int) Math.min(store.statistics().bytesLimit() >> 12, Integer.MAX_VALUE);
        pidfd = Linux.pidfd(process.hello.pid());
        moves = new NodeMoves(process.arena, process::address, NodeMoves.Kernel.of(process.hello.pid(), pidfd));
    }

    @Override
    public void close() {
        Posix.close(pidfd);
    }

    /** How many pages may go there now. */
    int room() {
        if (full && System.nanoTime() - fullUntil < 0) {
            return 0;
        }
        full = false;
        return Math.max(0, mostPages - states.aside() - reserved);
    }

    /** So many pages that have left may come back: their room is theirs. */
    void reserve(int count) {
        reserved = count;
    }

    /** Is told of each page that has come there. */
    void arrivals(IntConsumer toTell) {
        arrivals = toTell;
    }

    /** A page that is there has another number now. */
    void arrived(int page) {
        states.setAside(page);
        arrivals.accept(page);
        process.tell(Cause.EVICTED, new int[] {page}, 1);
    }

    /** Why pages have not moved: how many of each error, as {@code EBUSY 3, EACCES 1}; empty if all have. */
    String failures() {
        return moves.failures();
    }

    /**
     * Moves pages there.
     *
     * @param pages sorted
     * @param count at most {@link Wire#ORDER_PAGES}
     * @param stay  gets those that are still near, sorted
     * @return how many stay
     */
    int moveOut(int[] pages, int count, int[] stay) {
        int staying = putThere(pages, count, stay);
        store.wentOut(count - staying);
        count();
        return staying;
    }

    /** The same with pages that have been there, and were not used. */
    int moveBack(int[] pages, int count, int[] stay) {
        int staying = putThere(pages, count, stay);
        store.cameBack(staying);
        count();
        return staying;
    }

    private int putThere(int[] pages, int count, int[] stay) {
        int going = Math.min(count, room());
        int[] moved = new int[going];
        int staying = move(pages, going, store.node(), moved, stay);
        for (int i = 0; i < going - staying; i++) {
            states.setAside(moved[i]);
            arrivals.accept(moved[i]);
        }
        System.arraycopy(pages, going, stay, staying, count - going);
        staying += count - going;
        store.stayed(staying);
        return staying;
    }

    /** Brings pages near, at most {@link Wire#ORDER_PAGES}, since a policy wants them. Returns how many came. */
    int bringNear(int[] pages, int count) {
        int[] moved = new int[count];
        int come = count - move(pages, count, store.near(), moved, new int[count]);
        cameBack(moved, come, Cause.PREFETCHED);
        return come;
    }

    /** A thread has used pages: they are near by now. */
    void used(int count) {
        store.cameBack(count);
        count();
    }

    /** Pages have left, or have been freed. */
    void count() {
        store.holds(states.aside());
    }

    /** Returns how many stay where they were, sorted; the others are in {@code moved}. */
    private int move(int[] pages, int count, int node, int[] moved, int[] stay) {
        NodeMoves.Outcome outcome = moves.move(pages, count, node, moved, stay);
        if (moves.mayNotDivide()) {
            process.complain("huge pages move to the far node as wholes, and it may hold more than its size:"
                    + " to divide them needs CAP_SYS_NICE");
        }
        if (outcome.error() == Linux.ENOMEM && node == store.node()) {
            full = true;
            fullUntil = System.nanoTime() + FULL_NANOS;
        } else if (outcome.error() != 0 && outcome.error() != Linux.ESRCH) {
            process.complain("the kernel moves nothing to node=" + node + ": errno=" + outcome.error()
                    + (outcome.error() == Linux.EACCES ? " (the process may not use it: see its cpuset)" : ""));
        }
        return outcome.staying();
    }

    // ---- where pages are ----------------------------------------------------------------------------

    /** All pages that are there, when a pager follows another: it knows of none. */
    void survey() {
        int[] pages = new int[BATCH];
        int cursor = 0;
        do {
            cursor = lookNear(cursor, pages);
        } while (cursor > 0);
    }

    /** Finds pages that the kernel has moved, if it is time to. */
    void look() {
        long now = System.nanoTime();
        int[] pages = new int[BATCH];
        if (now - nextFarLook >= 0) {
            nextFarLook = now + FAR_LOOK_NANOS;
            farCursor = lookFar(farCursor, pages);
            count();
        }
        if (now - nextNearLook >= 0) {
            nextNearLook = now + NEAR_LOOK_NANOS;
            nearCursor = lookNear(nearCursor, pages);
        }
    }

    /** Returns where to go on; 0: it was the end. */
    private int lookFar(int from, int[] pages) {
        int count = 0;
        int page = states.nextAside(from);
        for (; page >= 0 && count < pages.length; page = states.nextAside(page + 1)) {
            pages[count++] = page;
        }
        int back = 0;
        if (count > 0 && moves.ask(pages, count)) {
            for (int i = 0; i < count; i++) {
                int at = moves.node(i);
                // What is not there at all has an event under way, or is in swap.
                if (at >= 0 && at != store.node()) {
                    pages[back++] = pages[i];
                    process.counters.fault(pages[i], process.mechanism.boundPages());
                }
            }
        }
        cameBack(pages, back, Cause.FETCHED);
        return Math.max(page, 0);
    }

    private int lookNear(int from, int[] pages) {
        int count = 0;
        int page = states.nextEligible(from);
        for (; page >= 0 && count < pages.length; page = states.nextEligible(page + 1)) {
            pages[count++] = page;
        }
        int far = 0;
        if (count > 0 && moves.ask(pages, count)) {
            for (int i = 0; i < count; i++) {
                // One that has a copy can be dropped: that is better than to be far.
                if (moves.node(i) == store.node() && states.get(pages[i]) == PageStates.memory()) {
                    states.setAside(pages[i]);
                    arrivals.accept(pages[i]);
                    pages[far++] = pages[i];
                }
            }
        }
        count();
        process.tell(Cause.EVICTED, pages, far);
        return Math.max(page, 0);
    }

    private void cameBack(int[] pages, int count, Cause cause) {
        for (int i = 0; i < count; i++) {
            states.set(pages[i], PageStates.memory());
        }
        used(count);
        process.tell(cause, pages, count);
    }
}
