package upa.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Many threads on one region: each block carries its own pattern, and must still carry it when it is freed. */
class RegionStressTest {
    private static final long MIB = 1 << 20;
    private static final long BYTES = 128 * MIB;
    private static final int STEPS = 4000;
    private static final int LIVE = 24;

    private record Block(long address, long bytes, long mark) {
        void write(Region region) {
            MemorySegment s = region.segment(address, bytes);
            for (long i = 0; i + 8 <= bytes; i += 2048) {
                s.set(ValueLayout.JAVA_LONG, i, mark + i);
            }
        }

        void check(Region region, long bytes) {
            MemorySegment s = region.segment(address, bytes);
            for (long i = 0; i + 8 <= bytes; i += 2048) {
                assertEquals(mark + i, s.get(ValueLayout.JAVA_LONG, i), "at offset=" + i);
            }
        }
    }

    static void run(boolean virtual, int threads, Runnable task) throws Exception {
        try (ExecutorService executor =
                virtual ? Executors.newVirtualThreadPerTaskExecutor() : Executors.newFixedThreadPool(threads)) {
            List<Future<?>> futures = new ArrayList<>();
            for (int i = 0; i < threads; i++) {
                futures.add(executor.submit(task));
            }
            for (Future<?> f : futures) {
                f.get();
            }
        }
    }

    /** Free memory goes back by itself at the same time: at every look, all but 2 MiB. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void noPageIsEverHeldTwice(boolean virtual) throws Exception {
        AtomicLong seeds = new AtomicLong(1);
        try (Region region = Region.create(BYTES)) {
            region.retain(new Retention(0, Duration.ZERO));
            run(virtual, 6, () -> work(region, seeds.getAndIncrement() << 40));
            region.validate();
            assertEquals(0, region.stats().allocatedBytes());
        }
    }

    private static void work(Region region, long seed) {
        Random random = new Random(seed);
        Block[] live = new Block[LIVE];
        for (int step = 0; step < STEPS; step++) {
            int at = random.nextInt(LIVE);
            Block b = live[at];
            if (b == null) {
                long bytes = 1 + random.nextLong(4096L << random.nextInt(11));
                int flags = random.nextInt(3) == 0 ? Region.ZEROS : 0;
                long address = region.map(bytes, flags);
                if (address != Region.NO_MEMORY) {
                    if (flags == Region.ZEROS) {
                        assertEquals(
                                -1,
                                region.segment(address, bytes).mismatch(MemorySegment.ofArray(new byte[(int) bytes])));
                    }
                    live[at] = new Block(address, bytes, seed + ((long) step << 24));
                    live[at].write(region);
                }
            } else if (random.nextInt(4) == 0) {
                long bytes = 1 + random.nextLong(2 * b.bytes);
                long address = region.resize(b.address, b.bytes, bytes, 0);
                if (address != Region.NO_MEMORY) {
                    Block resized = new Block(address, bytes, b.mark);
                    resized.check(region, Math.min(b.bytes, bytes));
                    resized.write(region);
                    live[at] = resized;
                }
            } else {
                b.check(region, b.bytes);
                region.unmap(b.address, b.bytes);
                live[at] = null;
            }
            if (random.nextInt(500) == 0) {
                region.giveBack(random.nextInt((int) BYTES));
                region.clear(8 * MIB);
                region.populate(4 * MIB);
            }
        }
        for (Block b : live) {
            if (b != null) {
                b.check(region, b.bytes);
                region.unmap(b.address, b.bytes);
            }
        }
    }

    @Test
    void arenasOfManyThreadsShareTheRegion() throws Exception {
        AtomicLong marks = new AtomicLong(1);
        try (Region region = Region.create(BYTES)) {
            run(false, 4, () -> {
                for (int round = 0; round < 500; round++) {
                    long mark = marks.getAndIncrement();
                    try (PageArena arena = PageArena.ofConfined(region)) {
                        List<MemorySegment> segments = new ArrayList<>();
                        for (int i = 0; i < 40; i++) {
                            MemorySegment s = arena.allocate(i == 20 ? 70_000 : 8 + 16 * i, 8);
                            assertEquals(-1, s.mismatch(MemorySegment.ofArray(new byte[(int) s.byteSize()])));
                            s.set(ValueLayout.JAVA_LONG, s.byteSize() / 8 * 8 - 8, mark);
                            segments.add(s);
                        }
                        for (MemorySegment s : segments) {
                            assertEquals(mark, s.get(ValueLayout.JAVA_LONG, s.byteSize() / 8 * 8 - 8));
                        }
                    }
                }
            });
            region.validate();
            assertEquals(0, region.stats().allocatedBytes());
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void closingUnderThreadsAtWorkIsNoFault(boolean shared) throws Exception {
        for (int round = 0; round < 20; round++) {
            try (SharedFile file = new SharedFile()) {
                closeUnderThreadsAtWork(shared ? Region.createShared(file.path(), 16 * MIB) : Region.create(16 * MIB));
            }
        }
    }

    /** Threads at work on a region that is closed under them see exceptions; the process survives. */
    static void closeUnderThreadsAtWork(Region region) throws Exception {
        AtomicBoolean closed = new AtomicBoolean();
        Thread closer = new Thread(() -> {
            while (!closed.get()) {
                try {
                    region.close();
                    closed.set(true);
                } catch (IllegalStateException inUse) {
                    assertTrue(inUse.getMessage().startsWith("region in use: "), inUse.getMessage());
                    Thread.yield();
                }
            }
        });
        AtomicLong calls = new AtomicLong();
        run(false, 3, () -> {
            Random random = new Random();
            IllegalStateException end = null;
            while (end == null) {
                if (calls.getAndIncrement() == 1000) {
                    closer.start();
                }
                try {
                    workUntilClosed(region, random);
                } catch (IllegalStateException e) {
                    end = e;
                }
            }
        });
        closer.join();
        assertTrue(closed.get());
    }

    /** A call that was under way when the region was closed may also find that its pages are not there. */
    private static void workUntilClosed(Region region, Random random) {
        try {
            // Mostly what does not keep the region open.
            switch (random.nextInt(32)) {
                case 0 -> {
                    long address = region.map(1 + random.nextInt(100_000), Region.ZEROS);
                    if (address != Region.NO_MEMORY) {
                        region.unmap(address, 1);
                    }
                }
                case 1 -> {
                    try (PageArena arena = PageArena.ofConfined(region)) {
                        arena.allocate(30_000).fill((byte) 1);
                    } catch (OutOfMemoryError full) {
                        region.stats();
                    }
                }
                case 2 -> region.giveBack(0);
                case 3 -> {
                    long address = region.map(300_000);
                    if (address != Region.NO_MEMORY) {
                        region.unmap(region.resize(address, 300_000, 100_000, 0), 100_000);
                    }
                }
                default -> {
                    long address = region.map(300_000);
                    if (address != Region.NO_MEMORY) {
                        region.segment(address, 300_000).set(ValueLayout.JAVA_LONG, 4096, 1);
                        region.unmap(address, 300_000);
                    }
                }
            }
        } catch (IllegalArgumentException e) {
            region.stats();
            throw e;
        }
    }
}
