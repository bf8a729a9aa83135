import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import java.util.concurrent.atomic.AtomicLong;
import upa.core.MemoryHints;
import upa.core.PageArena;
import upa.core.Region;
import upa.policy.Hint;

/**
 * A program whose region is larger than its bound. Every page names itself and its version; threads of the JVM write
 * and read at random, blocks are freed and taken again, and one is made larger.
 */
public final class PagedRegion {
    private static final int PAGE = 4096;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;
    private static final AtomicLong WRONG = new AtomicLong();

    private PagedRegion() {}

    private static void fill(MemorySegment block, int page, long version) {
        for (int at = 0; at < PAGE; at += Long.BYTES) {
            block.set(LONG, (long) page * PAGE + at, version * 1_000_003 + page * 512L + at);
        }
    }

    private static void check(MemorySegment block, int page, long version) {
        for (int at = 0; at < PAGE; at += Long.BYTES) {
            long wanted = version == 0 ? 0 : version * 1_000_003 + page * 512L + at;
            if (block.get(LONG, (long) page * PAGE + at) != wanted) {
                WRONG.incrementAndGet();
                return;
            }
        }
    }

    /** Pages of a block, written and read at random. */
    private static void use(MemorySegment block, int touches, long seed) {
        int pages = (int) (block.byteSize() / PAGE);
        long[] versions = new long[pages];
        Random random = new Random(seed);
        for (int i = 0; i < touches; i++) {
            int page = i < pages ? i : random.nextInt(pages);
            check(block, page, versions[page]);
            if (i < pages || random.nextBoolean()) {
                fill(block, page, ++versions[page]);
            }
        }
        for (int page = 0; page < pages; page++) {
            check(block, page, versions[page]);
        }
    }

    /** Freed memory comes again, and reads zero; a block that grows keeps what it has. */
    private static void blocks(Region region) {
        for (int round = 0; round < 6; round++) {
            long bytes = 8L << 20;
            long address = region.map(bytes, Region.ZEROS);
            MemorySegment block = region.segment(address, bytes);
            for (int page = 0; page < bytes / PAGE; page++) {
                check(block, page, 0);
                fill(block, page, round + 1);
            }
            long larger = region.resize(address, bytes, 3 * bytes, Region.ZEROS);
            MemorySegment all = region.segment(larger, 3 * bytes);
            for (int page = 0; page < 3 * bytes / PAGE; page++) {
                check(all, page, page < bytes / PAGE ? round + 1 : 0);
            }
            region.unmap(larger, 3 * bytes);
            if (round == 3) {
                region.giveBack(0);
            }
        }
    }

    public static void main(String[] arguments) throws Exception {
        if (!MemoryHints.areHeard()) {
            throw new IllegalStateException("nobody hears hints");
        }
        try (Region region = Region.create(1L << 30);
                PageArena arena = PageArena.ofShared(region)) {
            MemorySegment wanted = arena.allocate(8 << 20, PAGE);
            for (int page = 0; page < wanted.byteSize() / PAGE; page++) {
                fill(wanted, page, 9);
            }
            MemoryHints.prioritize(wanted, 0);
            Thread[] threads = new Thread[2];
            for (int t = 0; t < threads.length; t++) {
                MemorySegment block = arena.allocate(24 << 20, PAGE);
                long seed = t;
                threads[t] = new Thread(() -> use(block, 40_000, seed));
                threads[t].start();
            }
            for (Thread t : threads) {
                t.join();
            }
            blocks(region);
            System.out.println("used");
            awaitLine();
            // Room first: what is to come in early waits for it.
            region.giveBack(0);
            MemoryHints.give(wanted, Hint.Kind.WILL_NEED);
            System.out.println("hinted");
            awaitLine();
            for (int page = 0; page < wanted.byteSize() / PAGE; page++) {
                check(wanted, page, 9);
            }
        }
        System.out.println("wrong " + WRONG);
    }

    private static void awaitLine() throws IOException {
        int c = System.in.read();
        while (c >= 0 && c != '\n') {
            c = System.in.read();
        }
    }
}
