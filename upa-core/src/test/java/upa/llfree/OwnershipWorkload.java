package upa.llfree;

import static upa.llfree.LlFreeDescriptor.CHILD_PAGES;
import static upa.llfree.LlFreeDescriptor.MAX_ORDER;
import static upa.llfree.LlFreeDescriptor.TREE_PAGES;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/**
 * A thread that takes and frees pages beside others, in C and in other processes, and proves by a map of owners that no
 * page is held twice, and by one of contents that none with old bytes passes for a clean one. The C twin of this is
 * upa-mmap-shim/tests/llfree/llfree_peer.c.
 */
final class OwnershipWorkload implements Runnable {
    /** The largest block taken, hence the most a killed thread leaves without an owner. */
    static final int MAX_BLOCK = 1500;

    private static final int MAX_BLOCKS = 256;
    private static final int[] PUT_FLAGS = {0, 0, 0, 0, LlFree.PUT_ABSENT, LlFree.PUT_ZEROED, LlFree.PUT_UNTOUCHED, 0};

    private record Block(long first, long pages) {}

    private final SharedState shared;
    private final LlFree allocator;
    private final int id;
    private final long operations;
    private final long quota;
    private final SplittableRandom random;
    private final List<Block> blocks = new ArrayList<>();
    private long held;

    /** A thread with an owner's number that does so many operations (0: for ever) and then frees what it holds. */
    OwnershipWorkload(SharedState shared, int id, long operations, long seed) {
        this.shared = shared;
        this.allocator = shared.allocator;
        this.id = id;
        this.operations = operations;
        this.quota = allocator.pages() / 3;
        this.random = new SplittableRandom(seed);
    }

    /** Runs so many threads with owner numbers from firstId on; throws what the first faulty one threw. */
    static void run(SharedState shared, int firstId, int threads, long operations, long seed)
            throws InterruptedException {
        List<Throwable> faults = new ArrayList<>();
        List<Thread> workers = new ArrayList<>();
        for (int i = 0; i < threads; i++) {
            Thread worker = new Thread(new OwnershipWorkload(shared, firstId + i, operations, seed + i));
            worker.setUncaughtExceptionHandler((thread, fault) -> {
                synchronized (faults) {
                    faults.add(fault);
                }
            });
            worker.start();
            workers.add(worker);
        }
        for (Thread worker : workers) {
            worker.join();
        }
        if (!faults.isEmpty()) {
            throw new AssertionError(faults.size() + " of " + threads + " threads found faults", faults.getFirst());
        }
    }

    @Override
    public void run() {
        for (long i = 0; operations == 0 || i < operations; i++) {
            if (random.nextInt(2000) == 0) {
                allocator.drain();
            }
            if (!blocks.isEmpty() && (blocks.size() >= MAX_BLOCKS - 2 || random.nextLong(quota) < held)) {
                put(false);
            } else {
                get();
            }
        }
        while (!blocks.isEmpty()) {
            put(true);
        }
    }

    private void get() {
        int flags = random.nextInt(4);
        int kind = random.nextInt(16);
        long pages;
        long page;
        if (kind < 10) {
            int order = random.nextInt(kind < 7 ? 4 : MAX_ORDER + 1);
            pages = 1L << order;
            page = allocator.get(id, order, flags);
        } else if (kind < 14) {
            pages = 1 + random.nextInt(kind < 12 ? 40 : MAX_BLOCK);
            // Now and then a tree, which is taken in one step.
            if (kind == 13 && random.nextInt(8) == 0) {
                pages = TREE_PAGES;
            }
            page = allocator.getRun(id, pages, flags);
        } else {
            // A page, or a whole child as a pager takes it.
            pages = kind == 14 ? 1 : CHILD_PAGES;
            page = random.nextLong(allocator.pages() / pages) * pages;
            if (allocator.getAt(id, page, pages) < 0) {
                return;
            }
        }
        if (page >= 0) {
            claim(page, pages);
        } else if (page != LlFree.NO_MEMORY) {
            throw new AssertionError("get answered " + page);
        }
    }

    /** Notes that pages are ours, and that those not called stale are clean. */
    private void claim(long first, long pages) {
        for (long page = first; page < first + pages; page++) {
            int other = shared.changeOwner(page, 0, id);
            if (other != 0) {
                throw new AssertionError("id=" + id + " got page=" + page + ", held by id=" + other);
            }
        }
        long clean = first;
        while (clean < first + pages) {
            long stale = allocator.nextStale(clean, first + pages - clean);
            long end = stale < 0 ? first + pages : stale;
            for (; clean < end; clean++) {
                if (shared.content(clean) != 0) {
                    throw new AssertionError("id=" + id + " got as clean page=" + clean + ", with old bytes");
                }
            }
            if (stale >= 0) {
                clean += allocator.staleLength(stale, first + pages - stale);
            }
        }
        held += pages;
        blocks.add(new Block(first, pages));
    }

    /** Frees a block, or a part of it: then what is left becomes one block or two. */
    private void put(boolean whole) {
        int i = random.nextInt(blocks.size());
        Block block = blocks.get(i);
        long lo = 0;
        long hi = block.pages;
        if (!whole && blocks.size() < MAX_BLOCKS - 2 && random.nextInt(3) == 0) {
            lo = random.nextLong(block.pages);
            hi = lo + 1 + random.nextLong(block.pages - lo);
        }
        blocks.set(i, blocks.getLast());
        blocks.removeLast();
        if (lo > 0) {
            blocks.add(new Block(block.first, lo));
        }
        if (hi < block.pages) {
            blocks.add(new Block(block.first + hi, block.pages - hi));
        }
        give(block.first + lo, hi - lo);
    }

    private void give(long first, long pages) {
        int flags = PUT_FLAGS[random.nextInt(PUT_FLAGS.length)];
        for (long page = first; page < first + pages; page++) {
            if (flags != LlFree.PUT_UNTOUCHED) {
                shared.setContent(page, flags == 0 ? id : 0);
            }
            int owner = shared.changeOwner(page, id, 0);
            if (owner != id) {
                throw new AssertionError("id=" + id + " lost page=" + page + " to id=" + owner);
            }
        }
        allocator.putRun(id, first, pages, flags);
        held -= pages;
    }
}
