package upa.pager.policies;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import upa.pager.host.FakeFaults;
import upa.pager.host.FakeMechanism;
import upa.pager.host.PolicyHost;
import upa.pager.host.PolicySpec;
import upa.pager.simulate.Outcome;
import upa.pager.simulate.PageTrace;
import upa.pager.simulate.Settings;
import upa.pager.simulate.Simulation;
import upa.policy.FaultBatch;
import upa.policy.Hint;
import upa.policy.PageBatch.Cause;
import upa.policy.Place;
import upa.policy.Pressure;

/** What every policy does, complete or with the default behind it. */
class PolicyContractTest {
    private static final int PAGES = 4096;
    private static final int BOUND = 300;

    private static FaultBatch fault(int page) {
        return new FakeFaults(1, page % 2 == 0, -1, page);
    }

    /**
     * Any events in any order, with pages that cannot leave and pages that come back: no policy fails, none proposes
     * a page that is not there, and as many victims are found as wanted.
     */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "fifo",
                "clock",
                "clock,chances=3",
                "2q",
                "s3-fifo",
                "s3-fifo,small=50%,most=1,promote=0",
                "sieve",
                "sequential",
                "stride",
                "csr-window",
                "huge,after=1",
                "working-set,least=1M,interval=100ms,free=0%",
                "zero-ahead",
                "populate-ahead,ahead=2M",
                "placement",
                "when age>1s and not written: move to lz4; quota 1M/s; goal pressure<1%",
                "when in lz4 and age>1s: move to file; when age<2s: keep; when used: collapse",
                "csr-window+stride+sequential+huge+sieve"
            })
    void survivesAnythingAndFindsVictims(String spec) {
        for (long seed = 0; seed < 6; seed++) {
            Random random = new Random(seed);
            FakeMechanism pages = new FakeMechanism(PAGES, BOUND);
            List<String> said = new ArrayList<>();
            PolicyHost host = new PolicyHost(pages, said::add);
            for (int i = 0; i < 40; i++) {
                pages.put(random.nextInt(PAGES));
            }
            host.replace(PolicySpec.parse(spec));
            BitSet pinned = new BitSet();
            for (int step = 0; step < 3000; step++) {
                int page = random.nextInt(10) < 7 ? random.nextInt(600) : random.nextInt(PAGES);
                int[] one = {page};
                switch (random.nextInt(12)) {
                    case 0, 1, 2, 3 -> {
                        if (!pages.isResident(page)) {
                            boolean known = pages.isStored(page);
                            pages.put(page);
                            Cause cause =
                                    known ? random.nextBoolean() ? Cause.RESCUED : Cause.FETCHED : Cause.FIRST_TOUCH;
                            host.added(cause, one, 1);
                            pages.room = 64;
                            host.fault(fault(page));
                        }
                    }
                    case 4, 5 -> {
                        Cause[] causes = {Cause.FAULT, Cause.WRITTEN, Cause.SAMPLED, Cause.ACCESSED};
                        host.used(causes[random.nextInt(4)], one, 1);
                    }
                    case 6 -> {
                        pages.drop(page);
                        pages.pin(page, false);
                        pinned.clear(page);
                        host.gone(random.nextBoolean() ? Cause.FREED : Cause.UNMAPPED, one, 1);
                    }
                    case 7 -> {
                        boolean on = random.nextInt(4) == 0 && pinned.cardinality() < 50;
                        pages.pin(page, on);
                        pinned.set(page, on);
                    }
                    case 8 -> {
                        pages.pressure = new Pressure(random.nextInt(3) / 100.0, random.nextDouble());
                        host.pressure(pages.pressure);
                    }
                    case 9 ->
                        host.hint(new Hint(
                                Hint.Kind.values()[random.nextInt(6)],
                                page,
                                Math.min(1 + random.nextInt(200), PAGES - page),
                                3));
                    case 10 -> {
                        pages.now += random.nextInt(1_000_000_000);
                        host.tick();
                    }
                    default -> {
                        int evictable = 0;
                        for (int p = pages.nextResident(0); p >= 0; p = pages.nextResident(p + 1)) {
                            evictable += pinned.get(p) ? 0 : 1;
                        }
                        int wanted = 1 + random.nextInt(60);
                        assertEquals(Math.min(wanted, evictable), host.evict(wanted, random.nextBoolean()));
                    }
                }
                assertEquals(List.of(), said, "seed=" + seed + " step=" + step);
                pages.done.clear();
            }
            host.close();
        }
    }

    /** Without pins every victim is one that the policy proposed itself. */
    @ParameterizedTest
    @ValueSource(strings = {"fifo", "clock", "2q", "s3-fifo", "sieve", "when age>1s: evict", "stride", "huge"})
    void proposesEveryVictimItself(String spec) {
        Random random = new Random(3);
        long[] numbers = random.longs(50_000, 0, 500).map(n -> n * n / 300).toArray();
        PageTrace trace = PageTrace.of(numbers);
        for (Settings settings : List.of(Settings.exact(100), new Settings(100, Settings.Evidence.FAULTS, 10, 7))) {
            Outcome outcome = Simulation.run(trace, PolicySpec.parse(spec), settings);
            assertEquals(List.of(), outcome.complaints());
            assertTrue(outcome.hitRate() > 0.2, "hitRate=" + outcome.hitRate());
            long present = outcome.misses()
                    + outcome.statistics().prefetches()
                    - outcome.statistics().evictions();
            assertTrue(present <= 100 && present > 80, "present=" + present);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "fifo",
                "clock",
                "2q",
                "s3-fifo",
                "sieve",
                "when age>1s: evict",
                "csr-window",
                "sequential",
                "stride",
                "huge",
                "populate-ahead",
                "zero-ahead",
                "placement",
                "working-set"
            })
    void worksInARegionOfAnySize(String spec) {
        for (int size : new int[] {1, 511, 512, 513, 1 << 28}) {
            FakeMechanism pages = new FakeMechanism(size, 1);
            pages.places = size == 1 ? List.of() : List.of(new Place(0, "lz4", Place.Kind.COMPRESSED));
            List<String> said = new ArrayList<>();
            try (PolicyHost host = new PolicyHost(pages, said::add)) {
                host.replace(PolicySpec.parse(spec));
                pages.put(size - 1);
                host.added(Cause.FIRST_TOUCH, new int[] {size - 1}, 1);
                host.fault(fault(size - 1));
                host.hint(new Hint(Hint.Kind.SEQUENTIAL, 0, size, 0));
                host.fault(fault(size - 1));
                host.tick();
                assertEquals(1, host.evict(1, true));
                assertEquals(0, host.evict(1, true));
            }
            assertEquals(List.of(), said);
        }
    }
}
