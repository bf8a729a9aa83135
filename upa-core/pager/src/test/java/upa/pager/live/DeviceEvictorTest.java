package upa.pager.live;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import upa.pager.device.AwayWord;
import upa.pager.host.PolicySpec;
import upa.pager.host.PolicyThread;
import upa.pager.host.PolicyWatch;
import upa.pager.posix.Linux;
import upa.pager.store.StoreSpec;

/** Victims of a device's region, proposed at bad moments. This thread is the pager's. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class DeviceEvictorTest {
    private static final int PAGES = 1024;
    private static final int FRAMES = 320;
    private static final int BOUND = 256;
    /** Few: then one that is proposed again is soon the next in turn. */
    private static final int HOT = 4;

    private static final int ROUNDS = 2_000;

    private final FakeRegion region = new FakeRegion(PAGES, FRAMES);
    private final List<String> said = new CopyOnWriteArrayList<>();

    /** The owner: a few pages are read again and again, so have copies, and others push them out. */
    private int work() throws InterruptedException {
        int wrong = 0;
        for (int page = 0; page < PAGES; page++) {
            region.map(page);
            region.write(page, page);
        }
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
        StoreChain stores = StoreChain.open(StoreSpec.parse("lz4:16M"));
        DevicePages all = new DevicePages(region.admit(0), stores, BOUND, Linux.eventfd(), () -> {}, said::add);
        PolicyWatch watch = new PolicyWatch();
        CompletableFuture<Integer> wrong = new CompletableFuture<>();
        Thread proposer = Thread.ofPlatform().daemon().unstarted(() -> {
            for (int page = 0; !wrong.isDone() && !region.isOver(); page = (page + 1) % HOT) {
                all.mechanism.evict(page, -1);
            }
        });
        try (PolicyThread policies = new PolicyThread(all.mechanism, PolicySpec.parse("fifo"), watch, said::add)) {
            all.policies(policies);
            DeviceSession session = new DeviceSession(all);
            Thread.ofPlatform().daemon().start(() -> {
                try {
                    wrong.complete(work());
                } catch (Throwable t) {
                    wrong.completeExceptionally(t);
                }
            });
            proposer.start();
            while (!wrong.isDone() && said.isEmpty()) {
                assertTrue(session.step());
            }
            assertEquals(List.of(), said);
            assertEquals(0, wrong.get(1, TimeUnit.SECONDS));
            proposer.join();
            session.finish();
            for (int page = 0; page < PAGES; page++) {
                assertFalse(AwayWord.isLeaving(region.word(page)), "page=" + page);
            }
            assertEquals(region.named(), region.taken(), "frames are neither lost nor used twice");
            assertTrue(all.counters.dropped > 0, "no page left without a copy");
        } finally {
            region.end();
            watch.close();
            all.states.end();
            stores.close();
        }
    }
}
