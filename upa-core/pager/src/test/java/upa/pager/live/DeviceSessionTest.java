package upa.pager.live;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import upa.pager.device.AwayWord;
import upa.pager.device.DeviceException;
import upa.pager.device.PagedRegion;
import upa.pager.host.PolicySpec;
import upa.pager.store.StoreException;

/** The pager of the device's regions against a stand-in for module and owner: what it loses, leaks or keeps. */
@Timeout(value = 300, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class DeviceSessionTest {
    private static final int PAGES = 2048;
    private static final int BOUND = 300;
    private static final int FRAMES = 512;
    private static final String STORES = "lz4:16M,file:" + System.getProperty("java.io.tmpdir") + ":32M";
    private static final List<String> POLICIES =
            List.of("s3-fifo", "sequential+clock", "sieve", "2q", "fifo", "stride+working-set", "clock");

    private final FakeRegion region = new FakeRegion(PAGES, FRAMES);
    private final List<String> said = new CopyOnWriteArrayList<>();
    private final AtomicLong wrong = new AtomicLong();
    private final long[] expected = new long[PAGES];

    @AfterEach
    void end() {
        region.end();
        assertEquals(
                List.of(),
                said.stream()
                        .filter(line -> line.contains("failed:") && !line.contains("Killed"))
                        .toList());
    }

    private DevicePager pager(String policy, int diesAt) throws Exception {
        PagedRegion admitted = region.admit(diesAt);
        return DevicePager.start(admitted, PolicySpec.parse(policy), BOUND * 4096L, STORES, said::add);
    }

    /** One thread of the owner's, whose pages are those of its number modulo 2. */
    private void work(int thread, int steps, long seed) {
        SplittableRandom random = new SplittableRandom(seed + thread);
        try {
            for (int s = 0; s < steps && !region.isOver(); s++) {
                int page = random.nextInt(random.nextInt(10) < 6 ? PAGES / 20 : PAGES / 2) * 2 + thread;
                int what = random.nextInt(64);
                check(page);
                if (what == 0) {
                    region.unmap(page);
                    region.map(page);
                    expected[page] = 0;
                } else if (what < 25) {
                    expected[page] = random.nextInt(4) == 0 ? page + 1 : random.nextLong() | 1;
                    region.write(page, expected[page]);
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void check(int page) throws InterruptedException {
        long first = region.read(page, 0);
        long second = region.read(page, 100);
        if (!region.isOver() && (first != expected[page] || second != expected[page] * 100)) {
            wrong.incrementAndGet();
        }
    }

    private CompletableFuture<Void> owner(int steps, long seed) {
        for (int page = 0; page < PAGES; page++) {
            region.map(page);
        }
        List<CompletableFuture<Void>> threads = new ArrayList<>();
        for (int t = 0; t < 2; t++) {
            int thread = t;
            CompletableFuture<Void> done = new CompletableFuture<>();
            Thread.ofPlatform().daemon().start(() -> {
                try {
                    work(thread, steps, seed);
                    done.complete(null);
                } catch (Throwable e) {
                    done.completeExceptionally(e);
                }
            });
            threads.add(done);
        }
        return CompletableFuture.allOf(threads.toArray(CompletableFuture[]::new));
    }

    private void assertAllRight() throws InterruptedException {
        for (int page = 0; page < PAGES; page++) {
            check(page);
        }
        assertEquals(0, wrong.get());
    }

    @Test
    void contentSurvivesPoliciesAndBoundsThatChange() throws Exception {
        try (DevicePager pager = pager("clock", 0)) {
            CompletableFuture<Void> done = owner(15_000, 1);
            for (int i = 0; !done.isDone(); i++) {
                Thread.sleep(20);
                pager.policy(PolicySpec.parse(POLICIES.get(i % POLICIES.size())))
                        .join();
                pager.limit(i % 2 == 0 ? 256 * 4096L : 500 * 4096L);
            }
            done.get(250, TimeUnit.SECONDS);
            assertAllRight();
            assertTrue(pager.statistics().evictions() > PAGES, () -> "evictions=" + pager.statistics());
            assertTrue(pager.dropped() > 0, "no page left without a copy");
            assertTrue(pager.overwritten() > 0, "no copy was written over");
            pager.limit(BOUND * 4096L);
            for (int tries = 0; region.taken() > BOUND && tries < 500; tries++) {
                Thread.sleep(10);
            }
            assertTrue(region.taken() <= BOUND, "frames=" + region.taken());
        }
        assertEquals(
                List.of(),
                said.stream().filter(line -> !line.contains("over the bound")).toList());
        assertEquals(region.named(), region.taken(), "frames are neither lost nor used twice");
    }

    /** Pagers that die at a call of theirs, one after the other. */
    @Test
    void whereverAPagerIsKilledTheNextFindsAll() throws Exception {
        CompletableFuture<Void> done = owner(1_000, 2);
        SplittableRandom random = new SplittableRandom(7);
        int killed = 0;
        while (!done.isDone()) {
            String policy = POLICIES.get(killed % POLICIES.size());
            try (DevicePager pager = pager(policy, 20 + random.nextInt(700))) {
                CompletableFuture.anyOf(pager.over(), done).get(250, TimeUnit.SECONDS);
            } catch (ExecutionException | CompletionException e) {
                assertInstanceOf(FakeRegion.KilledError.class, e.getCause(), e::toString);
                killed++;
            }
        }
        done.get(1, TimeUnit.SECONDS);
        try (DevicePager last = pager("clock", 0)) {
            assertAllRight();
            assertEquals("", last.problem());
        }
        assertTrue(killed > 5, "killed=" + killed);
        assertEquals(region.named(), region.taken(), "frames are neither lost nor used twice");
    }

    @Test
    void aPageThatItsStoreLosesIsSigbusAndNothingElse() throws Exception {
        for (int page = 0; page < PAGES; page++) {
            region.map(page);
        }
        PagedRegion admitted = region.admit(0);
        try (DevicePager pager =
                DevicePager.start(admitted, PolicySpec.parse("fifo"), BOUND * 4096L, STORES, said::add)) {
            for (int page = 0; page < 1000; page++) {
                region.write(page, page);
            }
            int lost = 1;
            while (!AwayWord.isStored(region.word(lost))) {
                lost++;
            }
            long word = admitted.shared().places().getAtIndex(ValueLayout.JAVA_LONG, lost);
            // A bit of the checksum: what is read is not what was written.
            admitted.shared().places().setAtIndex(ValueLayout.JAVA_LONG, lost, word ^ 1L << 57);
            assertEquals(-1, region.read(lost, 0));
            assertEquals(0, region.word(lost));
            for (int page = 0; page < 1000; page++) {
                if (page != lost) {
                    assertEquals(page, region.read(page, 0));
                }
            }
            assertTrue(pager.problem().contains("page=" + lost), pager::problem);
            region.map(lost);
            assertEquals(0, region.read(lost, 5), "mapped anew it reads zero");
        }
    }

    @Test
    void pagesThatNoStoreTakesStayOverTheBound() throws Exception {
        for (int page = 0; page < PAGES; page++) {
            region.map(page);
        }
        String small = "lz4:1M";
        try (DevicePager pager =
                DevicePager.start(region.admit(0), PolicySpec.parse("clock"), BOUND * 4096L, small, said::add)) {
            SplittableRandom random = new SplittableRandom(3);
            for (int page = 0; page < FRAMES; page++) {
                expected[page] = random.nextLong() | 1;
                region.write(page, expected[page]);
            }
            for (int page = 0; page < FRAMES; page++) {
                check(page);
            }
            assertEquals(0, wrong.get());
            assertTrue(region.taken() > BOUND, "frames=" + region.taken());
            assertTrue(pager.problem().contains("over the bound"), pager::problem);
        }
    }

    @Test
    void pagesThatTheOwnerTakesAwayCostNothing() throws Exception {
        for (int page = 0; page < PAGES; page++) {
            region.map(page);
        }
        try (DevicePager pager = pager("s3-fifo", 0)) {
            for (int page = 0; page < PAGES; page++) {
                region.write(page, page);
            }
            for (int page = 0; page < PAGES; page++) {
                region.unmap(page);
            }
            for (int tries = 0; region.taken() + pager.outside() + pager.resident() > 0 && tries < 500; tries++) {
                Thread.sleep(10);
            }
            assertEquals(0, region.taken());
            assertEquals(0, pager.outside(), "slots in stores");
            assertEquals(0, pager.resident());
            region.map(9);
            assertEquals(0, region.read(9, 1));
        }
    }

    @Test
    void pagesOnTheirWayInAreReadByOthersToo() throws Exception {
        for (int page = 0; page < PAGES; page++) {
            region.map(page);
        }
        try (DevicePager pager = pager("sequential+clock", 0)) {
            for (int page = 0; page < PAGES; page++) {
                region.write(page, page);
            }
            for (int round = 0; round < 2; round++) {
                for (int page = 0; page < PAGES; page++) {
                    assertEquals(page, region.read(page, 0));
                }
            }
            assertTrue(pager.statistics().prefetches() > PAGES / 4, () -> "" + pager.statistics());
        }
    }

    /** What is used again and again stays, since accessed bits are told: first in, first out heeds none. */
    @Test
    void accessedBitsAreSecondChances() throws Exception {
        assertTrue(2 * hotFaults("clock") < hotFaults("fifo"));
    }

    private int hotFaults(String policy) throws Exception {
        FakeRegion fresh = new FakeRegion(PAGES, FRAMES);
        for (int page = 0; page < PAGES; page++) {
            fresh.map(page);
        }
        int faults = 0;
        try (DevicePager pager =
                DevicePager.start(fresh.admit(0), PolicySpec.parse(policy), BOUND * 4096L, STORES, said::add)) {
            for (int step = 0; step < 20_000; step++) {
                int hot = step % 100;
                int before = fresh.faults();
                fresh.read(hot, 0);
                faults += fresh.faults() - before;
                if (step % 4 == 0) {
                    fresh.read(100 + step / 4 % (PAGES - 100), 0);
                }
            }
            assertEquals(policy, pager.policyText());
        } finally {
            fresh.end();
        }
        return faults;
    }

    @Test
    void nonsenseIsRefusedInOneLine() throws Exception {
        assertThrows(
                DeviceException.class,
                () -> DevicePager.start(region.admit(0), PolicySpec.parse("clock"), 4096, STORES, said::add));
        assertThrows(
                StoreException.class,
                () -> DevicePager.start(region.admit(0), PolicySpec.parse("clock"), BOUND * 4096L, "zram", said::add));
        try (DevicePager pager = pager("clock", 0)) {
            assertThrows(DeviceException.class, () -> pager.limit(100));
            assertThrows(
                    Exception.class,
                    () -> pager.policy(PolicySpec.parse("clock,chances=99")).join());
            assertEquals("clock", pager.policyText());
        }
        DeviceException other = assertThrows(
                DeviceException.class,
                () -> DevicePager.start(region.admit(0), PolicySpec.parse("clock"), BOUND * 4096L, "zstd", said::add));
        assertTrue(other.getMessage().contains(STORES), other::getMessage);
    }
}
