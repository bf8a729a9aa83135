package upa.pager.live;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import org.junit.jupiter.api.Test;
import upa.pager.place.Migration;
import upa.pager.place.PlaceWord;
import upa.pager.store.NodeStore;
import upa.pager.store.PageIo;
import upa.pager.store.StoreException;
import upa.pager.store.StoreSpec;

class StoreChainTest {
    private static final int PAGES = 64;

    /** Text compresses, noise does not, and every fourth page repeats one word. */
    private static void fill(PageIo io) {
        Random random = new Random(11);
        io.begin(PAGES);
        for (int i = 0; i < PAGES; i++) {
            for (int at = 0; at < PageIo.PAGE_BYTES; at += Integer.BYTES) {
                int word = switch (i % 4) {
                    case 0 -> i;
                    case 1 -> random.nextInt();
                    default -> i << 8 | at % 32;
                };
                io.page(i).set(ValueLayout.JAVA_INT, at, word);
            }
        }
    }

    /** Has pages moved along the chain; what has not gone is in the staging area still. */
    private static PageStates write(StoreChain chain, PageIo original, int from) {
        fill(original);
        PageStates states = new PageStates(PAGES);
        int[] pages = new int[PAGES];
        for (int i = 0; i < PAGES; i++) {
            pages[i] = i;
            states.set(i, PlaceWord.of(PlaceWord.STAGING, 0, i));
        }
        Migration migration = chain.migration(states, Runnable::run, Runnable::run, (page, word) -> chain.free(word));
        migration.tier(PlaceWord.STAGING, new StagingArea(original::page));
        PageIo io = new PageIo(Arena.ofAuto(), PAGES);
        int moved = migration
                .move(pages, PAGES, PlaceWord.STAGING, chain.route(from), io, Migration.Told.NOBODY)
                .join();
        int staged = 0;
        for (int i = 0; i < PAGES; i++) {
            assertEquals(PlaceWord.FREE, PlaceWord.claim(states.get(i)), "page " + i);
            staged += PlaceWord.place(states.get(i)) == PlaceWord.STAGING ? 1 : 0;
        }
        assertEquals(PAGES, moved + staged);
        return states;
    }

    private static void check(StoreChain chain, PageIo original, long word, int i, PageIo one) {
        assertEquals(PageIo.Result.OK, chain.read(word, one).join().result(0), "page " + i);
        assertEquals(-1, original.page(i).mismatch(one.page(0)), "page " + i);
    }

    @Test
    void pagesGoToTheNearestStoreThatTakesThem() throws Exception {
        try (Arena arena = Arena.ofShared();
                StoreChain chain = StoreChain.open(StoreSpec.parse("lz4:1M,file:/var/tmp:16M"))) {
            PageIo original = new PageIo(arena, PAGES);
            PageIo one = new PageIo(arena, 1);
            PageStates words = write(chain, original, 0);
            for (int i = 0; i < PAGES; i++) {
                if (i % 4 == 0) {
                    assertEquals(PlaceWord.ofPattern(i), words.get(i));
                    continue;
                }
                assertEquals(
                        i % 4 == 1 ? PlaceWord.FIRST_TIER + 1 : PlaceWord.FIRST_TIER, PlaceWord.place(words.get(i)));
                check(chain, original, words.get(i), i, one);
            }
            for (int i = 0; i < PAGES; i++) {
                chain.free(words.get(i));
            }
            assertEquals(0, chain.store(0).statistics().pages());
            assertEquals(0, chain.store(1).statistics().pages());
        }
    }

    @Test
    void aLaterStoreCanBeTheFirst() throws Exception {
        try (Arena arena = Arena.ofShared();
                StoreChain chain = StoreChain.open(StoreSpec.parse("lz4:1M,file:/var/tmp:16M"))) {
            PageIo original = new PageIo(arena, PAGES);
            PageIo one = new PageIo(arena, 1);
            PageStates words = write(chain, original, 1);
            for (int i = 0; i < PAGES; i++) {
                if (i % 4 != 0) {
                    assertEquals(PlaceWord.FIRST_TIER + 1, PlaceWord.place(words.get(i)));
                    check(chain, original, words.get(i), i, one);
                }
            }
        }
    }

    @Test
    void whatNoStoreTakesStaysStaged() throws Exception {
        try (Arena arena = Arena.ofShared();
                StoreChain chain = StoreChain.open(StoreSpec.parse("lz4:1M"))) {
            PageStates words = write(chain, new PageIo(arena, PAGES), 0);
            for (int i = 0; i < PAGES; i++) {
                assertEquals(i % 4 == 1, PlaceWord.place(words.get(i)) == PlaceWord.STAGING, "page " + i);
            }
        }
    }

    /** What a policy names no place for goes there first, without content: the others take that. */
    @Test
    void aFarNodeTakesNoContent() throws Exception {
        NodeStore node = new NodeStore("numa", 1, 0, 1 << 20);
        try (Arena arena = Arena.ofShared();
                StoreChain rest = StoreChain.open(StoreSpec.parse("lz4:1M,file:/var/tmp:16M"))) {
            StoreChain chain = StoreChain.of(node, rest.store(0), rest.store(1));
            assertEquals(node, chain.node());
            assertTrue(chain.takesContent());
            assertArrayEquals(new int[] {PlaceWord.FIRST_TIER + 1, PlaceWord.FIRST_TIER + 2}, chain.route(0));
            assertArrayEquals(new int[] {PlaceWord.FIRST_TIER + 2}, chain.route(2));
            PageStates words = write(chain, new PageIo(arena, PAGES), 0);
            for (int i = 0; i < PAGES; i++) {
                assertTrue(i % 4 == 0 || PlaceWord.place(words.get(i)) > PlaceWord.FIRST_TIER, "page " + i);
            }
            assertNull(rest.node());
        }
        assertFalse(StoreChain.of(node).takesContent());
        assertTrue(StoreChain.of().takesContent());
    }

    @Test
    void storesAreFoundByName() throws Exception {
        try (StoreChain chain = StoreChain.open(StoreSpec.parse("lz4:1M,zstd:1M,lz4:1M"))) {
            assertEquals(1, chain.index("zstd"));
            assertEquals(2, chain.index("lz42"));
            PagerException e = assertThrows(PagerException.class, () -> chain.index("tape"));
            assertEquals("there is no store=tape; there are lz4, zstd, lz42", e.getMessage());
        }
    }

    @Test
    void aStoreThatCannotBeHadIsSaid() {
        StoreException e = assertThrows(
                StoreException.class, () -> StoreChain.open(StoreSpec.parse("lz4:1M,file:/no/such/folder:16M")));
        assertTrue(e.getMessage().contains("folder=/no/such/folder"), e.getMessage());
    }
}
