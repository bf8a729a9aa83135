package upa.pager.live;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import upa.pager.place.Migration;
import upa.pager.place.PlaceWord;
import upa.pager.place.Tier;
import upa.pager.store.CompressedStore;
import upa.pager.store.NodeStore;
import upa.pager.store.PageIo;
import upa.pager.store.Store;

/** Pages go between memory, a far node and stores, in any order. The test's thread is the session's. */
@Timeout(60)
class NodePlacesTest {
    private static final int PAGES = 300;
    private static final int BOUND = 150;
    private static final int ROOM = 60;
    private static final int NODE = 0;
    private static final int NEAR = 1;
    private static final int LAST = 2;

    private final Arena arena = Arena.ofShared();
    private final StoreChain chain = StoreChain.of(
            new NodeStore("numa", 1, 0, (long) ROOM * PageIo.PAGE_BYTES), compressed("near"), compressed("last"));
    private final PageStates states = new PageStates(PAGES);
    private final LiveMechanism mechanism = new LiveMechanism(states, chain.places(), new Counters(), BOUND, () -> {});
    private final Migration migration =
            chain.migration(states, Runnable::run, Runnable::run, (page, word) -> chain.free(word));
    private final BitSet mapped = new BitSet();
    /** The kernel moves these to no node. */
    private final BitSet shared = new BitSet();
    /** The kernel lets these into no memory just now. */
    private final BitSet changing = new BitSet();

    private final Mover mover = new Mover(chain, migration, states, mechanism, new Node());
    private final PageIo io = new PageIo(arena, 1);

    private final class Node implements Mover.Others {
        @Override
        public boolean share(int page, long word) {
            return false;
        }

        @Override
        public void forgetCopies(int store) {
            // There are none.
        }

        @Override
        public void forgetCopy(int page) {
            throw new IllegalStateException("there are no copies");
        }

        @Override
        public int nodeRoom() {
            return ROOM - states.aside();
        }

        @Override
        public int toNode(int[] pages, int count) {
            assertTrue(count > 0 && count <= nodeRoom(), "more than fit");
            int gone = 0;
            for (int i = 0; i < count; i++) {
                assertTrue(i == 0 || pages[i - 1] < pages[i], "not sorted");
                assertEquals(PageStates.memory(), states.get(pages[i]));
                if (!shared.get(pages[i])) {
                    states.setAside(pages[i]);
                    gone++;
                }
            }
            return gone;
        }
    }

    /** Every page has a content of its own, which never changes. */
    private final class Memory implements Tier {
        @Override
        public CompletableFuture<PageIo> detach(int[] pages, PageIo io) {
            for (int i = 0; i < io.count(); i++) {
                assertTrue(mapped.get(pages[i]));
                mapped.clear(pages[i]);
                fill(io.page(i), pages[i]);
                io.result(i, PageIo.Result.OK);
            }
            return CompletableFuture.completedFuture(io);
        }

        @Override
        public CompletableFuture<PageIo> accept(int[] pages, PageIo io) {
            MemorySegment expected = arena.allocate(PageIo.PAGE_BYTES, 8);
            for (int i = 0; i < io.count(); i++) {
                assertFalse(mapped.get(pages[i]), "twice in memory");
                fill(expected, pages[i]);
                assertEquals(-1, expected.mismatch(io.page(i)), "page=" + pages[i]);
                if (changing.get(pages[i])) {
                    io.result(i, PageIo.Result.UNREACHABLE);
                    continue;
                }
                mapped.set(pages[i]);
                io.slot(i, 0);
                io.result(i, PageIo.Result.OK);
            }
            return CompletableFuture.completedFuture(io);
        }

        @Override
        public void release(int page, long word) {
            assertFalse(mapped.get(page));
        }

        @Override
        public void restore(int page, long word) {
            mapped.set(page);
        }
    }

    private Store compressed(String name) {
        return new CompressedStore(name, CompressedStore.Method.LZ4, arena.allocate(4 << 20, 4096), offset -> {});
    }

    private static void fill(MemorySegment page, int number) {
        for (int at = 0; at < PageIo.PAGE_BYTES; at += Integer.BYTES) {
            page.set(ValueLayout.JAVA_INT, at, number << 10 | at / 4 % 300);
        }
    }

    @BeforeEach
    void allInMemory() {
        migration.tier(PlaceWord.MEMORY, new Memory());
        mapped.set(0, PAGES);
        for (int page = 0; page < PAGES; page++) {
            states.set(page, PageStates.memory());
        }
    }

    @AfterEach
    void close() {
        chain.close();
        arena.close();
    }

    /** As an eviction, or as what is sent on from the node. */
    private void store(int page, int store) {
        if (states.isAside(page)) {
            states.set(page, PageStates.memory());
        }
        migration
                .move(new int[] {page}, 1, PlaceWord.MEMORY, PlaceWord.FIRST_TIER + store, io)
                .join();
    }

    private int place(int page) {
        return mechanism.placeOf(page);
    }

    private CompletableFuture<String> moveAll(int from, int to) {
        CompletableFuture<String> done = mover.request(from, to);
        for (int turn = 0; turn < 100 && !done.isDone(); turn++) {
            mover.step();
        }
        return done;
    }

    /** Each page is in one place, with one slot if that is a store. */
    private void check() {
        int[] in = new int[3];
        for (int page = 0; page < PAGES; page++) {
            int place = place(page);
            assertEquals(place == -1 || place == NODE, mapped.get(page), "page=" + page + " place=" + place);
            if (place >= 0) {
                in[place]++;
            }
        }
        assertEquals(in[NODE], states.aside());
        assertTrue(in[NODE] <= ROOM, "pages=" + in[NODE] + " on the node");
        for (int store = NEAR; store <= LAST; store++) {
            assertEquals(in[store], chain.store(store).statistics().pages(), "store=" + store);
        }
    }

    @Test
    void anyPlaceIsReachedFromAnyOther() {
        boolean[][] gone = new boolean[4][4];
        Random random = new Random(5);
        for (int step = 0; step < 3000; step++) {
            int page = random.nextInt(PAGES);
            int from = place(page);
            int to = random.nextInt(3);
            shared.set(random.nextInt(PAGES), random.nextInt(8) == 0);
            changing.set(random.nextInt(PAGES), random.nextInt(8) == 0);
            if (random.nextInt(100) == 0 && from > NODE && to != from) {
                moveAll(from, to);
            } else if (from > NODE && random.nextInt(4) == 0) {
                migration.fetch(page, false, io, Migration.Told.NOBODY).join();
            } else if (from > NODE) {
                mechanism.migrate(page, to);
                mover.step();
            } else if (from == NODE && to == NODE) {
                // A policy wants it, or it was used.
                states.set(page, PageStates.memory());
            } else if (to == NODE) {
                // An eviction to the node, which Mover has no part in.
                if (states.aside() < ROOM) {
                    states.setAside(page);
                }
            } else {
                store(page, to);
            }
            gone[from + 1][place(page) + 1] = true;
            check();
        }
        for (int from = -1; from <= LAST; from++) {
            for (int to = -1; to <= LAST; to++) {
                assertTrue(from == to || gone[from + 1][to + 1], "never from " + from + " to " + to);
            }
        }
    }

    @Test
    void allOfAStoreGoesToTheNodeAsFarAsItHasRoom() {
        for (int page = 0; page < 250; page++) {
            store(page, page < 50 ? NEAR : LAST);
        }
        shared.set(7);
        assertEquals("moved pages=49", moveAll(NEAR, NODE).join());
        assertEquals(-1, place(7), "the node did not take it: it is near");
        assertEquals(49, states.aside());
        CompletableFuture<String> more = moveAll(LAST, NODE);
        CompletionException failure = assertThrows(CompletionException.class, more::join);
        assertEquals(
                "moved pages=11: store=numa takes no more", failure.getCause().getMessage());
        assertEquals(ROOM, states.aside());
        check();
    }

    /** Not over the bound of what is near, since they come that way. */
    @Test
    void itWaitsForRoomInMemory() {
        IntStream.range(0, PAGES - BOUND).forEach(page -> store(page, NEAR));
        assertEquals(BOUND, states.resident());
        CompletableFuture<String> done = moveAll(NEAR, NODE);
        assertFalse(done.isDone());
        assertEquals(0, states.aside());
        assertTrue(mechanism.migrate(3, NODE));
        mover.step();
        for (int page = PAGES - 10; page < PAGES; page++) {
            store(page, LAST);
        }
        for (int turn = 0; turn < 100 && !done.isDone(); turn++) {
            mover.step();
        }
        assertThrows(CompletionException.class, done::join);
        assertEquals(ROOM, states.aside());
        assertEquals(BOUND - 10, states.resident());
        check();
    }

    /** As while the program changes its mappings; but not for ever. */
    @Test
    void whatMemoryDoesNotTakeIsTriedAgain() {
        IntStream.range(0, 20).forEach(page -> store(page, NEAR));
        IntStream.range(100, PAGES).forEach(page -> store(page, LAST));
        changing.set(0, PAGES);
        CompletableFuture<String> done = moveAll(NEAR, NODE);
        assertFalse(done.isDone());
        changing.clear();
        for (int turn = 0; turn < 10 && !done.isDone(); turn++) {
            mover.step();
        }
        assertEquals("moved pages=20", done.join());
        changing.set(0, PAGES);
        done = moveAll(LAST, NODE);
        for (int turn = 0; turn < 2000 && !done.isDone(); turn++) {
            mover.step();
        }
        CompletionException failure = assertThrows(CompletionException.class, done::join);
        assertEquals(
                "moved pages=0: store=numa takes no more, or does not answer",
                failure.getCause().getMessage());
        check();
    }

    @Test
    void aNodeThatTakesNoneEndsTheRequest() {
        int[] pages = {1, 2, 3};
        Arrays.stream(pages).forEach(page -> store(page, NEAR));
        shared.set(0, PAGES);
        for (int page = 100; page < PAGES; page++) {
            store(page, LAST);
        }
        CompletionException failure = assertThrows(CompletionException.class, moveAll(NEAR, NODE)::join);
        assertEquals(
                "moved pages=0: store=numa takes no more, or does not answer",
                failure.getCause().getMessage());
        Arrays.stream(pages).forEach(page -> assertEquals(-1, place(page)));
        check();
    }
}
