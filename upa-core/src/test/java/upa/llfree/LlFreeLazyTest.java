package upa.llfree;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static upa.llfree.LlFreeContract.EFFORT;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicLongArray;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Free memory that may vanish at any instant, beside threads that get and free pages: who gets a page of which nobody
 * says that it is lazy finds what its last holder wrote, and what a holder has written stays. The memory is a word a
 * page, which one thread clears wherever another has marked it. The C twin of this is
 * upa-mmap-shim/tests/llfree/llfree_lazy.c.
 */
class LlFreeLazyTest {
    /** Of a page's word: it may vanish. Above it is what the page holds, 0 for zeros. */
    private static final long MARKED = 1;

    private static final int WORKERS = 3;

    private record Block(long first, long pages) {}

    /** A state, its pages, and what the threads have seen. */
    private static final class Memory {
        private final LlFree allocator;
        private final AtomicLongArray words;
        private final AtomicLongArray last;
        private final AtomicLongArray owner;
        private final AtomicLong lazyGets = new AtomicLong();
        private final AtomicLong taken = new AtomicLong();
        private volatile boolean stop;
        private volatile Throwable fault;

        Memory(LlFree allocator) {
            this.allocator = allocator;
            int pages = (int) allocator.pages();
            words = new AtomicLongArray(pages);
            last = new AtomicLongArray(pages);
            owner = new AtomicLongArray(pages);
        }

        Thread start(Runnable body) {
            return Thread.ofPlatform().start(() -> {
                try {
                    body.run();
                } catch (RuntimeException | AssertionError e) {
                    fault = e;
                    stop = true;
                }
            });
        }

        /** Takes memory that may vanish. */
        void kernel() {
            SplittableRandom random = new SplittableRandom(1);
            while (!stop) {
                int page = random.nextInt(words.length());
                for (int i = 0; i < 512; i++, page = (page + 1) % words.length()) {
                    long word = words.get(page);
                    if ((word & MARKED) != 0 && random.nextBoolean()) {
                        words.compareAndSet(page, word, 0);
                    }
                }
            }
        }

        /** Takes free pages, marks those that have memory, and frees them as they were. */
        void marker(int slot) {
            SplittableRandom random = new SplittableRandom(slot);
            while (!stop) {
                long from = random.nextLong(allocator.pages());
                long first = allocator.next(from, allocator.pages() - from, true);
                if (first < 0) {
                    continue;
                }
                long n = Math.min(allocator.length(first, allocator.pages() - first, true), 1 + random.nextInt(1024));
                if (n < 1 || allocator.getAt(slot, first, n) < 0) {
                    continue;
                }
                hold(slot, first, n);
                int holds = allocator.contents(first, n);
                look(first, n, holds);
                if ((holds & LlFree.HOLDS_STALE) != 0) {
                    boolean isFirst = random.nextBoolean();
                    if (isFirst) {
                        allocator.setLazy(first, n);
                    }
                    for (int page = (int) first; page < first + n; page++) {
                        words.getAndUpdate(page, word -> word | MARKED);
                    }
                    if (!isFirst) {
                        allocator.setLazy(first, n);
                    }
                }
                release(slot, first, n, LlFree.PUT_UNTOUCHED);
            }
        }

        void worker(int slot, int operations) {
            SplittableRandom random = new SplittableRandom(100 + slot);
            Deque<Block> blocks = new ArrayDeque<>();
            // Longer on a machine so busy that nothing has been marked and taken yet.
            for (int i = 0; i < operations * (taken.get() > 0 ? 1L : 100L) && !stop; i++) {
                if (blocks.size() < 12 && random.nextBoolean()) {
                    get(slot, random, blocks);
                } else if (!blocks.isEmpty()) {
                    Block b = blocks.poll();
                    long part = random.nextInt(3) > 0 ? b.pages : 1 + random.nextLong(b.pages);
                    put(slot, random, b.first, part);
                    if (part < b.pages) {
                        blocks.add(new Block(b.first + part, b.pages - part));
                    }
                }
            }
            for (Block b : blocks) {
                put(slot, random, b.first, b.pages);
            }
        }

        private void get(int slot, SplittableRandom random, Deque<Block> blocks) {
            int most = switch (random.nextInt(4)) {
                case 0 -> 8;
                case 1 -> 512;
                default -> 1500;
            };
            long n = Math.min(random.nextInt(4) > 0 ? 1 + random.nextInt(most) : 512, allocator.pages());
            int zeros = random.nextBoolean() ? LlFree.GET_ZEROS : 0;
            long result = allocator.getRun(slot, n, LlFree.GET_CONTENTS | zeros);
            if (result < 0) {
                return;
            }
            long first = LlFree.pageOf(result);
            int holds = LlFree.holds(result);
            lazyGets.addAndGet((holds & LlFree.HOLDS_LAZY) != 0 ? 1 : 0);
            hold(slot, first, n);
            look(first, n, holds);
            if (random.nextInt(8) == 0) {
                release(slot, first, n, LlFree.PUT_UNTOUCHED);
                return;
            }
            for (int page = (int) first; page < first + n; page++) {
                long value = random.nextLong() >>> 2 | 1;
                words.set(page, value << 1);
                last.set(page, value);
            }
            if (random.nextBoolean()) {
                allocator.setStale(first, n);
                assertTrue(n < 512 || first % 512 != 0 || !allocator.lazy(first), () -> "page=" + first + " is lazy");
            }
            blocks.add(new Block(first, n));
        }

        private void put(int slot, SplittableRandom random, long first, long n) {
            int flags = random.nextInt(5) % 3;
            for (int page = (int) first; page < first + n; page++) {
                long value = last.get(page);
                if (words.get(page) != value << 1) {
                    throw new AssertionError("page=" + page + " is held, and changed to " + words.get(page));
                }
                if (flags != 0) {
                    words.set(page, 0);
                    last.set(page, 0);
                }
            }
            release(slot, first, n, flags);
        }

        private void hold(int slot, long first, long n) {
            for (int page = (int) first; page < first + n; page++) {
                if (!owner.compareAndSet(page, 0, slot)) {
                    throw new AssertionError("page=" + page + " taken by " + slot + " is held by " + owner.get(page));
                }
            }
        }

        private void release(int slot, long first, long n, int flags) {
            for (int page = (int) first; page < first + n; page++) {
                owner.set(page, 0);
            }
            allocator.putRun(slot, first, n, flags);
        }

        /**
         * Of pages just taken: does each hold what it must? Zeroed pages may count as stale by now, since somebody has
         * freed stale ones beside them; but they have been said to be zero.
         */
        private void look(long first, long n, int holds) {
            long stale = (holds & LlFree.HOLDS_STALE) != 0 ? allocator.nextStale(first, n) : -1;
            for (long page = first; page < first + n; page++) {
                if (stale >= 0 && stale < page) {
                    stale = allocator.nextStale(page, first + n - page);
                }
                long found = words.get((int) page) >> 1;
                long left = last.get((int) page);
                boolean isStale = stale == page;
                int asTold = isStale ? LlFree.HOLDS_STALE : LlFree.HOLDS_ABSENT | LlFree.HOLDS_ZEROED;
                boolean vanished = found == 0 && left != 0 && (holds & LlFree.HOLDS_LAZY) != 0;
                if ((holds & asTold) == 0 || found != (isStale ? left : 0) && !vanished) {
                    throw new AssertionError("page=" + page + " stale=" + isStale + " holds " + found + ", left=" + left
                            + " contents=" + holds);
                }
                if (vanished) {
                    taken.incrementAndGet();
                }
            }
        }
    }

    @Timeout(120)
    @ParameterizedTest
    @CsvSource({"512, 2", "9000, 4", "20000, 3"})
    void whatMayVanishIsSaid(int pages, int slots) throws Exception {
        try (SharedState shared = SharedState.create(pages, slots)) {
            Memory memory = new Memory(shared.allocator);
            Thread kernel = memory.start(memory::kernel);
            Thread marker = memory.start(() -> memory.marker(WORKERS + 1));
            List<Thread> workers = new ArrayList<>();
            for (int i = 1; i <= WORKERS; i++) {
                int slot = i;
                workers.add(memory.start(() -> memory.worker(slot, 3000 * EFFORT)));
            }
            for (Thread worker : workers) {
                worker.join();
            }
            memory.stop = true;
            kernel.join();
            marker.join();
            if (memory.fault != null) {
                throw new AssertionError("a thread found a fault", memory.fault);
            }
            shared.allocator.validate();
            LlFreeStats stats = shared.allocator.stats();
            assertEquals(pages, stats.freePages());
            assertTrue(stats.lazyPages() <= stats.retainedPages(), stats::toString);
            assertTrue(
                    memory.lazyGets.get() > 0 && memory.taken.get() > 0,
                    () -> "lazyGets=" + memory.lazyGets + " taken=" + memory.taken);
            for (int page = 0; page < pages; page++) {
                long at = page;
                assertTrue(
                        (memory.words.get(page) & MARKED) == 0 || shared.allocator.lazy(page),
                        () -> "page=" + at + " may vanish");
            }
        }
    }
}
