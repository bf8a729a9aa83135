import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.LongAdder;
import upa.core.MemoryHints;
import upa.core.PageArena;
import upa.core.Region;
import upa.policy.Hint;

/**
 * A JVM whose region is larger than what it may have in memory. Threads map, resize, unmap, clear and give back at
 * random; every page says at both ends which it is, and what is promised to read zero does. Arguments: MiB held by all
 * threads at once, threads. Ends when there is something to read, and says how many pages it has found wrong.
 */
public final class PagedBlocks {
    private static final long PAGE = 4096;
    private static final long MIB = 1 << 20;
    private static final Hint.Kind[] KINDS = Hint.Kind.values();

    private static final LongAdder LOOKS = new LongAdder();
    private static final LongAdder WRONG = new LongAdder();
    private static final AtomicBoolean ENOUGH = new AtomicBoolean();

    private final Region region;
    private final long most;
    private final Random random;
    private final List<Block> blocks = new ArrayList<>();
    private long held;
    private long names;

    /** Pages of one mapping; page i of it is called name + i at both ends. */
    private static final class Block {
        private long address;
        private long pages;
        private long name;
    }

    private PagedBlocks(Region region, int number, long most) {
        this.region = region;
        this.most = most;
        random = new Random(number);
        names = (number + 1L) << 48;
    }

    /** Runs the check. */
    public static void main(String[] arguments) throws Exception {
        int threads = Integer.parseInt(arguments[1]);
        long most = Long.parseLong(arguments[0]) * MIB / PAGE / threads;
        try (Region region = Region.create(2048 * MIB)) {
            region.keepZeroed(8 * MIB);
            List<Thread> all = new ArrayList<>();
            for (int i = 0; i < threads; i++) {
                PagedBlocks user = new PagedBlocks(region, i, most);
                all.add(Thread.ofPlatform().start(() -> user.work()));
            }
            if (System.in.read() < 0) {
                throw new IllegalStateException("no input");
            }
            ENOUGH.set(true);
            for (Thread thread : all) {
                thread.join();
            }
            region.keepZeroed(0);
            region.validate();
        }
        System.out.println("looks " + LOOKS + " wrong " + WRONG);
    }

    private void work() {
        try {
            while (!ENOUGH.get()) {
                step();
            }
            blocks.forEach(this::look);
        } catch (Throwable t) {
            WRONG.increment();
            t.printStackTrace();
        }
    }

    private void step() {
        int what = random.nextInt(16);
        if (blocks.isEmpty() || held < most && what < 6) {
            map(1 + random.nextLong(1L << random.nextInt(12)), random.nextBoolean());
        } else if (held >= most || what < 8) {
            unmap(blocks.get(random.nextInt(blocks.size())));
        } else if (what < 10) {
            resize(blocks.get(random.nextInt(blocks.size())));
        } else if (what < 13) {
            look(blocks.get(random.nextInt(blocks.size())));
        } else if (what < 14) {
            arena();
        } else if (what < 15) {
            hint(blocks.get(random.nextInt(blocks.size())));
        } else if (random.nextInt(64) == 0) {
            region.giveBack(random.nextLong(64) * MIB);
        }
    }

    private static long word(MemorySegment segment, long page, boolean last) {
        return segment.get(ValueLayout.JAVA_LONG, page * PAGE + (last ? PAGE - 8 : 0));
    }

    private static void say(MemorySegment segment, long page, long name) {
        segment.set(ValueLayout.JAVA_LONG, page * PAGE, name);
        segment.set(ValueLayout.JAVA_LONG, page * PAGE + PAGE - 8, name);
    }

    private static void expect(MemorySegment segment, long page, long name, String when) {
        LOOKS.increment();
        long first = word(segment, page, false);
        long last = word(segment, page, true);
        if (first != name || last != name) {
            WRONG.increment();
            System.err.printf("%s: page=%#x wanted=%#x first=%#x last=%#x%n", when,
                    segment.address() + page * PAGE, name, first, last);
        }
    }

    private void map(long pages, boolean zeros) {
        Block block = new Block();
        block.address = region.map(pages * PAGE, zeros ? Region.ZEROS : 0);
        block.pages = pages;
        if (block.address == Region.NO_MEMORY) {
            throw new IllegalStateException("no room: pages=" + pages + " of " + region);
        }
        block.name = names;
        names += 1 << 20;
        MemorySegment segment = region.segment(block.address, pages * PAGE);
        for (long i = 0; i < pages; i++) {
            if (zeros) {
                expect(segment, i, 0, "mapped");
            }
            say(segment, i, block.name + i);
        }
        held += pages;
        blocks.add(block);
    }

    private void look(Block block) {
        MemorySegment segment = region.segment(block.address, block.pages * PAGE);
        for (long i = 0; i < block.pages; i++) {
            expect(segment, i, block.name + i, "held");
        }
    }

    private void unmap(Block block) {
        look(block);
        region.unmap(block.address, block.pages * PAGE);
        held -= block.pages;
        blocks.set(blocks.indexOf(block), blocks.getLast());
        blocks.removeLast();
    }

    private void resize(Block block) {
        long pages = Math.max(1, random.nextBoolean() ? 2 * block.pages : random.nextLong(block.pages + 1));
        if (pages > 8192) {
            return;
        }
        long moved = region.resize(block.address, block.pages * PAGE, pages * PAGE, Region.ZEROS);
        if (moved == Region.NO_MEMORY) {
            throw new IllegalStateException("no room: pages=" + pages + " of " + region);
        }
        long before = block.pages;
        held += pages - before;
        block.address = moved;
        block.pages = pages;
        MemorySegment segment = region.segment(moved, pages * PAGE);
        for (long i = before; i < pages; i++) {
            expect(segment, i, 0, "gained");
            say(segment, i, block.name + i);
        }
        look(block);
    }

    private void arena() {
        try (PageArena arena = PageArena.ofConfined(region)) {
            for (int i = 0; i < 8; i++) {
                long bytes = 8 + random.nextLong(256 * 1024);
                MemorySegment segment = arena.allocate(bytes, 8);
                LOOKS.increment();
                if (segment.mismatch(MemorySegment.ofArray(new byte[(int) bytes])) >= 0) {
                    WRONG.increment();
                    System.err.println("not zero: segment=" + segment);
                }
                segment.fill((byte) 0xa5);
            }
        }
    }

    private void hint(Block block) {
        MemorySegment segment = region.segment(block.address, block.pages * PAGE);
        Hint.Kind kind = KINDS[random.nextInt(KINDS.length)];
        if (kind == Hint.Kind.PRIORITY) {
            MemoryHints.prioritize(segment, random.nextInt(MemoryHints.MOST_PRIORITY + 1));
        } else {
            MemoryHints.give(segment, kind);
        }
    }
}
