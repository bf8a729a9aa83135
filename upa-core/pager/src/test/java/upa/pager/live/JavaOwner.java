package upa.pager.live;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicLong;
import upa.core.PagerTerms;
import upa.core.PteOptions;
import upa.core.Region;

/**
 * An owner of a paged region in Java, in a process of its own: no JVM can serve itself. It obeys lines as
 * {@code paged_owner.c} does, as far as the tests of Java's half need them.
 */
final class JavaOwner {
    private static final long PAGE = 4096;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;

    private final Region region;
    private final MemorySegment all;
    private final int pages;
    /** Of each page; 0: reads zero. */
    private final long[] versions;

    private final AtomicLong wrong = new AtomicLong();

    private JavaOwner(int pages, int frames) {
        this.pages = pages;
        region = Region.createPaged(pages * PAGE, PteOptions.guarded(frames * PAGE));
        all = region.mapSegment(pages * PAGE, Region.ZEROS);
        versions = new long[pages];
    }

    public static void main(String[] args) throws Exception {
        JavaOwner owner = new JavaOwner(Integer.parseInt(args[0]), Integer.parseInt(args[1]));
        BufferedReader orders = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        System.out.println("ready");
        for (String line; (line = orders.readLine()) != null; ) {
            System.out.println(owner.obey(line.split(" ")));
        }
    }

    private String obey(String[] words) throws Exception {
        switch (words[0]) {
            case "admit":
                return admit(new PagerTerms(Long.parseLong(words[2]), words[3], words[4], Path.of(words[1])));
            case "run":
                return run(Integer.parseInt(words[1]), Integer.parseInt(words[2]), Long.parseLong(words[3]));
            case "check":
                for (int page = 0; page < pages; page++) {
                    check(page);
                }
                return "checked wrong=" + wrong;
            case "touch":
                try {
                    check(Integer.parseInt(words[1]));
                    return "ok wrong=" + wrong;
                } catch (InternalError e) {
                    return "SIGBUS wrong=" + wrong;
                }
            case "revoke":
                return "revoked " + (region.revoke() ? 0 : -2);
            case "resize":
                return resize();
            case "validate":
                region.validate();
                return "ok";
            case "mistakes":
                return "mistakes not refused=" + mistakes();
            case "destroy":
                region.close();
                return "destroyed 0";
            default:
                return "unknown";
        }
    }

    private String admit(PagerTerms terms) {
        try {
            region.admit(terms);
            return "admitted 0";
        } catch (IllegalArgumentException e) {
            return "admitted -22";
        } catch (IllegalStateException e) {
            return "admitted -16";
        } catch (Exception e) {
            return "admitted -5";
        }
    }

    // ---- what pages hold --------------------------------------------------------------------------------

    private static long content(int page, long version, int i) {
        long seed = page * 0x9e3779b97f4a7c15L + version * 0xbf58476d1ce4e5b9L;
        return (page + version) % 8 == 0 ? seed | 1 : i % 4 == 0 ? seed ^ i : page;
    }

    private void write(int page, long version) {
        for (int i = 0; i < PAGE / Long.BYTES; i++) {
            all.set(LONG, page * PAGE + i * Long.BYTES, content(page, version, i));
        }
        versions[page] = version;
    }

    private void check(int page) {
        for (int i = 0; i < PAGE / Long.BYTES; i += 7) {
            long expected = versions[page] == 0 ? 0 : content(page, versions[page], i);
            if (all.get(LONG, page * PAGE + (long) i * Long.BYTES) != expected) {
                wrong.incrementAndGet();
                return;
            }
        }
    }

    private String run(int threads, int steps, long seed) throws InterruptedException {
        Thread[] all = new Thread[threads];
        for (int t = 0; t < threads; t++) {
            int thread = t;
            all[t] = Thread.ofPlatform().start(() -> work(thread, threads, steps, seed));
        }
        for (Thread t : all) {
            t.join();
        }
        return "done wrong=" + wrong;
    }

    private void work(int thread, int threads, int steps, long seed) {
        SplittableRandom random = new SplittableRandom(seed + thread);
        int own = pages / threads;
        for (int s = 0; s < steps; s++) {
            int page = random.nextInt(random.nextInt(10) < 6 ? own / 10 : own) * threads + thread;
            check(page);
            int what = random.nextInt(64);
            if (what == 0) {
                long address = region.base() + page * PAGE;
                region.unmap(address, PAGE);
                if (!region.mapAt(address, PAGE, Region.ZEROS)) {
                    throw new AssertionError("page=" + page);
                }
                versions[page] = 0;
            } else if (what < 25) {
                write(page, versions[page] + 1);
            }
        }
    }

    // ---- the rest ---------------------------------------------------------------------------------------

    private long at(long page) {
        return region.base() + page * PAGE;
    }

    /** A block grows in place, moves, and shrinks. The rest of the region is free meanwhile. */
    private String resize() {
        long half = pages / 2;
        int bad = 0;
        region.unmap(at(16), (pages - 16) * PAGE);
        bad += region.resize(at(0), 16 * PAGE, 32 * PAGE, Region.IN_PLACE | Region.ZEROS) == at(0) ? 0 : 1;
        for (int i = 0; i < 32; i++) {
            bad += i >= 16 && all.get(LONG, i * PAGE) != 0 ? 1 : 0;
        }
        for (int i = 0; i < 32; i += 2) {
            all.set(LONG, i * PAGE, 1000 + i);
        }
        bad += region.mapAt(at(32), PAGE, 0) ? 0 : 1;
        long moved = region.resize(at(0), 32 * PAGE, half * PAGE, Region.ZEROS);
        bad += moved == at(0) || moved == Region.NO_MEMORY ? 1 : 0;
        for (int i = 0; i < half; i++) {
            long expected = i < 32 && i % 2 == 0 ? 1000 + i : 0;
            bad += all.get(LONG, moved - region.base() + i * PAGE) == expected ? 0 : 1;
        }
        bad += region.resize(moved, half * PAGE, 8 * PAGE, 0) == moved ? 0 : 1;
        region.unmap(moved, 8 * PAGE);
        region.unmap(at(32), PAGE);
        try {
            region.unmap(moved, PAGE);
            bad++;
        } catch (IllegalArgumentException e) {
            assert e.getMessage() != null;
        }
        bad += region.mapAt(at(0), pages * PAGE, 0) ? 0 : 1;
        Arrays.fill(versions, 0);
        return "resized wrong=" + bad;
    }

    private interface Call {
        void run() throws Exception;
    }

    private static int refuses(Class<? extends Exception> with, Call call) {
        try {
            call.run();
        } catch (Exception e) {
            if (with.isInstance(e)) {
                return 0;
            }
            System.err.println("# expected " + with + " got " + e);
            return 1;
        }
        System.err.println("# expected " + with);
        return 1;
    }

    /** Nobody was ever admitted, and nobody listens. */
    private int mistakes() {
        PagerTerms nobody = new PagerTerms(2 << 20, "", "", Path.of("/nobody"));
        int bad = refuses(IOException.class, () -> region.admit(nobody));
        bad += region.revoke() ? 1 : 0;
        bad += refuses(
                IllegalArgumentException.class,
                () -> region.admit(new PagerTerms(2 << 20, "", "", Path.of("/" + "x".repeat(200)))));
        bad += refuses(IllegalArgumentException.class, () -> PagerTerms.of((1 << 20) - 1));
        bad += refuses(IllegalArgumentException.class, () -> new PagerTerms(2 << 20, "clock\nx", "", null));
        bad += refuses(IllegalArgumentException.class, () -> new PagerTerms(2 << 20, "", "lz4\n", null));
        bad += refuses(NullPointerException.class, () -> new PagerTerms(2 << 20, null, "", null));
        try (Region linear = Region.create(1);
                Region pte = Region.create(1, PteOptions.guarded(2 << 20))) {
            bad += refuses(UnsupportedOperationException.class, () -> linear.admit(nobody));
            bad += refuses(UnsupportedOperationException.class, linear::revoke);
            bad += refuses(UnsupportedOperationException.class, () -> pte.admit(nobody));
        }
        bad += refuses(
                IllegalArgumentException.class,
                () -> Region.createPaged(1, PteOptions.guarded(2 << 20).withReclaim(true)));
        bad += refuses(IllegalArgumentException.class, () -> Region.createPaged(1, PteOptions.raw(2 << 20)));
        Region closed = Region.createPaged(1, PteOptions.guarded(2 << 20));
        closed.close();
        bad += refuses(IllegalStateException.class, () -> closed.admit(nobody));
        bad += region.giveBack(0) == 0 && region.populate(4 << 20) == 0 && region.clear(4 << 20) == 0 ? 0 : 1;
        return bad;
    }
}
