package upa.pager.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What every store does: each has a subclass of this test. */
@Timeout(300)
abstract class StoreContract {
    private static final int BATCH = 64;

    private final List<Store> opened = new ArrayList<>();
    private final Arena arena = Arena.ofShared();

    /** Makes an empty store of a client that no other test has, with room for at least so many pages. */
    abstract Store open(int pages) throws Exception;

    /** A successor of a store that has been closed, with nothing adopted. */
    abstract Store reopen(Store closed) throws Exception;

    /** Changes a byte of what is kept under a slot. */
    abstract void damage(Store store, int slot) throws Exception;

    /** Takes away what is kept under a slot, behind the store's back. */
    abstract void remove(Store store, int slot) throws Exception;

    final Store keep(Store store) {
        opened.add(store);
        return store;
    }

    @AfterEach
    final void closeAll() {
        opened.forEach(Store::close);
        arena.close();
    }

    final PageIo batch(int count) {
        PageIo io = new PageIo(arena, Math.max(count, 1));
        io.begin(count);
        return io;
    }

    /** Fills a page with what depends on its version, and compresses to about a half. */
    static void fill(MemorySegment page, long version) {
        Random random = new Random(version);
        for (int i = 0; i < PageIo.PAGE_BYTES; i += 8) {
            page.set(ValueLayout.JAVA_LONG, i, i % 16 == 0 ? random.nextLong() : version);
        }
    }

    static void assertPage(MemorySegment page, long version) {
        try (Arena a = Arena.ofConfined()) {
            MemorySegment expected = a.allocate(PageIo.PAGE_BYTES, 8);
            fill(expected, version);
            assertEquals(-1, expected.mismatch(page), "version=" + version);
        }
    }

    /** Writes pages of versions from..to-1. */
    final PageIo write(Store store, int from, int to) {
        PageIo io = batch(to - from);
        for (int i = 0; i < to - from; i++) {
            fill(io.page(i), from + i);
            io.computeCheck(i);
        }
        return store.write(io).join();
    }

    /** Writes one page; its slot above its checksum, or -1. */
    final long writeOne(Store store, int version) {
        PageIo io = write(store, version, version + 1);
        return io.result(0) == PageIo.Result.OK ? (long) io.slot(0) << 32 | io.check(0) : -1;
    }

    final PageIo read(Store store, long... kept) {
        PageIo io = batch(kept.length);
        for (int i = 0; i < kept.length; i++) {
            io.slot(i, (int) (kept[i] >>> 32));
            io.check(i, (int) kept[i]);
        }
        io.data().fill((byte) 0x5a);
        return store.read(io).join();
    }

    private static void free(Store store, long... kept) {
        int[] slots = new int[kept.length];
        for (int i = 0; i < slots.length; i++) {
            slots[i] = (int) (kept[i] >>> 32);
        }
        store.free(slots, slots.length);
    }

    static void await(String what, Callable<Boolean> condition) throws Exception {
        long deadline = System.nanoTime() + 30_000_000_000L;
        while (!condition.call()) {
            assertTrue(System.nanoTime() < deadline, "never came: " + what);
            Thread.sleep(2);
        }
    }

    @Test
    void returnsWhatWasWritten() throws Exception {
        Store store = open(1000);
        for (int count : new int[] {0, 1, 2, 63, 64, 65, 200}) {
            PageIo written = write(store, 1000 * count, 1000 * count + count);
            PageIo io = batch(count);
            for (int i = 0; i < count; i++) {
                assertEquals(PageIo.Result.OK, written.result(i), "count=" + count + " i=" + i);
                io.slot(count - 1 - i, written.slot(i));
                io.check(count - 1 - i, written.check(i));
            }
            store.read(io).join();
            for (int i = 0; i < count; i++) {
                assertEquals(PageIo.Result.OK, io.result(count - 1 - i));
                assertPage(io.page(count - 1 - i), 1000L * count + i);
            }
        }
    }

    /** Random writes, reads and frees against a map. */
    @Test
    void behavesAsAMap() throws Exception {
        Store store = open(3000);
        Random random = new Random(4);
        Map<Integer, Long> versions = new HashMap<>();
        Map<Integer, Integer> checks = new HashMap<>();
        int version = 0;
        for (int step = 0; step < 300; step++) {
            int count = 1 + random.nextInt(BATCH);
            List<Integer> slots = new ArrayList<>(versions.keySet());
            switch (slots.size() > 2000 ? 2 : random.nextInt(3)) {
                case 0 -> {
                    PageIo io = write(store, version, version + count);
                    for (int i = 0; i < count; i++) {
                        assertEquals(PageIo.Result.OK, io.result(i));
                        assertEquals(null, versions.put(io.slot(i), (long) version + i), "handed out twice");
                        checks.put(io.slot(i), io.check(i));
                    }
                    version += count;
                }
                case 1 -> {
                    Collections.shuffle(slots, random);
                    PageIo io = batch(Math.min(count, slots.size()));
                    for (int i = 0; i < io.count(); i++) {
                        io.slot(i, slots.get(i));
                        io.check(i, checks.get(slots.get(i)));
                    }
                    store.read(io).join();
                    for (int i = 0; i < io.count(); i++) {
                        assertEquals(PageIo.Result.OK, io.result(i));
                        assertPage(io.page(i), versions.get(slots.get(i)));
                    }
                }
                default -> {
                    Collections.shuffle(slots, random);
                    int[] freed = slots.stream()
                            .limit(2L * count)
                            .mapToInt(Integer::intValue)
                            .toArray();
                    store.free(freed, freed.length);
                    for (int slot : freed) {
                        versions.remove(slot);
                    }
                }
            }
            assertEquals(versions.size(), store.statistics().pages());
        }
        assertTrue(store.statistics().written() == version && store.statistics().read() > 1000);
    }

    @Test
    void aDamagedPageIsNeverReturned() throws Exception {
        Store store = open(10);
        long a = writeOne(store, 1);
        long b = writeOne(store, 2);
        long c = writeOne(store, 3);
        damage(store, (int) (b >>> 32));
        PageIo io = read(store, a, b, c);
        assertEquals(PageIo.Result.OK, io.result(0));
        assertEquals(PageIo.Result.DAMAGED, io.result(1));
        assertEquals(PageIo.Result.OK, io.result(2));
        assertPage(io.page(2), 3);
        assertEquals(1, store.statistics().failed());
    }

    @Test
    void anotherPagesContentIsDamageToo() throws Exception {
        Store store = open(10);
        long a = writeOne(store, 1);
        long b = writeOne(store, 2);
        PageIo io = read(store, a & ~0xffffffffL | b & 0xffffffffL);
        assertEquals(PageIo.Result.DAMAGED, io.result(0));
    }

    @Test
    void aPageThatIsGoneIsMissing() throws Exception {
        Store store = open(10);
        long a = writeOne(store, 1);
        long b = writeOne(store, 2);
        remove(store, (int) (a >>> 32));
        PageIo io = read(store, a, b);
        assertNotEquals(PageIo.Result.OK, io.result(0));
        assertNotEquals(PageIo.Result.PENDING, io.result(0));
        assertEquals(PageIo.Result.OK, io.result(1));
    }

    @Test
    void slotsThatAreNotInUseAreMissing() throws Exception {
        Store store = open(10);
        long a = writeOne(store, 1);
        long b = writeOne(store, 2);
        free(store, b);
        PageIo io = read(store, b, 1000L << 32, (long) (Store.MAX_SLOTS - 1) << 32, a);
        for (int i = 0; i < 3; i++) {
            assertEquals(PageIo.Result.MISSING, io.result(i));
        }
        assertEquals(PageIo.Result.OK, io.result(3));
    }

    @Test
    void freeingTwiceIsAnError() throws Exception {
        Store store = open(10);
        long a = writeOne(store, 1);
        long b = writeOne(store, 2);
        free(store, a);
        String message = assertThrows(IllegalArgumentException.class, () -> free(store, a))
                .getMessage();
        assertTrue(message.startsWith("freed twice or never in use: "), message);
        assertEquals(PageIo.Result.OK, read(store, b).result(0));
    }

    @Test
    void isFullAndTakesPagesAgainWhenSomeAreFreed() throws Exception {
        Store store = open(256);
        List<Long> kept = new ArrayList<>();
        PageIo io;
        int version = 0;
        do {
            io = write(store, version, version + BATCH);
            for (int i = 0; i < BATCH; i++) {
                if (io.result(i) == PageIo.Result.OK) {
                    kept.add((long) io.slot(i) << 32 | io.check(i));
                } else {
                    assertEquals(PageIo.Result.FULL, io.result(i));
                }
            }
            version += BATCH;
            assertTrue(version < 1 << 20, "no limit");
        } while (io.result(BATCH - 1) == PageIo.Result.OK);
        assertTrue(kept.size() >= 256, "pages=" + kept.size());
        StoreStatistics statistics = store.statistics();
        assertEquals(kept.size(), statistics.pages());
        assertTrue(statistics.bytesUsed() <= statistics.bytesLimit(), statistics.toString());
        assertTrue(statistics.refused() > 0);
        // Another page may become smaller than those, and fit a gap.
        for (long one = writeOne(store, 1); one >= 0; one = writeOne(store, 1)) {
            kept.add(one);
        }
        for (int i = 0; i < 3; i++) {
            assertEquals(PageIo.Result.FULL, write(store, 1, 2).result(0));
        }
        long[] some = kept.subList(0, 128).stream().mapToLong(Long::longValue).toArray();
        free(store, some);
        await("room", () -> write(store, 7, 8).result(0) == PageIo.Result.OK);
        PageIo rest = read(
                store,
                kept.subList(128, kept.size()).stream()
                        .mapToLong(Long::longValue)
                        .toArray());
        for (int i = 0; i < rest.count(); i++) {
            assertEquals(PageIo.Result.OK, rest.result(i));
        }
    }

    @Test
    void givesSpaceBack() throws Exception {
        Store store = open(600);
        PageIo io = write(store, 0, 512);
        int[] slots = new int[512];
        for (int i = 0; i < 512; i++) {
            slots[i] = io.slot(i);
        }
        assertTrue(store.statistics().bytesUsed() >= 512 * 1024);
        store.free(slots, 512);
        await("space given back", () -> store.statistics().bytesUsed() <= 256 * 1024);
        assertEquals(0, store.statistics().pages());
    }

    /** Writing anew what a store names as sparse frees space, and loses nothing. */
    @Test
    void compacts() throws Exception {
        Store store = open(3000);
        Map<Integer, Long> versions = new HashMap<>();
        Map<Integer, Integer> checks = new HashMap<>();
        PageIo io = write(store, 0, 2048);
        List<Integer> freed = new ArrayList<>();
        for (int i = 0; i < 2048; i++) {
            if (i % 8 != 0) {
                freed.add(io.slot(i));
            } else {
                versions.put(io.slot(i), (long) i);
                checks.put(io.slot(i), io.check(i));
            }
        }
        store.free(freed.stream().mapToInt(Integer::intValue).toArray(), freed.size());
        long before = store.statistics().bytesUsed();
        int[] sparse = new int[4096];
        int rounds = 0;
        for (int count = store.sparse(sparse); count > 0 && rounds++ < 200; count = store.sparse(sparse)) {
            int named = count;
            await("writing anew", () -> rewrite(store, sparse, named, versions, checks));
        }
        assertEquals(256, store.statistics().pages());
        if (rounds > 0) {
            await("less space", () -> store.statistics().bytesUsed() <= before / 2);
        }
        versions.forEach((slot, version) -> {
            PageIo back = read(store, (long) slot << 32 | checks.get(slot));
            assertEquals(PageIo.Result.OK, back.result(0));
            assertPage(back.page(0), version);
        });
    }

    private boolean rewrite(
            Store store, int[] slots, int count, Map<Integer, Long> versions, Map<Integer, Integer> checks) {
        PageIo io = batch(count);
        for (int i = 0; i < count; i++) {
            assertTrue(versions.containsKey(slots[i]), "names what is not in use: slot=" + slots[i]);
            io.slot(i, slots[i]);
            io.check(i, checks.get(slots[i]));
        }
        store.read(io).join();
        io.begin(count);
        store.write(io).join();
        for (int i = 0; i < count; i++) {
            assertEquals(PageIo.Result.OK, io.result(i));
            versions.put(io.slot(i), versions.remove(slots[i]));
            checks.put(io.slot(i), io.check(i));
        }
        store.free(slots, count);
        return true;
    }

    @Test
    void aSuccessorGoesOnWithTheSlotsThatItAdopts() throws Exception {
        Store first = open(600);
        PageIo io = write(first, 0, 200);
        first.close();
        opened.remove(first);
        Store second = reopen(first);
        int[] adopted = new int[100];
        Set<Integer> set = new HashSet<>();
        for (int i = 0; i < 100; i++) {
            adopted[i] = io.slot(2 * i);
            set.add(adopted[i]);
        }
        second.adopt(adopted, 100);
        second.adopt(adopted, 1);
        assertEquals(100, second.statistics().pages());
        PageIo more = write(second, 1000, 1200);
        for (int i = 0; i < 200; i++) {
            assertEquals(PageIo.Result.OK, more.result(i));
            assertTrue(set.add(more.slot(i)), "handed out although adopted: slot=" + more.slot(i));
        }
        for (int i = 0; i < 100; i++) {
            PageIo back = read(second, (long) io.slot(2 * i) << 32 | io.check(2 * i));
            assertEquals(PageIo.Result.OK, back.result(0), "i=" + i);
            assertPage(back.page(0), 2L * i);
        }
        second.free(adopted, 100);
        assertEquals(200, second.statistics().pages());
    }

    @Test
    void adoptingNonsenseDoesNoHarm() throws Exception {
        Store store = open(100);
        store.adopt(new int[] {-1, Store.MAX_SLOTS, Integer.MAX_VALUE, Integer.MIN_VALUE}, 4);
        assertEquals(0, store.statistics().pages());
        assertEquals(PageIo.Result.OK, write(store, 0, 1).result(0));
    }

    @Test
    void twoClientsDoNotMeet() throws Exception {
        Store one = open(300);
        Store two = open(300);
        PageIo a = write(one, 0, 100);
        PageIo b = write(two, 5000, 5100);
        for (int i = 0; i < 100; i++) {
            PageIo back = read(one, (long) a.slot(i) << 32 | a.check(i));
            assertEquals(PageIo.Result.OK, back.result(0));
            assertPage(back.page(0), i);
        }
        one.discard();
        for (int i = 0; i < 100; i++) {
            PageIo back = read(two, (long) b.slot(i) << 32 | b.check(i));
            assertEquals(PageIo.Result.OK, back.result(0));
            assertPage(back.page(0), 5000 + i);
        }
    }

    @Test
    void servesSeveralThreads() throws Exception {
        Store store = open(8000);
        List<FutureTask<Void>> tasks = new ArrayList<>();
        for (int t = 0; t < 4; t++) {
            int base = 1_000_000 * (t + 1);
            FutureTask<Void> task = new FutureTask<>(() -> {
                Random random = new Random(base);
                List<long[]> mine = new ArrayList<>();
                for (int round = 0; round < 60; round++) {
                    int from = base + 100 * round;
                    PageIo io = write(store, from, from + 32);
                    for (int i = 0; i < 32; i++) {
                        assertEquals(PageIo.Result.OK, io.result(i));
                        mine.add(new long[] {(long) io.slot(i) << 32 | io.check(i), from + i});
                    }
                    Collections.shuffle(mine, random);
                    for (int i = 0; i < 16; i++) {
                        long[] page = mine.removeLast();
                        PageIo back = read(store, page[0]);
                        assertEquals(PageIo.Result.OK, back.result(0));
                        assertPage(back.page(0), page[1]);
                        free(store, page[0]);
                    }
                }
                return null;
            });
            tasks.add(task);
            Thread.ofPlatform().start(task);
        }
        for (FutureTask<Void> task : tasks) {
            task.get();
        }
        assertEquals(4 * 60 * 16, store.statistics().pages());
    }

    @Test
    void aClosedStoreAnswers() throws Exception {
        Store store = open(10);
        long a = writeOne(store, 1);
        store.close();
        opened.remove(store);
        PageIo io = read(store, a);
        assertNotEquals(PageIo.Result.PENDING, io.result(0));
        assertFalse(store.name().isEmpty());
    }
}
