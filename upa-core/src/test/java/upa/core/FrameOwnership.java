package upa.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import java.util.concurrent.atomic.AtomicIntegerArray;

/**
 * Threads that map, move, resize and unmap blocks, and prove by a map of owners that no page frame stands at two pages
 * in use, and by the contents that each page shows the frame that the table says.
 */
final class FrameOwnership {
    private static final long PAGE = RegionDescriptor.PAGE_BYTES;
    private static final int LIVE = 8;

    private final Region region;
    private final AtomicIntegerArray owners;

    /** Blocks of whole pages. */
    private record Block(long address, long pages) {}

    FrameOwnership(Region region) {
        this.region = region;
        owners = new AtomicIntegerArray((int) (region.stats().frames().maxPoolBytes() / PAGE));
    }

    /** Does so many steps as the thread of this number, from 1, and frees all it holds. */
    void work(int id, int steps) {
        Random random = new Random(id);
        Block[] live = new Block[LIVE];
        for (int step = 0; step < steps; step++) {
            int i = random.nextInt(LIVE);
            if (live[i] == null) {
                live[i] = map(id, random);
            } else if (random.nextInt(3) == 0) {
                live[i] = resize(id, live[i], random);
            } else {
                release(id, live[i], live[i].pages);
                region.unmap(live[i].address, live[i].pages * PAGE);
                live[i] = null;
            }
            if (random.nextInt(200) == 0) {
                region.giveBack(random.nextInt(1 << 24));
                region.populate(1 << 22);
                region.clear(1 << 22);
            }
        }
        for (Block b : live) {
            if (b != null) {
                release(id, b, b.pages);
                region.unmap(b.address, b.pages * PAGE);
            }
        }
    }

    private Block map(int id, Random random) {
        long n = 1 + random.nextInt(1 << random.nextInt(11));
        int flags = random.nextInt(4);
        long address;
        if (random.nextInt(4) == 0) {
            address = region.base() + random.nextLong(region.bytes() / PAGE - n + 1) * PAGE;
            if (!region.mapAt(address, n * PAGE, flags)) {
                return null;
            }
        } else {
            address = region.map(n * PAGE, flags);
            if (address == Region.NO_MEMORY) {
                return null;
            }
        }
        if ((flags & Region.ZEROS) != 0) {
            assertZero(address, n);
        }
        Block b = new Block(address, n);
        claim(id, b, 0);
        return b;
    }

    private Block resize(int id, Block b, Random random) {
        long n = 1 + random.nextLong(2 * b.pages);
        // What shrinking frees must be nobody's before.
        Block before = b;
        if (n < b.pages) {
            release(id, new Block(b.address + n * PAGE, b.pages - n), b.pages - n);
            before = new Block(b.address, n);
        }
        long address = region.resize(b.address, b.pages * PAGE, n * PAGE, Region.ZEROS);
        if (address == Region.NO_MEMORY) {
            check(id, before);
            return before;
        }
        Block after = new Block(address, n);
        check(id, new Block(address, before.pages));
        if (n > b.pages) {
            assertZero(address + b.pages * PAGE, n - b.pages);
            claim(id, after, b.pages);
        }
        return after;
    }

    private void assertZero(long address, long pages) {
        MemorySegment s = region.segment(address, pages * PAGE);
        for (long i = 0; i < s.byteSize(); i += 512) {
            assertEquals(0, s.get(ValueLayout.JAVA_LONG, i), "old bytes at offset=" + i);
        }
    }

    private static long mark(int id, int frame) {
        return (long) id << 32 | frame + 1;
    }

    /** Pages from the given one on become ours, and get our mark and that of their frame. */
    private void claim(int id, Block b, long from) {
        MemorySegment s = region.segment(b.address, b.pages * PAGE);
        for (long i = from; i < b.pages; i++) {
            int frame = region.frameAt(b.address + i * PAGE);
            assertTrue(frame >= 0, "a page in use has no frame");
            assertTrue(owners.compareAndSet(frame, 0, id), () -> "frame=" + frame + " has owner=" + owners.get(frame));
            for (long at = 0; at < PAGE; at += 512) {
                s.set(ValueLayout.JAVA_LONG, i * PAGE + at, mark(id, frame));
            }
        }
    }

    /** Each page shows the frame of which the table says that it stands there, with what we wrote. */
    private void check(int id, Block b) {
        MemorySegment s = region.segment(b.address, b.pages * PAGE);
        for (long i = 0; i < b.pages; i++) {
            int frame = region.frameAt(b.address + i * PAGE);
            assertEquals(id, owners.get(frame));
            for (long at = 0; at < PAGE; at += 512) {
                assertEquals(mark(id, frame), s.get(ValueLayout.JAVA_LONG, i * PAGE + at), "frame=" + frame);
            }
        }
    }

    private void release(int id, Block b, long pages) {
        check(id, b);
        for (long i = 0; i < pages; i++) {
            int frame = region.frameAt(b.address + i * PAGE);
            assertTrue(owners.compareAndSet(frame, id, 0), "frame=" + frame + " was taken");
        }
    }
}
