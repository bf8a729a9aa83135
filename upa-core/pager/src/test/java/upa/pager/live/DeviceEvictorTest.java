package upa.pager.live;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import upa.pager.device.AwayWord;
import upa.pager.host.PolicySpec;
import upa.pager.host.PolicyThread;
import upa.pager.host.PolicyWatch;
import upa.pager.posix.Linux;
import upa.pager.store.CompressedStore;
import upa.pager.store.ValvedStore;
import upa.policy.Place;

/** Victims of a device's region, proposed at bad moments. The test's thread is the pager's. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class DeviceEvictorTest {
    private static final int PAGES = 1024;
    private static final int FRAMES = 320;
    private static final int BOUND = 256;
    /** Few: then one that is proposed again is soon the next in turn. */
    private static final int HOT = 4;

    private static final int ROUNDS = 2_000;
    /** More than there is room for. */
    private static final int READERS = 40;
    /** More than there is room for, however late the policy's turn came, and so however many victims were in it. */
    private static final int NEWCOMERS = 200;

    private final FakeRegion region = new FakeRegion(PAGES, FRAMES);
    private final List<String> said = new CopyOnWriteArrayList<>();
    private final ValvedStore store = new ValvedStore(
            new CompressedStore(
                    "lz4", CompressedStore.Method.LZ4, Arena.ofAuto().allocate(16 << 20, 4096), offset -> {}),
            Place.Kind.COMPRESSED);
    private final StoreChain stores = StoreChain.of(store);
    private final DevicePages all =
            new DevicePages(region.admit(0), stores, BOUND, Linux.eventfd(), () -> {}, said::add);
    private final PolicyWatch watch = new PolicyWatch();
    private final PolicyThread policies = new PolicyThread(all.mechanism, PolicySpec.parse("fifo"), watch, said::add);
    private DeviceSession session;

    private static <T> CompletableFuture<T> start(Callable<T> work) {
        CompletableFuture<T> done = new CompletableFuture<>();
        Thread.ofPlatform().daemon().start(() -> {
            try {
                done.complete(work.call());
            } catch (Throwable t) {
                done.completeExceptionally(t);
            }
        });
        return done;
    }

    private void begin() {
        all.policies(policies);
        session = new DeviceSession(all);
    }

    private <T> T stepUntil(CompletableFuture<T> done) throws Exception {
        while (!done.isDone() && said.isEmpty()) {
            assertTrue(session.step());
        }
        assertEquals(List.of(), said);
        return done.get(1, TimeUnit.SECONDS);
    }

    @AfterEach
    void end() {
        region.end();
        policies.close();
        watch.close();
        all.states.end();
        stores.close();
    }

    private Void fill() throws InterruptedException {
        for (int page = 0; page < PAGES; page++) {
            region.map(page);
            write(page);
        }
        return null;
    }

    /** A few pages are read again and again, so have copies, and others push them out. */
    private int work() throws InterruptedException {
        int wrong = 0;
        fill();
        for (int round = 0; round < ROUNDS && !region.isOver(); round++) {
            for (int page = 0; page < HOT; page++) {
                wrong += region.read(page, 5) == 5L * page ? 0 : 1;
            }
            int other = HOT + round % (PAGES - HOT);
            region.write(other, other);
        }
        return wrong;
    }

    /** A page is proposed again while the batch of which it is a part is being put together. */
    @Test
    void aVictimThatIsProposedAgainAtOnceLeavesOnce() throws Exception {
        begin();
        CompletableFuture<Integer> wrong = start(this::work);
        CompletableFuture<Void> proposer = start(() -> {
            for (int page = 0; !wrong.isDone() && !region.isOver(); page = (page + 1) % HOT) {
                all.mechanism.evict(page, -1);
            }
            return null;
        });
        assertEquals(0, stepUntil(wrong));
        proposer.join();
        assertAllHaveLanded();
        assertTrue(all.counters.dropped > 0, "no page left without a copy");
    }

    private void assertAllHaveLanded() {
        session.finish();
        for (int page = 0; page < PAGES; page++) {
            assertFalse(AwayWord.isLeaving(region.word(page)), "page=" + page);
        }
        assertEquals(region.named(), region.taken(), "frames are neither lost nor used twice");
        assertEquals(region.named(), all.states.resident());
    }

    /** It was chosen, taken away by the owner, and chosen again, for the same place or another. */
    @ParameterizedTest
    @ValueSource(ints = {0, 1})
    void aVictimThatIsTwiceInTheQueueIsInOneBatch(int place) throws Exception {
        begin();
        stepUntil(start(this::fill));
        session.finish();
        int page = all.states.nextEligible(0);
        List<Integer> others = new ArrayList<>();
        for (int other = 0; others.size() < NEWCOMERS; other++) {
            if (AwayWord.isStored(region.word(other))) {
                others.add(other);
                region.unmap(other);
            }
        }
        session.step();
        assertTrue(all.mechanism.evict(page, 0));
        region.unmap(page);
        region.map(page);
        stepUntil(start(() -> write(page)));
        assertTrue(all.mechanism.evict(page, place));
        store.open = new CompletableFuture<>();
        CompletableFuture<Void> owner = start(() -> {
            for (int other : others) {
                region.map(other);
                write(other);
            }
            return null;
        });
        while (!all.inFlight.get(page)) {
            session.step();
        }
        session.step();
        assertEquals(3L * page, stepUntil(start(() -> region.read(page, 3))));
        assertFalse(all.mechanism.evict(page, -1), "its batch is under way");
        store.open.complete(null);
        stepUntil(owner);
        assertAllHaveLanded();
    }

    /** One more victim, whatever the policy chooses meanwhile. */
    private void propose() {
        for (int page = all.states.nextEligible(0); !all.mechanism.evict(page, 0); ) {
            page = all.states.nextEligible(page + 1);
        }
    }

    private Void write(int page) throws InterruptedException {
        region.write(page, page);
        return null;
    }

    /** Threads wait for a store that does not answer, and there are victims: no reason to go round without a pause. */
    @Test
    void aStoreThatDoesNotAnswerIsWaitedFor() throws Exception {
        begin();
        stepUntil(start(this::fill));
        session.finish();
        // Some of the readers begin; for the others pages have to leave.
        all.mechanism.limit(all.most() - all.room() + 4);
        store.open = new CompletableFuture<>();
        List<CompletableFuture<Long>> readers = new ArrayList<>();
        int before = region.faults();
        for (int page = 0; readers.size() < READERS; page++) {
            if (AwayWord.isStored(region.word(page))) {
                int stored = page;
                readers.add(start(() -> region.read(stored, 3) - 3L * stored));
            }
        }
        while (region.faults() - before < READERS) {
            session.step();
        }
        session.step();
        int waited = region.awaits();
        for (int step = 0; step < 10; step++) {
            propose();
            session.step();
        }
        assertEquals(10, region.awaits() - waited);
        // As many batches as may be under way have taken those before.
        assertTrue(all.mechanism.victims() > 0);
        store.open.complete(null);
        for (CompletableFuture<Long> reader : readers) {
            assertEquals(0, stepUntil(reader));
        }
    }
}
