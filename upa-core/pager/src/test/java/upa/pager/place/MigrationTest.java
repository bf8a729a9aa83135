package upa.pager.place;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.FutureTask;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import upa.pager.store.CompressedStore;
import upa.pager.store.FileStore;
import upa.pager.store.PageIo;
import upa.pager.store.Store;

/** Random pages through random sequences of places, while a program writes to them: no write is ever lost. */
@Timeout(120)
class MigrationTest {
    private static final int PAGES = 600;
    private static final int FAST = PlaceWord.FIRST_TIER;
    private static final int COLD = FAST + 1;
    private static final int FILE = FAST + 2;
    private static final int FLAKY = FAST + 3;

    private final Arena arena = Arena.ofShared();
    private final List<Store> stores = new ArrayList<>();
    private final PlaceTable table = new PlaceTable(arena.allocate(PAGES * 8L, 8));
    private final ProgramMemory memory = new ProgramMemory(PAGES);
    private final Migration migration = new Migration(table, this::asOwner, Runnable::run);

    @AfterEach
    void close() {
        stores.forEach(Store::close);
        arena.close();
    }

    private Store compressed(CompressedStore.Method method, int spans) {
        Store store = new CompressedStore("memory", method, arena.allocate(spans * 65536L, 4096), offset -> {});
        stores.add(store);
        return store;
    }

    /** Between a page's word and what it says of memory comes nothing that happens to memory, as in a session. */
    private void asOwner(Runnable work) {
        synchronized (memory) {
            work.run();
        }
    }

    private void makePlaces() throws Exception {
        migration.tier(PlaceWord.MEMORY, memory);
        migration.tier(FAST, new StoreTier(compressed(CompressedStore.Method.LZ4, 8)));
        migration.tier(COLD, new StoreTier(compressed(CompressedStore.Method.ZSTD, 40)));
        Path folder = Path.of(MigrationTest.class
                .getProtectionDomain()
                .getCodeSource()
                .getLocation()
                .getPath());
        Store file = FileStore.create("file", folder, 8 << 20);
        stores.add(file);
        migration.tier(FILE, new StoreTier(file));
        migration.tier(FLAKY, new FlakyTier(FLAKY, new StoreTier(compressed(CompressedStore.Method.LZ4, 40))));
        for (int page = 0; page < PAGES; page++) {
            memory.first(page);
            assertTrue(table.change(page, 0, PlaceWord.of(PlaceWord.MEMORY, 0, 0)));
        }
    }

    /** Of no memory, whoever has none, and of what nobody has foreseen, the owner is told, and pages stay. */
    @Test
    void whatIsNotAPlacesFaultIsItsOwners() throws Exception {
        ArrayDeque<Runnable> turns = new ArrayDeque<>();
        Migration one = new Migration(table, turns::add, Runnable::run);
        Tier none = new PassingTier(new StoreTier(compressed(CompressedStore.Method.LZ4, 8))) {
            @Override
            public CompletableFuture<PageIo> detach(int[] pages, PageIo io) {
                return tier.detach(pages, io);
            }

            @Override
            public CompletableFuture<PageIo> accept(int[] pages, PageIo io) {
                throw new OutOfMemoryError("none");
            }
        };
        makePlaces();
        one.tier(PlaceWord.MEMORY, memory);
        one.tier(FAST, none);
        one.tier(COLD, new StoreTier(compressed(CompressedStore.Method.LZ4, 8)));
        memory.write(5, 7);
        CompletableFuture<Integer> moved = one.move(new int[] {5}, 1, PlaceWord.MEMORY, FAST, io(1));
        assertEquals(List.of(OutOfMemoryError.class), thrown(turns));
        assertTrue(moved.join() == 0 && PlaceWord.isInMemory(table.get(5)));
        IllegalStateException unforeseen = new IllegalStateException("unforeseen");
        Migration.Told throwing = new Migration.Told() {
            @Override
            public void moved(int page, long word) {
                throw unforeseen;
            }

            @Override
            public void stays(int page, Migration.Stay why, PageIo.Result result) {
                throw unforeseen;
            }
        };
        one.move(new int[] {5}, 1, PlaceWord.MEMORY, new int[] {COLD}, io(1), throwing);
        assertEquals(List.of(IllegalStateException.class), thrown(turns));
    }

    /** What ends the owner's turns. */
    private static List<Class<?>> thrown(Queue<Runnable> turns) {
        List<Class<?>> all = new ArrayList<>();
        for (Runnable turn = turns.poll(); turn != null; turn = turns.poll()) {
            try {
                turn.run();
            } catch (RuntimeException | Error e) {
                all.add(e.getClass());
            }
        }
        return all;
    }

    private PageIo io(int pages) {
        return new PageIo(arena, pages);
    }

    /** A thread of the program: its pages are its own, so that it knows what each must hold. */
    private void program(int first, int step, AtomicBoolean stop) {
        Random random = new Random(first);
        PageIo io = io(1);
        long version = 1;
        while (!stop.get()) {
            int page = first + step * random.nextInt(PAGES / step);
            Long seen = memory.read(page);
            while (seen == null) {
                migration
                        .fetch(page, random.nextBoolean(), io, Migration.Told.NOBODY)
                        .join();
                seen = memory.read(page);
            }
            assertEquals(memory.expected[page], seen, "page=" + page);
            if (random.nextInt(3) != 0) {
                continue;
            }
            while (!migration.written(page) && memory.read(page) != null) {
                Thread.onSpinWait();
            }
            // May have left since: then the write waits as a fault does.
            long next = random.nextInt(8) == 0 ? 0 : version++;
            synchronized (memory) {
                if (!PlaceWord.isClean(table.get(page))) {
                    memory.unguard(page);
                }
                if (memory.write(page, next)) {
                    memory.expected[page] = next;
                }
            }
        }
    }

    /** Evicts pages that have a copy, without one. */
    private void dropper(long seed, AtomicBoolean stop) {
        Random random = new Random(seed);
        while (!stop.get()) {
            int page = random.nextInt(PAGES);
            // Nothing else happens to memory meanwhile, as in a session.
            synchronized (memory) {
                if (memory.take(page)) {
                    if (migration.drop(page) == 0) {
                        memory.putBack(page);
                    } else {
                        memory.release(page, 0);
                        drops.incrementAndGet();
                    }
                }
            }
        }
    }

    private final AtomicLong drops = new AtomicLong();

    private void mover(long seed, AtomicBoolean stop) {
        Random random = new Random(seed);
        PageIo io = io(32);
        int[] places = {PlaceWord.MEMORY, FAST, COLD, FILE, FLAKY};
        int[] from = {PlaceWord.MEMORY, PlaceWord.MEMORY, PlaceWord.PATTERN, FAST, COLD, FILE, FLAKY};
        while (!stop.get()) {
            int count = 1 + random.nextInt(32);
            int[] pages = random.ints(count, 0, PAGES).toArray();
            int to = places[random.nextInt(places.length)];
            int next = places[1 + random.nextInt(places.length - 1)];
            int[] route = to == PlaceWord.MEMORY || to == next ? new int[] {to} : new int[] {to, next};
            migration
                    .move(pages, count, from[random.nextInt(from.length)], route, io, Migration.Told.NOBODY)
                    .join();
        }
    }

    private static FutureTask<Void> start(Runnable work) {
        FutureTask<Void> task = new FutureTask<>(work, null);
        Thread.ofPlatform().daemon().start(task);
        return task;
    }

    @Test
    void noWriteIsLostOnAnyWay() throws Exception {
        makePlaces();
        AtomicBoolean stop = new AtomicBoolean();
        List<FutureTask<Void>> tasks = new ArrayList<>();
        for (int t = 0; t < 2; t++) {
            int thread = t;
            tasks.add(start(() -> program(thread, 2, stop)));
            tasks.add(start(() -> mover(100 + thread, stop)));
        }
        tasks.add(start(() -> dropper(7, stop)));
        // On a busy machine everything takes longer to have happened.
        for (int i = 0; i < 40 || i < 800 && !hasSeenAll(); i++) {
            Thread.sleep(100);
        }
        stop.set(true);
        // One that has failed may hold a page for which others wait.
        for (FutureTask<Void> task : tasks) {
            if (task.isDone()) {
                task.get();
            }
        }
        for (FutureTask<Void> task : tasks) {
            task.get();
        }
        PageIo io = io(1);
        long[] kept = new long[PlaceWord.MOST_PLACES];
        for (int page = 0; page < PAGES; page++) {
            long word = table.get(page);
            assertTrue(
                    PlaceWord.claim(word) == PlaceWord.FREE || PlaceWord.isClean(word),
                    "a claim is left: page=" + page);
            kept[PlaceWord.place(word)]++;
        }
        long slots = stores.stream().mapToLong(s -> s.statistics().pages()).sum();
        assertEquals(
                kept[FAST] + kept[COLD] + kept[FILE] + kept[FLAKY],
                slots,
                "each slot has one page, each page one slot");
        for (int page = 0; page < PAGES; page++) {
            for (int i = 0; i < 1000 && memory.read(page) == null; i++) {
                migration.fetch(page, io).join();
            }
            assertEquals(memory.expected[page], memory.read(page), "page=" + page);
        }
        assertTrue(hasSeenAll(), "drops=" + drops);
    }

    private long moved(int from, int to) {
        return migration.counters(from, to).moved();
    }

    /** Whether pages have gone every way. */
    private boolean hasSeenAll() {
        boolean all = drops.get() > 10
                && moved(PlaceWord.PATTERN, PlaceWord.MEMORY) > 10
                && moved(COLD, FILE) + moved(FILE, COLD) > 10;
        for (int place : new int[] {FAST, COLD, FILE, FLAKY}) {
            all &= moved(PlaceWord.MEMORY, place) > 10 && moved(place, PlaceWord.MEMORY) > 10;
        }
        return all;
    }

    @Test
    void aPageThatCannotBeDetachedOrTakenStays() throws Exception {
        makePlaces();
        PageIo io = io(4);
        write(1, 5);
        write(2, 7);
        memory.pinned[2] = true;
        assertEquals(
                0,
                migration.move(new int[] {1, 2}, 2, PlaceWord.MEMORY, FAST, io).join(),
                "5 does not compress");
        assertEquals(5L, memory.read(1));
        assertEquals(7L, memory.read(2));
        assertEquals(new MoveCounters(0, 0, 0, 1, 1), migration.counters(PlaceWord.MEMORY, FAST));
        assertEquals(
                1,
                migration
                        .move(new int[] {1, 1, 2}, 3, PlaceWord.MEMORY, FILE, io)
                        .join());
        assertEquals(new MoveCounters(1, 1, 0, 0, 1), migration.counters(PlaceWord.MEMORY, FILE));
        assertEquals(
                0, migration.move(new int[] {1}, 1, PlaceWord.MEMORY, COLD, io).join(), "it is not there any more");
        assertTrue(migration.fetch(1, io).join());
        assertEquals(5L, memory.read(1));
    }

    /** What the first of a route refuses, the next takes; each page is told of once, with its word. */
    @Test
    void pagesGoAlongTheRoute() throws Exception {
        makePlaces();
        long[] versions = {1, 5, 3, 0, 10};
        for (int page = 0; page < versions.length; page++) {
            write(page, versions[page]);
        }
        List<String> told = new ArrayList<>();
        Migration.Told teller = new Migration.Told() {
            @Override
            public void moved(int page, long word) {
                assertEquals(word, table.get(page));
                told.add(page + " in " + PlaceWord.place(word));
            }

            @Override
            public void stays(int page, Migration.Stay why, PageIo.Result result) {
                told.add(page + " " + why + " " + result);
            }
        };
        memory.pinned[4] = true;
        int[] pages = {0, 1, 2, 3, 4, 4};
        int[] route = {FAST, COLD, FILE};
        assertEquals(
                4,
                migration
                        .move(pages, pages.length, PlaceWord.MEMORY, route, io(8), teller)
                        .join());
        told.sort(null);
        assertEquals(
                List.of(
                        "0 in " + FAST,
                        "1 in " + FILE,
                        "2 in " + PlaceWord.PATTERN,
                        "3 in " + PlaceWord.PATTERN,
                        "4 FAILED UNREACHABLE",
                        "4 STALE PENDING"),
                told);
        assertEquals(1, migration.counters(PlaceWord.MEMORY, FILE).moved());
        assertEquals(new MoveCounters(3, 1, 0, 0, 1), migration.counters(PlaceWord.MEMORY, FAST));
        memory.pinned[4] = false;
        told.clear();
        assertEquals(
                0,
                migration
                        .move(new int[] {4}, 1, PlaceWord.MEMORY, new int[] {FAST, COLD}, io(1), teller)
                        .join());
        assertEquals(List.of("4 REFUSED UNSUITABLE"), told);
        assertEquals(10L, memory.read(4));
        for (int page = 0; page < 4; page++) {
            assertTrue(migration.fetch(page, io(1)).join());
            assertEquals(memory.expected[page], memory.read(page));
        }
        assertEquals(0, stores.stream().mapToLong(s -> s.statistics().pages()).sum());
    }

    /** Many pages come at once, and those that are not there are left alone. */
    @Test
    void pagesOfAStoreComeTogether() throws Exception {
        makePlaces();
        int[] pages = new int[40];
        for (int page = 0; page < pages.length; page++) {
            write(page, 1 + 5L * page);
            pages[page] = page;
        }
        assertEquals(
                39,
                migration
                        .move(pages, 39, PlaceWord.MEMORY, new int[] {FILE}, io(40), Migration.Told.NOBODY)
                        .join());
        int patterns = 0;
        for (int page = 0; page < 39; page++) {
            patterns += PlaceWord.place(table.get(page)) == PlaceWord.PATTERN ? 1 : 0;
        }
        assertTrue(table.change(5, table.get(5), PlaceWord.claimed(table.get(5), PlaceWord.WANTED)));
        List<Integer> stayed = new ArrayList<>();
        Migration.Told told = new Migration.Told() {
            @Override
            public void moved(int page, long word) {
                assertEquals(PlaceWord.of(PlaceWord.MEMORY, 0, 0), word);
            }

            @Override
            public void stays(int page, Migration.Stay why, PageIo.Result result) {
                assertEquals(Migration.Stay.STALE, why, "page=" + page);
                stayed.add(page);
            }
        };
        int come =
                migration.fetch(pages, pages.length, FILE, false, io(40), told).join();
        assertEquals(38 - patterns, come, "one is in memory, one is somebody else's, and patterns are elsewhere");
        assertEquals(40 - come, stayed.size());
        assertTrue(stayed.contains(5) && stayed.contains(39));
        for (int page = 0; page < pages.length; page++) {
            if (!stayed.contains(page) || page == 39) {
                assertEquals(memory.expected[page], memory.read(page), "page=" + page);
            }
        }
        assertEquals(1, stores.get(2).statistics().pages());
    }

    private void write(int page, long version) {
        assertTrue(memory.write(page, version));
        memory.expected[page] = version;
    }

    private void evict(int page, long version, int to) {
        write(page, version);
        assertEquals(
                1,
                migration.move(new int[] {page}, 1, PlaceWord.MEMORY, to, io(1)).join());
    }

    private boolean fetchAndKeep(int page) {
        return migration.fetch(page, true, io(1), Migration.Told.NOBODY).join();
    }

    @Test
    void aPageThatNobodyHasWrittenToLeavesForNothing() throws Exception {
        makePlaces();
        evict(1, 7, FILE);
        long stored = table.get(1);
        Store file = stores.get(2);
        for (int round = 0; round < 3; round++) {
            assertTrue(fetchAndKeep(1));
            assertEquals(7L, memory.read(1));
            assertEquals(PlaceWord.claimed(stored, PlaceWord.CLEAN), table.get(1));
            assertTrue(PlaceWord.isInMemory(table.get(1)));
            assertEquals(1, file.statistics().pages());
            assertTrue(fetchAndKeep(1), "it is there");
            assertEquals(0, migration.move(new int[] {1}, 1, FILE, COLD, io(1)).join(), "it is in memory");
            assertEquals(
                    0,
                    migration
                            .move(new int[] {1}, 1, PlaceWord.MEMORY, COLD, io(1))
                            .join(),
                    "it has a copy");
            assertTrue(memory.take(1));
            assertEquals(stored, migration.drop(1));
            memory.release(1, 0);
        }
        assertEquals(1, file.statistics().written(), "written once");
        assertEquals(4, migration.counters(PlaceWord.MEMORY, FILE).moved());
        assertEquals(3, migration.counters(FILE, PlaceWord.MEMORY).moved());
        assertTrue(migration.fetch(1, io(1)).join());
        assertEquals(7L, memory.read(1));
        assertEquals(PlaceWord.of(PlaceWord.MEMORY, 0, 0), table.get(1));
        assertEquals(0, file.statistics().pages());
    }

    @Test
    void aCopyIsForgottenBeforeAWrite() throws Exception {
        makePlaces();
        evict(1, 7, FILE);
        assertFalse(migration.written(1), "it is not in memory");
        assertTrue(fetchAndKeep(1));
        assertFalse(memory.write(1, 8), "nobody writes as long as the word names a copy");
        assertTrue(migration.written(1));
        assertEquals(PlaceWord.of(PlaceWord.MEMORY, 0, 0), table.get(1));
        assertEquals(0, stores.get(2).statistics().pages(), "the slot is free");
        assertTrue(migration.written(1), "and again");
        memory.unguard(1);
        assertEquals(0, migration.drop(1), "there is no copy");
        evict(1, 8, FILE);
        assertTrue(migration.fetch(1, io(1)).join());
        assertEquals(8L, memory.read(1));
        assertTrue(migration.written(2), "without a copy");
        assertTrue(table.change(3, table.get(3), 0) && migration.written(3), "without content");
        assertEquals(0, migration.drop(3));
    }

    /** While a page comes in, a write must wait: the copy that its word is about to name would be wrong. */
    @Test
    void nobodyWritesWhileAPageWithACopyComes() throws Exception {
        makePlaces();
        evict(1, 7, COLD);
        HeldTier held = new HeldTier(new StoreTier(stores.get(1)));
        migration.tier(COLD, held);
        CompletableFuture<Boolean> fetch = migration.fetch(1, true, io(1), Migration.Told.NOBODY);
        assertFalse(migration.written(1));
        held.word.complete(null);
        assertTrue(fetch.join());
        assertTrue(PlaceWord.isClean(table.get(1)));
        assertTrue(migration.written(1));
    }

    /** Freed while it was read: its slot is the one's who freed it. */
    @Test
    void aCopyOfADroppedPageIsNotFreedTwice() throws Exception {
        makePlaces();
        evict(1, 7, COLD);
        Store store = stores.get(1);
        HeldTier held = new HeldTier(new StoreTier(store));
        migration.tier(COLD, held);
        CompletableFuture<Boolean> fetch = migration.fetch(1, true, io(1), Migration.Told.NOBODY);
        long word = table.get(1);
        assertTrue(table.change(1, word, 0));
        store.free(new int[] {PlaceWord.slot(word)}, 1);
        held.word.complete(null);
        assertFalse(fetch.join());
        assertEquals(0, table.get(1));
        assertEquals(0, store.statistics().pages());
    }

    /** A page that is dropped while its store is read does not come back, whatever the store says. */
    @Test
    void whatIsDroppedMeanwhileDoesNotComeBack() throws Exception {
        makePlaces();
        write(1, 7);
        Store store = stores.get(1);
        assertEquals(
                1,
                migration.move(new int[] {1}, 1, PlaceWord.MEMORY, COLD, io(1)).join());
        HeldTier held = new HeldTier(new StoreTier(store));
        migration.tier(COLD, held);
        CompletableFuture<Boolean> fetch = migration.fetch(1, io(1));
        long word = table.get(1);
        assertEquals(PlaceWord.WANTED, PlaceWord.claim(word));
        assertTrue(table.change(1, word, 0));
        held.word.complete(null);
        assertFalse(fetch.join());
        assertEquals(null, memory.read(1));
        assertEquals(0, table.get(1));
        assertEquals(1, migration.counters(COLD, PlaceWord.MEMORY).taken());
    }

    @Test
    void samePatternsTakeNoSlot() throws Exception {
        makePlaces();
        PageIo io = io(4);
        write(1, 3);
        assertEquals(
                2,
                migration.move(new int[] {0, 1}, 2, PlaceWord.MEMORY, FILE, io).join());
        assertEquals(PlaceWord.PATTERN, PlaceWord.place(table.get(0)));
        assertEquals(PlaceWord.PATTERN, PlaceWord.place(table.get(1)));
        assertEquals(0, stores.get(2).statistics().pages());
        assertTrue(migration.fetch(0, io).join() && migration.fetch(1, io).join());
        assertEquals(0L, memory.read(0));
        assertEquals(3L, memory.read(1));
    }

    /** A thread needs a page that a policy is bringing in: it is brought in once, and what is written then stays. */
    @Test
    void aPageThatIsWantedIsTakenFromWhoPrefetchesIt() throws Exception {
        makePlaces();
        write(1, 7);
        Store store = stores.get(1);
        assertEquals(
                1,
                migration.move(new int[] {1}, 1, PlaceWord.MEMORY, COLD, io(1)).join());
        HeldTier held = new HeldTier(new StoreTier(store));
        migration.tier(COLD, held);
        CompletableFuture<Integer> prefetch = migration.move(new int[] {1}, 1, COLD, PlaceWord.MEMORY, io(1));
        assertTrue(migration.fetch(1, io(1)).join());
        assertTrue(memory.write(1, 8));
        assertEquals(
                0,
                migration.move(new int[] {1}, 1, PlaceWord.MEMORY, FILE, io(1)).join(),
                "still under way");
        held.word.complete(null);
        assertEquals(0, prefetch.join());
        assertEquals(8L, memory.read(1));
        assertEquals(1, migration.counters(COLD, PlaceWord.MEMORY).taken());
        assertEquals(0, store.statistics().pages());
        memory.expected[1] = 8;
        assertEquals(
                1,
                migration.move(new int[] {1}, 1, PlaceWord.MEMORY, FILE, io(1)).join());
    }

    /** A thread needs a page that is on its way out: it goes back, and the new slot is freed. */
    @Test
    void aPageThatIsWantedGoesBack() throws Exception {
        makePlaces();
        write(1, 7);
        Store store = stores.get(1);
        HeldTier held = new HeldTier(new StoreTier(store));
        migration.tier(COLD, held);
        CompletableFuture<Integer> eviction = migration.move(new int[] {1}, 1, PlaceWord.MEMORY, COLD, io(1));
        assertEquals(null, memory.read(1));
        assertTrue(migration.fetch(1, io(1)).join(), "on its way back");
        held.word.complete(null);
        assertEquals(0, eviction.join());
        assertEquals(7L, memory.read(1));
        assertEquals(PlaceWord.of(PlaceWord.MEMORY, 0, 0), table.get(1));
        assertEquals(0, store.statistics().pages());
        assertEquals(1, migration.counters(PlaceWord.MEMORY, COLD).taken());
    }
}
