package upa.llfree;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static upa.llfree.LlFreeContract.EFFORT;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Java threads on one state. */
class LlFreeStressTest {
    @ParameterizedTest
    @CsvSource({"4, 600, 1", "4, 4096, 2", "4, 20000, 4", "6, 65536, 8", "6, 30000, 3"})
    void noPageIsHeldTwice(int threads, int pages, int slots) throws Exception {
        for (int round = 0; round < 3 * EFFORT; round++) {
            try (SharedState shared = SharedState.create(pages, slots)) {
                OwnershipWorkload.run(shared, 1, threads, 20_000, round);
                shared.assertAllFree();
            }
        }
    }

    /** Whatever others are doing, a get must not fail while there is more room than they can be holding. */
    @ParameterizedTest
    @CsvSource({"4, 512, 4", "4, 8192, 4", "4, 8192, 2", "3, 20000, 8"})
    void getsDoNotFailWhileThereIsRoom(int threads, int pages, int slots) throws Exception {
        int each = 16;
        try (SharedState shared = SharedState.create(pages, slots)) {
            LlFree allocator = shared.allocator;
            // Single pages free here and there, more of them than all threads take together.
            assertEquals(0, allocator.getRun(0, pages, 0));
            for (int i = 0; i < 2 * threads * each; i++) {
                allocator.put(i, (i * 7919L) % pages, 0);
            }
            AtomicLong failed = new AtomicLong();
            List<Thread> workers = new ArrayList<>();
            for (int t = 0; t < threads; t++) {
                int slot = t;
                workers.add(Thread.ofPlatform().start(() -> {
                    long[] held = new long[each];
                    for (int i = 0; i < 3000 * EFFORT; i++) {
                        int n = 0;
                        while (n < each) {
                            long page = allocator.get(slot, 0, 0);
                            if (page < 0) {
                                failed.incrementAndGet();
                                break;
                            }
                            held[n++] = page;
                        }
                        while (n > 0) {
                            allocator.put(slot, held[--n], 0);
                        }
                        if (i % 64 == 0) {
                            allocator.drain();
                        }
                    }
                }));
            }
            for (Thread worker : workers) {
                worker.join();
            }
            allocator.validate();
            assertEquals(0, failed.get());
            assertEquals(2L * threads * each, allocator.stats().freePages());
        }
    }

    /** Two threads free parts of what was taken as one child, again and again: nothing is lost. */
    @Test
    void partsOfAWholeChildAreFreedAtOnce() throws Exception {
        try (SharedState shared = SharedState.create(512, 2)) {
            LlFree allocator = shared.allocator;
            for (int round = 0; round < 500 * EFFORT; round++) {
                assertEquals(0, allocator.get(0, 9, 0));
                int cut = 1 + round % 511;
                Thread other = Thread.ofPlatform().start(() -> allocator.putRun(1, cut, 512 - cut, 0));
                allocator.putRun(0, 0, cut, 0);
                other.join();
                allocator.validate();
                assertEquals(512, allocator.stats().freePages());
                assertTrue(allocator.stats().freeChildren() == 1);
            }
        }
    }
}
