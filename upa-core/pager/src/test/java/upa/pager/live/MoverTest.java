package upa.pager.live;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import upa.pager.place.Migration;
import upa.pager.place.PlaceWord;
import upa.pager.store.CompressedStore;
import upa.pager.store.PageIo;
import upa.pager.store.Store;
import upa.pager.store.StoreStatistics;
import upa.pager.store.ValvedStore;
import upa.policy.Place;

/** The test's thread is the session's. */
@Timeout(60)
class MoverTest {
    private static final int PAGES = 3000;

    private final Arena arena = Arena.ofShared();
    private final ValvedStore far = new ValvedStore(compressed("far", 16 << 20), Place.Kind.COMPRESSED);
    /** By which the rate goes. */
    private long now;

    private final StoreChain chain =
            StoreChain.of(() -> now, compressed("near", 1 << 20), far, compressed("farthest", 16 << 20));
    private final PageStates states = new PageStates(PAGES);
    private final LiveMechanism mechanism = new LiveMechanism(states, chain.places(), new Counters(), 100, () -> {});
    private final Set<Integer> shared = new HashSet<>();
    private final LinkedBlockingQueue<Runnable> turns = new LinkedBlockingQueue<>();
    private final ExecutorService workers = Executors.newSingleThreadExecutor();
    private final Migration migration = chain.migration(states, turns::add, workers, (page, word) -> chain.free(word));
    private final Mover mover = new Mover(chain, migration, states, mechanism, new Sharers());

    private final List<Integer> forgotten = new ArrayList<>();

    private final class Sharers implements Mover.Others {
        @Override
        public boolean share(int page, long word) {
            return shared.contains(page);
        }

        @Override
        public void forgetCopies(int store) {
            forgotten.add(store);
        }

        @Override
        public void forgetCopy(int page) {
            migration.written(page);
        }
    }

    private Store compressed(String name, int bytes) {
        return new CompressedStore(name, CompressedStore.Method.LZ4, arena.allocate(bytes, 4096), offset -> {});
    }

    @AfterEach
    void close() {
        workers.close();
        chain.close();
        arena.close();
    }

    private static void fill(MemorySegment page, int number) {
        for (int at = 0; at < PageIo.PAGE_BYTES; at += Integer.BYTES) {
            page.set(ValueLayout.JAVA_INT, at, number << 10 | at / 4 % 300);
        }
    }

    private void store(int first, int count, int store) {
        PageIo io = new PageIo(arena, 1);
        for (int page = first; page < first + count; page++) {
            io.begin(1);
            fill(io.page(0), page);
            io.computeCheck(0);
            chain.store(store).write(io).join();
            assertEquals(PageIo.Result.OK, io.result(0));
            long word = PlaceWord.of(PlaceWord.FIRST_TIER + store, io.check(0), io.slot(0));
            states.set(page, word);
            mover.arrived(page, word);
        }
    }

    private void check(int page, int store) {
        long word = states.get(page);
        assertEquals(PlaceWord.FIRST_TIER + store, PlaceWord.place(word), "page=" + page);
        assertEquals(PlaceWord.FREE, PlaceWord.claim(word), "page=" + page);
        PageIo io = new PageIo(arena, 1);
        assertEquals(PageIo.Result.OK, chain.read(word, io).join().result(0), "page=" + page);
        MemorySegment expected = arena.allocate(PageIo.PAGE_BYTES, 8);
        fill(expected, page);
        assertEquals(-1, expected.mismatch(io.page(0)), "page=" + page);
    }

    private void turn() throws InterruptedException {
        Runnable next = turns.poll(mover.isMoving() ? 10_000 : 5, TimeUnit.MILLISECONDS);
        if (next != null) {
            next.run();
        }
        mover.step();
    }

    private void turnUntil(CompletableFuture<?> done) throws InterruptedException {
        while (!done.isDone()) {
            turn();
        }
    }

    private void rest() throws InterruptedException {
        for (int quiet = 0; quiet < 10; quiet = mover.isMoving() ? 0 : quiet + 1) {
            turn();
        }
    }

    @Test
    void pagesWhoseSlotAChildNeedsStayWhereTheyAre() throws Exception {
        store(0, 100, 1);
        shared.addAll(List.of(3, 99));
        assertTrue(mechanism.migrate(3, 2));
        turnUntil(mover.request(1, 2));
        rest();
        for (int page = 0; page < 100; page++) {
            check(page, shared.contains(page) ? 1 : 2);
        }
    }

    @Test
    void allPagesOfAStoreGoWhereTheUserWants() throws Exception {
        store(0, 200, 1);
        store(200, 50, 2);
        CompletableFuture<String> done = mover.request(1, 2);
        turnUntil(done);
        assertEquals("moved pages=200", done.join());
        for (int page = 0; page < 250; page++) {
            check(page, 2);
        }
        assertEquals(200, mover.counters(1, 2).moved());
        assertEquals(List.of(1), forgotten, "copies would fill it still");
        assertEquals(0, chain.store(1).statistics().pages());
        assertEquals(250, chain.store(2).statistics().pages());
    }

    /** Else a store would be full with hardly a page in it. */
    @Test
    void whatIsLeftOfASparseStoreIsWrittenAnew() throws Exception {
        store(0, 640, 2);
        long before = chain.store(2).statistics().bytesUsed();
        for (int page = 0; page < 640; page++) {
            if (page % 8 == 1) {
                // In memory too: its copy is in the way.
                states.set(page, PlaceWord.claimed(states.get(page), PlaceWord.CLEAN));
            } else if (page % 8 != 0) {
                chain.free(states.set(page, 0));
            }
        }
        long deadline = System.nanoTime() + 20_000_000_000L;
        while (4 * chain.store(2).statistics().bytesUsed() > before && System.nanoTime() < deadline) {
            turn();
        }
        rest();
        assertTrue(
                4 * chain.store(2).statistics().bytesUsed() <= before,
                chain.store(2).statistics().toString());
        for (int page = 0; page < 640; page += 8) {
            check(page, 2);
            assertTrue(PlaceWord.isInMemory(states.get(page + 1)), "page=" + (page + 1));
        }
        assertTrue(states.clean() < 80, "clean=" + states.clean());
        assertEquals(80 + states.clean(), chain.store(2).statistics().pages());
    }

    @Test
    void whatAPolicyProposesMovesAndTheRestStays() throws Exception {
        store(0, 100, 2);
        for (int page = 0; page < 100; page += 2) {
            assertTrue(mechanism.migrate(page, 1));
        }
        assertFalse(mechanism.migrate(1, 2), "it is there");
        assertFalse(mechanism.migrate(500, 1), "it has no content");
        rest();
        for (int page = 0; page < 100; page++) {
            check(page, page % 2 == 0 ? 1 : 2);
        }
    }

    @Test
    void theOldestLeaveAStoreThatIsNearlyFull() throws Exception {
        int pages = 0;
        StoreStatistics s = chain.store(0).statistics();
        while (s.bytesUsed() / 15 <= s.bytesLimit() / 16) {
            store(pages++, 1, 0);
            s = chain.store(0).statistics();
        }
        rest();
        assertTrue(chain.store(0).statistics().bytesUsed() / 14 <= s.bytesLimit() / 16);
        long moved = mover.counters(0, 1).moved();
        assertTrue(moved > 0 && moved < pages / 2, "moved=" + moved + " of=" + pages);
        for (int page = 0; page < pages; page++) {
            check(page, page < moved ? 1 : 0);
        }
    }

    @Test
    void theMoverOfTheNextPagerRelievesAStoreThatWasFullBefore() throws Exception {
        int pages = 0;
        StoreStatistics s = chain.store(0).statistics();
        while (s.bytesUsed() / 15 <= s.bytesLimit() / 16) {
            store(pages++, 1, 0);
            s = chain.store(0).statistics();
        }
        Mover next = new Mover(chain, migration, states, mechanism, new Sharers());
        next.seed();
        for (int quiet = 0; quiet < 10; quiet = next.isMoving() ? 0 : quiet + 1) {
            Runnable turn = turns.poll(next.isMoving() ? 10_000 : 5, TimeUnit.MILLISECONDS);
            if (turn != null) {
                turn.run();
            }
            next.step();
        }
        assertTrue(next.counters(0, 1).moved() > 0);
        assertTrue(chain.store(0).statistics().bytesUsed() / 14 <= s.bytesLimit() / 16);
    }

    /** Whoever touches a page does not wait for its mover, and what the mover has written is freed. */
    @Test
    void aThreadTakesThePageFromItsMover() throws Exception {
        store(0, 10, 0);
        far.open = new CompletableFuture<>();
        CompletableFuture<String> done = mover.request(0, 1);
        mover.step();
        long word = states.get(3);
        assertEquals(PlaceWord.MOVING, PlaceWord.claim(word));
        states.set(3, PageStates.memory());
        chain.free(word);
        states.set(4, PlaceWord.claimed(states.get(4), PlaceWord.WANTED));
        far.open.complete(null);
        turnUntil(done);
        assertEquals("moved pages=8", done.join());
        assertEquals(2, mover.counters(0, 1).taken());
        assertEquals(PageStates.memory(), states.get(3));
        states.set(4, PlaceWord.claimed(states.get(4), PlaceWord.FREE));
        check(4, 0);
        check(5, 1);
        assertEquals(8, chain.store(1).statistics().pages());
        assertEquals(1, chain.store(0).statistics().pages());
    }

    @Test
    void aStoreThatDoesNotAnswerLeavesThePagesWhereTheyAre() throws Exception {
        store(0, 100, 0);
        far.refuses = true;
        CompletableFuture<String> done = mover.request(0, 1);
        turnUntil(done);
        CompletionException e = assertThrows(CompletionException.class, done::join);
        assertEquals(
                "moved pages=0: store=far takes no more, or does not answer",
                e.getCause().getMessage());
        for (int page = 0; page < 100; page++) {
            check(page, 0);
        }
        assertEquals(0, chain.store(1).statistics().pages());
        far.refuses = false;
        CompletableFuture<String> again = mover.request(0, 1);
        turnUntil(again);
        assertEquals("moved pages=100", again.join());
    }

    @Test
    void whoWaitsIsToldWhenTheProcessHasEnded() {
        CompletableFuture<String> done = mover.request(0, 1);
        mover.end();
        assertEquals(
                "the process has ended",
                assertThrows(CompletionException.class, done::join).getCause().getMessage());
    }

    /** Bytes that a store has been given, by a clock of the test's own: a tenth more or less, and never more ahead. */
    @ParameterizedTest
    @ValueSource(longs = {256 << 10, 1 << 20, 5_000_000, 40 << 20})
    void theRateHoldsForMoves(long bytesPerSecond) throws Exception {
        Random random = new Random(bytesPerSecond);
        store(0, PAGES, 1);
        chain.rate().set(bytesPerSecond);
        CompletableFuture<String> done = mover.request(1, 2);
        long begun = now;
        while (!done.isDone()) {
            Runnable next = mover.isMoving() ? turns.poll(10, TimeUnit.SECONDS) : turns.poll();
            if (next != null) {
                next.run();
            }
            now += random.nextInt(4_000_000);
            mover.step();
            double bytes = 4096.0 * chain.store(2).statistics().written();
            double allowed = bytesPerSecond * ((now - begun) / 1e9);
            assertTrue(bytes <= allowed + bytesPerSecond * 0.1 + 4096, "bytes=" + bytes + " allowed=" + allowed);
        }
        assertEquals("moved pages=" + PAGES, done.join());
        double rate = 4096.0 * PAGES / ((now - begun) / 1e9);
        assertEquals(bytesPerSecond, rate, 0.1 * bytesPerSecond);
    }
}
