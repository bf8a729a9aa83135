package upa.pager.live;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import upa.pager.place.PlaceWord;
import upa.pager.store.NodeStore;

class LiveMechanismTest {
    private final PageStates states = new PageStates(1024);
    private int woken;
    private final LiveMechanism mechanism =
            new LiveMechanism(states, StoreChain.of().places(), new Counters(), 512, () -> woken++);

    @Test
    void victimsComeOutInTheirOrderWithTheirPlace() {
        states.set(7, PageStates.memory());
        states.set(9, PageStates.memory());
        assertTrue(mechanism.evict(9, 2));
        assertFalse(mechanism.evict(9, 2), "proposed already");
        assertTrue(mechanism.evict(7, -1));
        assertFalse(mechanism.evict(8, 0), "not in memory");
        assertEquals(2, mechanism.victims());
        assertEquals(1, woken);
        assertEquals(2L << 32 | 9, mechanism.nextVictim());
        assertEquals(7, mechanism.nextVictim());
        assertEquals(-1, mechanism.nextVictim());
        assertEquals(0, mechanism.victims());
    }

    @Test
    void onlyWhatIsInAStoreIsFetchedAndOnlyWhileThereIsRoom() {
        states.set(1, PlaceWord.of(PlaceWord.FIRST_TIER, 0, 0));
        states.set(2, PageStates.memory());
        assertFalse(mechanism.hasFetches());
        assertTrue(mechanism.fetch(1));
        assertFalse(mechanism.fetch(2));
        assertFalse(mechanism.fetch(3));
        assertTrue(mechanism.hasFetches());
        assertEquals(255, mechanism.fetchRoom());
        assertEquals(1, mechanism.nextFetch());
        assertEquals(-1, mechanism.nextFetch());
        assertFalse(mechanism.hasFetches(), "its thread would never wait");
        for (int page = 100; page < 612; page++) {
            states.set(page, PageStates.memory());
        }
        assertEquals(0, mechanism.fetchRoom(), "at its bound");
    }

    /** Pages there are mapped, and yet not near: they can be brought, sent on, and come from a store. */
    @Test
    void aFarNodeIsAPlace() {
        StoreChain chain = StoreChain.of(new NodeStore("numa", 1, 0, 1 << 20), new NodeStore("other", 2, 0, 1 << 20));
        LiveMechanism far = new LiveMechanism(states, chain.places(), new Counters(), 512, () -> woken++);
        states.set(1, PageStates.memory());
        states.set(2, PageStates.memory());
        states.set(3, PlaceWord.of(PlaceWord.FIRST_TIER + 1, 0, 0));
        states.set(4, PlaceWord.ofPattern(7));
        states.setAside(1);
        assertEquals(0, far.placeOf(1));
        assertEquals(-1, far.placeOf(2));
        assertEquals(1, far.placeOf(3));
        assertEquals(1, far.placeOf(4), "where it would have gone with content");
        assertFalse(far.isResident(1) || far.evict(1, -1));
        assertEquals(1, far.residentPages());
        assertTrue(far.fetch(1));
        assertFalse(far.migrate(2, 1), "in memory");
        assertFalse(far.migrate(1, 0), "it is there");
        int before = woken;
        assertTrue(far.migrate(1, 1));
        assertEquals(before + 1, woken);
        assertFalse(far.hasMigrations());
        assertTrue(far.migrate(3, 0));
        assertEquals(3, far.peekMigration());
        assertEquals(1L << 32 | 1, far.peekLeaving());
        far.takeLeaving();
        assertEquals(-1, far.peekLeaving());
        assertEquals(-1, mechanism.placeOf(1), "without a far node it is in swap");
    }

    @Test
    void theBoundIsNeverAboveTheUsers() {
        assertEquals(512, mechanism.bound(100_000));
        assertEquals(300, mechanism.bound(300));
        assertEquals(300, mechanism.boundPages());
        assertEquals(256, mechanism.bound(1), "an order must fit");
        assertEquals(512, mechanism.bound(512));
    }

    /** The user lowers the limit while a policy raises its bound. */
    @Test
    void norIsItWhenBothChangeAtOnce() throws Exception {
        AtomicBoolean over = new AtomicBoolean();
        try (ExecutorService policy = Executors.newSingleThreadExecutor()) {
            Future<?> raises = policy.submit(() -> {
                while (!over.get()) {
                    mechanism.bound(1_000);
                    // So that what is wrong lasts.
                    for (int i = 0; i < 50; i++) {
                        Thread.onSpinWait();
                    }
                }
            });
            try {
                for (int round = 0; round < 3_000_000; round++) {
                    mechanism.limit(1_000);
                    mechanism.limit(300);
                    for (int i = 0; i < 10; i++) {
                        assertEquals(300, mechanism.boundPages());
                    }
                }
            } finally {
                over.set(true);
            }
            raises.get();
        }
        assertTrue(mechanism.takeLimited());
        assertFalse(mechanism.takeLimited());
    }

    @Test
    void whatThisPagerCannotDoIsRefused() {
        assertFalse(mechanism.collapse(0));
        assertFalse(mechanism.populate(0, 1));
        assertFalse(mechanism.clearAhead(1));
        assertFalse(mechanism.migrate(0, 0));
        assertFalse(mechanism.place(null));
        assertTrue(mechanism.giveBack(0));
        assertTrue(mechanism.takeGiveBack());
        assertFalse(mechanism.takeGiveBack());
    }
}
