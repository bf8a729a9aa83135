package upa.pager.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import upa.policy.Place;

/** Of two stores in memory: the near one too small for all, so that both are read. */
class WriteThroughStoreTest extends StoreContract {
    private static final int NEAR_SPANS = 8;

    private final CompressedStoreTest.Lz4 memory = new CompressedStoreTest().new Lz4();
    private final Map<Store, Store> fars = new HashMap<>();

    private WriteThroughStore make(Store far) {
        CompressedStore near = new CompressedStore(
                "near",
                CompressedStore.Method.LZ4,
                Arena.ofAuto().allocate((long) NEAR_SPANS * Slab.SPAN_BYTES, 4096),
                offset -> {});
        WriteThroughStore store = new WriteThroughStore(near, far);
        keep(store);
        fars.put(store, far);
        return store;
    }

    @Override
    Store open(int pages) {
        return make(memory.open(pages));
    }

    @Override
    Store reopen(Store closed) {
        return make(memory.reopen(fars.get(closed)));
    }

    @Override
    void damage(Store store, int slot) {
        ((WriteThroughStore) store).forget(slot);
        memory.damage(fars.get(store), slot);
    }

    @Override
    void remove(Store store, int slot) {
        ((WriteThroughStore) store).forget(slot);
        memory.remove(fars.get(store), slot);
    }

    @Test
    void whatIsNearDoesNotWaitForTheFarStore() {
        ValvedStore far = new ValvedStore(memory.open(1000), Place.Kind.REMOTE);
        WriteThroughStore store = make(far);
        long[] kept = new long[5];
        for (int i = 0; i < kept.length; i++) {
            kept[i] = writeOne(store, i);
        }
        assertEquals(5, far.statistics().pages(), "written to both");
        assertEquals(5, store.nearPages());
        assertEquals(Place.Kind.REMOTE, store.kind());
        store.forget((int) (kept[2] >>> 32));
        far.open = new CompletableFuture<>();
        PageIo near = read(store, kept[0], kept[1], kept[3]);
        for (int i = 0; i < 3; i++) {
            assertEquals(PageIo.Result.OK, near.result(i));
            assertPage(near.page(i), i < 2 ? i : 3);
        }
        PageIo both = batch(2);
        both.slot(0, (int) (kept[4] >>> 32));
        both.check(0, (int) kept[4]);
        both.slot(1, (int) (kept[2] >>> 32));
        both.check(1, (int) kept[2]);
        CompletableFuture<PageIo> waits = store.read(both);
        PageIo written = batch(1);
        fill(written.page(0), 7);
        written.computeCheck(0);
        CompletableFuture<PageIo> writing = store.write(written);
        assertFalse(waits.isDone() || writing.isDone(), "a page is kept only when the far store has it");
        far.open.complete(null);
        assertEquals(PageIo.Result.OK, waits.join().result(0));
        assertEquals(PageIo.Result.OK, both.result(1));
        assertPage(both.page(0), 4);
        assertPage(both.page(1), 2);
        assertEquals(PageIo.Result.OK, writing.join().result(0));
    }

    @Test
    void whatCameFirstMakesRoomAndIsStillFar() {
        WriteThroughStore store = (WriteThroughStore) open(3000);
        PageIo io = write(store, 0, 2000);
        int near = store.nearPages();
        assertTrue(near > 100 && near < 400, "near=" + near);
        long hits = store.statistics().read();
        for (int i = 0; i < 2000; i++) {
            PageIo back = read(store, (long) io.slot(i) << 32 | io.check(i));
            assertEquals(PageIo.Result.OK, back.result(0));
            assertPage(back.page(0), i);
        }
        assertEquals(2000, store.statistics().read() - hits);
        assertEquals(2000 - near, fars.get(store).statistics().read());
        int[] slots = new int[2000];
        for (int i = 0; i < 2000; i++) {
            slots[i] = io.slot(i);
        }
        store.free(slots, 2000);
        assertEquals(0, store.nearPages());
        assertEquals(0, store.statistics().pages());
    }

    /** A near copy that is not as it should be is no reason to give up: the far one is asked. */
    @Test
    void aSlotThatIsAnotherPagesByNowIsReadAnew() {
        WriteThroughStore store = (WriteThroughStore) open(100);
        long a = writeOne(store, 1);
        store.free(new int[] {(int) (a >>> 32)}, 1);
        long b = writeOne(store, 2);
        assertEquals(a >>> 32, b >>> 32, "the slot is used again");
        PageIo back = read(store, b);
        assertEquals(PageIo.Result.OK, back.result(0));
        assertPage(back.page(0), 2);
        assertEquals(PageIo.Result.DAMAGED, read(store, a).result(0));
    }
}
