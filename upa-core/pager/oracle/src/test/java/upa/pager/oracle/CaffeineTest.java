package upa.pager.oracle;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.github.benmanes.caffeine.cache.simulator.admission.Admission;
import com.github.benmanes.caffeine.cache.simulator.policy.AccessEvent;
import com.github.benmanes.caffeine.cache.simulator.policy.Policy;
import com.github.benmanes.caffeine.cache.simulator.policy.linked.LinkedPolicy;
import com.github.benmanes.caffeine.cache.simulator.policy.linked.LinkedPolicy.EvictionPolicy;
import com.github.benmanes.caffeine.cache.simulator.policy.linked.SievePolicy;
import com.github.benmanes.caffeine.cache.simulator.policy.opt.ClairvoyantPolicy;
import com.github.benmanes.caffeine.cache.simulator.policy.two_queue.S3FifoPolicy;
import com.github.benmanes.caffeine.cache.simulator.policy.two_queue.TwoQueuePolicy;
import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigValueFactory;
import java.io.BufferedReader;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import upa.pager.host.PolicySpec;
import upa.pager.simulate.Belady;
import upa.pager.simulate.PageTrace;
import upa.pager.simulate.Settings;
import upa.pager.simulate.Simulation;

/** Hit rates on the traces that come with Caffeine's simulator, within half a percent of its own. */
class CaffeineTest {
    private static final double TOLERANCE = 0.005;
    private static final String TRACES = "/com/github/benmanes/caffeine/cache/simulator/parser/lirs/";

    /** Ours, with the numbers that Caffeine's settings have; theirs. */
    private static final Map<String, Function<Config, Policy>> POLICIES = Map.of(
            "fifo", c -> new LinkedPolicy(c, Set.of(), Admission.ALWAYS, EvictionPolicy.FIFO),
            "clock", c -> new LinkedPolicy(c, Set.of(), Admission.ALWAYS, EvictionPolicy.CLOCK),
            "2q,in=20%,out=50%", TwoQueuePolicy::new,
            "s3-fifo,small=10%,ghost=90%,most=3,promote=1", S3FifoPolicy::new,
            "sieve", SievePolicy::new,
            "belady", ClairvoyantPolicy::new);

    private static long[] numbers(String trace) throws Exception {
        List<Long> numbers = new ArrayList<>();
        try (InputStream in = new GZIPInputStream(Policy.class.getResourceAsStream(TRACES + trace + ".trace.gz"));
                BufferedReader lines = new BufferedReader(new InputStreamReader(in, StandardCharsets.US_ASCII))) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                if (!line.isBlank() && !line.strip().equals("*")) {
                    numbers.add(Long.parseLong(line.strip()));
                }
            }
        }
        return numbers.stream().mapToLong(Long::longValue).toArray();
    }

    private static double theirs(Function<Config, Policy> make, long[] numbers, int bound) {
        Config config = ConfigFactory.load()
                .getConfig("caffeine.simulator")
                .withValue("maximum-size", ConfigValueFactory.fromAnyRef(bound));
        Policy policy = make.apply(config);
        for (long number : numbers) {
            policy.record(AccessEvent.forKey(number));
        }
        policy.finished();
        return policy.stats().hitRate();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"2_pools", "cpp", "cs", "gli", "loop", "multi1", "multi2", "multi3", "ps", "sprite", "zigzag"})
    void hitRatesAreThoseOfCaffeinesSimulator(String trace) throws Exception {
        long[] numbers = numbers(trace);
        PageTrace pages = PageTrace.of(numbers);
        Map<String, String> apart = new HashMap<>();
        for (int bound : new int[] {pages.distinct() / 10, pages.distinct() / 3, pages.distinct() * 3 / 4}) {
            POLICIES.forEach((name, make) -> {
                double ours = name.equals("belady")
                        ? 1 - (double) Belady.faults(pages, bound) / pages.size()
                        : Simulation.run(pages, PolicySpec.parse(name), Settings.exact(bound))
                                .hitRate();
                double theirs = theirs(make, numbers, bound);
                if (Math.abs(ours - theirs) > TOLERANCE) {
                    apart.put(name + " bound=" + bound, "ours=" + ours + " theirs=" + theirs);
                }
            });
        }
        assertEquals(Map.of(), apart);
    }
}
