package upa.pager.simulate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import upa.pager.host.PolicySpec;
import upa.pager.host.TestPolicy;
import upa.policy.PolicyException;

class SimulationTest {
    private static final long[] TEXTBOOK = {7, 0, 1, 2, 0, 3, 0, 4, 2, 3, 0, 3, 2, 1, 2, 0, 1, 7, 0, 1};
    private static final long[] BELADYS_ANOMALY = {1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5};

    private static Outcome run(PageTrace trace, String policy, int bound) {
        return Simulation.run(trace, PolicySpec.parse(policy), Settings.exact(bound));
    }

    @ParameterizedTest
    @CsvSource({"fifo,3,15", "fifo,4,10"})
    void knowsTheFaultsOfTheTextbooks(String policy, int bound, int faults) {
        assertEquals(faults, run(PageTrace.of(TEXTBOOK), policy, bound).misses());
    }

    @Test
    void fifoShowsBeladysAnomaly() {
        assertEquals(9, run(PageTrace.of(BELADYS_ANOMALY), "fifo", 3).misses());
        assertEquals(10, run(PageTrace.of(BELADYS_ANOMALY), "fifo", 4).misses());
    }

    /** Misses of FIFO and CLOCK counted on plain collections. */
    private static int model(long[] pages, int bound, boolean clock) {
        Deque<Long> queue = new ArrayDeque<>();
        Map<Long, Boolean> used = new HashMap<>();
        int misses = 0;
        for (long page : pages) {
            if (used.containsKey(page)) {
                used.put(page, clock);
                continue;
            }
            misses++;
            while (used.size() == bound) {
                long victim = queue.removeFirst();
                if (used.get(victim)) {
                    used.put(victim, false);
                    queue.addLast(victim);
                } else {
                    used.remove(victim);
                }
            }
            queue.addLast(page);
            used.put(page, false);
        }
        return misses;
    }

    @Test
    void fifoAndClockMissAsOftenAsModelsOfThem() {
        Random random = new Random(9);
        for (int round = 0; round < 30; round++) {
            long[] pages = random.longs(3000, 0, 2000).map(n -> n * n / 4000).toArray();
            int bound = 1 + random.nextInt(400);
            PageTrace trace = PageTrace.of(pages);
            assertEquals(model(pages, bound, false), run(trace, "fifo", bound).misses());
            assertEquals(model(pages, bound, true), run(trace, "clock", bound).misses());
        }
    }

    /** With recency order for every access, the rules' order by age is LRU. */
    @Test
    void rulesByAgeAreLru() {
        Random random = new Random(10);
        long[] pages = random.longs(5000, 0, 2000).map(n -> n * n / 4000).toArray();
        LinkedHashSet<Long> lru = new LinkedHashSet<>();
        int misses = 0;
        for (long page : pages) {
            if (!lru.remove(page)) {
                misses++;
                if (lru.size() == 150) {
                    lru.remove(lru.iterator().next());
                }
            }
            lru.add(page);
        }
        assertEquals(misses, run(PageTrace.of(pages), "when age>1h: evict", 150).misses());
    }

    @ParameterizedTest
    @ValueSource(strings = {"fifo", "clock", "2q", "s3-fifo", "sieve", "when age>1s: evict"})
    void noPolicyBeatsTheBoundWithoutPrefetch(String policy) {
        Random random = new Random(11);
        for (int round = 0; round < 10; round++) {
            PageTrace trace =
                    PageTrace.of(random.longs(2000, 0, 100 + 50 * round).toArray());
            int bound = 10 + random.nextInt(90);
            Outcome outcome = run(trace, policy, bound);
            assertTrue(outcome.misses() >= Belady.faults(trace, bound), policy + " misses=" + outcome.misses());
            assertEquals(trace.distinct(), outcome.statistics().firstTouches());
        }
    }

    @Test
    void everythingFitsInABoundOfAllPages() {
        PageTrace trace =
                PageTrace.of(LongStream.range(0, 1000).map(i -> i % 100).toArray());
        Outcome outcome = run(trace, "sieve", 100);
        assertEquals(0, outcome.statistics().faults());
        assertEquals(0, outcome.statistics().evictions());
        assertEquals(0.9, outcome.hitRate(), 1e-9);
    }

    @Test
    void prefetchingServesALoop() {
        PageTrace trace =
                PageTrace.of(LongStream.range(0, 10_000).map(i -> i % 1000).toArray());
        Outcome outcome = run(trace, "sequential", 500);
        assertTrue(outcome.misses() < 1200, "misses=" + outcome.misses());
        assertTrue(
                outcome.statistics().prefetchesUsed() > 8000,
                outcome.statistics().toString());
        assertTrue(outcome.statistics().prefetches() >= outcome.statistics().prefetchesUsed());
    }

    @Test
    void aStagingAreaRescues() {
        Random random = new Random(12);
        PageTrace trace = PageTrace.of(
                random.longs(20_000, 0, 1000).map(n -> n * n / 2000).toArray());
        Outcome without =
                Simulation.run(trace, PolicySpec.parse("clock"), new Settings(100, Settings.Evidence.FAULTS, 0, 1));
        Outcome with =
                Simulation.run(trace, PolicySpec.parse("clock"), new Settings(100, Settings.Evidence.FAULTS, 20, 1));
        assertEquals(0, without.statistics().rescues());
        assertTrue(with.statistics().rescues() > 500, with.statistics().toString());
        assertTrue(with.misses() < without.misses(), "with=" + with.misses() + " without=" + without.misses());
    }

    @Test
    void aPolicyThatFailsIsReportedAndReplaced() {
        TestPolicy.misdeed("sim", "used", (p, x) -> {
            throw new IllegalStateException("gave up");
        });
        Outcome outcome = run(PageTrace.of(1, 2, 1, 3, 1, 2), "test,id=sim", 2);
        assertEquals(
                List.of("policy=test is replaced by clock: used threw java.lang.IllegalStateException: gave up"),
                outcome.complaints());
        assertEquals(6, outcome.accesses());
    }

    @Test
    void aPolicyThatHangsEndsTheSimulation() {
        List<byte[]> nothing = new ArrayList<>();
        TestPolicy.misdeed("hang", "evict", (p, x) -> {
            while (nothing.isEmpty()) {
                p.context.residentPages();
            }
        });
        String message = assertThrows(PolicyException.class, () -> run(PageTrace.of(1, 2, 3), "test,id=hang", 2))
                .getMessage();
        // On a machine without a processor to spare, time passes before the 50 ms have been had.
        assertTrue(
                message.matches("policy=test evict has not returned after (50 ms of processor time|[0-9]+ ms)"),
                message);
    }

    @Test
    void settingsAreChecked() {
        assertEquals(
                "boundPages=0 stagingPages=0 batchPages=1",
                assertThrows(IllegalArgumentException.class, () -> Settings.exact(0))
                        .getMessage());
        assertThrows(IllegalArgumentException.class, () -> new Settings(10, Settings.Evidence.FAULTS, 10, 1));
        assertThrows(IllegalArgumentException.class, () -> new Settings(10, Settings.Evidence.FAULTS, 0, 11));
    }
}
